# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts a person onto a mesh that has a profile: its neutral shape, the 52 keys, and weights.

The open head as it lies on the mesh is the bridge. The person is brought over it by a similarity,
and what is left of the difference fades out before scalp, ears and neck begin. The keys are solved
on that very head, lids closed and lips parted there, and carried over from there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MeshError
from ..heads.model import HeadModel
from ..rig.correctives import corrective_name, corrective_pairs
from ..rig.person_keys import JAW_KEY, rest_keys
from .carry import bridge_of, carry, joint_weights
from .face_mask import open_mask
from .find_face import Similarity, fit_similarity
from .mesh import OwnMesh
from .profile import HeadProfile

Array = NDArray[np.float64]
Index = NDArray[np.integer[Any]]

#: Bones that get weights: the open head's, in its order.
BONES = ("root", "neck", "head", "jaw", "eye_l", "eye_r")


@dataclass(frozen=True, eq=False)
class Conformed:
    """A person on a mesh of V vertices, in the mesh's own unit and axes.

    vertices (V, 3) at rest; rows (r,) the vertices that anything moves; key_names (K,), the 52
    first and then those that are driven by two of them, and deltas (K, r, 3) from rest; weights
    (V, 6) of the bones ``BONES`` and joints (6, 3) their heads; strength of the likeness; bridge
    (n, 3): the open head of the person as it lies on the mesh, metres, head frame; drives (C, 3):
    key, and the two keys whose product is its value.
    """

    vertices: Array
    rows: Index
    key_names: tuple[str, ...]
    deltas: NDArray[np.float32]
    weights: NDArray[np.float32]
    joints: Array
    strength: float
    bridge: Array
    drives: NDArray[np.int32]

    def full(self, name: str) -> Array:
        """(V, 3) of one key."""
        out = np.zeros_like(self.vertices)
        out[self.rows] = self.deltas[self.key_names.index(name)]
        return out


def put_on(
    head: HeadModel, profile: HeadProfile, mesh: OwnMesh, neutral: Array, strength: float = 1.0
) -> Conformed:
    """A person at rest, neutral (n, 3) of the open head, on a mesh.

    strength: 0 leaves the mesh as it is and gives it keys, 1 is the person. Raises MeshError if
    the profile is of another mesh, or head.
    """
    profile.check_mesh(mesh)
    profile.check_head(head.digest)
    if neutral.shape != head.template.shape:
        raise MeshError("The person is of another head: reconstruct the photo with the Open Head.")
    laid = profile.laid.astype(np.float64)
    bridge = bridge_of(head, laid, brought_over(head, neutral, laid)(neutral), strength)
    keys = rest_keys(head, bridge)
    names = [name for name in keys if name != JAW_KEY]
    placed = profile.to_head(mesh.vertices)
    moves = np.stack([keys[name] for name in names])
    done = carry(head, profile, mesh, placed, laid, bridge, moves)
    back = profile.to_head.inverse
    joints = head.joints(bridge)[[head.joint(name) for name in BONES]]
    joints[-2:] = done.eyes
    moved = np.isin(np.arange(len(placed)), done.rows)[:, None]
    return Conformed(
        np.where(moved, back(done.at_rest), mesh.vertices),
        done.rows,
        tuple(names),
        (done.deltas @ (back.scale * back.rotation).T).astype(np.float32),
        joint_weights(head, profile)[:, [head.joint(name) for name in BONES]],
        back(joints),
        strength,
        bridge,
        np.array(
            [
                [names.index(n) for n in (corrective_name(*p), *p)]
                for p in corrective_pairs()
                if corrective_name(*p) in names
            ],
            np.int32,
        ).reshape(-1, 3),
    )


def brought_over(head: HeadModel, neutral: Array, laid: Array) -> Similarity:
    """The similarity that brings a person to the laid head, with least left at the face's end."""
    mask = open_mask(head)
    return fit_similarity(neutral, laid, np.where(mask > 0, 1.2 - mask, 0.0))
