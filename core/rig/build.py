# SPDX-License-Identifier: GPL-3.0-or-later
"""build_rigged_head(): a fitted head as the rig that an artist drives."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..appearance.worn import Worn
from ..continuation import with_first
from ..heads.model import HeadModel
from ..images import Photo
from ..likeness import likeness_of, outer_skin, showing
from ..likeness_words import likeness_report
from ..reconstruction import Reconstruction
from .person_keys import eyes_clear, person_keys
from .photo_colors import iris_color, skin_color
from .rigged_head import SCHEMA, RiggedHead
from .tear_line import wet_vertices

Array = NDArray[np.float64]


def build_rigged_head(
    head: HeadModel,
    reconstruction: Reconstruction,
    photo_index: int,
    photo: Photo,
    *,
    own_components: bool = False,
    skin: Worn | None = None,
) -> RiggedHead:
    """One photo's head: basis at rest, and the person's keys at the photo's values.

    own_components: the keys of the head model's file itself come last, at zero, where it has
    some: flame_000, flame_001, ..., one standard deviation each. skin: what was painted from the
    person's photos, if anything was.

    Raises ValueError for a head whose expressions lack one of the 52 names: such a head gets its
    sliders before it is fitted.
    """
    fit = reconstruction.photos[photo_index]
    joints = head.joints(fit.neutral)
    lift = eyes_clear(head, fit.neutral) - fit.neutral
    fit = replace(fit, neutral=fit.neutral + lift, vertices=fit.vertices + lift)
    keys = person_keys(head, fit)
    if own_components:
        keys = keys.with_components(head)
    wet = wet_vertices(head)
    if len(wet):
        shape = fit.neutral + np.tensordot(keys.values, keys.deltas, 1)
        posed = fit.vertices.copy()
        posed[wet] = head.skin(shape, joints, fit.rotations)[wet]
        fit = replace(fit, vertices=posed)
    commercial = head.licence.commercial
    uncertainty = reconstruction.uncertainty
    report, likeness = reconstruction.report, likeness_of(head, reconstruction)
    if likeness is not None:
        yaws = [float(p.report["pose_degrees"]["yaw"]) for p in reconstruction.photos]
        outer = showing(outer_skin(head), fit.neutral, head.triangles, head.regions)
        told = likeness_report(likeness.source, likeness.bound, head.regions, outer, yaws)
        report = {**report, "likeness": told}
    if skin is not None:
        report = {**report, **skin.report}
    return RiggedHead(
        schema=SCHEMA,
        name=photo.name,
        head_name=head.name,
        licence_spdx=head.licence.spdx,
        licence_commercial=-1 if commercial is None else int(commercial),
        basis=fit.neutral.astype(np.float32),
        quads=head.quads,
        face_part=head.face_part,
        part_names=np.array(head.part_names),
        uv=head.uv.astype(np.float32),
        uv_quads=head.uv_quads,
        key_names=np.array(keys.names),
        key_deltas=keys.deltas.astype(np.float32),
        key_values=keys.values.astype(np.float32),
        joint_names=np.array(head.joint_names),
        joints=joints.astype(np.float32),
        joint_tails=joint_tails(head, fit.neutral, joints).astype(np.float32),
        parents=np.array(head.parents, dtype=np.int32),
        weights=head.skin_weights.astype(np.float32),
        joint_rotations=fit.rotations.astype(np.float32),
        camera_K=fit.camera.K,
        camera_R=fit.camera.R,
        camera_t=fit.camera.t,
        image_size=np.array([fit.camera.width, fit.camera.height], dtype=np.int32),
        skin_color=skin_color(photo.pixels, fit.landmarks) if skin is None else skin.tone,
        iris_color=iris_color(photo.pixels, fit.landmarks),
        landmarks=fit.landmarks.astype(np.float32),
        landmarks_fit=fit.landmarks_fit.astype(np.float32),
        posed=fit.vertices.astype(np.float32),
        region_names=np.array(list(head.regions)),
        regions=np.array(list(head.regions.values()), dtype=bool).reshape(-1, head.vertex_count),
        uncertainty=(np.zeros(head.vertex_count) if uncertainty is None else uncertainty).astype(
            np.float32
        ),
        recipe_json=json.dumps(reconstruction.recipe, sort_keys=True),
        report_json=json.dumps(report, sort_keys=True),
        correctives=keys.correctives,
        bone_keys=keys.bone_keys,
        bone_turns=keys.bone_turns.astype(np.float32),
        mirror=np.zeros(0, np.int32) if head.mirror is None else head.mirror,
        landmark_vertices=head.landmark_vertices,
        landmark_barycentric=head.landmark_barycentric.astype(np.float32),
        continuation_json=with_first(reconstruction.continuation, photo_index),
        **({} if likeness is None else likeness.fields()),
        **({} if skin is None else skin.fields),
    )


def joint_tails(head: HeadModel, neutral: Array, joints: Array) -> Array:
    """Where each bone ends (J, 3), so that it reads: the neck ends at the head, the jaw at the
    chin, an eye in front of its pupil, the head at the crown.
    """
    tails = joints + np.array([0.0, 0.03, 0.0])
    at = {name: i for i, name in enumerate(head.joint_names)}
    for name, child in (("root", "neck"), ("neck", "head")):
        if (
            name in at
            and child in at
            and np.ptp([joints[at[name]], joints[at[child]]], axis=0).any()
        ):
            tails[at[name]] = joints[at[child]]
    crown = np.array([0.0, neutral[:, 1].max(), 0.0])
    top = "head" if "head" in at else "neck"
    if top in at:
        tails[at[top]] = [joints[at[top]][0], crown[1], joints[at[top]][2]]
    if "jaw" in at:
        tails[at["jaw"]] = head.landmarks(neutral, np.array([152], dtype=np.int32))[0]
    for eye in ("eye_l", "eye_r"):
        if eye in at:
            tails[at[eye]] = joints[at[eye]] + np.array([0.0, 0.0, 0.03])
    return tails
