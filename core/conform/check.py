# SPDX-License-Identifier: GPL-3.0-or-later
"""The rig check of a person on a mesh of the artist's: the same measures as of our own heads."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.closest import closest_points
from ..geometry.mesh import vertex_normals
from ..heads.arkit import PHOTO_RESIDUAL
from ..heads.corners import is_skin
from ..heads.face_landmarks import SKIN_LANDMARKS
from ..heads.model import HeadModel
from ..rig.rig_arrays import RigArrays
from .mesh import OwnMesh
from .mouth_side import lower_lip_share
from .person import Conformed, facing_out
from .profile import KINDS, HeadProfile

Array = NDArray[np.float64]
Index = NDArray[np.integer[Any]]

_PARTS = {"skin": "skin", "eye_l": "eyeball_l", "eye_r": "eyeball_r",
          "mouth_upper": "teeth_upper", "mouth_lower": "teeth_lower"}  # fmt: skip
_NEAR = 0.002
#: Metres that one lip is from the other, so that no point lands on the wrong one.
_LIP, _NORMAL = 0.02, 0.01


def rig_arrays(
    head: HeadModel,
    profile: HeadProfile,
    mesh: OwnMesh,
    person: Conformed,
) -> RigArrays:
    """What the rig check reads, in metres of the head frame; regions and landmarks through the
    profile.
    """
    placed = profile.to_head(person.vertices)
    turn = profile.scale * profile.rotation
    names = (*person.key_names, PHOTO_RESIDUAL)
    deltas = np.zeros((len(names), len(placed), 3))
    deltas[:-1, person.rows] = person.deltas.astype(np.float64) @ turn.T
    triangles = facing_out(head, profile, mesh, placed, person.bridge)
    kinds = profile.kind[triangles]
    same = (kinds == kinds[:, :1]).all(axis=1)
    part_of = np.array([_PARTS.get(k, "other") for k in KINDS])
    parts = np.where(same, part_of[kinds[:, 0]], "other")
    parts[(kinds == KINDS.index("skin")).any(axis=1)] = "skin"
    face = parts == "skin"
    # Inside of mouth and sockets, which lies far from ours, is no more face here than it is there.
    inner = (profile.kind == KINDS.index("skin")) & (profile.distance > _NEAR)
    inner &= profile.mask > 0.9
    parts[(parts == "skin") & (inner[triangles].sum(axis=1) >= 2)] = "mouth_interior"
    regions = {}
    bound = profile.kind == KINDS.index("skin")
    # The mesh's own sockets and mouth lie far from ours: they are of no region.
    rows = np.nonzero(bound & (profile.distance < _NEAR))[0]
    for name, region in head.regions.items():
        mask = np.zeros(len(placed), bool)
        mask[rows] = profile.bound(region.astype(np.float64), rows) > 0.5
        regions[name] = mask
    vertices, share = _landmarks(head, placed, triangles[face], person)
    return RigArrays(
        basis=placed,
        triangles=triangles,
        parts=parts,
        key_names=names,
        deltas=deltas,
        correctives=person.drives,
        joint_names=("root",),
        joints=np.zeros((1, 3)),
        weights=np.ones((len(placed), 1)),
        regions=regions,
        mirror=np.zeros(0, np.int32),
        landmark_vertices=vertices,
        landmark_barycentric=share,
    )


def _landmarks(
    head: HeadModel, placed: Array, skin: Index, person: Conformed
) -> tuple[Index, Array]:
    """The 478 points on the mesh's skin, each lip's on its own; none for the irises."""
    ids = head.landmark_ids[head.landmark_ids < SKIN_LANDMARKS]
    points = np.zeros((478, 3))
    points[ids] = head.landmarks(person.bridge, ids)
    ours = head.triangles[is_skin(head)]
    here, there = (
        np.column_stack(
            [v, _NORMAL * vertex_normals(v, t), _LIP * lower_lip_share(v, t, points)[0]]
        )
        for v, t in ((person.bridge, ours), (placed, skin))
    )
    found = closest_points(head.landmarks(here, ids), there, skin)
    vertices, share = np.full((478, 3), -1, np.int32), np.zeros((478, 3))
    vertices[ids] = skin[found.triangle]
    share[ids] = found.barycentric
    return vertices, share
