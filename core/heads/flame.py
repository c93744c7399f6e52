# SPDX-License-Identifier: GPL-3.0-or-later
"""Loads a FLAME head that ``flame_import`` has converted.

The converted .npz holds numbers alone, the licence and what was computed for the head, so that
the file it came from is never opened again.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFileError
from ..files.npz import read_npz
from .arkit import ARKIT_NAMES
from .corners import is_skin, triangle_part, triangle_uv
from .face_landmarks import LANDMARK_COUNT
from .flame_kinds import JOINT_NAMES, PARENTS
from .model import HeadModel, Licence

SCHEMA = 1
#: Bytes of all arrays together; a head of FLAME has a tenth.
_LARGEST = 1 << 30


@lru_cache(maxsize=2)
def load_flame(path: Path) -> HeadModel:
    """A converted FLAME head; cached, since its arrays are never written to.

    Its expression basis is FLAME's own 100 components and, last, the left and the right eyelid
    (1 closes it); ``HeadModel.with_sliders`` gives the 52 named sliders in their place.
    Raises ModelFileError if the file is missing, damaged or not a converted FLAME head.
    """
    try:
        data = path.read_bytes()
        return _build(read_npz(data, _LARGEST), hashlib.sha256(data).hexdigest())
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise ModelFileError(
            f"{path.name} is missing, damaged or not a converted FLAME head: import the FLAME "
            "model again."
        ) from error


def in_flame_layout(head: HeadModel, path: Path) -> HeadModel:
    """The open head with FLAME's texture layout on its skin, so that Pixel3DMM's uv maps speak
    of it too. Its vertices stay; its faces become ``head.triangles``, in their order.

    path: a FLAME head converted together with its head_template.obj. Raises ModelFileError if
    it was converted without, or for another version of the open head.
    """
    info = read_info(path)
    uv = triangle_uv(head)
    try:
        found = read_npz(path, _LARGEST, ("open_head_uv", "open_head_digest"))
        if str(found["open_head_digest"]) != head.digest:
            raise ValueError("for another version of the open head")
        of_skin = found["open_head_uv"].astype(np.float64)
        if not np.isfinite(of_skin).all():
            raise ValueError("not finite")
        uv[is_skin(head)] = of_skin
    except (OSError, ValueError, KeyError) as error:
        raise ModelFileError(
            f"{info['title']} does not bring FLAME's texture layout for this open head: "
            "import the FLAME model again with head_template.obj beside it."
        ) from error
    corners = np.arange(3 * len(uv), dtype=np.int32).reshape(-1, 3)
    return replace(
        head,
        quads=_as_quads(head.triangles),
        face_part=triangle_part(head),
        uv=uv.reshape(-1, 2),
        uv_quads=_as_quads(corners),
    )


def read_info(path: Path) -> dict[str, Any]:
    """What was written of the head when it was imported: title, licence, source, warnings.

    Raises ModelFileError like :func:`load_flame`.
    """
    try:
        return _info(read_npz(path, _LARGEST, ("info_json",)))
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelFileError(
            f"{path.name} is missing, damaged or not a converted FLAME head: import the FLAME "
            "model again."
        ) from error


def _info(a: dict[str, NDArray[Any]]) -> dict[str, Any]:
    """The record, with all that a panel or a report asks of it; ValueError where it is not so."""
    said = json.loads(str(a["info_json"]))
    info: dict[str, Any] = {"texture_layout": "", "warnings": [], "jaw_turns": True, **said}
    licence = info["licence"] = {"notice": "", **info["licence"]}
    texts = (info["title"], info["texture_layout"], licence["spdx"], licence["notice"])
    if not all(isinstance(text, str) and len(text) < 1000 for text in texts):
        raise ValueError("a record without its words")
    if not any(licence["commercial"] is known for known in (True, False, None)):
        raise ValueError("a record without its licence")
    if type(info["jaw_turns"]) is not bool or not isinstance(info["warnings"], list):
        raise ValueError("a record without its facts")
    return info


def _build(a: dict[str, NDArray[Any]], digest: str) -> HeadModel:
    if a["schema"].item() != SCHEMA:
        raise ValueError("schema of another version")
    _check(a)
    info = _info(a)
    licence = info["licence"]
    arkit = a["arkit"].astype(np.float64)
    lids = [ARKIT_NAMES.index(name) for name in ("eyeBlinkLeft", "eyeBlinkRight")]
    triangles = a["f"].astype(np.int32)
    return HeadModel(
        name=info["title"],
        licence=Licence(licence["spdx"], licence["commercial"], licence["notice"]),
        digest=digest,
        template=a["v_template"].astype(np.float64),
        quads=_as_quads(triangles),
        uv=a["uv"].astype(np.float64),
        uv_quads=_as_quads(a["uv_triangles"].astype(np.int32)),
        identity_basis=a["identity"].astype(np.float64),
        expression_basis=np.concatenate(
            [a["expression"].astype(np.float64), arkit[:, :, lids]], axis=2
        ),
        expression_names=(),
        pose_basis=a["posedirs"].astype(np.float64),
        joint_regressor=a["J_regressor"].astype(np.float64),
        skin_weights=a["weights"].astype(np.float64),
        parents=PARENTS,
        joint_names=JOINT_NAMES,
        part_names=tuple(str(n) for n in a["part_names"]),
        face_part=a["face_part"].astype(np.int8),
        regions={
            str(n): m.astype(bool) for n, m in zip(a["region_names"], a["regions"], strict=True)
        },
        landmark_vertices=a["lmk_vertices"].astype(np.int32),
        landmark_barycentric=a["lmk_bary"].astype(np.float64),
        mirror=a["mirror"].astype(np.int32),
        gaze_range={
            str(n): r for n, r in zip(a["gaze_names"], a["gaze_rotvec"].astype(float), strict=True)
        },
        arkit_shapes=arkit,
        expression_moves_joints=True,
        locked_joints=() if info["jaw_turns"] else ("jaw",),
        own_components=a["expression"].astype(np.float64),
    )


def _as_quads(triangles: NDArray[np.int32]) -> NDArray[np.int32]:
    return np.column_stack([triangles, np.full(len(triangles), -1, np.int32)])


def _check(a: dict[str, NDArray[Any]]) -> None:
    """Shapes, index ranges and finiteness; ValueError where they fail."""
    v, t, j = len(a["v_template"]), len(a["f"]), len(JOINT_NAMES)
    shapes = {
        "v_template": (v, 3),
        "f": (t, 3),
        "uv_triangles": (t, 3),
        "face_part": (t,),
        "posedirs": (v, 3, 9 * (j - 1)),
        "J_regressor": (j, v),
        "weights": (v, j),
        "arkit": (v, 3, len(ARKIT_NAMES)),
        "lmk_vertices": (LANDMARK_COUNT, 3),
        "lmk_bary": (LANDMARK_COUNT, 3),
        "mirror": (v,),
        "regions": (len(a["region_names"]), v),
    }
    for name, shape in shapes.items():
        if a[name].shape != shape:
            raise ValueError(f"{name} has shape {a[name].shape}")
    for name in ("identity", "expression"):
        if a[name].ndim != 3 or a[name].shape[:2] != (v, 3):
            raise ValueError(f"{name} has shape {a[name].shape}")
    for name, low, high in (
        ("f", 0, v),
        ("mirror", 0, v),
        ("lmk_vertices", -1, v),
        ("uv_triangles", 0, len(a["uv"])),
        ("face_part", 0, len(a["part_names"])),
    ):
        if a[name].min() < low or a[name].max() >= high:
            raise ValueError(f"{name} points outside the mesh")
    for name, array in a.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ValueError(f"{name} is not finite")
