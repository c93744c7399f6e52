# SPDX-License-Identifier: GPL-3.0-or-later
"""build_rigged_head(): a fitted head as the rig that an artist drives."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..appearance.painted_skin import PaintedSkin
from ..heads.lid_zone import away_from_lids
from ..heads.model import HeadModel
from ..likeness.source_and_bound import likeness_of, outer_skin, showing
from ..likeness.words import likeness_report
from ..photos.colour import FaceColours
from ..reconstruction import Reconstruction
from ..rig.bone_tails import joint_tails
from ..rig.person_keys import eyes_clear, person_keys
from ..rig.tear_line import wet_vertices
from ..rigged_head import SCHEMA, RiggedHead
from .continuation import with_first
from .neural import licence_of

Array = NDArray[np.float64]


def build_rigged_head(
    head: HeadModel,
    reconstruction: Reconstruction,
    photo_index: int,
    name: str,
    colours: FaceColours,
    *,
    own_components: bool = False,
    skin: PaintedSkin | None = None,
) -> RiggedHead:
    """One photo's head: basis at rest, and the person's keys at the photo's values.

    name: of the photo; colours: of skin and iris, for materials without a painted texture.
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
    neural = reconstruction.neural
    licence = licence_of(head, neural)
    if own_components:
        keys = keys.with_components(head)
    # Where keys alone say where the photo's head is: the line of tears, and lids that are shut.
    shut = np.flatnonzero(away_from_lids(head, fit.neutral, fit.closed) < 1)
    wet = np.union1d(wet_vertices(head), shut)
    if len(wet):
        shape = fit.neutral + np.tensordot(keys.values, keys.deltas, 1)
        posed = fit.vertices.copy()
        posed[wet] = head.skin(shape, joints, fit.rotations)[wet]
        fit = replace(fit, vertices=posed)
    if neural is not None:
        keys = keys.with_detail(head.led(neural.detail))
        fit = replace(fit, vertices=fit.vertices + head.led(neural.posed[photo_index]))
    commercial = licence.commercial
    uncertainty = reconstruction.uncertainty
    report, likeness = reconstruction.report, likeness_of(head, reconstruction)
    if likeness is not None:
        yaws = [float(p.report["pose_degrees"]["yaw"]) for p in reconstruction.photos]
        outer = showing(outer_skin(head), fit.neutral, head.triangles, head.regions)
        figures = likeness_report(likeness.source, likeness.bound, head.regions, outer, yaws)
        report = {**report, "likeness": figures}
    if skin is not None:
        report = {**report, **skin.report}
    no_light = np.zeros((0, 0, 3), np.float32)
    return RiggedHead(
        schema=SCHEMA,
        name=name,
        head_name=head.name,
        licence_spdx=licence.spdx,
        licence_commercial=-1 if commercial is None else int(commercial),
        basis=fit.neutral.astype(np.float32),
        quads=head.quads,
        face_part=head.face_part,
        part_names=np.array(head.part_names),
        uv=head.uv.astype(np.float32),
        uv_quads=head.uv_quads,
        key_names=np.array(keys.names),
        key_deltas=_moves(keys.deltas),
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
        skin_color=colours.skin if skin is None else skin.tone,
        iris_color=colours.iris,
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
        photo_light=no_light if skin is None or not skin.lights else skin.lights[photo_index],
    )


def _moves(deltas: NDArray[np.float64]) -> NDArray[np.float32]:
    """Without what is shorter than a nanometre: what rounding left of nothing, which differs from
    run to run by where in memory an array lies.
    """
    return np.where(np.abs(deltas) < 1e-9, 0.0, deltas).astype(np.float32)
