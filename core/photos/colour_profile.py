# SPDX-License-Identifier: GPL-3.0-or-later
"""Photos in other colour spaces, such as telephones' Display P3 and cameras' Adobe RGB, as sRGB.

Read are ICC profiles that consist of a curve for each channel and a matrix to CIE XYZ about D50
(ICC.1:2010, 8.3.3 and F.3), which is what cameras, telephones and editors write. Colours beyond
sRGB are cut.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .colour import srgb_bytes, srgb_from_linear

Array = NDArray[np.float64]
Pixels = NDArray[np.uint8]

#: XYZ about D50 of sRGB's red, green and blue (IEC 61966-2-1, adapted as by Bradford).
_SRGB = np.array(
    [[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169],
     [0.0139322, 0.0971045, 0.7141733]]
)  # fmt: skip
_CHANNELS = "rgb"
#: Number of parameters by kind of parametric curve (10.15).
_PARAMETERS = (1, 3, 4, 5, 7)
#: Steps of 255 that a colour is off by at most in what is sRGB by another name.
_SAME = 1.5
#: Rows that are converted at once.
_ROWS = 256


@dataclass(frozen=True, eq=False)
class ColourProfile:
    """curves (3, 256): linear light of stored values; matrix (3, 3) from it to linear sRGB."""

    curves: Array
    matrix: Array

    @property
    def is_srgb(self) -> bool:
        """Whether it changes nothing that anybody could see."""
        steps = np.linspace(0, 255, 6).astype(int)
        stored = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, 3)
        linear = np.stack([self.curves[k][stored[:, k]] for k in range(3)], axis=1)
        out = 255 * srgb_from_linear(np.clip(linear @ self.matrix.T, 0, 1))
        return bool(np.abs(out - stored).max() < _SAME)

    def to_srgb(self, pixels: Pixels) -> Pixels:
        """pixels (H, W, 3) as stored -> sRGB."""
        out = np.empty_like(pixels)
        curves, matrix = self.curves.astype(np.float32), self.matrix.astype(np.float32)
        for top in range(0, len(pixels), _ROWS):
            rows = slice(top, top + _ROWS)
            linear = np.stack([curves[k][pixels[rows, :, k]] for k in range(3)], axis=-1)
            out[rows] = srgb_bytes(linear @ matrix.T)
        return out


def read_profile(icc: bytes) -> ColourProfile | None:
    """None for a profile of another kind (tables, CMYK, grey), and for a damaged one."""
    if icc[16:20] != b"RGB " or icc[20:24] != b"XYZ ":
        return None
    try:
        tags = _tags(icc)
        matrix = np.stack([_xyz(tags[f"{c}XYZ".encode()]) for c in _CHANNELS], axis=1)
        curves = np.stack([_curve(tags[f"{c}TRC".encode()]) for c in _CHANNELS])
    except (KeyError, ValueError, struct.error):
        return None
    to_linear = np.linalg.solve(_SRGB, matrix)
    if not (np.isfinite(curves).all() and np.abs(to_linear).max() < 10):
        return None
    return ColourProfile(np.clip(curves, 0, 1), to_linear)


def _tags(icc: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack_from(">I", icc, 128)
    out = {}
    for i in range(min(count, 100)):
        name, at, size = struct.unpack_from(">4sII", icc, 132 + 12 * i)
        out[name] = icc[at : at + size]
    return out


def _xyz(tag: bytes) -> Array:
    if tag[:4] != b"XYZ ":
        raise ValueError("not an XYZ tag")
    return np.array(struct.unpack_from(">3i", tag, 8)) / 65536


def _curve(tag: bytes) -> Array:
    """(256,) linear light of stored values; 10.5 and 10.15."""
    x = np.arange(256) / 255
    if tag[:4] == b"curv":
        (count,) = struct.unpack_from(">I", tag, 8)
        if count == 0:
            return x
        table = np.array(struct.unpack_from(f">{count}H", tag, 12), np.float64)
        if count == 1:
            return np.asarray(x ** (table[0] / 256))
        return np.asarray(np.interp(x, np.linspace(0, 1, count), table / 65535))
    if tag[:4] != b"para":
        raise ValueError("not a curve")
    (kind,) = struct.unpack_from(">H", tag, 8)
    if kind >= len(_PARAMETERS):
        raise ValueError("an unknown curve")
    count = _PARAMETERS[kind]
    given = np.zeros(7)
    given[:count] = np.array(struct.unpack_from(f">{count}i", tag, 12)) / 65536
    g, a, b, c, d, e, f = (float(x) for x in given)
    if kind == 0:
        return np.asarray(x**g)
    if kind < 3:  # below -b/a there is c alone
        a = a or 1.0
        return np.where(x >= -b / a, np.maximum(a * x + b, 0) ** g + c, c)
    return np.where(x >= d, np.maximum(a * x + b, 0) ** g + e, c * x + f)
