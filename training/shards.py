# SPDX-License-Identifier: GPL-3.0-or-later
"""Examples on disk: files of SHARD examples each, written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .examples import FITS, NAMES, Studio

SHARD = 32

Arrays = dict[str, NDArray]


def make(folder: Path, count: int, seed: int, *, fits: str = FITS[0]) -> None:
    """Examples 0 .. count - 1 of a seed (count rounded up to whole shards); what is there stays.

    fits: see ``Studio``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    studio: Studio | None = None
    for first in range(0, count, SHARD):
        path = folder / f"examples-{seed}-{first:06d}.npz"
        if path.exists():
            continue
        studio = studio or Studio(fits=fits)
        made = [studio.example(seed, number) for number in range(first, first + SHARD)]
        arrays = {name: np.stack([getattr(e, name) for e in made]) for name in NAMES}
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            np.savez(file, **arrays)
        os.replace(part, path)
        print(f"{path.name}: {first + SHARD} of {count}", flush=True)


def shards(folder: Path) -> list[Path]:
    """The files of a folder, in order."""
    return sorted(folder.glob("examples-*.npz"))


def load(path: Path) -> Arrays:
    """The arrays of a shard, named as in ``Example``, with the examples in front."""
    with np.load(path, allow_pickle=False) as z:
        return {name: z[name] for name in NAMES}
