# SPDX-License-Identifier: GPL-3.0-or-later
"""HeadModel: a FLAME-style head, whoever made it.

The surface is linear in identity and expression, then skinned (Li et al., "Learning a model of
facial shape and expression from 4D scans", SIGGRAPH Asia 2017, section 3):

    shaped  = template + identity_basis @ identity + expression_basis @ expression
    posed   = skin(shaped + pose_basis @ vec(R_j - I), joints(template + identity), R)

All arrays are in metres in the head frame (+x subject's left, +y up, +z out of the face).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..geometry.rotation import matrix_from_vector
from .arkit import ARKIT_NAMES
from .followers import Followers

#: Faces of these parts, and faces with all corners in these regions, are inside the head.
INNER_PARTS = (
    "mouth_interior",
    "teeth_upper",
    "teeth_lower",
    "gums_upper",
    "gums_lower",
    "tongue",
    "neck_cut",
    "tears",
)
#: Faces of these parts stand on the skin: hairs, which no scanner sees as a surface.
HAIR_PARTS = ("lashes", "brows")
#: And these are strips that are no solid.
STRIP_PARTS = (*HAIR_PARTS, "tears")
INNER_REGIONS = ("eye_socket_l", "eye_socket_r")

Array = NDArray[np.float64]
Index = NDArray[np.int32]


@dataclass(frozen=True)
class Licence:
    """spdx: SPDX id or a name. commercial: True, False, or None where it is not known."""

    spdx: str
    commercial: bool | None
    notice: str = ""


@dataclass(frozen=True, eq=False)
class HeadModel:
    """A head of V vertices, F faces, I identity and E expression components, J joints.

    template (V, 3); quads (F, 4), a triangle has -1 in its last place; uv (U, 2), v upward;
    uv_quads (F, 4); identity_basis (V, 3, I) and expression_basis (V, 3, E) in units of one
    standard deviation or one full slider; expression_names (E,), empty where the components
    have none; pose_basis (V, 3, 9 (J - 1)) on the row-major R_j - I of the joints after the
    root; joint_regressor (J, V); skin_weights (V, J), rows sum to 1; parents (J,), -1 at the
    root; face_part (F,) indexes part_names; regions: name -> (V,) bool; mirror (V,) or None;
    landmark_vertices (478, 3) and landmark_barycentric (478, 3) embed MediaPipe's points
    (vertex -1 where a model has no place for a point); gaze_range: eyeLook* name -> (3,)
    rotation vector of its eye at slider 1.

    A head whose expressions are nameless components may bring ``arkit_shapes`` (V, 3, 52), in
    the order of ``core.heads.arkit``; see :meth:`with_sliders`. ``expression_moves_joints``: the
    joints follow the expression too, as FLAME's do, not the identity alone. ``locked_joints``
    never turn, since the head does their work by other means. ``own_components`` (V, 3, n): the
    expression components of the file itself, in sigma units, where sliders stand in for them.
    ``followers``: the last vertices, if they ride on the others. ``fitted_count``: how many of the
    identity components, from the first on, are worth solving for.
    """

    name: str
    licence: Licence
    digest: str
    template: Array
    quads: Index
    uv: Array
    uv_quads: Index
    identity_basis: Array
    expression_basis: Array
    expression_names: tuple[str, ...]
    pose_basis: Array
    joint_regressor: Array
    skin_weights: Array
    parents: tuple[int, ...]
    joint_names: tuple[str, ...]
    part_names: tuple[str, ...]
    face_part: NDArray[np.int8]
    regions: dict[str, NDArray[np.bool_]]
    landmark_vertices: Index
    landmark_barycentric: Array
    mirror: Index | None = None
    gaze_range: dict[str, Array] = field(default_factory=dict)
    arkit_shapes: Array | None = None
    expression_moves_joints: bool = False
    locked_joints: tuple[str, ...] = ()
    own_components: Array | None = None
    followers: Followers | None = None
    fitted_count: int = 100

    @property
    def vertex_count(self) -> int:
        """V."""
        return int(self.template.shape[0])

    @property
    def identity_count(self) -> int:
        """I."""
        return int(self.identity_basis.shape[2])

    @property
    def expression_count(self) -> int:
        """E."""
        return int(self.expression_basis.shape[2])

    @cached_property
    def triangles(self) -> Index:
        """(T, 3): every quad split along its first diagonal, in face order."""
        return triangles_of(self.quads)

    @cached_property
    def outer_triangles(self) -> Index:
        """(n, 3): the surface that light from outside meets, as a scanner would see it: without
        the mouth's inside, teeth, gums, tongue, hairs, the cut of the neck, and the sockets
        behind the eyeballs.
        """
        inside = np.zeros(self.vertex_count, bool)
        for name in INNER_REGIONS:
            if name in self.regions:
                inside |= self.regions[name]
        parts = [i for i, name in enumerate(self.part_names) if name in INNER_PARTS + HAIR_PARTS]
        hidden = np.isin(self.face_part, parts)
        per_quad = np.where(self.quads[:, 3] >= 0, 2, 1)
        keep = ~np.repeat(hidden, per_quad) & ~inside[self.triangles].all(axis=1)
        return self.triangles[keep]

    def with_sliders(self) -> HeadModel:
        """The head with the 52 named sliders for its expression; itself if it has names.

        Its joints then follow the identity alone, as bones with shape keys must.
        """
        if self.expression_names or self.arkit_shapes is None:
            return self
        return replace(
            self,
            expression_basis=self.arkit_shapes,
            expression_names=ARKIT_NAMES,
            expression_moves_joints=False,
        )

    @property
    def proper_count(self) -> int:
        """How many of the vertices come first and follow no others."""
        return self.vertex_count - (0 if self.followers is None else self.followers.count)

    def led(self, motion: Array) -> Array:
        """Motion (V, ...), that of the followers replaced by what those before them do."""
        if self.followers is None:
            return motion
        return self.followers.extend(motion[: self.proper_count])

    def joint(self, name: str) -> int:
        """Index of a joint by name; KeyError if the model has no such joint."""
        try:
            return self.joint_names.index(name)
        except ValueError:
            raise KeyError(name) from None

    def neutral(self, identity: Array | None = None) -> Array:
        """The face at rest of an identity (up to I coefficients) -> (V, 3)."""
        if identity is None or len(identity) == 0:
            return self.template.copy()
        n = len(identity)
        return self.template + self.identity_basis[:, :, :n] @ np.asarray(identity, float)

    def joints(self, neutral: Array) -> Array:
        """Joint positions of a neutral face (V, 3) -> (J, 3)."""
        return self.joint_regressor @ neutral

    def skin(self, shaped: Array, joints: Array, rotations: Array) -> Array:
        """Linear blend skinning, (V, 3) with joint rotation vectors (J, 3) -> (V, 3).

        Rotations are relative to the parent, about the joint; the root's is about the root.
        """
        return skinned(shaped, joints, rotations, self.skin_weights, self.parents)

    def pose_correction(self, rotations: Array) -> Array:
        """Corrective offsets (V, 3) before skinning, for joint rotation vectors (J, 3)."""
        feature = (matrix_from_vector(rotations)[1:] - np.eye(3)).reshape(-1)
        return self.pose_basis @ feature

    def pose(
        self,
        identity: Array | None = None,
        expression: Array | None = None,
        rotations: Array | None = None,
        *,
        correctives: bool = True,
    ) -> Array:
        """The whole forward pass -> (V, 3) in the head frame."""
        neutral = self.neutral(identity)
        shaped = neutral
        if expression is not None and len(expression):
            shaped = shaped + self.expression_basis[:, :, : len(expression)] @ expression
        if rotations is None or not np.any(rotations):
            return np.array(shaped)
        joints = self.joints(shaped if self.expression_moves_joints else neutral)
        rotations = np.asarray(rotations, dtype=np.float64)
        if correctives and self.pose_basis.shape[2]:
            shaped = shaped + self.pose_correction(rotations)
        return self.skin(shaped, joints, rotations)

    @cached_property
    def landmark_ids(self) -> Index:
        """Which of the 478 points this model embeds, (n,) ascending."""
        ids: Index = np.nonzero(self.landmark_vertices[:, 0] >= 0)[0].astype(np.int32)
        return ids

    def landmarks(self, vertices: Array, ids: Index | None = None) -> Array:
        """Embedded points (n, ...) of per-vertex values (V, ...); all embedded ones if no ids."""
        ids = self.landmark_ids if ids is None else ids
        corners = vertices[self.landmark_vertices[ids]]
        return np.einsum("nk,nk...->n...", self.landmark_barycentric[ids], corners)


def triangles_of(quads: Index) -> Index:
    """(T, 3): every quad (F, 4) split along its first diagonal, in face order; -1 is last in a
    triangle.
    """
    both = np.stack([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]], axis=1)
    keep = np.stack([np.ones(len(quads), bool), quads[:, 3] >= 0], axis=1)
    out: Index = both[keep]
    return out


def skinned(
    shaped: Array, joints: Array, rotations: Array, weights: Array, parents: tuple[int, ...]
) -> Array:
    """As HeadModel.skin, of any points (V, 3) with weights (V, J)."""
    linear, offset = joint_transforms(matrix_from_vector(rotations), joints, parents)
    moved = np.nonzero(np.any(np.abs(linear - np.eye(3)) > 0, axis=(1, 2)))[0]
    out = np.array(shaped, dtype=np.float64)
    # Only joints that turned are applied: blending is relative to identity, since rows sum
    # to one, so that a fit that only moves the eyes pays for the eyes alone.
    for j in moved:
        w = weights[:, j]
        touched = np.nonzero(w)[0]
        v = shaped[touched]
        out[touched] += w[touched, None] * (v @ linear[j].T + offset[j] - v)
    return out


def joint_transforms(
    matrices: Array, joints: Array, parents: tuple[int, ...]
) -> tuple[Array, Array]:
    """World transforms of a kinematic chain, as x -> linear[j] @ x + offset[j].

    matrices (J, 3, 3) relative to the parent, joints (J, 3) at rest. Parents precede children.
    """
    linear = np.empty_like(matrices)
    offset = np.empty_like(joints)
    for j, parent in enumerate(parents):
        about = joints[j] - matrices[j] @ joints[j]
        if parent < 0:
            linear[j], offset[j] = matrices[j], about
        else:
            linear[j] = linear[parent] @ matrices[j]
            offset[j] = linear[parent] @ about + offset[parent]
    return linear, offset
