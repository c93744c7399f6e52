# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the mesh of an OBJ or of an .npz as the extension hands it over."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import MeshError
from .mesh import OwnMesh

_MAX_BYTES, _LONGEST_NAME = 512 << 20, 200


def read_mesh(path: Path) -> OwnMesh:
    """Raises MeshError with one sentence for what cannot be read."""
    suffix = path.suffix.lower()
    if suffix == ".npz":
        return OwnMesh.load(path)
    if suffix != ".obj":
        raise MeshError(f"{path.name} is no OBJ: export the mesh as OBJ.")
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise MeshError(f"{path.name} is larger than 512 MB: decimate the mesh first.")
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise MeshError(f"{path.name} cannot be read: check the path.") from error
    try:
        return _parsed(path.stem, text)
    except (ValueError, IndexError) as error:
        raise MeshError(f"{path.name} is damaged: export the mesh again.") from error


def _parsed(name: str, text: str) -> OwnMesh:
    """Vertices, texture corners and faces; a face of n corners becomes n - 2 triangles."""
    points: list[list[str]] = []
    layout: list[list[str]] = []
    corners: list[tuple[int, int, int]] = []
    uv_corners: list[tuple[int, int, int]] = []
    polygon: list[int] = []
    material: list[int] = []
    names: list[str] = []
    now, faces = -1, 0
    for line in text.splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "v":
            points.append(rest.split()[:3])
        elif kind == "vt":
            layout.append(rest.split()[:2])
        elif kind == "usemtl":
            name_ = rest.strip()[:_LONGEST_NAME]
            if name_ not in names:
                names.append(name_)
            now = names.index(name_)
        elif kind == "f":
            face = [corner.split("/") for corner in rest.split()]
            ids = [_number(corner[0], len(points)) for corner in face]
            has_uv = all(len(corner) > 1 and corner[1] for corner in face)
            uv = [_number(corner[1], len(layout)) if has_uv else -1 for corner in face]
            for k in range(1, len(ids) - 1):
                corners.append((ids[0], ids[k], ids[k + 1]))
                uv_corners.append((uv[0], uv[k], uv[k + 1]))
                polygon.append(faces)
                material.append(now)
            faces += 1
    vertices = np.array(points, np.float64).reshape(-1, 3)
    triangles = np.array(corners, np.int64).reshape(-1, 3)
    at = np.array(uv_corners, np.int64).reshape(-1, 3)
    has_layout = bool(layout) and len(at) and at.min() >= 0
    uv_of = np.array(layout, np.float64)[at] if has_layout else None
    faces_of, look = np.array(polygon, np.int64), np.array(material, np.int64)
    return OwnMesh.of(name, vertices, triangles, uv_of, faces_of, look, names)


def _number(text: str, count: int) -> int:
    """OBJ counts from one, or from the last backwards."""
    value = int(text)
    return value - 1 if value > 0 else count + value
