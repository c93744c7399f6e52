# SPDX-License-Identifier: GPL-3.0-or-later
"""What a face in the scene does, frame by frame, as a FaceMotion: the inverse of scene.motion."""

from __future__ import annotations

import bpy
import numpy as np

from ...core.geometry import axes
from ...core.motion import FaceMotion
from ...core.motion.key_names import matched_names
from .motion import joint_bones, rig_of


def recorded(context: bpy.types.Context, mesh: bpy.types.Object) -> FaceMotion:
    """Over the scene's frames, drivers and all; the current frame stays what it is."""
    scene = context.scene
    rate = scene.render.fps / scene.render.fps_base
    before = scene.frame_current
    names = matched_names(k.name for k in mesh.data.shape_keys.key_blocks[1:])
    rig = rig_of(mesh)
    bones = joint_bones(rig) if rig is not None else {}
    values: list[list[float]] = []
    turns: dict[str, list[np.ndarray]] = {joint: [] for joint in bones}
    frames = range(scene.frame_start, scene.frame_end + 1)
    try:
        for frame in frames:
            scene.frame_set(frame)
            there = context.evaluated_depsgraph_get()
            keys = mesh.evaluated_get(there).data.shape_keys or mesh.data.shape_keys
            values.append([keys.key_blocks[key].value for key in names.values()])
            if rig is None:
                continue
            for joint, bone in bones.items():
                posed = rig.evaluated_get(there).pose.bones[bone]
                turns[joint].append(_turn(posed))
    finally:
        scene.frame_set(before)
    return FaceMotion(
        np.arange(len(frames)) / rate,
        tuple(names),
        np.clip(np.array(values, dtype=float), 0.0, 1.0),
        {joint: np.array(track) for joint, track in turns.items()},
    )


def _turn(posed: bpy.types.PoseBone) -> np.ndarray:
    """The bone's own rotation in the head frame's axes, constraints left out."""
    basis = np.array(posed.matrix_basis.to_3x3().normalized())
    rest = np.array(posed.bone.matrix_local.to_3x3())
    turned = rest @ basis @ rest.T
    return axes.HEAD_TO_SCENE.T @ turned @ axes.HEAD_TO_SCENE
