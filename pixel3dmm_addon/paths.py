# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the extension lies and where it may write, whatever repository it was installed from."""

from __future__ import annotations

import tempfile
from pathlib import Path

import bpy

#: The extension's own package, as Blender knows it: bl_ext.<repository>.pixel3dmm.
EXTENSION = (__package__ or "").rpartition(".")[0]


def user_folder(name: str) -> Path:
    """A folder of ours in the user's Blender files; made if missing, kept when we are updated."""
    try:
        return Path(bpy.utils.extension_path_user(EXTENSION, path=name, create=True))
    except ValueError:
        # Not installed as an extension, as when the source is imported as a plain package.
        folder = Path(tempfile.gettempdir(), "pixel3dmm", name)
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def log_file() -> Path:
    """What the worker process logs."""
    return user_folder("logs") / "worker.log"
