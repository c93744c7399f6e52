# SPDX-License-Identifier: GPL-3.0-or-later
"""A movie onto a head of ours: decoded by Blender, tracked by the worker, keyed in the scene."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest
from looking import datablocks, reconstruct
from mathutils import Vector

FRAMES = 14
#: Pixels from the first frame to the last.
SLIDE = 26


def slid(photo: Path, folder: Path, frames: int) -> list[Path]:
    """Pictures of the photo, each further to the right; its left edge is continued."""
    folder.mkdir()
    image = bpy.data.images.load(str(photo))
    width, height = image.size
    pixels = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(pixels)
    pixels = pixels.reshape(height, width, 4)
    out = []
    for k in range(frames):
        columns = np.clip(np.arange(width) - SLIDE * k // max(frames - 1, 1), 0, None)
        picture = bpy.data.images.new("slid", width, height)
        picture.pixels.foreach_set(np.ascontiguousarray(pixels[:, columns]).ravel())
        picture.filepath_raw, picture.file_format = str(folder / f"{k:03d}.png"), "PNG"
        picture.save()
        out.append(folder / f"{k:03d}.png")
        bpy.data.images.remove(picture)
    bpy.data.images.remove(image)
    return out


def movie(photo: Path, target: Path, frames: int = FRAMES) -> Path:
    """The photo, sliding to the right by SLIDE pixels: written with Blender's own encoder."""
    pictures = slid(photo, target.parent / "pictures", frames)
    scene = bpy.data.scenes.new("make")
    editor = scene.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    strip = strips.new_image("photo", str(pictures[0]), 1, 1)
    for picture in pictures[1:]:
        strip.elements.append(picture.name)
    render = scene.render
    element = strip.elements[0]
    render.resolution_x = element.orig_width // 2 * 2
    render.resolution_y = element.orig_height // 2 * 2
    scene.frame_start, scene.frame_end = 1, frames
    render.fps, render.fps_base = 24, 1.0
    settings = render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "VIDEO"
    settings.file_format = "FFMPEG"
    render.ffmpeg.format, render.ffmpeg.codec = "MPEG4", "H264"
    render.ffmpeg.constant_rate_factor = "HIGH"
    scene.view_settings.view_transform = "Standard"
    render.filepath = str(target)
    bpy.ops.render.render(animation=True, scene=scene.name)
    bpy.data.scenes.remove(scene)
    assert target.stat().st_size > 0
    return target


@pytest.fixture(scope="session")
def clip(ours, example_photo, tmp_path_factory):
    return movie(example_photo, tmp_path_factory.mktemp("clip") / "walk.mp4")


@pytest.fixture
def head(ours, example_photo):
    bpy.context.scene.render.fps, bpy.context.scene.render.fps_base = 24, 1.0
    reconstruct(example_photo)
    return bpy.context.object


def test_a_movie_moves_the_head(ours, head, clip):
    scene = bpy.context.scene
    scene.frame_end = 5
    scenes = set(bpy.data.scenes)
    assert bpy.ops.pixel3dmm.capture(clip=str(clip)) == {"FINISHED"}
    assert set(bpy.data.scenes) == scenes
    assert scene.frame_end == FRAMES
    curves = ours("pixel3dmm_addon.scene.curves")
    paths = {c.data_path for c in curves.curves_of(head.data.shape_keys)}
    assert 'key_blocks["jawOpen"].value' in paths
    rig = head.find_armature()
    bones = {c.data_path for c in curves.curves_of(rig)}
    assert 'pose.bones["head"].rotation_quaternion' in bones
    # The photo does not change its face: neither do the sliders.
    jaw = next(c for c in curves.curves_of(head.data.shape_keys) if "jawOpen" in c.data_path)
    values = [p.co[1] for p in jaw.keyframe_points]
    assert len(values) == FRAMES
    assert np.ptp(values) < 0.05
    camera = head["pixel3dmm_clip_camera"]
    assert camera.data.background_images[0].clip.filepath == str(clip)


def test_the_camera_moves_instead(ours, head, clip):
    scene = bpy.context.scene
    scene.pixel3dmm.clip_camera = True
    scene.pixel3dmm.clip_first, scene.pixel3dmm.clip_last = 2, 10
    assert bpy.ops.pixel3dmm.capture(clip=str(clip)) == {"FINISHED"}
    camera = head["pixel3dmm_clip_camera"]
    curves = ours("pixel3dmm_addon.scene.curves")
    moving = {c.data_path for c in curves.curves_of(camera)}
    assert moving == {"location", "rotation_quaternion"}
    assert camera.data.sensor_fit == "VERTICAL"
    high = camera.data.background_images[0].clip.size[1]
    middle = head.matrix_world @ (sum((Vector(c) for c in head.bound_box), Vector()) / 8)

    def across(frame: int) -> float:
        """Pixels of the clip from its middle to the head's, which itself stands still."""
        scene.frame_set(frame)
        seen = camera.matrix_world.inverted() @ middle
        return high * camera.data.lens / camera.data.sensor_height * seen.x / -seen.z

    assert across(9) - across(1) == pytest.approx(8 * SLIDE / (FRAMES - 1), abs=1.5)
    rig = head.find_armature()
    paths = {c.data_path for c in curves.curves_of(rig)}
    assert not any('"head"' in path for path in paths)


def test_an_early_end_keeps_what_is_tracked(ours, head, clip):
    run = ours("pixel3dmm_addon.jobs.track_run").TrackRun(
        ours("pixel3dmm_addon.scene.clip_frames").ClipFrames(clip),
        ours("pixel3dmm_addon.scene.continuation").text(head),
        {},
    )
    steps = run.steps(wait=0.02)
    for _ in range(8):
        next(steps)
    run.finish_early()
    while True:
        try:
            next(steps)
        except StopIteration as end:
            done = end.value
            break
    assert 5 <= len(done.frames) < FRAMES


@pytest.mark.parametrize("content", [b"", b"no movie at all" * 100])
def test_what_is_no_movie_is_one_sentence_and_changes_nothing(head, tmp_path, content):
    path = tmp_path / "film.mp4"
    path.write_bytes(content)
    before = datablocks()
    with pytest.raises(RuntimeError, match=r"film\.mp4") as caught:
        bpy.ops.pixel3dmm.capture(clip=str(path))
    assert "Traceback" not in str(caught.value)
    assert datablocks() == before


def test_a_movie_without_a_face_is_one_sentence(head, ours, tmp_path):
    picture = tmp_path / "grey.png"
    image = bpy.data.images.new("grey", 128, 128)
    image.filepath_raw, image.file_format = str(picture), "PNG"
    image.save()
    bpy.data.images.remove(image)
    clip = movie(picture, tmp_path / "grey.mp4", 6)
    with pytest.raises(RuntimeError, match="No face was found"):
        bpy.ops.pixel3dmm.capture(clip=str(clip))


def test_without_a_head_the_button_says_why(scene, clip):
    with pytest.raises(RuntimeError, match="Select a head"):
        bpy.ops.pixel3dmm.capture(clip=str(clip))


def test_a_recording_goes_out_and_comes_in_again(ours, person, tmp_path):
    scene, count = bpy.context.scene, 91
    scene.render.fps, scene.render.fps_base = 30, 1.0
    scene.frame_start, scene.frame_end = 1, count
    keys = person.head.data.shape_keys
    names = ours("core.heads.arkit").ARKIT_NAMES
    moment = np.linspace(0, 1, count)
    rotations = ours("core.motion.angles").rotations
    values = np.zeros((count, 52))
    values[:, names.index("jawOpen")] = moment
    for name in ("eyeLookOutLeft", "eyeLookInRight", "eyeLookUpLeft", "eyeLookUpRight"):
        values[:, names.index(name)] = moment
    turns = {
        "head": rotations(0.4 * moment, 0.2 * moment, -0.1 * moment),
        "eye_l": rotations(0.3 * moment, 0.2 * moment, 0 * moment),
        "eye_r": rotations(0.3 * moment, 0.2 * moment, 0 * moment),
    }
    motion = ours("core.motion").FaceMotion(np.arange(count) / 30, names, values, turns)
    apply = ours("pixel3dmm_addon.scene.motion").apply_motion
    apply(person.head, motion, rate=30, start=1, name="take")
    path = tmp_path / "out.csv"
    assert bpy.ops.pixel3dmm.export_motion(filepath=str(path)) == {"FINISHED"}
    back = ours("core.motion.arkit_csv").read_arkit_csv(path)
    assert back.times == pytest.approx(np.arange(count) / 30, abs=1e-3)
    assert back.values[:, back.names.index("jawOpen")] == pytest.approx(moment, abs=1e-4)
    for joint, track in turns.items():
        assert np.abs(back.turns[joint] - track).max() < 1e-3
    assert keys.animation_data.action is not None
