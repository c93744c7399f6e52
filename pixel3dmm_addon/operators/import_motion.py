# SPDX-License-Identifier: GPL-3.0-or-later
"""Import Face Motion: a recording of Live Link Face, or an action, onto meshes with ARKit keys."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, StringProperty
from bpy_extras.io_utils import ImportHelper

from ...core.errors import MotionError
from ...core.motion import resampled
from ...core.motion.angles import Choices
from ...core.motion.arkit_csv import read_arkit_csv
from ..blender_types import OperatorReturn
from ..scene import motion as scene_motion
from ..scene.head import active_head
from ..scene.motion import Applied
from .poll_reason import PollReason


def targets(context: bpy.types.Context) -> list[bpy.types.Object]:
    """The active head, and every selected mesh that has keys with ARKit's names."""
    head = active_head(context)
    found = [*([] if head is None else [head]), *context.selected_objects]
    return [obj for obj in dict.fromkeys(found) if scene_motion.can_show(obj)]


class _Onto(PollReason):
    """What both operators share."""

    if TYPE_CHECKING:
        extend_range: bool

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """See PollReason."""
        if not targets(context):
            return "Select a mesh whose shape keys have ARKit's names"
        return ""

    def _finish(
        self, context: bpy.types.Context, done: list[tuple[bpy.types.Object, Applied]]
    ) -> OperatorReturn:
        last = max(applied.frames[1] for _, applied in done)
        if self.extend_range and last > context.scene.frame_end:
            context.scene.frame_end = last
        for mesh, applied in done:
            if applied.missing:
                names = ", ".join(applied.missing[:4])
                names += ", ..." if len(applied.missing) > 4 else ""
                self.report({"WARNING"}, f"{mesh.name} has no key for {names}")
        mesh, applied = done[0]
        who = mesh.name if len(done) == 1 else f"{len(done)} meshes"
        first = applied.frames[0]
        said = f"{who}: {len(applied.keys)} keys and {len(applied.bones)} bones move"
        self.report({"INFO"}, f"{said} from frame {first} to {last}")
        return {"FINISHED"}


class PIXEL3DMM_OT_import_motion(_Onto, ImportHelper, bpy.types.Operator):
    """Bring a recording of the app Live Link Face (CSV) onto the active head and every selected
    mesh with ARKit keys
    """

    bl_idname = "pixel3dmm.import_motion"
    bl_label = "Import Face Motion"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012
    filename_ext = ".csv"

    filter_glob: StringProperty(default="*.csv", options={"HIDDEN"})
    start: IntProperty(
        name="First Frame",
        description="Frame of the scene at which the recording begins",
        default=1,
        min=0,
    )
    head: BoolProperty(name="Head Turns", description="Onto the head's bone", default=True)
    eyes: BoolProperty(name="Eyes Turn", description="Onto the eyes' bones", default=True)
    angles: EnumProperty(
        name="Angles",
        description="The unit of the recording's angles",
        items=[
            ("AUTO", "As They Show", "Told by how far the eyes turn for their sliders"),
            ("RADIANS", "Radians", "As Live Link Face writes them"),
            ("DEGREES", "Degrees", "As some converters write them"),
        ],
    )
    gaze: EnumProperty(
        name="Gaze",
        description="What turns the eyes",
        items=[
            ("AUTO", "As They Show", "Angles, unless the eyeLook sliders contradict them"),
            ("ANGLES", "Angles", "The recording's angles of the eyes"),
            ("SLIDERS", "Sliders", "The recording's eyeLook sliders"),
        ],
    )
    exchange: EnumProperty(
        name="Exchange",
        description="Two angles of the head that stand in each other's column",
        items=[
            ("NONE", "Nothing", "Each angle is what its column says"),
            ("YAW_PITCH", "Yaw and Pitch", "The head nods where it should turn"),
            ("YAW_ROLL", "Yaw and Roll", "The head tilts where it should turn"),
            ("PITCH_ROLL", "Pitch and Roll", "The head tilts where it should nod"),
        ],
    )
    flip_yaw: BoolProperty(
        name="Flip Left and Right",
        description="The head turns and tilts the other way; the eyes too, if their sliders do "
        "not tell which way they turn",
        default=False,
    )
    flip_pitch: BoolProperty(
        name="Flip Up and Down",
        description="The head nods the other way; the eyes too, if their sliders do not tell",
        default=False,
    )
    flip_roll: BoolProperty(
        name="Flip Tilt", description="The head alone tilts the other way", default=False
    )
    sliders: EnumProperty(
        name="Sliders",
        description="What a slider's full way is in the recording",
        items=[
            ("AUTO", "As They Show", "Percent where values are far above 1"),
            ("UNIT", "0 to 1", "As Live Link Face writes them"),
            ("PERCENT", "Percent", "0 to 100"),
        ],
    )
    rate: FloatProperty(
        name="Timecode Rate",
        description="Frames a second in which the recording counts; 0: as its timecodes show",
        default=0.0,
        min=0.0,
        max=240.0,
    )
    extend_range: BoolProperty(
        name="Extend Scene",
        description="Move the scene's last frame to the recording's, if that is later",
        default=True,
    )

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        """One action for the keys and one for the bones of each mesh."""
        path = Path(bpy.path.abspath(self.filepath))
        render = context.scene.render
        rate = render.fps / render.fps_base
        try:
            read = read_arkit_csv(path, self._choices())
            motion = resampled(read, rate)
            joints = ["head"] * self.head + ["eye_l", "eye_r"] * self.eyes
            done = [
                (
                    mesh,
                    scene_motion.apply_motion(
                        mesh, motion, rate=rate, start=self.start, name=path.stem, joints=joints
                    ),
                )
                for mesh in targets(context)
            ]
        except MotionError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        for note in motion.notes:
            self.report({"WARNING"}, note)
        return self._finish(context, done)

    def _choices(self) -> Choices:
        return Choices(
            angles=self.angles,
            sliders=self.sliders,
            eyes=self.gaze,
            exchange=self.exchange,
            flip_yaw=self.flip_yaw,
            flip_pitch=self.flip_pitch,
            flip_roll=self.flip_roll,
            rate=self.rate,
        )


#: Blender does not keep the strings of an enumeration alive, so this list does.
_items: list[tuple[str, str, str]] = []


def _face_actions(
    operator: bpy.types.Operator, context: bpy.types.Context
) -> list[tuple[str, str, str]]:
    found = [a.name for a in bpy.data.actions if scene_motion.is_face_action(a)]
    _items[:] = [(name, name, "") for name in found]
    return _items


class PIXEL3DMM_OT_apply_action(_Onto, bpy.types.Operator):
    """Copy an action's curves onto the active head and every selected mesh with ARKit keys, by
    the names of keys and bones
    """

    bl_idname = "pixel3dmm.apply_action"
    bl_label = "Apply Face Action"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012
    bl_property = "action"

    action: EnumProperty(
        name="Action", description="An action that moves ARKit's sliders", items=_face_actions
    )
    extend_range: BoolProperty(
        name="Extend Scene",
        description="Move the scene's last frame to the action's, if that is later",
        default=True,
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorReturn:
        """Asks which action."""
        if not _face_actions(self, context):
            self.report({"ERROR"}, "No action in this file moves ARKit's sliders: append one.")
            return {"CANCELLED"}
        context.window_manager.invoke_search_popup(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        """Keyframes are copied as they are."""
        action = bpy.data.actions.get(self.action)
        if action is None:
            self.report(
                {"ERROR"}, "There is no such action: choose one that moves ARKit's sliders."
            )
            return {"CANCELLED"}
        try:
            done = [(mesh, scene_motion.apply_action(mesh, action)) for mesh in targets(context)]
        except MotionError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return self._finish(context, done)


CLASSES = (PIXEL3DMM_OT_import_motion, PIXEL3DMM_OT_apply_action)
