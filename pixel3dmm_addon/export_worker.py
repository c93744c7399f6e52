# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender in the background as a worker: heads that a batch has made become files for programs.

It speaks core.protocol and knows one job, ``export``: params {"head": .npz of RiggedHead, "photo":
its file, "files": [[path, name of a preset or null], ...]}, result {"files": [...], "notes":
[sentences]}. Each file is read back and compared; one that differs is a failure. Nothing of this
Blender's settings or files is touched.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy

from .. import register
from ..core.errors import ModelFileError, OutputError
from ..core.jobs.parameters import Parameters, incomplete
from ..core.progress import Progress
from ..core.rigged_head import RiggedHead
from ..core.worker import Worker
from .head import Head
from .photos.loading import load_photo
from .scene.build import build_person

OPENING, BUILDING, EXPORTING = "Opening the photo", "Building the head", "Writing files"


def main() -> None:
    """Serves on stdin and stdout, and ends this Blender."""
    wire = os.dup(1)
    os.dup2(2, 1)
    register()
    code = Worker(0, wire, {"export": export_job}).serve()
    # No goodbye of Blender's: it may wait for a callback of Python's, and has nothing to save.
    os._exit(code)


def export_job(
    params: Parameters, progress: Progress, before_naming: Callable[[], None]
) -> dict[str, Any]:
    """The result's fields. Raises PersonError; ``progress`` may raise Cancelled."""
    files = params.value("files")
    if not isinstance(files, list) or not files:
        raise incomplete()
    progress(OPENING, 0.0)
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    head = RiggedHead.load(params.path("head"))
    photo = load_photo(params.path("photo"))
    progress(BUILDING, 0.1)
    if head.report.get("photos") is None:
        raise ModelFileError("The head's report is missing or damaged: reconstruct it again.")
    made = Head(build_person(bpy.context, head, photo).head)
    notes: list[str] = []
    for i, file in enumerate(files):
        progress(EXPORTING, 0.2 + 0.8 * i / len(files))
        if not isinstance(file, list) or len(file) != 2 or not isinstance(file[0], str):
            raise incomplete()
        try:
            written = made.export(Path(file[0]), file[1])
        except RuntimeError as error:  # of Blender's exporter
            raise OutputError(f"{Path(file[0]).name} could not be written: {error}.") from error
        notes += written.notes
    progress(EXPORTING, 1.0)
    return {"files": [file[0] for file in files], "notes": list(dict.fromkeys(notes))}
