# SPDX-License-Identifier: GPL-3.0-or-later
"""Does a batch lose anything, and what does it win? A crowd, with everything against it.

``python -m benchmarks.batch --photos 1000``. The photos are the example, cropped, mirrored, scaled
and lit differently, each of its own content; every 25th is no photo. Two runs share one folder; a
random worker is killed every 20 s, one is stopped so that it hangs, the disk is full for a while
(where a small one can be mounted), one run is killed and started again. Then: is every photo there,
how often was one made twice, how memory went. Throughput is in processor seconds a photo, beside
wall time, since those do not depend on what else the machine does; the single command is started
once a photo, as a script without a batch would. Linux alone: figures are read from /proc.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "examples" / "astronaut.jpg"
#: Seconds between two kills, of a full disk, and from when a photo hangs.
KILL_EVERY, FULL_SECONDS, HANG_SECONDS = 20.0, 60.0, 120
#: One file in so many is no photo.
BAD_EVERY = 25
#: Megabytes that a photo's files take.
MB_A_PHOTO = 24


def crowd(folder: Path, count: int, seed: int = 1) -> int:
    """That many files; how many of them are photos."""
    draw = np.random.default_rng(seed)
    picture = cv2.imread(str(EXAMPLE))[:340, 60:420]
    good = 0
    folder.mkdir()
    for i in range(count):
        path = folder / f"p{i:05}.jpg"
        if i % BAD_EVERY == BAD_EVERY - 1:
            path.write_text(f"no photo {i}")
            continue
        side = int(draw.integers(300, 400))
        x, y = draw.integers(0, 20, 2)
        view = cv2.resize(picture[y : y + 320, x : x + 340], (side, side * 320 // 340))
        view = view[:, ::-1] if draw.random() < 0.5 else view
        view = np.clip(view * draw.uniform(0.8, 1.15) + draw.normal(0, 3, view.shape), 0, 255)
        cv2.imwrite(str(path), view.astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 95])
        good += 1
    return good


def batch(folder: Path, out: Path, *more: str) -> subprocess.Popen[str]:
    """A run that talks to nobody."""
    command = [sys.executable, "-m", "core", "batch", str(folder), "--out", str(out), "--json"]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(
        [*command, "--hang-after", str(HANG_SECONDS), *more],
        cwd=ROOT, stdout=quiet, stderr=quiet, text=True,
    )  # fmt: skip


def workers_of(parents: list[subprocess.Popen[str]]) -> list[int]:
    """Process ids of the workers of those that run."""
    ids = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) in {p.pid for p in parents if p.poll() is None}:
            ids.append(int(path.parent.name))
    return ids


def megabytes(pid: int) -> float:
    """Resident memory now, 0 for a process that is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@contextmanager
def small_disk(folder: Path, size_mb: int) -> Iterator[bool]:
    """A disk of its own at ``folder``; False where this system does not let us."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size_mb}m", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=False)


def soak(folder: Path, out: Path, full_disk: bool) -> dict[str, float]:
    """Two runs, and everything against them. Figures by name."""
    chance = random.Random(2)
    runs = [batch(folder, out, "--workers", "1") for _ in range(2)]
    started = last_kill = time.monotonic()
    kills, stopped, restarted = 0, False, False
    full_from: float | None = None
    ballast = out / "ballast"
    parent: list[float] = []
    peak = 0.0
    while any(run.poll() is None for run in runs):
        time.sleep(1.0)
        now = time.monotonic()
        workers = workers_of(runs)
        parent.append(max(megabytes(run.pid) for run in runs))
        peak = max([peak, *(megabytes(pid) for pid in workers)])
        if now - last_kill > KILL_EVERY and workers:
            # The second one hangs instead, and is found out by its silence.
            victim = chance.choice(workers)
            os.kill(victim, signal.SIGSTOP if kills == 1 and not stopped else signal.SIGKILL)
            stopped = stopped or kills == 1
            kills, last_kill = kills + 1, now
        if full_disk and full_from is None and now - started > 30:
            full_from = now
            with ballast.open("wb", buffering=0) as file:
                try:
                    while True:
                        file.write(bytes(1 << 20))
                except OSError:
                    pass
        if full_from is not None and ballast.exists() and now - full_from > FULL_SECONDS:
            ballast.unlink()
        if not restarted and now - started > 45 and not ballast.exists():
            restarted = True
            runs[0].kill()
            runs[0].wait()
            runs.append(batch(folder, out, "--workers", "1"))
    again = batch(folder, out)
    again.wait()
    lines = [json.loads(line)["photos"] for line in (out / "results.jsonl").open(encoding="utf-8")]
    done: dict[str, int] = {}
    for photos in lines:
        if photos[0]["status"] == "done":
            done[photos[0]["person"]] = done.get(photos[0]["person"], 0) + 1
    half = [p for p in out.rglob(".*") if p.is_file() and p.parent.name != ".logs"]
    quarter = max(len(parent) // 4, 1)
    return {
        "photos with a head": len(list(out.glob("*/head.npz"))),
        "workers killed or stopped": kills,
        "made more than once": sum(n > 1 for n in done.values()),
        "half files left": len(half),
        "minutes": (time.monotonic() - started) / 60,
        "memory of a run, first quarter, MB": float(np.median(parent[:quarter])),
        "memory of a run, last quarter, MB": float(np.median(parent[-quarter:])),
        "largest worker, MB": peak,
    }


def cost(command: list[str]) -> tuple[float, float]:
    """Processor and wall seconds of a command with all its processes."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return busy, time.perf_counter() - start


def throughput(folder: Path, out: Path, count: int) -> None:
    """The single command once a photo, one after the other and as many at once as cores, against
    the batch.
    """
    photos = [p for p in sorted(folder.iterdir()) if p.stat().st_size > 100][:count]
    names = folder.parent / "some.txt"
    names.write_text("\n".join(map(str, photos)))
    core = [sys.executable, "-m", "core"]
    singles = [cost([*core, "reconstruct", str(p), "--out", str(out / "s")]) for p in photos[:4]]
    one = float(np.mean([busy for busy, _ in singles]))
    both = cost([*core, "batch", str(names), "--out", str(out / "b"), "--people", "each"])
    each = both[0] / len(photos)
    print(f"single command: {one:.2f} processor s a photo, {60 / one:.1f} photos a minute a core")
    print(f"batch of {len(photos)}: {each:.2f} processor s, {60 / each:.1f} photos a minute a core")
    print(f"batch in wall time: {60 * len(photos) / both[1]:.1f} photos a minute")
    print(f"better by {one / each:.2f} (bar 1.6)")


def main() -> int:
    """Prints; the exit code is 1 where something was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=60)
    parser.add_argument("--throughput", type=int, default=12, help="photos; 0 leaves it out")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "photos")
        good = crowd(folder, args.photos)
        if args.throughput:
            throughput(folder, Path(name), args.throughput)
        with small_disk(Path(name, "out"), 300 + MB_A_PHOTO * args.photos) as mounted:
            if not mounted:
                print("The full disk is left out: this system lets nobody mount a small one.")
            figures = soak(folder, Path(name, "out"), mounted)
    for what, value in figures.items():
        print(f"{what}: {value:.1f}" if value % 1 else f"{what}: {value:.0f}")
    lost = good - figures["photos with a head"]
    print(f"lost: {lost:.0f} of {good}")
    return 1 if lost or figures["half files left"] else 0


if __name__ == "__main__":
    sys.exit(main())
