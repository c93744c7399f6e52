# SPDX-License-Identifier: GPL-3.0-or-later
"""The rig check of a person on a mesh of the artist's: the same measures as of our own heads."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..heads.arkit import PHOTO_RESIDUAL
from ..heads.model import HeadModel
from ..rig.rig_arrays import RigArrays
from .carry import facing_out
from .mesh import OwnMesh
from .person import Conformed
from .profile import KINDS, HeadProfile

Array = NDArray[np.float64]
Index = NDArray[np.integer[Any]]

_PARTS = {"skin": "skin", "eye_l": "eyeball_l", "eye_r": "eyeball_r",
          "mouth_upper": "teeth_upper", "mouth_lower": "teeth_lower"}  # fmt: skip
_NEAR = 0.002


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
    parts = parts_on(profile, triangles)
    regions = regions_on(head, profile)
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
        landmark_vertices=profile.landmark_vertices,
        landmark_barycentric=profile.landmark_share.astype(np.float64),
    )


def parts_on(profile: HeadProfile, triangles: Index) -> NDArray[np.str_]:
    """(T,) names of parts as the open head has them, "other" for hair, clothes and the rest."""
    kinds = profile.kind[triangles]
    same = (kinds == kinds[:, :1]).all(axis=1)
    part_of = np.array([_PARTS.get(k, "other") for k in KINDS], "U16")
    parts = np.where(same, part_of[kinds[:, 0]], "other")
    parts[(kinds == KINDS.index("skin")).any(axis=1)] = "skin"
    # Inside of mouth and sockets, which lies far from ours, is no more face here than it is there.
    inner = (profile.kind == KINDS.index("skin")) & (profile.distance > _NEAR)
    inner &= profile.mask > 0.9
    parts[(parts == "skin") & (inner[triangles].sum(axis=1) >= 2)] = "mouth_interior"
    return parts


def regions_on(head: HeadModel, profile: HeadProfile) -> dict[str, NDArray[np.bool_]]:
    """The open head's regions on the mesh, (V,) each."""
    regions = {}
    bound = profile.kind == KINDS.index("skin")
    # The mesh's own sockets and mouth lie far from ours: they are of no region.
    rows = np.nonzero(bound & (profile.distance < _NEAR))[0]
    for name, region in head.regions.items():
        mask = np.zeros(len(bound), bool)
        mask[rows] = profile.bound(region.astype(np.float64), rows) > 0.5
        regions[name] = mask
    return regions
