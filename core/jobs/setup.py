# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's jobs that set the neural tier up: the runtime made or removed, models imported.

install_runtime: params {"folder", "wheels": a folder of wheels or "", "offline": bool}, result
{"words"}. remove_runtime: {"folder"}, {"words"}. check_python: {"python"}, {"words"}.
import_models: {"source": a file, folder or zip, "folder": the models folder}, result {"words",
"notes": [sentences]}. The runtime is made with the Python that runs the worker.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import ModelFileError, RuntimeSetupError
from ..models.folder import Imported, import_file
from ..models.search import candidates
from ..progress import Progress, part
from ..runtime import check_python, create_runtime, default_variant, remove_runtime
from .parameters import Parameters


def install_runtime_job(
    params: Parameters, progress: Progress, before_naming: Callable[[], None]
) -> dict[str, Any]:
    """The runtime made in a folder. Raises RuntimeSetupError; ``progress`` may raise Cancelled."""
    folder = params.path("folder")
    variant = default_variant()
    if variant is None:
        raise RuntimeSetupError(
            "There is no neural runtime for this system: use an existing Python with torch."
        )
    wheels = params.value("wheels") or ""
    state = create_runtime(
        folder,
        python=Path(sys.executable),
        variant=variant,
        find_links=Path(wheels) if wheels else None,
        offline=bool(params.value("offline", True)),
        progress=progress,
    )
    return {"words": state.words}


def remove_runtime_job(
    params: Parameters, progress: Progress, before_naming: Callable[[], None]
) -> dict[str, Any]:
    """The runtime in a folder removed. Raises RuntimeSetupError."""
    remove_runtime(params.path("folder"))
    return {"words": "The neural runtime is removed."}


def check_python_job(
    params: Parameters, progress: Progress, before_naming: Callable[[], None]
) -> dict[str, Any]:
    """Whether a Python can run the neural tier. Raises RuntimeSetupError if it cannot."""
    return {"words": check_python(params.path("python")).words}


def import_models_job(
    params: Parameters, progress: Progress, before_naming: Callable[[], None]
) -> dict[str, Any]:
    """Everything in the source that is a model; what is none of them is said if nothing was.
    Raises ModelFileError; ``progress`` may raise Cancelled.
    """
    source, folder = params.path("source"), params.path("folder")
    done: list[Imported] = []
    refused: list[str] = []
    with (
        tempfile.TemporaryDirectory(prefix="pixel3dmm-") as scratch,
        candidates(source, Path(scratch)) as found,
    ):
        for i, path in enumerate(found):
            try:
                done.append(
                    import_file(path, folder, part(progress, i / len(found), (i + 1) / len(found)))
                )
            except ModelFileError as error:
                refused.append(str(error))
    if not done:
        raise ModelFileError(refused[0])
    titles = ", ".join(model.title for model in done)
    notes = [note for model in done for note in model.notes] + refused
    return {"words": f"Imported: {titles}", "notes": notes}
