# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the extension lies and where it may write, whatever repository it was installed from."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import bpy

#: The extension's own package, as Blender knows it: bl_ext.<repository>.pixel3dmm.
EXTENSION = (__package__ or "").rpartition(".")[0]


def user_folder(name: str) -> Path:
    """A folder of ours in the user's Blender files; made if missing, kept when we are updated.

    In a studio or a class room it may lie where nobody may write, and then perhaps not exist: what
    is read from it is not there, and whoever writes to it says so.
    """
    try:
        # Empty where it cannot be made.
        made = bpy.utils.extension_path_user(EXTENSION, path=name, create=True)
        return Path(made or bpy.utils.extension_path_user(EXTENSION, path=name))
    except ValueError:
        # Not installed as an extension, as when the source is imported as a plain package.
        folder = Path(tempfile.gettempdir(), "pixel3dmm", name)
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    except OSError:
        return Path(bpy.utils.extension_path_user(EXTENSION, path=name))


def log_file() -> Path:
    """What the worker process logs; beside other temporary files where our own folder cannot be
    written to.
    """
    folder = user_folder("logs")
    if not os.access(folder, os.W_OK):
        folder = Path(tempfile.gettempdir(), "pixel3dmm", "logs")
    return folder / "worker.log"
