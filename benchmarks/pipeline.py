# SPDX-License-Identifier: GPL-3.0-or-later
"""Photo to arrays: seconds by stage when warm, and the worker's memory, on two cores.

Every figure is also given as a multiple of one 1024 x 1024 double matrix product timed between
the runs, since machines differ, and as processor seconds, since shared machines make wall time
a measure of the neighbours. The bars are those of the project: 1.0 s from the photo's pixels to
the rigged head's arrays, 400 MB of worker memory.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CORES = 2
SECONDS_BAR, MEGABYTES_BAR = 1.0, 400.0

# Before numpy starts its threads: one, as the worker has it.
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np  # noqa: E402

from core import protocol  # noqa: E402
from core.options import Options  # noqa: E402
from core.photos.photo import Photo, load_photo  # noqa: E402
from core.pipeline import reconstruct, rig_heads  # noqa: E402


def seconds(action: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def matmul() -> float:
    """Seconds of the unit: the best of three, since it is to be the machine's pace."""
    a = np.random.default_rng(0).normal(size=(1024, 1024))
    return min(seconds(lambda: a @ a) for _ in range(3))


class Worker:
    """The real worker process, and what it holds in memory (Linux; elsewhere nan)."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            protocol.worker_command(sys.executable),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **protocol.WORKER_VARIABLES},
        )
        self.decoder = protocol.FrameDecoder()
        self.wait_for("hello")

    def wait_for(self, kind: str) -> protocol.Message:
        """The next message of a type; an error ends the benchmark."""
        while data := self.process.stdout.read1(1 << 16):
            for msg in self.decoder.feed(data):
                if msg["type"] == "error":
                    raise SystemExit(msg["message"])
                if msg["type"] == kind:
                    return msg
        raise SystemExit("The worker ended.")

    def send(self, msg: protocol.Message) -> None:
        """At once."""
        self.process.stdin.write(protocol.encode(msg))
        self.process.stdin.flush()

    def reconstruct(self, photo: Path, out: Path) -> None:
        """A whole job."""
        params = {"photos": [str(photo)], "options": {}, "out": str(out)}
        self.send(protocol.message("job", id="benchmark", kind="reconstruct", params=params))
        self.wait_for("result")

    def megabytes(self, what: str) -> float:
        """VmHWM (the peak) or VmRSS (now), MB of 10^6 bytes."""
        status = Path(f"/proc/{self.process.pid}/status")
        if not status.exists():
            return float("nan")
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines[what].split()[0]) * 1024 / 1e6

    def close(self) -> None:
        """In good order."""
        self.send(protocol.message("bye"))
        self.process.stdin.close()
        self.process.wait(30)


def row(name: str, times: list[float], units: list[float], bar: float | None = None) -> None:
    """Median, best, and the median as a multiple of the unit timed beside each run."""
    median = statistics.median(times)
    ratio = statistics.median(t / u for t, u in zip(times, units, strict=True))
    limit = "" if bar is None else f"  (bar {bar:g} s)"
    print(f"{name:<34}{median:8.3f}{min(times):8.3f}{ratio:9.1f}{limit}")


def measure(photo: Photo, runs: int) -> None:
    """Prints the table of one photo."""
    print(f"\n{photo.name}, {photo.width} x {photo.height}, {runs} runs")
    print(f"{'warm':<34}{'median':>8}{'best':>8}{'x matmul':>9}")
    stages: dict[str, list[float]] = {}
    totals, units, busy = [], [], []

    def whole() -> None:
        people = reconstruct([photo])
        rigging = seconds(lambda: rig_heads([photo], people, Options()))
        for name, s in {**people[0].report["seconds"], "Building the rig": rigging}.items():
            stages.setdefault(name, []).append(s)

    whole()
    stages.clear()
    for _ in range(runs):
        units.append(matmul())
        used = time.process_time()
        totals.append(seconds(whole))
        busy.append(time.process_time() - used)
    for name, times in stages.items():
        row("  " + name, times, units)
    row("photo to arrays, in this process", totals, units, SECONDS_BAR)
    row("  processor seconds of it", busy, units)

    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch, "photo.npz")
        photo.save(source)
        start = time.perf_counter()
        worker = Worker()
        hello = time.perf_counter() - start
        cold = seconds(lambda: worker.reconstruct(source, Path(scratch)))
        totals, units = [], []
        for _ in range(runs):
            units.append(matmul())
            totals.append(seconds(lambda: worker.reconstruct(source, Path(scratch))))
        row("photo file to head file, worker", totals, units, SECONDS_BAR)
        peak, held = worker.megabytes("VmHWM"), worker.megabytes("VmRSS")
        worker.close()
    print(f"worker: hello after {hello:.2f} s, first job {cold:.2f} s")
    print(f"worker: peak {peak:.0f} MB, then {held:.0f} MB  (bar {MEGABYTES_BAR:g} MB)")


def enlarged(photo: Photo, factor: int) -> Photo:
    """The photo at a camera's size: pixels repeated, since only the amount counts here."""
    pixels = np.repeat(np.repeat(photo.pixels, factor, axis=0), factor, axis=1)
    return Photo(pixels, f"{photo.name}, enlarged")


def main() -> int:
    """The example at its own size, and enlarged to a camera's."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photo", type=Path, default=ROOT / "examples" / "astronaut.jpg")
    parser.add_argument("--runs", type=int, default=10)
    args = parser.parse_args()
    photo = load_photo(args.photo)
    measure(photo, args.runs)
    megapixels = photo.width * photo.height / 1e6
    measure(enlarged(photo, max(2, round((12 / megapixels) ** 0.5))), args.runs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
