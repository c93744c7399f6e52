# SPDX-License-Identifier: GPL-3.0-or-later
"""Every button that is greyed out says why, whatever the situation."""

from __future__ import annotations

import bpy
import pytest


def nothing(person, status):
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)


def another_object(person, status):
    bpy.ops.mesh.primitive_cube_add()


def the_head(person, status):
    bpy.context.view_layer.objects.active = person.head


def edit_mode(person, status):
    bpy.context.view_layer.objects.active = person.head
    bpy.ops.object.mode_set(mode="EDIT")


def pose_mode(person, status):
    bpy.context.view_layer.objects.active = person.rig
    bpy.ops.object.mode_set(mode="POSE")


def no_keys(person, status):
    bpy.context.view_layer.objects.active = person.head
    person.head.shape_key_clear()


def no_family(person, status):
    bpy.context.view_layer.objects.active = person.head
    for other in (person.rig, person.camera):
        bpy.data.objects.remove(other)


def a_job(person, status):
    bpy.context.view_layer.objects.active = person.head
    bpy.context.scene.pixel3dmm.photo = "/somewhere.jpg"
    status.running = True


SITUATIONS = (nothing, another_object, the_head, edit_mode, pose_mode, no_keys, no_family, a_job)


@pytest.fixture
def at_rest(status):
    yield status
    status.running = False
    if bpy.context.mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")


def verbs(ours):
    classes = (c for m in ours("pixel3dmm_addon")._MODULES for c in m.CLASSES)
    return sorted(c.bl_idname for c in classes if "_OT_" in c.__name__)


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda s: s.__name__)
def test_greyed_out_buttons_say_why(ours, person, at_rest, situation):
    situation(person, at_rest)
    greyed = []
    for name in verbs(ours):
        verb = getattr(bpy.ops.pixel3dmm, name.split(".")[1])
        if not verb.poll():
            with pytest.raises(RuntimeError) as said:
                verb()
            # What Blender says for who gives no reason.
            assert "context is incorrect" not in str(said.value), name
            greyed.append(name)
    assert greyed
