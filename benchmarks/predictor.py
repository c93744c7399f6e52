# SPDX-License-Identifier: GPL-3.0-or-later
"""Pixel3DMM's two networks at the size of the released ones, with random weights.

    python -m benchmarks.predictor [--runs N] [--threads N] [--processor-time]

Reports, on the CPU and on a GPU where there is one: seconds for one photo with flip averaging
through both networks, peak memory, and the share of the arithmetic limit. The operations are
those of the matrix products alone; the limit is the best rate of one large matrix product,
measured between the runs, so that a machine that is busy with other things slows both. What is
timed is ``Pixel3DMMPredictor.raw_maps``: images to bytes, networks, maps back in memory; the
networks are loaded before. On a machine that others use, one thread and its own processor time
still give a fair share. Goals: 60 % of the limit on a CPU, 60 ms on a CUDA device.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.cues.pixel3dmm.convert_checkpoint import FORMAT, LICENCE, find_converted
from core.cues.pixel3dmm.devices import Rung, choose_device, ladder
from core.cues.pixel3dmm.layout import IMAGE_SIZE, NetworkLayout
from core.cues.pixel3dmm.predictor import Pixel3DMMPredictor
from core.files.safetensors import TensorEntry, write_safetensors

CPU_GOAL_SHARE = 0.60
CUDA_GOAL_SECONDS = 0.060
CEILING_SIZE = {"cpu": 2048, "cuda": 8192, "mps": 4096}


def released(output: str) -> NetworkLayout:
    """ViT-B, E 512, six blocks; the normal network with the view embedding of two views."""
    return NetworkLayout(
        outputs={output: 0},
        width=768,
        depth=12,
        patch=16,
        position_grid=14,
        embedding=512,
        layers=6,
        heads=8,
        channels=2 if output == "uv" else 3,
        view_width=0 if output == "uv" else 16,
        views=1 if output == "uv" else 2,
        position_encoding=False,
        unused=(),
        unexpected=(),
    )


def write_random(layout: NetworkLayout, folder: Path) -> None:
    """A converted checkpoint whose weights keep the size of what passes through them."""
    rng = np.random.default_rng(0)
    shapes = layout.expected()

    def chunks(name: str) -> list[bytes]:
        shape = shapes[name]
        spread = (1 / np.sqrt(np.prod(shape[1:]))) if len(shape) > 1 else 0.1
        values = rng.standard_normal(shape, dtype=np.float32) * np.float32(spread)
        return [(values + np.float32("norm" in name and "weight" in name)).tobytes()]

    weights = folder / f"pixel3dmm_{layout.kind}.safetensors"
    entries = {name: TensorEntry("F32", shape) for name, shape in shapes.items()}
    with weights.open("wb") as stream:
        write_safetensors(stream, entries, chunks, {"source_sha256": "random"})
    prediction = {"uv": "uv_map", "normals": "normals"}[layout.kind]
    model = {"num_heads": layout.heads, "prediction_type": prediction}
    description = {
        "format": FORMAT,
        "source_sha256": "random",
        "licence": LICENCE,
        "notes": [],
        "hyper_parameters": {"cfg": {"model": model}},
    }
    weights.with_suffix(".json").write_text(json.dumps(description), "utf-8")


@dataclass(frozen=True)
class Stopwatch:
    """Times work on a device to its end, by a clock that gives seconds."""

    device: str
    clock: Callable[[], float]

    def seconds(self, work: Callable[[], object]) -> float:
        """How long the work takes."""
        import torch

        start = self.clock()
        work()
        if self.device != "cpu":
            getattr(torch, self.device).synchronize()
        return self.clock() - start


def ceiling(rung: Rung, watch: Stopwatch) -> Callable[[], float]:
    """Measures the operations a second of one large matrix product, in the rung's precision."""
    import torch

    n = CEILING_SIZE[rung.device]
    dtype = torch.float16 if rung.half else torch.float32
    a, b = (torch.randn(n, n, device=rung.device, dtype=dtype) for _ in range(2))
    out = torch.empty_like(a)

    def measure() -> float:
        best = min(watch.seconds(lambda: torch.mm(a, b, out=out)) for _ in range(4))
        return 2 * n**3 / best

    measure()
    return measure


def peak_memory(device: str) -> int:
    """Bytes: of the process on a CPU, of torch's allocations on a CUDA device; 0 if unknown."""
    if device == "cuda":
        import torch

        return int(torch.cuda.max_memory_allocated())
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def measure(folder: Path, watch: Stopwatch, runs: int) -> bool:
    """Prints the figures of one device; False if its goal is missed."""
    device = watch.device
    rung = ladder(device, True)[0]
    crop = np.random.default_rng(1).integers(0, 256, (IMAGE_SIZE, IMAGE_SIZE, 3), dtype=np.uint8)
    before = peak_memory(device)
    predictor = Pixel3DMMPredictor(find_converted(folder), device=device)
    for _ in range(2 if device == "cpu" else 10):
        predictor.raw_maps(crop)
    memory = peak_memory(device) - (before if device == "cpu" else 0)
    limit = ceiling(rung, watch)
    rates, times = [limit()], []
    for _ in range(runs):
        times.append(watch.seconds(lambda: predictor.raw_maps(crop)))
        rates.append(limit())
    work = sum(2 * released(output).operations() for output in ("uv", "normals"))
    best, rate = min(times), max(rates)
    share = work / best / rate
    print(f"\n{rung}; {runs} runs")
    print(
        f"  both networks, one photo, flip averaging: {best:.3f} s best, "
        f"{sorted(times)[len(times) // 2]:.3f} s median"
    )
    print(
        f"  {work / 1e12:.3f} TFLOP; {work / best / 1e9:.0f} GFLOP/s of {rate / 1e9:.0f} in one "
        f"matrix product: {share:.0%} of the limit"
    )
    print(f"  peak memory beyond the start: {memory / 1e6:.0f} MB")
    for note in predictor.notes:
        print(f"  {note}")
    if device == "cpu":
        reached = share >= CPU_GOAL_SHARE
        print(f"  goal {CPU_GOAL_SHARE:.0%} of the limit: {'reached' if reached else 'MISSED'}")
    else:
        reached = device != "cuda" or best <= CUDA_GOAL_SECONDS
        print(f"  goal {CUDA_GOAL_SECONDS:.3f} s on CUDA: {'reached' if reached else 'MISSED'}")
    return reached


def main() -> int:
    """Returns 0 if every goal is reached."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0, help="of the CPU; 0 leaves it to torch")
    parser.add_argument(
        "--processor-time", action="store_true", help="of this process, on the CPU; use one thread"
    )
    options = parser.parse_args()
    try:
        import torch
    except ImportError:
        print("There is no torch here: install tests/requirements-neural.txt to measure this.")
        return 0
    if options.threads:
        torch.set_num_threads(options.threads)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for output in ("uv", "normals"):
            write_random(released(output), folder)
        devices = ["cpu"] + [d for d in ("cuda", "mps") if choose_device(d) == d]
        clock = time.process_time if options.processor_time else time.perf_counter
        watches = [Stopwatch(d, clock if d == "cpu" else time.perf_counter) for d in devices]
        results = [measure(folder, watch, options.runs) for watch in watches]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
