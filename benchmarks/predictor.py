# SPDX-License-Identifier: GPL-3.0-or-later
"""Pixel3DMM's two networks at the size of the released ones, with random weights, in torch.

On a CUDA device: one photo with flip averaging (two images through both networks, bytes in, maps
in memory out), and batches of 16 images. The baseline of the same run launches each kernel by
itself; the limit is the best rate of one large matrix product in the same precision, the
operations are those of matrix products alone. Elsewhere one photo is measured on the CPU. Goals:
15 ms and 25 % of the limit on CUDA, half precision within a hundredth of full, 65 % on a CPU.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

from core.cues.pixel3dmm.layout import IMAGE_SIZE, NetworkLayout
from core.cues.pixel3dmm.network import Pixel3DMMNetwork

BATCH = 16
SIDE = {"cuda": 8192, "cpu": 2048}
#: For trying the script itself.
TINY = {"width": 128, "depth": 1, "embedding": 64, "layers": 1}


def released(output: str, **sizes: int) -> NetworkLayout:
    """ViT-B, E 512, six blocks; the normal network with the view embedding of two views."""
    wanted = {"width": 768, "depth": 12, "embedding": 512, "layers": 6, **sizes}
    return NetworkLayout(
        outputs={output: 0},
        patch=16,
        position_grid=14,
        heads=8,
        channels=2 if output == "uv" else 3,
        view_width=0 if output == "uv" else 16,
        views=1 if output == "uv" else 2,
        position_encoding=False,
        unused=(),
        unexpected=(),
        **wanted,
    )


def networks(device: str, half: bool, sizes: dict[str, int]) -> list[Pixel3DMMNetwork]:
    """Both, with weights that keep the size of what passes through them; always the same."""
    import torch

    made = []
    for seed, output in enumerate(("uv", "normals")):
        layout = released(output, **sizes)
        chance = torch.Generator().manual_seed(seed)
        weights = {}
        for name, shape in layout.expected().items():
            spread = float(1 / np.sqrt(np.prod(shape[1:]))) if len(shape) > 1 else 0.1
            values = torch.randn(shape, generator=chance) * spread
            weights[name] = values + float("norm" in name and "weight" in name)
        made.append(Pixel3DMMNetwork(layout, weights, device, half))
    return made


def best_seconds(work: Callable[[], object], device: str, runs: int) -> float:
    """Of so many runs after two; each is over on the device too."""
    import torch

    times = []
    for _ in range(runs + 2):
        start = time.perf_counter()
        work()
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return min(times[2:])


def rate(device: str, half: bool) -> float:
    """Operations a second of one large matrix product."""
    import torch

    n, dtype = SIDE[device], torch.float16 if half else torch.float32
    a, b = (torch.randn(n, n, device=device, dtype=dtype) for _ in range(2))
    out = torch.empty_like(a)
    return 2 * n**3 / best_seconds(lambda: torch.mm(a, b, out=out), device, 8)


def eager(network: Pixel3DMMNetwork, images: np.ndarray) -> np.ndarray:
    """The same pass, each kernel launched by itself."""
    import torch

    with torch.inference_mode():
        given = torch.from_numpy(images).to(network.device)
        return network._maps(given).cpu().numpy()


def main() -> int:
    """Prints the figures; 0 without torch as well."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--tiny", action="store_true", help="small networks, to try the script")
    options = parser.parse_args()
    try:
        import torch
    except ImportError:
        print("There is no torch here: install tests/requirements-neural.txt to measure this.")
        return 0
    device = "cuda" if torch.cuda.is_available() else "cpu"
    half, sizes = device == "cuda", TINY if options.tiny else {}
    both, limit = networks(device, half, sizes), rate(device, half)
    images = np.random.default_rng(1).integers(
        0, 256, (BATCH, IMAGE_SIZE, IMAGE_SIZE, 3), dtype=np.uint8
    )
    pair = images[:2]
    print(f"torch {torch.__version__}, {device}; matrix product {limit / 1e12:.3g} TFLOP/s")
    work = 2 * sum(network.layout.operations() for network in both)

    def told(name: str, seconds: float, operations: float) -> None:
        share = operations / seconds / limit
        print(f"{name:52}{1e3 * seconds:9.2f} ms{100 * share:6.0f} % of the limit")

    plain = best_seconds(lambda: [eager(n, pair) for n in both], device, options.runs)
    told("one photo, launched kernel by kernel", plain, work)
    if device == "cpu":
        return 0
    ours = best_seconds(lambda: [n(pair) for n in both], device, options.runs)
    told("one photo (goal 15 ms)", ours, work)
    print(f"{'  times as fast':52}{plain / ours:9.2f}")
    for network in both:
        seconds = best_seconds(lambda n=network: n(images), device, options.runs)  # type: ignore[misc]
        told(f"batch of {BATCH}, {network.layout.kind} (goal 25 %)", seconds,
             BATCH * network.layout.operations())  # fmt: skip
    for network, full in zip(both, networks(device, False, sizes), strict=True):
        exact = full(pair)
        off = float(np.abs(network(pair) - exact).max() / np.abs(exact).max())
        print(f"half against full, {network.layout.kind}: {off:.4f} of the largest value")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
