# SPDX-License-Identifier: GPL-3.0-or-later
"""Export Face Motion: what a face does over the scene's frames, as a Live Link Face recording."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy_extras.io_utils import ExportHelper

from ...core.motion.arkit_csv_writer import write_arkit_csv
from ..blender_types import OperatorReturn
from ..scene import motion as scene_motion
from ..scene.record import recorded
from .import_motion import targets


class PIXEL3DMM_OT_export_motion(bpy.types.Operator, ExportHelper):
    """Write the sliders, head and eyes of the active head, over the scene's frames, as a recording
    of the app Live Link Face (CSV)
    """

    bl_idname = "pixel3dmm.export_motion"
    bl_label = "Export Face Motion"
    filename_ext = ".csv"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Greyed out with the reason."""
        if not targets(context):
            cls.poll_message_set("Select a mesh whose shape keys have ARKit's names")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        """One line a frame."""
        mesh = targets(context)[0]
        render = context.scene.render
        rate = render.fps / render.fps_base
        moved = recorded(context, mesh)
        try:
            write_arkit_csv(Path(bpy.path.abspath(self.filepath)), moved, rate=rate)
        except OSError as error:
            self.report({"ERROR"}, f"The file cannot be written ({error.strerror}): choose another")
            return {"CANCELLED"}
        bones = len(scene_motion.joint_bones(rig)) if (rig := scene_motion.rig_of(mesh)) else 0
        self.report({"INFO"}, f"{mesh.name}: {len(moved.times)} moments, {bones} bones")
        return {"FINISHED"}


CLASSES = (PIXEL3DMM_OT_export_motion,)
