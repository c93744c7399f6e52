# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands at the corners of ``HeadModel.triangles``, which splits the quads."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .model import HeadModel


def triangle_uv(head: HeadModel) -> NDArray[np.float64]:
    """(T, 3, 2) texture coordinates, v upward."""
    q = head.uv_quads
    both = np.stack([q[:, [0, 1, 2]], q[:, [0, 2, 3]]], axis=1)
    uv: NDArray[np.float64] = head.uv[both[_kept(head)]]
    return uv


def is_skin(head: HeadModel) -> NDArray[np.bool_]:
    """(T,) whether a triangle is skin: no eyeball, tooth, tongue or inside of the mouth."""
    skin: NDArray[np.bool_] = triangle_part(head) == head.part_names.index("skin")
    return skin


def triangle_part(head: HeadModel) -> NDArray[np.int8]:
    """(T,) index into ``head.part_names``."""
    part: NDArray[np.int8] = np.repeat(head.face_part[:, None], 2, axis=1)[_kept(head)]
    return part


def _kept(head: HeadModel) -> NDArray[Any]:
    """(F, 2) whether a face has the first and the second of its two triangles."""
    four = head.quads[:, 3] >= 0
    return np.stack([np.ones(len(four), bool), four], axis=1)
