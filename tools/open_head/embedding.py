# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the 478 MediaPipe landmarks lie on the head: three vertices and barycentric weights each.

The 468 points of the face mesh come from ``vendor/open_head/mediapipe_embedding_source.npz``, in
MakeHuman's vertex numbers: where a registration of the canonical face mesh puts them (the head's
regions are drawn with these), and where the detector reports them on renders of this head
(tools.calibration; these go into the model). The ten iris points are computed on the limbus of the
eyeballs.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .eyeball import LIMBUS_RING, SEGMENTS
from .mesh import HeadMesh
from .topology import face_edges

FACE_POINTS, IRIS_POINTS = 468, 10
_IRIS_MIRROR = {468: 473, 469: 476, 470: 475, 471: 474, 472: 477}
"""Iris points run centre, image right, top, image left, bottom in both eyes (checked with mediapipe
0.10.21); 468..472 are the subject's right eye, 473..477 the left."""


def landmark_embedding(
    mesh: HeadMesh, template: np.ndarray, source: Path, *, measured: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Embed the landmarks symmetrically, as registered or as measured.

    Returns:
        vertices (478, 3) int32, barycentric weights (478, 3) float32, mirror (478,) int32.

    """
    names = ("measured_vertices", "measured_bary") if measured else ("base_vertices", "bary")
    with np.load(source, allow_pickle=False) as data:
        base_vertices, bary, mirror = data[names[0]], data[names[1]].astype(float), data["mirror"]
    number = np.full(mesh.mh_index.max() + 1, -1)
    own = mesh.mh_index >= 0
    number[mesh.mh_index[own]] = np.flatnonzero(own)
    vertices = number[base_vertices]
    if (vertices < 0).any():
        raise ValueError("the registration names a vertex that the head does not have")
    points = np.einsum("nk,nkc->nc", bary, template[vertices])
    midline = _midline_edges(mesh, template)
    for i, j in enumerate(mirror):
        if i == j:
            vertices[i], bary[i] = _onto_edges(points[i], midline, template)
        elif points[i, 0] > 0:
            vertices[j], bary[j] = mesh.mirror[vertices[i]], bary[i]
    iris_vertices, iris_bary = _iris(mesh)
    full_mirror = np.concatenate([mirror, np.zeros(IRIS_POINTS, mirror.dtype)])
    for right, left in _IRIS_MIRROR.items():
        full_mirror[right], full_mirror[left] = left, right
    return (
        np.concatenate([vertices, iris_vertices]).astype(np.int32),
        np.concatenate([bary, iris_bary]).astype(np.float32),
        full_mirror.astype(np.int32),
    )


def _midline_edges(mesh: HeadMesh, template: np.ndarray) -> np.ndarray:
    edges = np.unique(np.sort(face_edges(mesh.base_faces())[0], axis=1), axis=0)
    on_midline = (mesh.mirror[edges] == edges).all(axis=1)
    outside = template[edges, 2].min(axis=1) > 0
    return edges[on_midline & outside]


def _onto_edges(
    point: np.ndarray, edges: np.ndarray, template: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The closest point on a set of edges, as vertices (3,) and barycentric weights (3,)."""
    a, b = template[edges[:, 0]], template[edges[:, 1]]
    along = ((point - a) * (b - a)).sum(axis=1) / ((b - a) ** 2).sum(axis=1)
    along = np.clip(along, 0, 1)
    distance = np.linalg.norm(a + along[:, None] * (b - a) - point, axis=1)
    best = distance.argmin()
    s, t = edges[best]
    return np.array([s, t, t]), np.array([1 - along[best], along[best], 0.0])


def _iris(mesh: HeadMesh) -> tuple[np.ndarray, np.ndarray]:
    """Centre of the limbus circle and its points to the image's right, top, left and bottom."""
    quarter = SEGMENTS // 4
    vertices, bary = [], []
    for side in "rl":
        first = mesh.spans[f"eyeball_{side}"].start + 1 + (LIMBUS_RING - 1) * SEGMENTS
        # The right eyeball is the left one mirrored, so its ring starts at -x.
        turns = (0, 1, 2, 3) if side == "l" else (2, 1, 0, 3)
        right, top, left, bottom = (first + quarter * turn for turn in turns)
        vertices.append([left, right, right] if side == "l" else [right, left, left])
        bary.append([0.5, 0.5, 0.0])
        for vertex in (right, top, left, bottom):
            vertices.append([vertex] * 3)
            bary.append([1.0, 0.0, 0.0])
    return np.array(vertices), np.array(bary)
