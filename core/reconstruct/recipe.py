# SPDX-License-Identifier: GPL-3.0-or-later
"""A head's recipe, as its .blend or its .npz holds it, read with care: anybody may have edited it.

The same photo, the same options and the same head model give the same vertices again, to 1e-6 m on
one machine.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import PureWindowsPath
from typing import Any

from ..errors import ModelFileError
from ..options import NEURAL_HEAD, OPEN_HEAD

MAX_TEXT = 1_000_000
#: Of core.pipeline.Options, what a recipe may set; the models folder is this machine's own.
OPTIONS = (
    "predictor", "face", "box", "focal_px", "focal_35mm", "own_components", "head_mesh",
)  # fmt: skip


@dataclass(frozen=True)
class Recipe:
    """photo: name of the first one, photo_sha256 of its file; head: the open head's name, or the
    file name, without a folder, of an imported one, head_sha256 the model's digest; options: fields
    of core.pipeline.Options but for the head, of a mesh's profile the file's name; pinned: the fit
    went on, under pins or with further photos, so that the photo and the options alone do not give
    this head.
    """

    photo: str
    photo_sha256: str
    head: str
    head_sha256: str
    options: dict[str, Any]
    pinned: bool


def read_recipe(text: object) -> Recipe:
    """Raises ModelFileError in one sentence."""
    damaged = ModelFileError(
        "This head's recipe is missing or damaged: reconstruct it from its photo again."
    )
    if not isinstance(text, str) or len(text) > MAX_TEXT:
        raise damaged
    try:
        data = json.loads(text)
        photo, options = data["photos"][0], data["options"]
        name = _text(options.get("head", OPEN_HEAD))
        found = Recipe(
            photo=_text(photo["name"]),
            photo_sha256=_text(photo["sha256"]),
            head=_head(name),
            head_sha256=_text(data["head"]["sha256"]),
            options=_known(options),
            pinned=len(data["photos"]) > 1 or "pins" in options,
        )
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise damaged from error
    return found


def carried_on(before: object, after: str) -> str:
    """The recipe of a fit that went on, with the options of the first one: which face, which focal
    length. JSON; ``after`` as it is where the recipe before it cannot be read.
    """
    try:
        first = read_recipe(before)
    except ModelFileError:
        return after
    data = json.loads(after)
    data["options"] = {**data["options"], **first.options, "head": first.head}
    return json.dumps(data)


def _known(options: dict[str, Any]) -> dict[str, Any]:
    found = {k: v for k in OPTIONS if (v := options.get(k)) is not None}
    if "head_mesh" in found:
        found["head_mesh"] = PureWindowsPath(_text(found["head_mesh"])).name
    return found


def _head(name: str) -> str:
    if name.endswith(".npz"):
        return PureWindowsPath(name).name
    return NEURAL_HEAD if name == NEURAL_HEAD else OPEN_HEAD


def _text(value: object) -> str:
    # Names become file names: a null character in one is no OSError but a ValueError.
    if not isinstance(value, str) or len(value) > 500 or not value.isprintable():
        raise ValueError("text")
    return value
