# SPDX-License-Identifier: GPL-3.0-or-later
"""Loads the open head: the head model that ships with the extension."""

from __future__ import annotations

import hashlib
import io
import zipfile
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..errors import ModelFileError
from .followers import Followers
from .model import HeadModel, Licence

#: MIT asks for the copyright line beside what is made from the model of people.
NOTICE = (
    "MakeHuman / MPFB2 base mesh and targets, CC0 1.0; average and spread of people from ICT "
    "FaceKit Light, MIT, Copyright (c) 2020 USC Institute for Creative Technologies"
)

VENDOR = Path(__file__).resolve().parents[2] / "vendor" / "open_head"
OPEN_HEAD_NAME = "Open Head"


@lru_cache(maxsize=2)
def load_open_head(folder: Path = VENDOR) -> HeadModel:
    """The open head; cached, since its arrays are never written to.

    Raises ModelFileError if the file is missing or damaged.
    """
    path = folder / "open_head.npz"
    try:
        data = path.read_bytes()
        with np.load(io.BytesIO(data), allow_pickle=False) as z:
            a = {name: z[name] for name in z.files}
        _check(a)
        return build_head(a, hashlib.sha256(data).hexdigest())
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ModelFileError(
            f"The open head ({path.name}) is missing or damaged: reinstall the extension."
        ) from error


def _check(a: dict[str, np.ndarray]) -> None:
    """Raises ValueError unless the population's arrays are whole and of one size."""
    for name in ("v_template", "shapedirs", "exprdirs", "posedirs", "J_regressor", "weights"):
        if not np.isfinite(a[name]).all():
            raise ValueError(f"{name} holds what is no number")
    proper, count = len(a["shapedirs"]), len(a["v_template"])
    sizes = {len(a[name]) for name in ("exprdirs", "posedirs")} | {a["J_regressor"].shape[1]}
    if sizes != {proper} or proper + len(a["follow_start"]) - 1 != count:
        raise ValueError("the population is of another head")


def build_head(a: dict[str, np.ndarray], digest: str) -> HeadModel:
    """The head of the file's arrays; digest: sha256 of the file.

    Raises KeyError or ValueError where they do not fit together.
    """
    quads = a["quads"].astype(np.int32)
    regions = {str(n): m.astype(bool) for n, m in zip(a["region_names"], a["regions"], strict=True)}
    gaze = {str(n): r for n, r in zip(a["gaze_names"], a["gaze_rotvec"].astype(float), strict=True)}
    follow = followers(a)
    return HeadModel(
        name=OPEN_HEAD_NAME,
        licence=Licence("CC0-1.0 AND MIT", True, NOTICE),
        digest=digest,
        template=a["v_template"].astype(np.float64),
        quads=quads,
        uv=a["uv"].astype(np.float64),
        uv_quads=a["uv_quads"].astype(np.int32),
        identity_basis=follow.extend(a["shapedirs"].astype(np.float64)),
        expression_basis=follow.extend(a["exprdirs"].astype(np.float64)),
        expression_names=tuple(str(n) for n in a["expr_names"]),
        pose_basis=follow.extend(a["posedirs"].astype(np.float64)),
        joint_regressor=_for_all(a["J_regressor"].astype(np.float64), len(a["v_template"])),
        skin_weights=a["weights"].astype(np.float64),
        parents=tuple(int(p) for p in a["parents"]),
        joint_names=tuple(str(n) for n in a["joint_names"]),
        part_names=tuple(str(n) for n in a["part_names"]),
        face_part=a["face_part"].astype(np.int8),
        regions=regions,
        landmark_vertices=a["lmk_vertices"].astype(np.int32),
        landmark_barycentric=a["lmk_bary"].astype(np.float64),
        mirror=a["mirror"].astype(np.int32),
        gaze_range=gaze,
        followers=follow,
        fitted_count=a["shapedirs"].shape[2],
    )


def followers(a: dict[str, np.ndarray]) -> Followers:
    """Who follows whom, of the file's arrays; raises ValueError if they do not fit together."""
    out = Followers(a["follow_start"], a["follow_leader"], a["follow_weight"].astype(np.float64))
    out.check(len(a["v_template"]) - len(a["follow_start"]) + 1)
    return out


def _for_all(regressor: np.ndarray, count: int) -> np.ndarray:
    """No joint is told by what only follows."""
    return np.pad(regressor, [(0, 0), (0, count - regressor.shape[1])])
