# SPDX-License-Identifier: GPL-3.0-or-later
"""Loads the open head: the CC0 head model that ships with the extension."""

from __future__ import annotations

import hashlib
import io
import zipfile
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..errors import ModelFileError
from .model import HeadModel, Licence

VENDOR = Path(__file__).resolve().parents[2] / "vendor" / "open_head"


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
        return _build(a, hashlib.sha256(data).hexdigest())
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ModelFileError(
            f"The open head ({path.name}) is missing or damaged: reinstall the extension."
        ) from error


def _build(a: dict[str, np.ndarray], digest: str) -> HeadModel:
    quads = a["quads"].astype(np.int32)
    regions = {str(n): m.astype(bool) for n, m in zip(a["region_names"], a["regions"], strict=True)}
    gaze = {str(n): r for n, r in zip(a["gaze_names"], a["gaze_rotvec"].astype(float), strict=True)}
    return HeadModel(
        name="Open Head",
        licence=Licence("CC0-1.0", True, "MakeHuman / MPFB2 base mesh and targets, CC0 1.0"),
        digest=digest,
        template=a["v_template"].astype(np.float64),
        quads=quads,
        uv=a["uv"].astype(np.float64),
        uv_quads=a["uv_quads"].astype(np.int32),
        identity_basis=a["shapedirs"].astype(np.float64),
        expression_basis=a["exprdirs"].astype(np.float64),
        expression_names=tuple(str(n) for n in a["expr_names"]),
        pose_basis=a["posedirs"].astype(np.float64),
        joint_regressor=a["J_regressor"].astype(np.float64),
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
    )
