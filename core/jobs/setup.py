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
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import ModelFileError, RuntimeSetupError, WorkerError
from ..models.folder import Imported, import_file
from ..models.search import candidates
from ..progress import Progress
from ..runtime import check_python, create_runtime, default_variant, remove_runtime

KINDS = ("install_runtime", "remove_runtime", "check_python", "import_models")


def setup_job(kind: str, params: object, progress: Progress) -> dict[str, Any]:
    """The result's fields. Raises PersonError; ``progress`` may raise Cancelled."""
    if not isinstance(params, Mapping):
        raise WorkerError("The other process sent a job with incomplete parameters.")
    if kind == "install_runtime":
        return {"words": _install(params, progress)}
    if kind == "remove_runtime":
        remove_runtime(_path(params, "folder"))
        return {"words": "The neural runtime is removed."}
    if kind == "check_python":
        return {"words": check_python(_path(params, "python")).words}
    return _import(_path(params, "source"), _path(params, "folder"), progress)


def _install(params: Mapping[str, Any], progress: Progress) -> str:
    variant = default_variant()
    if variant is None:
        raise RuntimeSetupError(
            "There is no neural runtime for this system: use an existing Python with torch."
        )
    wheels = params.get("wheels") or ""
    state = create_runtime(
        _path(params, "folder"),
        python=Path(sys.executable),
        variant=variant,
        find_links=Path(wheels) if wheels else None,
        offline=bool(params.get("offline", True)),
        progress=progress,
    )
    return state.words


def _import(source: Path, folder: Path, progress: Progress) -> dict[str, Any]:
    """Everything in the source that is a model; what is none of them is said if nothing was."""
    done: list[Imported] = []
    refused: list[str] = []
    with (
        tempfile.TemporaryDirectory(prefix="pixel3dmm-") as scratch,
        candidates(source, Path(scratch)) as found,
    ):
        for i, path in enumerate(found):
            try:
                done.append(import_file(path, folder, _part(progress, i, len(found))))
            except ModelFileError as error:
                refused.append(str(error))
    if not done:
        raise ModelFileError(refused[0])
    titles = ", ".join(model.title for model in done)
    notes = [note for model in done for note in model.notes] + refused
    return {"words": f"Imported: {titles}", "notes": notes}


def _part(progress: Progress, i: int, of: int) -> Progress:
    return lambda stage, fraction: progress(stage, (i + fraction) / of)


def _path(params: Mapping[str, Any], name: str) -> Path:
    value = params.get(name)
    if not isinstance(value, str) or not value:
        raise WorkerError("The other process sent a job with incomplete parameters.")
    return Path(value)
