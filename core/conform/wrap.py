# SPDX-License-Identifier: GPL-3.0-or-later
"""The other way: a head that was sculpted or scanned becomes a person of ours.

The open head that lies on it is told by identity components as far as they go; what is left is
kept as a layer of its own, in the key that also holds what a photo's sliders leave. All keys are
solved on the whole of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..geometry.camera import Camera
from ..heads.arkit import PHOTO_RESIDUAL
from ..heads.model import HeadModel
from ..photos.colour import FaceColours
from ..reconstruct.assembly import build_rigged_head
from ..reconstruction import PhotoFit, Reconstruction
from ..rig.person_keys import eyes_clear
from ..rigged_head import RiggedHead
from .face_mask import open_mask
from .find_face import fit_similarity
from .profile import HeadProfile

Array = NDArray[np.float64]

#: Metres that a vertex may be off the identity that the mesh has, beside the sculpt layer.
_SIGMA = 0.0008
_SIDE, _DISTANCE = 1024, 1.2


@dataclass(frozen=True, eq=False)
class Wrapped:
    """A mesh as a person: identity (I,) in sigma units; sculpt (n, 3) what it leaves; neutral
    (n, 3) both together, metres, head frame.
    """

    identity: Array
    sculpt: Array
    neutral: Array


def wrap(head: HeadModel, profile: HeadProfile) -> Wrapped:
    """The person whom a mesh with a profile shows."""
    laid, mask = profile.laid.astype(np.float64), open_mask(head)
    face = np.nonzero(mask > 0.5)[0]
    face = face[face < head.proper_count]
    basis = head.identity_basis[face].reshape(3 * len(face), -1)
    # Neighbouring vertices are not independent: a tenth of them count.
    normal = 0.1 * basis.T @ basis / _SIGMA**2 + np.eye(basis.shape[1])
    identity: Array = np.zeros(basis.shape[1])
    for _ in range(6):
        now = head.neutral(identity)
        place = fit_similarity(laid[face], now[face], np.ones(len(face)))
        off = (place(laid[face]) - head.template[face]).reshape(-1)
        identity = np.asarray(np.linalg.solve(normal, 0.1 * basis.T @ off / _SIGMA**2))
    smooth = head.neutral(identity)
    place = fit_similarity(laid[face], smooth[face], np.ones(len(face)))
    neutral = smooth + mask[:, None] * (place(laid) - smooth)
    neutral = eyes_clear(head, neutral)
    return Wrapped(identity, neutral - smooth, neutral)


def wrapped_head(
    head: HeadModel, profile: HeadProfile, colours: FaceColours | None = None
) -> RiggedHead:
    """A rigged head of :func:`wrap`: the basis is the identity alone, the sculpt is a key at 1."""
    made = wrap(head, profile)
    camera = Camera.with_focal(
        2.0 * _SIDE, np.diag([1.0, -1.0, -1.0]), np.array([0.0, 0.0, _DISTANCE]), _SIDE, _SIDE
    )
    points = np.full((len(head.landmark_vertices), 2), np.nan)
    points[head.landmark_ids] = camera.project(head.landmarks(made.neutral))
    fit = PhotoFit(
        expression=np.zeros(head.expression_count),
        rotations=np.zeros((len(head.joint_names), 3)),
        camera=camera,
        residual=np.zeros_like(made.neutral),
        neutral=made.neutral,
        vertices=made.neutral,
        landmarks=np.nan_to_num(points),
        landmarks_fit=points,
    )
    report = {"warnings": [], "wrapped": {"mesh": profile.name, "median_mm": 1e3 * profile.median}}
    recipe = {"head": {"name": head.name, "sha256": head.digest}, "mesh_sha256": profile.digest}
    person = Reconstruction(head.name, head.digest, made.identity, (fit,), report, recipe)
    if colours is None:
        colours = FaceColours(
            np.array([0.55, 0.34, 0.25], np.float32), np.array([0.12, 0.07, 0.04], np.float32)
        )
    rigged = build_rigged_head(head, person, 0, profile.name, colours)
    deltas, values = rigged.key_deltas.copy(), rigged.key_values.copy()
    layer = rigged.key_names.tolist().index(PHOTO_RESIDUAL)
    sculpt = rigged.basis - head.neutral(made.identity).astype(np.float32)
    deltas[layer] += sculpt
    values[layer] = 1.0
    return replace(rigged, basis=rigged.basis - sculpt, key_deltas=deltas, key_values=values)
