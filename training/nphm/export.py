# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts a trained decoder into a models folder, as an imported checkpoint stands there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.files.safetensors import TensorEntry, write_safetensors
from core.nphm.layout import CODES, Sizes, read_sizes
from core.nphm.weights import FORMAT, NAME

#: Codes in the books, drawn anew from the maps that make them.
BOOK = 400
LICENCE = {
    "spdx": "CC0-1.0 AND MIT",
    "commercial": True,
    "notice": "Trained on the open head's own population: MakeHuman (CC0), ICT FaceKit Light (MIT)",
}


def to_models(trained: Path, folder: Path) -> Path:
    """decoder.npz of training.nphm.run -> the pair of files that core.nphm.weights opens."""
    with np.load(trained, allow_pickle=False) as z:
        a = {name: z[name] for name in z.files}
    arrays = {
        name.replace("/", ".", 1): value.astype(np.float32)
        for name, value in a.items()
        if name.startswith(("id_decoder/", "ex_decoder/"))
    }
    sizes = read_sizes({n: v.shape for n, v in arrays.items()}, {}, trained.name)
    rng = np.random.default_rng(5)
    people = rng.standard_normal((BOOK, a["W"].shape[1])).astype(np.float32)
    faces = np.tile(a["book_e"].astype(np.float32), (BOOK // len(a["book_e"]), 1))
    arrays[f"{CODES}.codebook.geo.embedding.weight"] = people @ a["W"].astype(np.float32).T
    arrays[f"{CODES}.codebook.exp.embedding.weight"] = faces @ a["E"].astype(np.float32).T
    arrays["anchors"] = a["anchors"].astype(np.float32)
    digest = hashlib.sha256(trained.read_bytes()).hexdigest()
    facts = {"facts": [str(f) for f in a["facts"]]}
    return write_models(arrays, sizes, "Trial decoder (open head's people)", digest, folder, facts)


def write_models(
    arrays: Mapping[str, NDArray[Any]],
    sizes: Sizes,
    title: str,
    digest: str,
    folder: Path,
    more: Mapping[str, Any] | None = None,
) -> Path:
    """Arrays by the names of a checkpoint, with ``anchors`` (A, 3), as an imported pair."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = {name: TensorEntry("F32", value.shape) for name, value in arrays.items()}
    with (folder / NAME).open("wb") as stream:
        write_safetensors(
            stream,
            entries,
            lambda name: [np.ascontiguousarray(arrays[name], "<f4").tobytes()],
            {"source_sha256": digest},
        )
    description = {
        "format": FORMAT,
        "title": title,
        "source": title,
        "source_sha256": digest,
        "licence": LICENCE,
        "sizes": sizes.to_json(),
        "longest_code": None,
        "notes": [],
        **(more or {}),
    }
    (folder / NAME).with_suffix(".json").write_text(json.dumps(description, indent=1) + "\n")
    return folder / NAME
