# SPDX-License-Identifier: GPL-3.0-or-later
"""A person on an artist's mesh as a file: what crosses the process border to the scene."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MeshError
from ..files.npz import read_npz
from .mesh import MOST
from .person import BONES, Conformed

SCHEMA = 1
_MAX_BYTES = 4 << 30
_NAMES = ("schema", "vertices", "rows", "key_names", "deltas", "weights", "joints", "strength",
          "bridge", "drives")  # fmt: skip


def save_person(person: Conformed, path: Path) -> None:
    """Write all of it; the caller writes aside and renames."""
    arrays = {name: np.asarray(getattr(person, name)) for name in _NAMES[1:]}
    with open(path, "wb") as file:
        np.savez(file, schema=np.asarray(SCHEMA), **arrays)  # type: ignore[arg-type]


def load_person(path: Path, count: int) -> Conformed:
    """Of a mesh of ``count`` vertices. Raises MeshError with one sentence if anything is off."""
    try:
        found = read_npz(Path(path), _MAX_BYTES, _NAMES)
        if int(found.pop("schema")) != SCHEMA:
            raise ValueError("of another version")
        values: dict[str, Any] = {n: a.item() if a.ndim == 0 else a for n, a in found.items()}
        values["key_names"] = tuple(str(n) for n in values["key_names"])
        person = Conformed(**values)
        _check(person, count)
        return person
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise MeshError("The person's keys for this mesh are damaged: send it again.") from error


def _check(person: Conformed, count: int) -> None:
    keys, rows = len(person.key_names), len(person.rows)
    shapes: dict[str, tuple[int, ...]] = {
        "vertices": (count, 3),
        "rows": (rows,),
        "deltas": (keys, rows, 3),
        "weights": (count, len(BONES)),
        "joints": (len(BONES), 3),
        "drives": (len(person.drives), 3),
    }
    if not 0 < count <= MOST or len(set(person.key_names)) != keys:
        raise ValueError("names")
    for name, shape in shapes.items():
        value: NDArray[Any] = getattr(person, name)
        if value.shape != shape or value.dtype.kind not in "fiu" or not np.isfinite(value).all():
            raise ValueError(name)
    for index, most in ((person.rows, count), (person.drives, keys)):
        if index.size and not 0 <= index.min() <= index.max() < most:
            raise ValueError("an index")
