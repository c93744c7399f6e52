# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension as it is installed in the Blender that runs us."""

from __future__ import annotations

import importlib
from types import ModuleType

EXTENSION = "bl_ext.user_default.pixel3dmm"


def module(name: str) -> ModuleType:
    """One of its modules, such as core.geometry.axes."""
    return importlib.import_module(f"{EXTENSION}.{name}")
