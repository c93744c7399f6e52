# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Python the networks run in: the person's own or the private one. Looks at files alone."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Protocol

import bpy

from ..core.errors import WorkerError
from ..core.runtime import RuntimeState, runtime_state
from . import paths

NO_RUNTIME = (
    "Pixel3DMM's networks need the neural runtime: install it in Preferences, Add-ons, Pixel3DMM."
)


class Preferences(Protocol):
    """The settings of pixel3dmm_addon.preferences, which is higher up."""

    idle_minutes: float
    first_view: Literal["PHOTO", "FRAME", "KEEP"]
    wheels_folder: str
    existing_python: str


def preferences(context: bpy.types.Context) -> Preferences | None:
    """Ours; None where preferences are not to be had."""
    addon = context.preferences.addons.get(paths.EXTENSION)
    found: Preferences | None = addon.preferences if addon else None
    return found


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
