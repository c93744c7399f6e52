# SPDX-License-Identifier: GPL-3.0-or-later
"""Converts a Pixel3DMM checkpoint once: the weights alone, in a format without a program in it.

    uv.ckpt -> pixel3dmm_uv.safetensors (weights) + pixel3dmm_uv.json (what they are)

The weights are streamed tensor by tensor; the optimiser's state, two thirds of a training
checkpoint and more, is never read. Needs no torch. Both files are complete or absent, whatever
happens: the weights take their place first, the description after them, and a description
counts only with the weights it names.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ...errors import ModelFileError
from ...files.atomic_write import exclusive, placed, require_room
from ...files.safetensors import SafetensorsFile, TensorEntry, write_safetensors
from ...files.torch_checkpoint import TorchCheckpoint, open_torch_checkpoint
from ...progress import Progress, silent
from .layout import NetworkLayout, read_layout

FORMAT = 1
LICENCE = {
    "spdx": "CC-BY-NC-4.0",
    "commercial": False,
    "notice": "Pixel3DMM network weights, Giebenhain et al. 2025: not for commercial use",
}
_HASHING = "Checking the checkpoint"
_WRITING = "Converting the checkpoint"
_BLOCK = 8 << 20


@dataclass(frozen=True)
class ConvertedCheckpoint:
    """A converted network: paths of its two files, its layout, and its description."""

    weights: Path
    description: dict[str, Any]
    layout: NetworkLayout

    @property
    def kind(self) -> str:
        """What it predicts: "uv" or "normals"."""
        return self.layout.kind

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on what is unusual about the file."""
        return tuple(self.description["notes"])


def convert_checkpoint(
    source: Path, folder: Path, progress: Progress = silent
) -> ConvertedCheckpoint:
    """Converts ``source`` into ``folder``; a file that was converted before is not written again.

    progress(stage, fraction) is called every few megabytes and may raise ``errors.Cancelled``.
    What the checkpoint predicts is read from its content, so its name does not matter.

    Raises ModelFileError if the checkpoint cannot be used, OutputError if the folder cannot be
    written, has no room, or another process is converting into it. Then nothing is left behind.
    """
    with open_torch_checkpoint(source) as checkpoint:
        shapes = {name: tensor.shape for name, tensor in checkpoint.tensors.items()}
        settings = checkpoint.extra.get("hyper_parameters")
        layout = read_layout(shapes, settings if isinstance(settings, dict) else {}, source.name)
        target = folder / f"pixel3dmm_{layout.kind}.safetensors"
        busy = (
            f"{target.stem} is being converted by another Blender right now: wait until it is "
            "done there."
        )
        with exclusive(folder / f".{target.stem}.lock", busy):
            digest = _sha256(source, progress)
            if target.exists() and _describes(target, digest):
                return load_converted(target)
            size = sum(tensor.nbytes for tensor in checkpoint.tensors.values())
            require_room(folder, size, f"the weights of {source.name}")
            _write(checkpoint, layout, target, source, digest, progress)
    return load_converted(target)


def load_converted(weights: Path) -> ConvertedCheckpoint:
    """A network that was converted before.

    Raises ModelFileError if a file of the pair is missing, damaged, or not the other's.
    """
    file = SafetensorsFile(weights)
    again = "convert the checkpoint again."
    try:
        description = json.loads(weights.with_suffix(".json").read_text("utf-8"))
        if description["format"] != FORMAT:
            raise ModelFileError(f"{weights.name} was converted by another version: {again}")
        if description["source_sha256"] != file.metadata.get("source_sha256"):
            raise ModelFileError(f"{weights.name} does not belong to its description: {again}")
        shapes = {name: entry.shape for name, entry in file.entries.items()}
        layout = read_layout(shapes, description["hyper_parameters"], weights.name)
        list(description["notes"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelFileError(
            f"The description of {weights.name} is missing or damaged: {again}"
        ) from error
    return ConvertedCheckpoint(weights, description, layout)


def find_converted(folder: Path) -> dict[str, ConvertedCheckpoint]:
    """Kind -> network, for all that lie in ``folder``; raises as ``load_converted`` does."""
    networks = [load_converted(p) for p in sorted(folder.glob("pixel3dmm_*.safetensors"))]
    return {output: network for network in networks for output in network.layout.outputs}


def _write(
    checkpoint: TorchCheckpoint,
    layout: NetworkLayout,
    target: Path,
    source: Path,
    digest: str,
    progress: Progress,
) -> None:
    entries = {n: TensorEntry(t.dtype, t.shape) for n, t in checkpoint.tensors.items()}
    total = max(1, sum(entry.nbytes for entry in entries.values()))
    written = 0

    def chunks(name: str) -> Iterator[bytes]:
        nonlocal written
        for chunk in checkpoint.chunks(name):
            yield chunk
            written += len(chunk)
            progress(_WRITING, written / total)

    description = {
        "format": FORMAT,
        "predicts": layout.kind,
        "source": source.name,
        "source_sha256": digest,
        "source_bytes": source.stat().st_size,
        "licence": LICENCE,
        "notes": _notes(checkpoint, layout),
        "unused_tensors": layout.unused,
        "dropped": sorted(set(checkpoint.extra) - {"hyper_parameters"}),
        "hyper_parameters": checkpoint.extra["hyper_parameters"],
    }
    # Left in reverse order: the weights take their place before the description does.
    with placed(target.with_suffix(".json")) as text, placed(target) as part:
        with part.open("wb") as stream:
            hashing = _HashingStream(stream)
            write_safetensors(hashing, entries, chunks, {"source_sha256": digest})
        description["weights_sha256"] = hashing.digest.hexdigest()
        description["weights_bytes"] = part.stat().st_size
        text.write_text(json.dumps(description, indent=1) + "\n", "utf-8")


class _HashingStream:
    """Passes bytes on and keeps their SHA-256, so that they need not be read again."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream, self.digest = stream, hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        return self.stream.write(data)


def _notes(checkpoint: TorchCheckpoint, layout: NetworkLayout) -> list[str]:
    notes = []
    half = [n for n in layout.expected() if checkpoint.tensors[n].dtype in ("F16", "BF16")]
    if half:
        notes.append(
            f"{checkpoint.source} keeps {len(half)} of its tensors in half precision: its maps "
            "differ by some thousandths from those of the full checkpoint."
        )
    if layout.unexpected:
        shown = ", ".join(layout.unexpected[:3])
        notes.append(
            f"{checkpoint.source} holds {len(layout.unexpected)} tensors that this network does "
            f"not know and does not use ({shown}{', ...' if len(layout.unexpected) > 3 else ''})."
        )
    return notes


def _describes(target: Path, digest: str) -> bool:
    try:
        return bool(load_converted(target).description["source_sha256"] == digest)
    except ModelFileError:
        return False


def _sha256(path: Path, progress: Progress) -> str:
    digest = hashlib.sha256()
    size = max(1, path.stat().st_size)
    done = 0
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
            done += len(block)
            progress(_HASHING, done / size)
    return digest.hexdigest()
