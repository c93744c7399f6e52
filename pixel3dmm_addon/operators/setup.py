# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets the neural tier up from the preferences: runtime installed or removed, models imported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
from bpy.props import StringProperty

from ...core.errors import PersonError, RuntimeSetupError
from ...core.runtime import default_variant
from .. import installed, neural_runtime
from ..blender_types import OperatorReturn
from ..jobs import session
from ..redraw import redraw_all, redraw_status
from ..setup.setup_job import SetupJob
from .poll_reason import PollReason
from .worker_operator import WorkerOperator

OFFLINE = (
    "Blender is not allowed to go online: allow it in Preferences, System, Network, or choose a "
    "folder of wheels"
)


class _SetupOperator(PollReason, WorkerOperator):
    """One setup job; its last word is in the preferences and in the panel."""

    _is_setup = True

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """See PollReason."""
        if session.status.running:
            return "Something is running: wait for it or cancel it"
        return ""

    def _finish(self, context: bpy.types.Context, result: dict[str, Any]) -> OperatorReturn:
        for note in result.get("notes", ()):
            self.report({"WARNING"}, str(note))
        redraw_all(context)
        return self._say(context, "INFO", str(result.get("words", "")))


class PIXEL3DMM_OT_install_runtime(_SetupOperator, bpy.types.Operator):
    """Install Python packages (torch and others) into a folder of this extension. Esc cancels"""

    bl_idname = "pixel3dmm.install_runtime"
    bl_label = "Install Neural Runtime"

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """See PollReason."""
        if default_variant() is None:
            return "There is none for this system: use an existing Python"
        ours = neural_runtime.preferences(context)
        wheels = ours.wheels_folder if ours else ""
        if not wheels and not bpy.app.online_access:
            return OFFLINE
        return super().why_not(context)

    def _make_run(self, context: bpy.types.Context) -> SetupJob:
        ours = neural_runtime.preferences(context)
        wheels = bpy.path.abspath(ours.wheels_folder) if ours and ours.wheels_folder else ""
        if not wheels and not bpy.app.online_access:
            raise RuntimeSetupError(f"{OFFLINE}.")
        session.close_neural()
        params = {
            "folder": str(neural_runtime.runtime_folder()),
            "wheels": wheels,
            "offline": bool(wheels),
        }
        return SetupJob("install_runtime", params, "neural runtime")


class PIXEL3DMM_OT_remove_runtime(_SetupOperator, bpy.types.Operator):
    """Delete the neural runtime; models stay"""

    bl_idname = "pixel3dmm.remove_runtime"
    bl_label = "Remove"

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """See PollReason."""
        if not neural_runtime.runtime().installed:
            return "The neural runtime is not installed"
        return super().why_not(context)

    def _make_run(self, context: bpy.types.Context) -> SetupJob:
        session.close_neural()
        return SetupJob(
            "remove_runtime", {"folder": str(neural_runtime.runtime_folder())}, "neural runtime"
        )


class PIXEL3DMM_OT_check_python(_SetupOperator, bpy.types.Operator):
    """Try out whether the chosen Python can run the networks"""

    bl_idname = "pixel3dmm.check_python"
    bl_label = "Check"

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """See PollReason."""
        ours = neural_runtime.preferences(context)
        if ours is None or not ours.existing_python:
            return "Choose a Python interpreter first"
        return super().why_not(context)

    def _make_run(self, context: bpy.types.Context) -> SetupJob:
        python = neural_runtime.neural_python()
        return SetupJob("check_python", {"python": str(python)}, "Python")


class PIXEL3DMM_OT_import_models(_SetupOperator, bpy.types.Operator):
    """Import FLAME models and Pixel3DMM checkpoints from a file, a folder or a zip"""

    bl_idname = "pixel3dmm.import_models"
    bl_label = "Import Models"

    _chosen_in_window = False

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: StringProperty(default="*.ckpt;*.pkl;*.npz;*.zip", options={"HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event | None) -> OperatorReturn:
        """Asks for the file or folder, unless it is given."""
        if self.filepath:
            return super().invoke(context, event)
        self._chosen_in_window = True
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        """Modal after the file was chosen in a window; blocking for scripts."""
        if self._chosen_in_window:
            return super().invoke(context, None)
        return super().execute(context)

    def _make_run(self, context: bpy.types.Context) -> SetupJob:
        source = bpy.path.abspath(self.filepath)
        if not source:
            raise PersonError("Choose a model's file, or a folder that has them.")
        params = {"source": source, "folder": str(installed.models_folder())}
        return SetupJob("import_models", params, Path(source).name)

    def _finish(self, context: bpy.types.Context, result: dict[str, Any]) -> OperatorReturn:
        redraw_status(context)
        return super()._finish(context, result)


CLASSES = (
    PIXEL3DMM_OT_install_runtime,
    PIXEL3DMM_OT_remove_runtime,
    PIXEL3DMM_OT_check_python,
    PIXEL3DMM_OT_import_models,
)
