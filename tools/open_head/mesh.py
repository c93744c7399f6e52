# SPDX-License-Identifier: GPL-3.0-or-later
"""The head mesh: which vertices and faces it has, and how a MakeHuman target moves them.

Vertex order: skin (with the mouth bag), upper teeth, lower teeth, tongue, left eyeball, right
eyeball; teeth here means the bands that become the gums' ridges.  All but the eyeballs are vertices
of MakeHuman's base mesh.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .eyeball import LIMBUS_RING, PUPIL_RING, Eyeball, make_eyeball
from .source import Source
from .topology import cut_head

PART_NAMES = (
    "skin",
    "eyeball_l",
    "eyeball_r",
    "teeth_upper",
    "teeth_lower",
    "tongue",
    "mouth_interior",
    "iris_l",
    "iris_r",
    "pupil_l",
    "pupil_r",
    "gums_upper",
    "gums_lower",
    "lashes",
    "brows",
    "neck_cut",
    "tears",
)
FLIP_X = np.array([-1.0, 1.0, 1.0])
_MOUTH_BAG_ABOVE = 0.68
"""Metres in MakeHuman's origin: the middle of the mouth bag lies higher, that of the neck lower."""


@dataclass
class HeadMesh:
    """Geometry of the base (unsculpted) head; arrays have V = vertices, F = faces rows."""

    positions: np.ndarray
    quads: np.ndarray
    face_part: np.ndarray
    uv: np.ndarray
    uv_quads: np.ndarray
    mh_index: np.ndarray
    mirror: np.ndarray
    neck_loop: np.ndarray
    spans: dict[str, slice]
    """Vertex range of skin, teeth_upper, teeth_lower, tongue, eyeball_l, eyeball_r."""
    eye_ring: np.ndarray
    """(V,) ring number on the eyeballs, -1 elsewhere."""
    sockets: dict[str, np.ndarray]
    """Face numbers of the skin behind the lids, by side."""
    _helper_eyes: dict[str, np.ndarray]
    _source_positions: np.ndarray

    def displacement(self, target: np.ndarray, with_eyes: bool = True) -> np.ndarray:
        """Carry a MakeHuman target (19158, 3) over to the head's vertices (V, 3), linearly.

        Each eyeball follows the affine motion that best explains its 72-vertex helper eye.
        """
        result = np.zeros_like(self.positions)
        own = self.mh_index >= 0
        result[own] = target[self.mh_index[own]]
        if with_eyes:
            for side, helper in self._helper_eyes.items():
                span = self.spans[f"eyeball_{side}"]
                design = _homogeneous(self._source_positions[helper])
                motion, *_ = np.linalg.lstsq(design, target[helper], rcond=None)
                result[span] = _homogeneous(self.positions[span]) @ motion
        return result

    def mirrored(self, field: np.ndarray) -> np.ndarray:
        """Mirror image of a vertex field (V, 3, ...) of positions or displacements."""
        return field[self.mirror] * FLIP_X.reshape(3, *([1] * (field.ndim - 2)))

    def in_span(self, name: str) -> np.ndarray:
        """(V,) mask of a vertex range."""
        mask = np.zeros(len(self.positions), bool)
        mask[self.spans[name]] = True
        return mask

    def triangles(self) -> tuple[np.ndarray, np.ndarray]:
        """Triangles (T, 3) and the quad (T,) each comes from."""
        return split_quads(self.quads)

    def base_faces(self) -> np.ndarray:
        """Faces of skin and mouth interior, the mesh with the one boundary loop."""
        names = [PART_NAMES.index(n) for n in ("skin", "mouth_interior")]
        return self.quads[np.isin(self.face_part, names)]


def split_quads(quads: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Triangles (T, 3) of quads (F, 4) that have -1 in the fourth place where they are triangles
    already, and the quad (T,) each comes from.
    """
    triangles, owner = [], []
    for i, (a, b, c, d) in enumerate(quads.tolist()):
        triangles.append((a, b, c))
        owner.append(i)
        if d >= 0:
            triangles.append((a, c, d))
            owner.append(i)
    return np.array(triangles, np.int32), np.array(owner, np.int32)


def _homogeneous(points: np.ndarray) -> np.ndarray:
    return np.concatenate([points, np.ones((len(points), 1))], axis=1)


def build_mesh(source: Source) -> HeadMesh:
    """Assemble the head from the base mesh; positions are metres with MakeHuman's own origin."""
    body = source.groups["body"]
    kept, loop = cut_head(body[:, :, 0], source.positions)
    faces = {
        "skin": body[kept],
        "teeth_upper": source.groups["helper-upper-teeth"],
        "teeth_lower": source.groups["helper-lower-teeth"],
        "tongue": source.groups["helper-tongue"],
    }
    spans: dict[str, slice] = {}
    number = np.full(len(source.positions), -1)
    mh_index: list[np.ndarray] = []
    quads, uv_corners, face_part = [], [], []
    start = 0
    for name, part in faces.items():
        vertices = np.unique(part[:, :, 0])
        number[vertices] = start + np.arange(len(vertices))
        spans[name] = slice(start, start + len(vertices))
        start = spans[name].stop
        mh_index.append(vertices)
        quads.append(number[part[:, :, 0]])
        uv_corners.append(part[:, :, 1])
        # MakeHuman's teeth are smooth bands: they become the ridges that the gums lie on.
        face_part.append(np.full(len(part), PART_NAMES.index(name.replace("teeth", "gums"))))
    uv_used, uv_quads = np.unique(np.concatenate(uv_corners), return_inverse=True)
    uv_quads = uv_quads.reshape(-1, 4)
    centres = source.positions[faces["skin"][:, :, 0]].mean(axis=1)
    bag, sockets = _cavities(uv_corners[0], centres)
    face_part[0][bag] = PART_NAMES.index("mouth_interior")

    ball = make_eyeball()
    positions = [source.positions[np.concatenate(mh_index)]]
    helpers: dict[str, np.ndarray] = {}
    uv, uv_faces = [source.uv[uv_used]], [uv_quads]
    for side in "lr":
        helpers[side] = source.group_vertices(f"helper-{side}-eye")
        spans[f"eyeball_{side}"] = slice(start, start + len(ball.points))
        positions.append(_place_eyeball(ball, side, source.positions[helpers["l"]]))
        order = slice(None) if side == "l" else [0, 3, 2, 1]
        corners = ball.faces[:, order], ball.uv_faces[:, order]
        if side == "r":
            corners = _last_is_gap(corners[0]), _last_is_gap(corners[1])
        quads.append(_offset(corners[0], start))
        uv_faces.append(_offset(corners[1], sum(map(len, uv))))
        # The same picture serves both eyes: seen from the front neither is mirrored.
        uv.append(ball.uv if side == "l" else np.array([1.0, 0.0]) + ball.uv * [-1.0, 1.0])
        part = np.full(len(ball.faces), PART_NAMES.index(f"eyeball_{side}"))
        part[ball.face_ring <= LIMBUS_RING] = PART_NAMES.index(f"iris_{side}")
        part[ball.face_ring <= PUPIL_RING] = PART_NAMES.index(f"pupil_{side}")
        face_part.append(part)
        start = spans[f"eyeball_{side}"].stop

    own = start - spans["eyeball_l"].start
    ids = np.concatenate([*mh_index, np.full(own, -1)])
    ring = np.full(start, -1)
    for side in "lr":
        ring[spans[f"eyeball_{side}"]] = ball.ring
    return HeadMesh(
        positions=np.concatenate(positions),
        quads=np.concatenate(quads).astype(np.int32),
        face_part=np.concatenate(face_part).astype(np.int8),
        uv=np.concatenate(uv),
        uv_quads=np.concatenate(uv_faces).astype(np.int32),
        mh_index=ids.astype(np.int32),
        mirror=_mirror(ids, number, source.mirror, spans),
        neck_loop=number[loop].astype(np.int32),
        spans=spans,
        eye_ring=ring,
        sockets=sockets,
        _helper_eyes=helpers,
        _source_positions=source.positions,
    )


def _cavities(
    uv_corners: np.ndarray, centres: np.ndarray
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Faces of the mouth bag and of the two eye sockets.

    MakeHuman's body atlas holds head, torso, mouth bag and the two sockets as islands of their own:
    the cavities are the ones inside the head, bag on the midline, sockets to its sides.
    """
    label = uv_islands(uv_corners)
    small = [np.flatnonzero(label == i) for i in np.unique(label) if (label == i).sum() < 1000]
    found = {}
    for faces in small:
        x, y, _ = centres[faces].mean(axis=0)
        if y > _MOUTH_BAG_ABOVE:
            found["bag" if abs(x) < 1e-3 else "l" if x > 0 else "r"] = faces
    return found["bag"], {side: found[side] for side in "lr"}


def uv_islands(uv_corners: np.ndarray) -> np.ndarray:
    """(F,) island number of each face: faces that share a uv vertex lie on the same island."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    rows = np.repeat(uv_corners[:, 0], 3)
    cols = uv_corners[:, 1:].ravel()
    n = uv_corners.max() + 1
    _, label = connected_components(
        coo_matrix((np.ones(len(rows)), (rows, cols)), shape=(n, n)), False
    )
    return label[uv_corners[:, 0]]


def _place_eyeball(ball: Eyeball, side: str, left_helper: np.ndarray) -> np.ndarray:
    radius = (np.ptp(left_helper[:, 0]) + np.ptp(left_helper[:, 1])) / 4
    centre = left_helper.mean(axis=0)
    # The helper bulges at the cornea, so its mean lies too far forward; its back is a true sphere.
    centre[2] = left_helper[:, 2].min() + radius
    points = centre + radius * ball.points
    return points if side == "l" else points * FLIP_X


def _offset(faces: np.ndarray, by: int) -> np.ndarray:
    return np.where(faces >= 0, faces + by, -1)


def _last_is_gap(faces: np.ndarray) -> np.ndarray:
    """Move the -1 of reversed triangles back to the fourth place."""
    gap = faces[:, 1] < 0
    faces = faces.copy()
    faces[gap] = faces[gap][:, [0, 2, 3, 1]]
    return faces


def _mirror(
    ids: np.ndarray, number: np.ndarray, base: np.ndarray, spans: dict[str, slice]
) -> np.ndarray:
    mirror = np.arange(len(ids))
    own = ids >= 0
    mirror[own] = number[base[ids[own]]]
    left, right = spans["eyeball_l"], spans["eyeball_r"]
    mirror[left] = np.arange(right.start, right.stop)
    mirror[right] = np.arange(left.start, left.stop)
    if (mirror < 0).any() or not np.array_equal(mirror[mirror], np.arange(len(mirror))):
        raise ValueError("the mesh is not mirror symmetric")
    return mirror.astype(np.int32)
