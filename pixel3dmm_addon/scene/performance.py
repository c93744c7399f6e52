# SPDX-License-Identifier: GPL-3.0-or-later
"""A tracked clip onto a head: actions, the camera that took the clip, and the clip behind it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix

from ...core.geometry import axes
from ...core.geometry.camera import Camera
from ...core.motion import resampled
from ...core.track.performance import Performance
from . import curves
from .camera import frame_aspect, new_camera
from .motion import Applied, apply_motion, rig_of

#: Custom property of a head that points to the camera of its last clip.
CLIP_CAMERA = "pixel3dmm_clip_camera"
_SHIFTS = ("shiftX", "shiftY", "shiftZ")
LOST, FOUND = "Face lost", "Face found"


def apply_performance(
    context: bpy.types.Context,
    head: bpy.types.Object,
    done: Performance,
    clip: Path,
    *,
    start: int,
    first: int = 0,
    onto_camera: bool = False,
    background: bool = True,
) -> Applied:
    """Keyframes at the scene's frame rate from frame ``start`` on; the clip keeps its time.

    first: frame of the clip that was tracked first. onto_camera: the camera moves instead of the
    head's bone, so that the head lies on the clip in every frame.
    """
    scene = context.scene
    rate = scene.render.fps / scene.render.fps_base
    motion = done.motion()
    with_camera = replace(
        motion,
        names=(*motion.names, *_SHIFTS),
        values=np.concatenate([motion.values, done.t], axis=1),
        turns={**motion.turns, "camera": done.R},
    )
    even = resampled(with_camera, rate)
    count = len(motion.names)
    face = replace(even, names=motion.names, values=even.values[:, :count])
    joints = ["eye_l", "eye_r"] if onto_camera else ["head", "eye_l", "eye_r"]
    name = clip.stem
    applied = apply_motion(head, face, rate=rate, start=start, name=name, joints=joints)
    R, t = even.turns["camera"], even.values[:, count:]
    camera = _camera(scene, head, done, name, R, t, onto_camera)
    if onto_camera:
        _move(scene, camera, done, R, t, start + np.arange(len(R)), _placed(head))
    if background:
        _show(camera.data, clip, start, first, rate, done)
    head[CLIP_CAMERA] = camera
    _mark(scene, done, rate, start)
    return applied


def _view(done: Performance, R: np.ndarray, t: np.ndarray) -> Camera:
    return Camera.with_focal(done.focal, R, t, done.width, done.height)


def _placed(head: bpy.types.Object) -> Matrix:
    """Where the head's family stands."""
    rig = rig_of(head)
    return (rig or head).matrix_world.copy()


def _camera(
    scene: bpy.types.Scene,
    head: bpy.types.Object,
    done: Performance,
    name: str,
    R: np.ndarray,
    t: np.ndarray,
    moving: bool,
) -> bpy.types.Object:
    """Of a head whose bone turns, the camera looks at it from in front, as far as the clip's."""
    if not moving:
        R, t = np.diag([1.0, -1.0, -1.0])[None], np.median(t, axis=0)[None]
    camera = new_camera(scene, _view(done, R[0], t[0]), f"{name} camera", None)
    camera.matrix_world = _placed(head) @ camera.matrix_world
    for collection in head.users_collection or (scene.collection,):
        collection.objects.link(camera)
        break
    return camera


def _move(
    scene: bpy.types.Scene,
    camera: bpy.types.Object,
    done: Performance,
    R: np.ndarray,
    t: np.ndarray,
    frames: np.ndarray,
    placed: Matrix,
) -> None:
    """The camera's keyframes."""
    aspect = frame_aspect(scene)
    places, turns = [], []
    for r, shift in zip(R, t, strict=True):
        view = axes.scene_camera(_view(done, r, shift), aspect)
        where, turn, _ = (placed @ Matrix(view.matrix_world.tolist())).decompose()
        places.append(where)
        turns.append(turn)
    camera.rotation_mode = "QUATERNION"
    curves.new_action(camera, f"{camera.name}")
    quaternions = curves.continuous(np.array(turns))
    for i in range(3):
        curves.set_curve(camera, "location", i, frames, np.array(places)[:, i])
    for i in range(4):
        curves.set_curve(camera, "rotation_quaternion", i, frames, quaternions[:, i])


def _show(
    data: bpy.types.Camera,
    clip: Path,
    start: int,
    first: int,
    rate: float,
    done: Performance,
) -> None:
    """The movie behind what the camera sees. Blender shows a movie frame a scene frame, so that
    a clip of another rate runs away from the curves: then it is left out.
    """
    stated = float(done.report.get("rate", rate))
    if abs(stated - rate) > 0.01 * rate:
        return
    movie = bpy.data.movieclips.load(str(clip), check_existing=True)
    movie.frame_start = start - first
    background = data.background_images.new()
    background.source = "MOVIE_CLIP"
    background.clip = movie
    background.frame_method = "FIT"
    background.display_depth = "BACK"
    background.alpha = 1.0
    data.show_background_images = True


def _mark(scene: bpy.types.Scene, done: Performance, rate: float, start: int) -> None:
    """Markers where the face is lost and found again: there the curves are held."""
    seen = done.confidence > 0
    times = done.times - done.times[0]
    for i in np.flatnonzero(np.diff(seen.astype(int)) != 0):
        frame = start + round(float(times[i + 1]) * rate)
        scene.timeline_markers.new(LOST if seen[i] else FOUND, frame=frame)
