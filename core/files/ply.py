# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a triangle mesh as binary little-endian PLY 1.0, vertices in double precision."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def ply_bytes(
    vertices: NDArray[np.float64], triangles: NDArray[np.int32], comment: str = ""
) -> bytes:
    """vertices (V, 3), triangles (T, 3) into them -> the whole file."""
    v = np.ascontiguousarray(vertices, dtype="<f8")
    faces = np.empty(len(triangles), dtype=[("count", "u1"), ("corners", "<i4", 3)])
    faces["count"], faces["corners"] = 3, triangles
    lines = ["ply", "format binary_little_endian 1.0"]
    lines += [f"comment {line}" for line in comment.splitlines()]
    lines += [f"element vertex {len(v)}", *(f"property double {axis}" for axis in "xyz")]
    lines += [f"element face {len(faces)}", "property list uchar int vertex_indices"]
    header = "\n".join([*lines, "end_header", ""])
    return header.encode("ascii", "replace") + v.tobytes() + faces.tobytes()
