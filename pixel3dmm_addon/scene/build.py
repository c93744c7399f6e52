# SPDX-License-Identifier: GPL-3.0-or-later
"""A person in the scene: a collection of head, rig and camera, made in one step or not at all."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import bpy
import numpy as np
from mathutils import Matrix

from ...core.errors import PersonError
from ...core.heads.arkit import ARKIT_NAMES
from ...core.rigged_head import RiggedHead
from ..photos.loading import LoadedPhoto
from . import camera as photo_camera
from . import continuation, drivers, hair, likeness, parts, profiles, smooth, wrinkles
from . import head as head_mesh
from . import rig as head_rig

LOG = logging.getLogger("pixel3dmm")

#: Kinds of data that a head consists of, in the order in which they can be removed.
_KINDS: tuple[str, ...] = (
    "collections",
    "objects",
    "meshes",
    "hair_curves",
    "armatures",
    "cameras",
    "materials",
    "node_groups",
)
_KINDS += ("images",)


@dataclass(frozen=True)
class Person:
    """What was made. Good until the next undo: never keep it."""

    collection: bpy.types.Collection
    head: bpy.types.Object
    rig: bpy.types.Object
    camera: bpy.types.Object


def build_person(
    context: bpy.types.Context,
    rigged: RiggedHead,
    loaded: LoadedPhoto,
    *,
    match_render_size: bool = False,
    expression: float = 1.0,
    subdivision: tuple[int, int] = (0, smooth.RENDER),
) -> Person:
    """Head, rig and camera of one reconstruction, selected, with the camera made active.

    expression: how much of the photo's expression the sliders are set to, 0 to 1. subdivision: in
    the viewport and in renders, 0 for none.
    Raises PersonError after everything that was made has been removed again.
    """
    try:
        return _build(context, rigged, loaded, match_render_size, expression, subdivision)
    except Exception as error:  # whatever it was, the scene has been put back as it was
        LOG.exception("The head could not be put into the scene")
        raise PersonError(
            f"The head could not be put into the scene ({error}), nothing was changed."
        ) from error


def _build(
    context: bpy.types.Context,
    rigged: RiggedHead,
    loaded: LoadedPhoto,
    match_render_size: bool,
    expression: float,
    subdivision: tuple[int, int],
) -> Person:
    scene = context.scene
    if context.mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    as_in_photo = rigged
    if expression != 1.0:
        named = np.isin(rigged.key_names, ARKIT_NAMES)
        values = np.where(named, expression * rigged.key_values, rigged.key_values)
        rigged = replace(rigged, key_values=values.astype(np.float32))
    with _all_or_nothing(context):
        if match_render_size:
            photo_camera.set_render_size(scene, rigged)
        collection = bpy.data.collections.new(rigged.name)
        name = collection.name  # astronaut.001 where there is an astronaut already
        scene.collection.children.link(collection)
        head = head_mesh.make_head(rigged, name)
        rig = head_rig.make_rig(context, collection, rigged, f"{name} rig")
        collection.objects.link(head)
        head_rig.bind(head, rig, rigged)
        head_rig.pose(rig, rigged)
        drivers.add_drivers(head, rig, rigged)
        drivers.limit_bones(head, rig, rigged)
        wrinkles.drive(head, as_in_photo, is_painted=bool(rigged.skin_albedo.size))
        background = photo_camera.background_image(loaded)
        camera = photo_camera.make_camera(scene, rigged, f"{name} camera", background)
        collection.objects.link(camera)
        head[photo_camera.CAMERA] = camera
        continuation.store(head, rigged.continuation_json)
        profiles.remember_target(head, rigged)
        # Skin that was painted from the photo has the person's own brows on it.
        parts.show(head, "brows", not rigged.skin_albedo.size)
        smooth.add(head)
        smooth.set_levels(head, *subdivision)
        hair.add(collection, head, rigged)
        likeness.remember(head.data, rigged)
        _natural_size(scene, rig, camera)
        scene.camera = camera
        for obj in context.selected_objects:
            obj.select_set(False)
        head.select_set(True)
        context.view_layer.objects.active = head
        return Person(collection, head, rig, camera)


def build_wrapped(context: bpy.types.Context, rigged: RiggedHead) -> bpy.types.Object:
    """Head and rig of a person whom no photo shows: a mesh that was wrapped. As build_person, but
    without a camera; returns the head.
    """
    try:
        with _all_or_nothing(context):
            collection = bpy.data.collections.new(rigged.name)
            context.scene.collection.children.link(collection)
            head = head_mesh.make_head(rigged, collection.name)
            rig = head_rig.make_rig(context, collection, rigged, f"{collection.name} rig")
            collection.objects.link(head)
            head_rig.bind(head, rig, rigged)
            head_rig.pose(rig, rigged)
            drivers.add_drivers(head, rig, rigged)
            drivers.limit_bones(head, rig, rigged)
            continuation.store(head, rigged.continuation_json)
            smooth.add(head)
            likeness.remember(head.data, rigged)
            _natural_size(context.scene, rig)
            for obj in context.selected_objects:
                obj.select_set(False)
            head.select_set(True)
            context.view_layer.objects.active = head
            return head
    except Exception as error:  # whatever it was, the scene has been put back as it was
        LOG.exception("The wrapped head could not be put into the scene")
        raise PersonError(
            f"The head could not be put into the scene ({error}), nothing was changed."
        ) from error


def _natural_size(
    scene: bpy.types.Scene, rig: bpy.types.Object, camera: bpy.types.Object | None = None
) -> None:
    """Head and camera as large as life in a scene whose unit is no metre, as if an artist had
    scaled both: their own data stays in metres.
    """
    unit = scene.unit_settings.scale_length
    if unit != 1.0:
        rig.scale = (1 / unit,) * 3
        if camera is not None:
            camera.matrix_world = Matrix.Scale(1 / unit, 4) @ camera.matrix_world


@contextmanager
def _all_or_nothing(context: bpy.types.Context) -> Iterator[None]:
    """Takes back what the block made and set, should it fail."""
    scene, render = context.scene, context.scene.render
    before = {kind: set(getattr(bpy.data, kind)) for kind in _KINDS}
    settings: tuple[str, ...] = ("resolution_x", "resolution_y", "resolution_percentage")
    settings += ("pixel_aspect_x", "pixel_aspect_y")
    values = [getattr(render, name) for name in settings]
    active, camera = context.view_layer.objects.active, scene.camera
    selected = list(context.selected_objects)
    try:
        yield
    except BaseException:
        if context.mode != "OBJECT":
            bpy.ops.object.mode_set(mode="OBJECT")
        for kind in _KINDS:
            made = set(getattr(bpy.data, kind)) - before[kind]
            bpy.data.batch_remove(made)
        for name, value in zip(settings, values, strict=True):
            setattr(render, name, value)
        scene.camera = camera
        context.view_layer.objects.active = active
        for obj in selected:
            obj.select_set(True)
        raise
