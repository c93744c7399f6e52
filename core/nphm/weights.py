# SPDX-License-Identifier: GPL-3.0-or-later
"""Converts an NPHM checkpoint once, and opens what was converted.

    checkpoint_epoch_2500.tar + anchors_65.npy -> nphm.safetensors + nphm.json (what they are)

The checkpoint is read without running anything in it. Whether it is one of MonoNPHM's two
(``pretrained_mononphm``, ``pretrained_mononphm_original``) or NPHM 2023's shows in its arrays. The
anchors of the mean head are a file of the published repository and lie beside the checkpoint or
above it; the optimiser's state is never read. Both files are complete or absent.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ModelFileError
from ..files.atomic_write import exclusive, placed, require_room
from ..files.safetensors import SafetensorsFile, TensorEntry, write_safetensors
from ..files.torch_checkpoint import TorchCheckpoint, open_torch_checkpoint
from ..progress import Progress, silent
from .decoder import Decoder
from .layout import CODES, EXPRESSION, IDENTITY, Sizes, expected, read_sizes
from .local_networks import Floats
from .statistics import CodeStatistics

FORMAT = 1
NAME = "nphm.safetensors"
#: The licence of the published weights is not declared anywhere.
LICENCE = {
    "spdx": "LicenseRef-undeclared",
    "commercial": False,
    "notice": "NPHM / MonoNPHM network weights (Giebenhain et al. 2023, 2024), licence undeclared: "
    "taken as not for commercial use",
}
#: Top-level entries of MonoNPHM's checkpoints and of NPHM 2023's.
PARTS = (IDENTITY, EXPRESSION, CODES, "decoder_state_dict", "latent_codes_state_dict")
_RENAMED = {"decoder_state_dict": IDENTITY, "latent_codes_state_dict": CODES}
_MEAN = "anchors"
_BLOCK = 8 << 20


@dataclass(frozen=True, eq=False)
class NeuralHead:
    """A decoder with the statistics of its codes; description: what its file says of it."""

    decoder: Decoder
    statistics: CodeStatistics
    description: Mapping[str, Any]

    @property
    def title(self) -> str:
        """For lists and reports."""
        return str(self.description["title"])

    @property
    def digest(self) -> str:
        """SHA-256 of the checkpoint."""
        return str(self.description["source_sha256"])


def convert_nphm(source: Path, folder: Path, progress: Progress = silent) -> Path:
    """Converts ``source`` into ``folder``; returns the weights' path.

    Raises ModelFileError if it cannot be used, OutputError if the folder cannot be written.
    Then nothing is left behind.
    """
    with open_torch_checkpoint(source, PARTS) as checkpoint:
        names = {name: _renamed(name) for name in checkpoint.tensors}
        shapes = {new: checkpoint.tensors[name].shape for name, new in names.items()}
        settings = _settings(source)
        sizes = read_sizes(shapes, settings, source.name)
        anchors = _anchors(source, sizes)
        wanted = set(expected(sizes, shapes)) | {n for n in shapes if n.startswith(CODES)}
        kept = {new: old for old, new in names.items() if new in wanted}
        target = folder / NAME
        busy = (
            "Neural heads are being imported by another Blender right now: wait until it is done."
        )
        with exclusive(folder / ".nphm.lock", busy):
            digest = _sha256(source, progress)
            size = sum(checkpoint.tensors[old].nbytes for old in kept.values())
            require_room(folder, size, f"the weights of {source.name}")
            _check_numbers(checkpoint, kept, source.name)
            _write(checkpoint, kept, anchors, sizes, settings, source, digest, target, progress)
    load_nphm(folder)
    return target


def find_nphm(folder: Path | None) -> Path | None:
    """The converted weights in a folder, if they are there."""
    if folder is None:
        return None
    path = folder / NAME
    return path if path.is_file() and path.with_suffix(".json").is_file() else None


def read_description(weights: Path) -> dict[str, Any]:
    """What was converted. Raises ModelFileError."""
    again = "import the NPHM checkpoint again."
    try:
        description = json.loads(weights.with_suffix(".json").read_text("utf-8"))
        if description["format"] != FORMAT:
            raise ModelFileError(f"{weights.name} was converted by another version: {again}")
        Sizes(**description["sizes"])
        str(description["title"]), str(description["source_sha256"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelFileError(
            f"The description of {weights.name} is missing or damaged: {again}"
        ) from error
    return dict(description)


def load_nphm(folder: Path) -> NeuralHead:
    """The neural head of a models folder.

    Raises ModelFileError without one, or where a file of the pair is damaged or not the other's.
    """
    weights = find_nphm(folder)
    if weights is None:
        raise ModelFileError(
            "The neural head needs NPHM's weights: import a checkpoint of MonoNPHM or NPHM with "
            "its anchors beside it."
        )
    description = read_description(weights)
    file = SafetensorsFile(weights)
    if file.metadata.get("source_sha256") != description["source_sha256"]:
        raise ModelFileError(
            f"{weights.name} does not belong to its description: import the checkpoint again."
        )
    shapes = {name: entry.shape for name, entry in file.entries.items()}
    settings = {k: description["sizes"][k] for k in ("nearest", "blend")}
    sizes = read_sizes(shapes, settings, weights.name)
    if shapes.get(_MEAN) != (sizes.anchors, 3):
        raise ModelFileError(f"{weights.name} lacks its anchors: import the checkpoint again.")
    arrays = {name: np.asarray(file.array(name), np.float32) for name in file.entries}
    decoder = Decoder.of(arrays, sizes, arrays[_MEAN])
    statistics = CodeStatistics.of_books(arrays, sizes, description.get("longest_code"))
    return NeuralHead(decoder, statistics, description)


def _renamed(name: str) -> str:
    part, _, rest = name.partition(".")
    return f"{_RENAMED.get(part, part)}.{rest}"


def _settings(source: Path) -> dict[str, float]:
    """Nearest anchors and blend of a configs.yaml in the experiment's folder, if there is one."""
    for folder in (source.parent, source.parent.parent):
        try:
            text = (folder / "configs.yaml").read_text("utf-8")[: 1 << 16]
        except (OSError, UnicodeDecodeError):
            continue
        found = {}
        for name, key in (("nneigh", "nearest"), ("blend_std", "blend")):
            match = re.search(rf"^\s*{name}:\s*([0-9.]+)\s*$", text, re.MULTILINE)
            if match:
                found[key] = float(match[1])
        return found
    return {}


def _anchors(source: Path, sizes: Sizes) -> Floats:
    """anchors_65.npy or anchors_39.npy beside the checkpoint, or in an assets folder above it."""
    name = f"anchors_{sizes.anchors}.npy"
    for folder in (source.parent, *source.parents[1:4]):
        for path in (folder / name, folder / "assets" / name):
            if path.is_file():
                try:
                    anchors = np.load(path, allow_pickle=False)
                except (OSError, ValueError, EOFError) as error:
                    raise ModelFileError(f"{name} is damaged: fetch it again.") from error
                if anchors.shape != (sizes.anchors, 3) or not np.isfinite(anchors).all():
                    raise ModelFileError(f"{name} does not belong to {source.name}.")
                return np.asarray(anchors, np.float32)
    raise ModelFileError(
        f"{source.name} needs {name} of the same project (its assets folder): put it beside the "
        "checkpoint and import that again."
    )


def _check_numbers(checkpoint: TorchCheckpoint, kept: Mapping[str, str], source: str) -> None:
    """Raises ModelFileError for weights or codes that are no numbers."""
    for old in kept.values():
        tensor = checkpoint.tensors[old]
        if tensor.dtype not in ("F16", "F32", "F64"):
            raise ModelFileError(f"{source} keeps {old} as {tensor.dtype}: choose another file.")
        dtype = {"F16": "<f2", "F32": "<f4", "F64": "<f8"}[tensor.dtype]
        data = b"".join(checkpoint.chunks(old))
        if not np.isfinite(np.frombuffer(data, dtype)).all():
            raise ModelFileError(
                f"{source} holds weights or codes that are no numbers ({old}): fetch it again."
            )


def _write(
    checkpoint: TorchCheckpoint,
    kept: Mapping[str, str],
    anchors: Floats,
    sizes: Sizes,
    settings: Mapping[str, float],
    source: Path,
    digest: str,
    target: Path,
    progress: Progress,
) -> None:
    tensors = {new: checkpoint.tensors[old] for new, old in kept.items()}
    entries = {new: TensorEntry(t.dtype, t.shape) for new, t in tensors.items()}
    entries[_MEAN] = TensorEntry("F32", anchors.shape)

    def chunks(name: str) -> Iterator[bytes]:
        if name == _MEAN:
            yield np.ascontiguousarray(anchors, "<f4").tobytes()
        else:
            yield from checkpoint.chunks(kept[name])

    description = {
        "format": FORMAT,
        "title": sizes.kind,
        "source": source.name,
        "source_sha256": digest,
        "licence": LICENCE,
        "sizes": sizes.to_json(),
        "longest_code": 1.0,
        "settings_from_file": bool(settings),
        "notes": _notes(sizes, settings),
    }
    progress("Converting the checkpoint", 0.0)
    with placed(target.with_suffix(".json")) as text, placed(target) as part:
        with part.open("wb") as stream:
            write_safetensors(stream, entries, chunks, {"source_sha256": digest})
        text.write_text(json.dumps(description, indent=1) + "\n", "utf-8")
    progress("Converting the checkpoint", 1.0)


def _notes(sizes: Sizes, settings: Mapping[str, float]) -> list[str]:
    notes = []
    if not sizes.expression:
        notes.append("These weights know no expressions: the neural head is fitted at rest.")
    if not settings and sizes.expression:
        notes.append(
            "There was no configs.yaml beside the checkpoint: the published blend of 12 anchors is "
            "taken."
        )
    return notes


def _sha256(path: Path, progress: Progress) -> str:
    digest, size, done = hashlib.sha256(), max(1, path.stat().st_size), 0
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
            done += len(block)
            progress("Checking the checkpoint", done / size)
    return digest.hexdigest()
