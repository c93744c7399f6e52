# SPDX-License-Identifier: GPL-3.0-or-later
"""Codes read off a front view of the head by a small transformer (training/nphm), in numpy.

The front view has no camera in it: normals and depth of what a photo shows, on a square grid seen
along -z in the decoder's space. Whatever is hidden is zero. The result is where a fit starts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFileError
from ..files.npz import DAMAGE
from ..geometry.raster import rasterise
from .fit import NeuralFit
from .local_networks import Floats
from .statistics import CodeStatistics

Array = NDArray[np.float64]

#: As training/nphm/front_maps: pixels a side, half sides and centre of the grid, where depth ends,
#: units; pixels a side of a patch.
SIZE, HALF, CENTRE, FAR = 48, (0.42, 0.54), (0.0, -0.05), -0.15
PATCH = 6
#: Where the rasteriser's eye stands, so far that perspective is below a thousandth.
_EYE = 1000.0


def grid() -> Array:
    """(SIZE * SIZE, 2) x and y of the pixels, rows from the top."""
    t = (np.arange(SIZE) + 0.5) / SIZE * 2 - 1
    x, y = np.meshgrid(t, -t)
    return np.stack([x.ravel() * HALF[0] + CENTRE[0], y.ravel() * HALF[1] + CENTRE[1]], axis=1)


def front_map(
    points: Array, triangles: NDArray[np.integer[Any]], normals: Array, seen: Array
) -> Floats:
    """(5, SIZE, SIZE) of a mesh in units: normal, depth, 1 where the face is.

    normals (V, 3) as the photo shows them or as the mesh has them; seen (V,) 0 hides a place.
    """
    flat = points[:, :2] - CENTRE
    pixels = np.stack([flat[:, 0] / HALF[0] + 1, 1 - flat[:, 1] / HALF[1]], axis=1) * (SIZE / 2)
    seen_by = rasterise(pixels, _EYE - points[:, 2], triangles, SIZE, SIZE, both_sides=False)
    corner = np.concatenate([normals, points[:, 2:], seen[:, None]], axis=1)[triangles]
    said = seen_by.interpolate(corner)
    there = (seen_by.triangle >= 0) & (said[..., 4] > 0.5) & (said[..., 3] > FAR)
    length = np.linalg.norm(said[..., :3], axis=2, keepdims=True)
    said[..., :3] /= np.maximum(length, 1e-9)
    said[..., 4] = 1.0
    return np.asarray((said * there[..., None]).transpose(2, 0, 1), np.float32)


@dataclass(frozen=True, eq=False)
class Regressor:
    """weights by their names in training/nphm/regressor; heads of attention; statistics of the
    coordinates that it gives.
    """

    weights: Mapping[str, Floats]
    heads: int
    statistics: CodeStatistics

    @classmethod
    def load(cls, path: Path) -> Regressor:
        """Raises ModelFileError for a file that is missing, damaged or of another kind."""
        again = "train it again (python -m training.nphm.run)."
        try:
            with np.load(path, allow_pickle=False) as z:
                arrays = {name: np.asarray(z[name], np.float32) for name in z.files}
            heads = int(arrays.pop("heads"))
            mean, basis, mean_exp, basis_exp = (
                arrays.pop(f"statistics.{n}") for n in ("mean", "basis", "mean_exp", "basis_exp")
            )
            width = arrays["place"].shape[1]
            if width % heads or not all(np.isfinite(a).all() for a in arrays.values()):
                raise ValueError
        except (*DAMAGE, OSError, KeyError, ValueError, TypeError) as error:
            raise ModelFileError(f"{path.name} is no regressor of neural heads: {again}") from error
        stats = CodeStatistics(mean, basis, mean_exp, basis_exp, np.zeros(0, np.float32))
        return cls(arrays, heads, stats)

    def start(self, view: Floats, statistics: CodeStatistics) -> NeuralFit:
        """Coordinates in a decoder's statistics, of a front view (5, SIZE, SIZE).

        Raises ModelFileError if the decoder is not the one that the regressor was trained with.
        """
        own = self.statistics
        if len(own.geometry) != len(statistics.geometry) or len(own.expression) != len(
            statistics.expression
        ):
            raise ModelFileError(
                "The regressor was trained with another decoder: train it with these weights."
            )
        a, e = self.coordinates(view)
        identity = _in(statistics.basis, own.identity(a) - statistics.geometry)
        face = _in(statistics.basis_exp, own.face(e) - statistics.expression)
        return NeuralFit(identity, (face,), ())

    def coordinates(self, view: Floats) -> tuple[Floats, Floats]:
        """Identity (I,) and expression (E,) as it says them."""
        w, side = self.weights, SIZE // PATCH
        x = view.reshape(-1, side, PATCH, side, PATCH).transpose(1, 3, 0, 2, 4)
        x = x.reshape(side * side, -1) @ w["embed.weight"].T + w["embed.bias"] + w["place"]
        for i in range(sum(name.endswith(".qkv.weight") for name in w)):
            x = self._block(x, f"blocks.{i}.")
        pooled = np.concatenate([x.mean(axis=0), x.max(axis=0)])
        said = w["said.weight"] @ _normed(pooled, w["norm.weight"], w["norm.bias"]) + w["said.bias"]
        count = self.statistics.basis.shape[1]
        return said[:count], said[count:]

    def _block(self, x: Floats, at: str) -> Floats:
        w = {name[len(at) :]: a for name, a in self.weights.items() if name.startswith(at)}
        y = _normed(x, w["norm1.weight"], w["norm1.bias"]) @ w["qkv.weight"].T + w["qkv.bias"]
        q, k, v = y.reshape(len(x), 3, self.heads, -1).transpose(1, 2, 0, 3)
        scores = q @ k.transpose(0, 2, 1) / np.float32(np.sqrt(q.shape[2]))
        scores = np.exp(scores - scores.max(axis=2, keepdims=True))
        scores /= scores.sum(axis=2, keepdims=True)
        seen = (scores @ v).transpose(1, 0, 2).reshape(len(x), -1)
        x = x + seen @ w["out.weight"].T + w["out.bias"]
        h = _normed(x, w["norm2.weight"], w["norm2.bias"]) @ w["up.weight"].T + w["up.bias"]
        return x + _gelu(h) @ w["down.weight"].T + w["down.bias"]


def _in(basis: Floats, code: Floats) -> Array:
    """Coordinates whose code is nearest."""
    return np.linalg.lstsq(basis.astype(float), code.astype(float), rcond=None)[0]


def _normed(x: Floats, weight: Floats, bias: Floats) -> Floats:
    mean = x.mean(axis=-1, keepdims=True)
    spread = ((x - mean) ** 2).mean(axis=-1, keepdims=True)
    out: Floats = (x - mean) / np.sqrt(spread + np.float32(1e-5)) * weight + bias
    return out


def _gelu(x: Floats) -> Floats:
    """x times the normal distribution's share below x.

    The error function by Abramowitz and Stegun, 7.1.26: off by 1.5e-7 at most.
    """
    z = np.abs(x) * np.float32(0.5**0.5)
    t = 1 / (1 + 0.3275911 * z)
    series = t * (
        0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)))
    )
    erf = np.sign(x) * (1 - series * np.exp(-(z**2)))
    return np.asarray(0.5 * x * (1 + erf), np.float32)
