# SPDX-License-Identifier: GPL-3.0-or-later
"""What of the neural tier is installed here, in words. Looks at files alone, at every redraw."""

from __future__ import annotations

from pathlib import Path

import bpy

from ...core.errors import WorkerError
from ...core.runtime import RuntimeState, runtime_state
from .. import installed, paths

NO_RUNTIME = (
    "Pixel3DMM's networks need the neural runtime: install it in Preferences, Add-ons, Pixel3DMM."
)


def preferences(context: bpy.types.Context) -> bpy.types.AddonPreferences | None:
    """Ours; None where preferences are not to be had."""
    addon = context.preferences.addons.get(paths.EXTENSION)
    return addon.preferences if addon else None


def runtime_folder() -> Path:
    """Where the private runtime lies; kept when the extension is updated."""
    return paths.user_folder("runtime")


def runtime() -> RuntimeState:
    """The private runtime, whether or not another Python is used instead."""
    return runtime_state(runtime_folder())


def neural_python() -> Path | None:
    """The interpreter that the networks run in: the person's own, else the private runtime's."""
    ours = preferences(bpy.context)
    if ours is not None and ours.existing_python:
        return Path(bpy.path.abspath(ours.existing_python))
    return runtime().python


def neural_command_python() -> str:
    """As neural_python(). Raises WorkerError if there is none."""
    python = neural_python()
    if python is None or not python.is_file():
        raise WorkerError(NO_RUNTIME)
    return str(python)


def weights_words() -> str:
    """The row's state."""
    have = installed.networks()
    if not have:
        return "Not imported"
    missing = [kind for kind in ("uv", "normals") if kind not in have]
    words = f"Ready: {' and '.join(have)}"
    return words + (f"; {missing[0]} is missing, so the networks say less" if missing else "")


def flame_words() -> str:
    """The row's state."""
    own = installed.heads()[1:]
    return f"Ready: {', '.join(entry.label for entry in own)}" if own else "Not imported"
