# SPDX-License-Identifier: GPL-3.0-or-later
"""Examples as tensors: each look of each example once an epoch, mirrored now and then, with
colours that are changed once more.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.cues.dense_input import GRID

from .examples import LOOKS
from .shards import Arrays, load, shards

#: What a mirror does to the x of vectors.
_MIRROR = np.array([-1.0, 1.0, 1.0], np.float32)


class Examples:
    """All examples of a folder and seed, in memory as they are on disk."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.seed = folder, seed
        self.parts: list[Arrays] = []
        self.read: set[Path] = set()
        self.refresh()

    def refresh(self) -> int:
        """Reads what has been made since; returns the number of looks."""
        for path in shards(self.folder):
            if path not in self.read and path.name.startswith(f"examples-{self.seed}-"):
                self.parts.append(load(path))
                self.read.add(path)
        return self.count

    @property
    def count(self) -> int:
        """Looks."""
        return LOOKS * sum(len(part["mask"]) for part in self.parts)

    def batches(self, size: int, rng: np.random.Generator, *, vary: bool) -> Iterator[dict]:
        """Every look once, in random order; vary: mirrored and recoloured at random."""
        places = [
            (p, i, k)
            for p, part in enumerate(self.parts)
            for i in range(len(part["mask"]))
            for k in range(LOOKS)
        ]
        order = rng.permutation(len(places)) if vary else np.arange(len(places))
        for start in range(0, len(order) - size + 1, size):
            chosen = [places[j] for j in order[start : start + size]]
            rows = [self._row(*place, rng if vary else None) for place in chosen]
            yield {name: _stack([row[name] for row in rows]) for name in rows[0]}

    def _row(
        self, p: int, i: int, k: int, rng: np.random.Generator | None
    ) -> dict[str, NDArray[np.float32]]:
        part = self.parts[p]
        colors = part["colors"][i, k].astype(np.float32) / 127.5 - 1
        normal, place, flow, true_normal = (
            part[name][i].astype(np.float32) for name in ("normal", "place", "flow", "true_normal")
        )
        mask, skin = part["mask"][i], part["skin"][i, k]
        if rng is not None:
            colors = colors * rng.uniform(0.8, 1.2) + rng.normal(0, 0.1)
            colors = np.clip(colors + rng.normal(0, 0.04, 3).astype(np.float32), -1, 1)
            if rng.random() < 0.5:
                colors, normal, place, flow, true_normal, mask, skin = (
                    a[:, ::-1] for a in (colors, normal, place, flow, true_normal, mask, skin)
                )
                normal, place, true_normal = (
                    normal * _MIRROR,
                    place * _MIRROR,
                    true_normal * _MIRROR,
                )
                flow = flow * _MIRROR[:2]
        cells = colors.reshape(GRID, 2, GRID, 2, 3).transpose(0, 2, 1, 3, 4).reshape(GRID, GRID, 12)
        seen = mask[..., None].astype(np.float32)
        return {
            "input": np.concatenate([cells, normal, place, seen], axis=-1, dtype=np.float32),
            "normal": normal,
            "true_normal": true_normal,
            "flow": flow,
            "mask": mask.astype(np.float32),
            "skin": skin.astype(np.float32),
        }


def _stack(rows: list[NDArray[np.float32]]) -> Tensor:
    """(n, channels, h, w), or (n, h, w) for maps without channels."""
    out = torch.from_numpy(np.ascontiguousarray(np.stack(rows)))
    return out.permute(0, 3, 1, 2) if out.ndim == 4 else out
