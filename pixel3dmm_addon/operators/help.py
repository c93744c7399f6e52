# SPDX-License-Identifier: GPL-3.0-or-later
"""Help: the manual, and what to send along with a question."""

from __future__ import annotations

from pathlib import Path

import bpy

from ...core.jobs.diagnostics import diagnostics, user_name
from .. import paths
from ..blender_types import OperatorReturn
from ..jobs import session
from ..scene import custom_properties
from ..scene.head import PREFIX, active_head
from ..translations import tr

#: The manual lies in the extension, so that it is there without a network.
MANUAL = Path(__file__).parents[2] / "docs" / "manual.md"


class PIXEL3DMM_OT_open_manual(bpy.types.Operator):
    """Open the manual as a text in a window of its own"""

    bl_idname = "pixel3dmm.open_manual"
    bl_label = "Manual"
    bl_options = {"INTERNAL"}  # noqa: RUF012

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        """Shown in a new window; without one it is among the file's texts."""
        text = bpy.data.texts.get(MANUAL.name)
        if text is None:
            text = bpy.data.texts.load(str(MANUAL))
        if not bpy.app.background:
            known = set(context.window_manager.windows)
            bpy.ops.wm.window_new()
            opened = next(w for w in context.window_manager.windows if w not in known)
            area = opened.screen.areas[0]
            area.type = "TEXT_EDITOR"
            area.spaces.active.text = text
            area.spaces.active.show_word_wrap = True
            area.spaces.active.show_line_numbers = False
        return {"FINISHED"}


class PIXEL3DMM_OT_copy_diagnostics(bpy.types.Operator):
    """Copy versions and the end of the log to the clipboard, without your name and home folder"""

    bl_idname = "pixel3dmm.copy_diagnostics"
    bl_label = "Copy Diagnostics"
    bl_options = {"INTERNAL"}  # noqa: RUF012

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        """Nothing leaves the machine: the person decides where to paste it."""
        head = active_head(context)
        facts = {
            "Blender": bpy.app.version_string,
            "Last message": session.status.message or "(none)",
            "Active head": str(head.get(PREFIX + "head_model")) if head else "(none)",
        }
        home, user = str(Path.home()), user_name()
        text = diagnostics(facts, paths.log_file(), home, user, _photos(context))
        context.window_manager.clipboard = text
        self.report({"INFO"}, tr("Diagnostics are on the clipboard"))
        return {"FINISHED"}


def _photos(context: bpy.types.Context) -> list[str]:
    """Names and paths of the photos that are chosen, run, or were made to heads."""
    chosen = [context.scene.pixel3dmm.photo, *map(str, session.status.waiting)]
    names = [name for path in chosen for name in (path, Path(path).name, Path(path).stem)]
    return [
        *names,
        session.status.photo,
        *(custom_properties.text(o, PREFIX + "photo", "") for o in bpy.data.objects),
        *(image.name for image in bpy.data.images),
    ]


CLASSES = (PIXEL3DMM_OT_open_manual, PIXEL3DMM_OT_copy_diagnostics)
