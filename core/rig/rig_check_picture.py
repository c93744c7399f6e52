# SPDX-License-Identifier: GPL-3.0-or-later
"""A rig check as a picture: the face at every key, what moves tinted, what fails framed red."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from ..files.png import encode_png
from ..geometry.mesh import vertex_normals
from ..geometry.raster import rasterise
from ..heads.arkit import ARKIT_NAMES
from .rig_arrays import RigArrays
from .rig_check import LIMITS, RigCheck

Array = NDArray[np.float64]
Pixels = NDArray[np.uint8]

TILE = (164, 200)
_COLUMNS = 9
_LIGHT = np.array([0.35, 0.45, 0.82])
_SKIN, _MOVED, _INNER = (np.array(c) for c in ([0.82, 0.8, 0.78], [1.0, 0.45, 0.1], [0.6] * 3))
_RED, _GREEN, _PAPER = (200, 30, 30), (30, 120, 50), 250
#: Five rows of three pixels a glyph, a row an octal digit.
_GLYPHS = {
    "A": "25755", "B": "65656", "C": "34443", "D": "65556", "E": "74647", "F": "74644",
    "G": "34553", "H": "55755", "I": "72227", "J": "11152", "K": "55655", "L": "44447",
    "M": "57755", "N": "65555", "O": "25552", "P": "65644", "Q": "25573", "R": "65655",
    "S": "34216", "T": "72222", "U": "55557", "V": "55552", "W": "55775", "X": "55255",
    "Y": "55222", "Z": "71247", "0": "75557", "1": "26227", "2": "71747", "3": "71717",
    "4": "55711", "5": "74717", "6": "74757", "7": "71111", "8": "75757", "9": "75717",
    ".": "00002", "+": "02720", "-": "00700", "_": "00007", ":": "02020",
}  # fmt: skip


def rig_check_png(rig: RigArrays, check: RigCheck) -> bytes:
    """PNG of every ARKit key at 1, then of the states that failed, with the failed checks' names.

    Also for a rig that could not be measured: it shows whatever keys it has.
    """
    wrong: dict[str, list[str]] = {}
    for finding in check.failures:
        wrong.setdefault(finding.subject, []).append(finding.check)
    known = [n for n in ARKIT_NAMES if n in rig.key_names]
    more = [s for s in wrong if " + " in s][:_COLUMNS]
    states = [(n, {n: 1.0}) for n in known]
    states += [(s, dict.fromkeys(s.split(" + "), 1.0)) for s in more]
    tiles = [_tile(rig, label, values, wrong.get(label, [])) for label, values in states]
    lines = [f"{c}: {len([f for f in check.failures if f.check == c])}" for c in LIMITS]
    lines = ["PASSED"] if check.passed else ["FAILED", *(x for x in lines if x[-2:] != " 0")]
    summary = _blank()
    for row, line in enumerate(lines[:14]):
        _write(summary, line, 4, 4 + 13 * row, _GREEN if check.passed else _RED)
    tiles.insert(0, summary)
    tiles += [_blank()] * (-len(tiles) % _COLUMNS)
    rows = [np.concatenate(tiles[k : k + _COLUMNS], 1) for k in range(0, len(tiles), _COLUMNS)]
    return encode_png(np.concatenate(rows, axis=0))


def _blank() -> Pixels:
    return np.full((TILE[1], TILE[0], 3), _PAPER, np.uint8)


def _tile(rig: RigArrays, label: str, values: dict[str, float], wrong: Iterable[str]) -> Pixels:
    out = _blank()
    image = front_picture(rig, rig.posed(values), TILE[0], TILE[1] - 20)
    out[20:] = image
    wrong = list(wrong)
    names = label.split(" + ")
    for row, name in enumerate(names[:2]):
        _write(out, ("+" if row else "") + name, 3, 3 + 11 * row, _RED if wrong else (0, 0, 0))
    for row, check in enumerate(wrong):
        _write(out, check, 3, TILE[1] - 14 - 12 * row, _RED)
    if wrong:
        out[:2], out[-2:], out[:, :2], out[:, -2:] = (_RED,) * 4
    return out


def front_picture(rig: RigArrays, vertices: Array, width: int, height: int) -> Pixels:
    """(height, width, 3) the face from the front, shaded; what moved from rest is tinted."""
    face = rig.region("face")
    at = rig.basis[face] if face.any() else rig.basis
    low, high = at.min(axis=0), at.max(axis=0)
    low[1] -= 0.12 * (high[1] - low[1])  # a chin that opens
    scale = 0.96 * min(width / (high[0] - low[0]), height / (high[1] - low[1]))
    middle = (low + high) / 2
    x = (vertices[:, 0] - middle[0]) * scale + width / 2
    y = (middle[1] - vertices[:, 1]) * scale + height / 2
    seen = rasterise(np.column_stack([x, y]), 10.0 - vertices[:, 2], rig.triangles, width, height)
    light = 0.25 + 0.75 * np.clip(vertex_normals(vertices, rig.triangles) @ _LIGHT, 0, 1)
    moved = np.linalg.norm(vertices - rig.basis, axis=1)
    tint = np.clip(moved / max(float(moved.max()), 1e-3), 0, 1)[:, None]
    color = _SKIN + tint * (_MOVED - _SKIN)
    picture = seen.interpolate((light[:, None] * color)[rig.triangles])
    on = seen.triangle >= 0
    inner = on & (rig.parts[seen.triangle] != "skin")
    shade = seen.interpolate(light[rig.triangles, None])[inner]
    picture[inner] = shade * _INNER
    out = np.full((height, width, 3), _PAPER, np.uint8)
    out[on] = np.clip(255 * picture[on] ** (1 / 1.6), 0, 255).astype(np.uint8)
    return out


def _write(picture: Pixels, text: str, x: int, y: int, color: tuple[int, int, int]) -> None:
    """Capitals of ten by six pixels, their top left corner at (x, y); what does not fit is cut."""
    for k, letter in enumerate(text.upper()):
        rows = _GLYPHS.get(letter, "00000")
        bits = np.array([[int(r) >> b & 1 for b in (2, 1, 0)] for r in rows], bool)
        large = np.repeat(np.repeat(bits, 2, axis=0), 2, axis=1)
        left = x + 8 * k
        cell = picture[y : y + 10, left : left + 6]
        cell[large[: cell.shape[0], : cell.shape[1]]] = color
