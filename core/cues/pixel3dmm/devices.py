# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a network runs, and what is tried when memory runs out.

Each rung of the ladder needs less memory than the one before: a smaller batch, then half
precision, then the CPU. Whoever steps down says so.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rung:
    """Device as torch names it, half precision or not, images at a time."""

    device: str
    half: bool
    batch: int

    def __str__(self) -> str:
        images = "one image" if self.batch == 1 else f"{self.batch} images"
        precision = "half" if self.half else "full"
        return f"{self.device}, {precision} precision, {images} at a time"


def choose_device(wanted: str = "auto") -> str:
    """The best device there is, or the wanted one if it is there, else the CPU."""
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted != "auto":
        return wanted if there.get(wanted.split(":")[0], False) else "cpu"
    return next((device for device, available in there.items() if available), "cpu")


def ladder(device: str, half: bool) -> list[Rung]:
    """The rungs for a device, the best first. A CPU computes in full precision only."""
    cpu = Rung("cpu", False, 1)
    if device == "cpu":
        return [cpu]
    rungs = [Rung(device, half, 2), Rung(device, half, 1)]
    return [*rungs, cpu] if half else [*rungs, Rung(device, True, 1), cpu]


def out_of_memory(error: BaseException) -> bool:
    """True if the error says that a device's memory ran out."""
    import torch

    # MPS and the CPU's allocator raise a plain RuntimeError (seen up to torch 2.13).
    text = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError)
        and ("out of memory" in text or "not enough memory" in text or "allocate memory" in text)
    )


def release_memory(device: str) -> None:
    """Gives cached blocks back to the device before the next try."""
    import torch

    if device.startswith("cuda"):
        torch.cuda.empty_cache()
    elif device.startswith("mps"):
        torch.mps.empty_cache()
