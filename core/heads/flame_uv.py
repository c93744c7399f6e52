# SPDX-License-Identifier: GPL-3.0-or-later
"""A texture layout for a FLAME head: the person's own ``head_template.obj``, or ours.

FLAME's model file has no texture coordinates; they come apart from it, in an OBJ of the same
mesh. Only with that file does a head speak the layout of Pixel3DMM's uv maps.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFileError
from ..geometry.closest import closest_points
from ..geometry.mesh import components
from .face_anchors import Surface

Array = NDArray[np.float64]
Index = NDArray[np.integer[Any]]

_LARGEST = 1 << 26


def read_template_uv(path: Path, triangles: Index, vertex_count: int) -> tuple[Array, Index]:
    """Texture coordinates (U, 2), v upward, and (T, 3) their indices at the corners of triangles.

    Raises ModelFileError if the OBJ cannot be read or is of another mesh.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise ValueError("too large")
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        uv, faces, uv_faces, count = _parse_obj(lines)
    except OSError as error:
        raise ModelFileError(
            f"{path.name} cannot be read ({error.strerror}): check that it is there and that "
            "you may open it."
        ) from error
    except (ValueError, IndexError, OverflowError) as error:
        raise ModelFileError(
            f"{path.name} is not a triangle mesh with texture coordinates: choose FLAME's "
            "head_template.obj."
        ) from error
    same = count == vertex_count and len(faces) == len(triangles)
    order, rank = np.lexsort(np.sort(faces, axis=1).T), np.lexsort(np.sort(triangles, axis=1).T)
    if not same or not np.array_equal(
        np.sort(faces, axis=1)[order], np.sort(triangles, axis=1)[rank]
    ):
        raise ModelFileError(
            f"{path.name} is a mesh of {count} vertices and does not fit this head: choose the "
            "head_template.obj that belongs to it."
        )
    # The same triangles may come in another order, each begun at another corner.
    out = np.empty_like(uv_faces)
    ours, theirs = triangles[rank], faces[order]
    corner = (ours[:, :, None] == theirs[:, None, :]).argmax(axis=2)
    out[rank] = np.take_along_axis(uv_faces[order], corner, axis=1)
    return uv, out


def _parse_obj(lines: list[str]) -> tuple[Array, Index, Index, int]:
    uv: list[list[float]] = []
    faces: list[list[list[int]]] = []
    count = 0
    for line in lines:
        word, _, rest = line.partition(" ")
        if word == "v":
            count += 1
        elif word == "vt":
            uv.append([float(x) for x in rest.split()[:2]])
        elif word == "f":
            corners = [[int(x) for x in corner.split("/")[:2]] for corner in rest.split()]
            faces.append(corners)
    table = np.array(faces, dtype=np.int64)
    if table.ndim != 3 or table.shape[1:] != (3, 2):
        raise ValueError("not triangles with texture coordinates")
    table = table - 1
    coordinates = np.array(uv)
    if table.min() < 0 or table[..., 0].max() >= count or table[..., 1].max() >= len(coordinates):
        raise ValueError("index beyond the mesh")
    if coordinates.shape[1:] != (2,) or not np.isfinite(coordinates).all():
        raise ValueError("texture coordinates that are no numbers")
    return coordinates, table[..., 0], table[..., 1], count


@dataclass(frozen=True, eq=False)
class Side:
    """One of two skins that lie on each other: its surface, and the features (V, D) in which
    closest points are sought.
    """

    surface: Surface
    features: Array

    @property
    def on_right(self) -> NDArray[np.bool_]:
        """(T,) triangles whose middle is on the subject's right."""
        right: NDArray[np.bool_] = (
            self.surface.vertices[self.surface.triangles].mean(axis=1)[:, 0] < 0
        )
        return right


def carried_uv(layout: Array, giver: Side, taker: Side) -> Array:
    """The giver's layout (S, 3, 2), by corners of its triangles, on the taker's: (T, 3, 2).

    A triangle looks up all its corners on the one island on which its middle lies, and on its
    own side of the head, since seams run down the back: so none spans the tile.
    """
    given, taken = giver.surface.triangles, taker.surface.triangles
    island = _islands(layout)
    middle = taker.features[taken].mean(axis=1)
    wanted = closest_points(middle, giver.features, given).triangle
    uv = np.empty((len(taken), 3, 2))
    for name in np.unique(island[wanted]):
        for right in (False, True):
            asked = np.nonzero((island[wanted] == name) & (taker.on_right == right))[0]
            chosen = np.nonzero((island == name) & (giver.on_right == right))[0]
            if not len(chosen):  # an island of one side, seen from just across the middle
                chosen = np.nonzero(island == name)[0]
            flat = taker.features[taken[asked]].reshape(-1, taker.features.shape[1])
            found = closest_points(flat, giver.features, given[chosen])
            at = layout[chosen[found.triangle]]
            uv[asked] = np.einsum("nk,nkc->nc", found.barycentric, at).reshape(-1, 3, 2)
    return uv


def _islands(layout: Array) -> NDArray[np.intp]:
    """(T,) which triangles hang together in a layout (T, 3, 2): those that share corners."""
    places, corner = np.unique(layout.reshape(-1, 2), axis=0, return_inverse=True)
    triangles = corner.reshape(-1, 3)
    return components(triangles, len(places))[triangles[:, 0]]


def front_uv(vertices: Array, triangles: Index) -> tuple[Array, Index]:
    """The view from the front as a layout: for what nothing better is known of."""
    low, high = vertices[:, :2].min(axis=0), vertices[:, :2].max(axis=0)
    uv = (vertices[:, :2] - low) / np.maximum((high - low).max(), 1e-9)
    return 0.02 + 0.96 * uv, triangles.copy()
