# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports a FLAME model that a person brought: read once, safely, completed and kept as .npz.

``import_flame`` writes ``<name>.npz`` (all that ``load_flame`` needs) and ``<name>.json`` (the
same record in words: kind, licence, origin, what was computed). Both appear whole or not at all.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from ..errors import OutputError
from .flame import SCHEMA
from .flame_file import FlameFile, read_flame
from .flame_transfer import derive
from .flame_uv import read_template_uv
from .model import HeadModel
from .open_head import load_open_head

TEMPLATE_NAME = "head_template.obj"
_ROOM = 1 << 20


def import_flame(
    source: Path,
    folder: Path,
    *,
    template: Path | None = None,
    open_head: HeadModel | None = None,
    progress: Callable[[float], None] = lambda _: None,
) -> Path:
    """Converts ``source`` into ``folder`` and answers with the path of the .npz.

    template: FLAME's head_template.obj, for its texture layout; where none is given, one beside
    ``source`` is used if it is there. progress: called with the share done; may raise.

    Raises ModelFileError for a file that is no FLAME model or is damaged, OutputError if the
    result cannot be written. After an error nothing new is in ``folder``.
    """
    flame = read_flame(source)
    _make_room(folder, flame.size)
    progress(0.05)
    if template is None and (source.parent / TEMPLATE_NAME).is_file():
        template = source.parent / TEMPLATE_NAME
    uv = None if template is None else read_template_uv(template, flame.f, len(flame.v_template))
    head = open_head or load_open_head()
    derived, figures, warnings = derive(flame, head, uv, lambda x: progress(0.05 + 0.9 * x))
    info = _record(flame, figures, warnings, uv is not None)
    arrays = _model_arrays(flame) | derived
    arrays["info_json"] = np.array(json.dumps(info, sort_keys=True))
    path = folder / f"{source.stem}.npz"
    progress(0.97)  # the last chance to cancel: what is written is done
    _write(path, arrays, json.dumps(info, indent=1, sort_keys=True) + "\n")
    return path


def _record(
    flame: FlameFile, figures: dict[str, Any], warnings: list[str], own_layout: bool
) -> dict[str, Any]:
    """What the person is told of the head, and what every head made from it keeps."""
    licence = flame.kind.licence
    return {
        "kind": flame.kind.identifier,
        "title": flame.kind.title,
        "jaw_turns": flame.kind.jaw,
        "licence": {
            "spdx": licence.spdx,
            "commercial": licence.commercial,
            "notice": licence.notice,
        },
        "source": {"name": flame.name, "sha256": flame.sha256, "bytes": flame.size},
        "texture_layout": TEMPLATE_NAME if own_layout else "open head",
        "computed": figures,
        "warnings": warnings,
        "version": __version__,
    }


def _model_arrays(flame: FlameFile) -> dict[str, NDArray[Any]]:
    return {
        "schema": np.array(SCHEMA),
        "v_template": flame.v_template,
        "f": flame.f,
        "identity": flame.identity,
        "expression": flame.expression,
        "posedirs": flame.posedirs,
        "J_regressor": flame.J_regressor,
        "weights": flame.weights,
    }


def _make_room(folder: Path, needed: int) -> None:
    """The folder exists and holds a file as large as the original, which is twice the result:
    asked first, since all that is computed would be lost.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise _unwritable(folder, error) from error
    if free < needed + _ROOM:
        raise OutputError(
            f"There is not enough room in {folder}: make {(needed + _ROOM) >> 20} MB free."
        )


def _unwritable(folder: Path, error: OSError) -> OutputError:
    return OutputError(
        f"The head cannot be written to {folder} ({error.strerror}): choose a folder that you "
        "may write to."
    )


def _write(path: Path, arrays: dict[str, NDArray[Any]], record: str) -> None:
    """Both files, each made aside and renamed into place, the model last."""
    aside: list[Path] = []
    placed: list[Path] = []
    beside = path.with_suffix(".json")
    try:
        for final in (beside, path):
            # A name of its own, so that two imports at once do not write into one file.
            handle, name = tempfile.mkstemp(prefix=f".{final.stem}.", dir=path.parent)
            aside.append(Path(name))
            with os.fdopen(handle, "wb") as stream:
                if final is path:
                    np.savez(stream, **arrays)  # type: ignore[arg-type]
                else:
                    stream.write(record.encode())
                stream.flush()
                os.fsync(stream.fileno())
        fresh = not beside.exists()
        os.replace(aside[0], beside)
        if fresh:
            placed.append(beside)
        os.replace(aside[1], path)
        placed.clear()
    except OSError as error:
        raise _unwritable(path.parent, error) from error
    finally:
        for left in aside + placed:
            left.unlink(missing_ok=True)
