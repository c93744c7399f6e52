# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a FLAME model file that a person brought, without trusting it: numbers or one sentence.

Format: FLAME's ``generic_model.pkl`` (Li et al., SIGGRAPH Asia 2017; the layout is SMPL's), or
an .npz with the same keys. Nothing in the file is run; see ``core.files.restricted_pickle``.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFileError
from ..files.npz import DAMAGE, ObjectsError, read_npy
from ..files.restricted_pickle import damaged, load_restricted
from .flame_kinds import EXPRESSIONS, JOINT_NAMES, PARENTS, SHAPES, FlameKind, recognise
from .flame_pickle import FLAME_CLASSES, plain_array

_NEEDED = ("v_template", "f", "shapedirs", "posedirs", "J_regressor", "weights", "kintree_table")
_LARGEST = 1 << 29
_LARGEST_MESH = 100_000
#: Vertex counts by which the body and hand models of the same family give themselves away.
_SIBLINGS = {
    6890: "an SMPL body",
    10475: "an SMPL-X body",
    778: "a MANO hand",
    3889: "a SMAL animal",
}
_GET_FLAME = "choose a FLAME .pkl or .npz from flame.is.tue.mpg.de."


@dataclass(frozen=True, eq=False)
class FlameFile:
    """What a file holds, checked. Metres, head frame; V vertices, T triangles, 5 joints.

    v_template (V, 3), f (T, 3) int32, identity (V, 3, 300), expression (V, 3, 100), posedirs
    (V, 3, 36), J_regressor (5, V), weights (V, 5).
    """

    kind: FlameKind
    name: str
    sha256: str
    size: int
    v_template: NDArray[np.float64]
    f: NDArray[np.int32]
    identity: NDArray[np.float32]
    expression: NDArray[np.float32]
    posedirs: NDArray[np.float32]
    J_regressor: NDArray[np.float64]
    weights: NDArray[np.float64]


def read_flame(path: Path) -> FlameFile:
    """Reads, recognises and checks a FLAME file. Raises ModelFileError with one sentence."""
    source = path.name
    data = _read_bytes(path)
    # The bytes say what a file is; its name may say anything.
    is_zip = data[:4] == b"PK\x03\x04"
    if not is_zip and data[:1] not in (b"\x80", b"(", b"}"):
        raise ModelFileError(f"{source} is not a FLAME model: {_GET_FLAME}")
    values = (
        _read_npz(data, source) if is_zip else load_restricted(data, FLAME_CLASSES, source=source)
    )
    if not isinstance(values, dict):
        raise ModelFileError(f"{source} is not a FLAME model: {_GET_FLAME}")
    arrays = _arrays(values, source)
    sha256 = hashlib.sha256(data).hexdigest()
    shapes = arrays["shapedirs"].shape[2]
    identity_count = min(SHAPES, shapes - min(EXPRESSIONS, shapes))
    kind = recognise(sha256, set(map(str, values)), arrays, identity_count)
    return FlameFile(
        kind=kind,
        name=path.stem,
        sha256=sha256,
        size=len(data),
        v_template=arrays["v_template"].astype(np.float64),
        f=arrays["f"].astype(np.int32),
        identity=arrays["shapedirs"][:, :, :identity_count].astype(np.float32),
        expression=arrays["shapedirs"][:, :, identity_count:].astype(np.float32),
        posedirs=arrays["posedirs"].astype(np.float32),
        J_regressor=arrays["J_regressor"].astype(np.float64),
        weights=arrays["weights"].astype(np.float64),
    )


def _read_bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > _LARGEST:
            raise ModelFileError(f"{path.name} is too large for a FLAME model: {_GET_FLAME}")
        data = path.read_bytes()
    except OSError as error:
        raise ModelFileError(
            f"{path.name} cannot be read ({error.strerror}): check that it is there and that "
            "you may open it."
        ) from error
    if not data:
        raise ModelFileError(f"{path.name} is empty: download or copy it again.")
    return data


def _read_npz(data: bytes, source: str) -> dict[str, Any]:
    """Members of an .npz as arrays; one that numpy pickled goes through the restricted door."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            if any(name.endswith("data.pkl") for name in names):
                raise ModelFileError(
                    f"{source} is a network's checkpoint and not a FLAME model: {_GET_FLAME}"
                )
            models = [name for name in names if name.endswith((".pkl", ".npz"))]
            if models:
                raise ModelFileError(
                    f"{source} is an archive that holds {Path(models[0]).name}: unpack it and "
                    "choose that file."
                )
            if sum(info.file_size for info in archive.infolist()) > _LARGEST:
                raise ModelFileError(f"{source} is too large for a FLAME model: {_GET_FLAME}")
            members = [name for name in names if name.endswith(".npy")]
            return {name[:-4]: _read_npy(archive.read(name), source) for name in members}
    except DAMAGE as error:
        raise damaged(source) from error


def _read_npy(data: bytes, source: str) -> Any:
    try:
        return read_npy(data)
    except ObjectsError as error:
        return load_restricted(data[error.start :], FLAME_CLASSES, source=source)


def _arrays(values: dict[Any, Any], source: str) -> dict[str, NDArray[Any]]:
    """The needed arrays with shapes that fit each other, all finite."""
    missing = [key for key in _NEEDED if key not in values]
    if missing:
        extra = "" if len(missing) == len(_NEEDED) else f" (it lacks {', '.join(missing)})"
        raise ModelFileError(f"{source} is not a FLAME model{extra}: {_GET_FLAME}")
    try:
        arrays = {
            key: value if isinstance(value := values[key], np.ndarray) else plain_array(value)
            for key in _NEEDED
        }
    except (ArithmeticError, AttributeError, LookupError) as error:
        raise damaged(source) from error
    except (MemoryError, RecursionError, TypeError, ValueError) as error:
        raise damaged(source) from error
    if any(array.dtype.kind not in "biuf" for array in arrays.values()):
        raise damaged(source)
    _check(arrays, source)
    return arrays


def _check(arrays: dict[str, NDArray[Any]], source: str) -> None:
    template = arrays["v_template"]
    count = len(template) if template.ndim else 0
    joints = arrays["weights"].shape[-1] if arrays["weights"].ndim == 2 else 0
    if joints != len(JOINT_NAMES):
        what = _SIBLINGS.get(count, f"a model with {joints} joints and {count} vertices")
        raise ModelFileError(f"{source} is {what} and not a FLAME head: {_GET_FLAME}")
    n = len(JOINT_NAMES)
    fits = (
        4 <= count <= _LARGEST_MESH
        and template.shape == (count, 3)
        and arrays["f"].ndim == 2
        and arrays["f"].shape[1] == 3
        and arrays["f"].size
        and arrays["shapedirs"].shape[:2] == (count, 3)
        and 1 <= arrays["shapedirs"].shape[2] <= 1000
        and arrays["posedirs"].shape == (count, 3, 9 * (n - 1))
        and arrays["J_regressor"].shape == (n, count)
        and arrays["weights"].shape == (count, n)
        and arrays["kintree_table"].shape == (2, n)
    )
    # The root's parent is -1 stored as an unsigned number.
    parents = arrays["kintree_table"][0].astype(np.int64) if fits else ()
    if not fits or tuple(parents[1:]) != PARENTS[1:]:
        raise ModelFileError(
            f"{source} does not have the arrays of a FLAME head in their shapes: {_GET_FLAME}"
        )
    # As the type in which it is kept: what is too large for that is not finite there.
    with np.errstate(over="ignore"):
        numbers = all(np.isfinite(arrays[key].astype(np.float32)).all() for key in _NEEDED)
    if not numbers:
        raise damaged(source)
    faces = arrays["f"].astype(np.int64)
    if faces.min() < 0 or faces.max() >= count:
        raise damaged(source)
    # Loose on purpose: it tells numbers that are weights from numbers that are not.
    off = [np.abs(arrays[key].sum(axis=1) - 1).max() for key in ("weights", "J_regressor")]
    if max(off) > 0.05:
        raise damaged(source)
