# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a torch checkpoint (.ckpt, .pt) without torch, and without trusting it.

A checkpoint since torch 1.6 is a zip with a pickle (``data.pkl``) and one stored member for each
tensor storage (``data/KEY``). The pickle goes through ``restricted_pickle``; a tensor stays where
it is until its bytes are asked for, so a file of many gigabytes opens in a moment. What PyTorch
Lightning puts beside the weights is kept as plain values: an OmegaConf object becomes the dict or
list that it holds, with its interpolations as the text they are.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFileError
from .restricted_pickle import Limits, damaged, load_restricted
from .torch_pickle import StoredTensor, allowed_names, persistent_load, plain

_OLD_FORMAT = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"
_PICKLE_LIMITS = Limits(size=64 << 20, opcodes=5_000_000)
_CHUNK = 4 << 20
#: What zipfile raises over a damaged archive, found by damaging archives: a broken name, an
#: unknown version, a bit that says "encrypted", offsets that are none.
_ZIP_DAMAGE = (
    zipfile.BadZipFile,
    EOFError,
    KeyError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
    struct.error,
    zlib.error,
)


@dataclass(frozen=True)
class TorchCheckpoint:
    """tensors: the state dict. extra: every other top-level entry as plain values."""

    source: str
    tensors: dict[str, StoredTensor]
    extra: dict[str, Any]
    _zip: zipfile.ZipFile
    _root: str

    def chunks(self, name: str) -> Iterator[bytes]:
        """The bytes of one tensor in C order, little-endian, in pieces of some megabytes.

        Raises ModelFileError if the file turns out to be damaged there.
        """
        tensor = self.tensors[name]
        start = tensor.offset * tensor.itemsize
        try:
            with self._zip.open(f"{self._root}/data/{tensor.storage}") as member:
                if not tensor.contiguous:
                    yield _gathered(tensor, member.read())
                    return
                left = tensor.nbytes
                if start:  # seeking turns the zip's check of its bytes off
                    member.seek(start)
                while left:
                    piece = member.read(min(_CHUNK, left))
                    if not piece:
                        raise damaged(self.source)
                    left -= len(piece)
                    yield piece
        except _ZIP_DAMAGE as error:
            raise damaged(self.source) from error


@contextmanager
def open_torch_checkpoint(
    path: Path, parts: Sequence[str] = ("state_dict",)
) -> Iterator[TorchCheckpoint]:
    """The checkpoint, open for as long as the block lasts.

    parts: top-level entries that hold weights. Of several, those that are there count, and names
    become "part.name"; of one they stay as they are.

    Raises ModelFileError if the file is missing, empty, truncated, of another kind, in the
    format of before torch 1.6, or asks for a class that has no place in it.
    """
    source = path.name
    _check_kind(path, source)
    try:
        archive = zipfile.ZipFile(path)
    except _ZIP_DAMAGE as error:
        raise damaged(source) from error
    with archive:
        root = _root(archive, source)
        content = load_restricted(
            _read(archive, f"{root}/data.pkl", source),
            allowed_names(),
            source=source,
            persistent_load=persistent_load,
            limits=_PICKLE_LIMITS,
        )
        tensors = _weights(content, parts, source)
        if not all(isinstance(n, str) and isinstance(t, StoredTensor) for n, t in tensors.items()):
            raise damaged(source)
        _check_storages(archive, root, tensors, source)
        extra = {str(key): plain(value) for key, value in content.items()}
        yield TorchCheckpoint(source, dict(tensors), extra, archive, root)


def holds_part(path: Path, parts: Sequence[str]) -> bool:
    """Whether a checkpoint has one of these top-level entries with weights; False for what cannot
    be read: whoever opens it next says why.
    """
    try:
        with open_torch_checkpoint(path, (*parts, "")) as checkpoint:
            return bool(checkpoint.tensors)
    except ModelFileError:
        return False


def _weights(content: object, parts: Sequence[str], source: str) -> dict[Any, Any]:
    """The entries of ``parts`` taken out of the content, by their names."""
    found = [p for p in parts if isinstance(content, dict) and isinstance(content.get(p), dict)]
    if not isinstance(content, dict) or not found:
        raise ModelFileError(
            f"{source} holds no network weights (no {' or '.join(parts)}): choose a training "
            "checkpoint."
        )
    if len(parts) == 1:
        return dict(content.pop(parts[0]))
    return {f"{p}.{name}": value for p in found for name, value in content.pop(p).items()}


def _check_kind(path: Path, source: str) -> None:
    try:
        with path.open("rb") as stream:
            start = stream.read(512)
    except OSError as error:
        raise ModelFileError(
            f"{source} cannot be read ({error.strerror}): check that it is there and that you may "
            "open it."
        ) from error
    if not start:
        raise ModelFileError(f"{source} is empty (0 bytes): download or copy it again.")
    if start.startswith(b"PK\x03\x04"):
        return
    if start.startswith(_OLD_FORMAT):
        raise ModelFileError(
            f"{source} is in the format of torch before 1.6: save it again with a newer torch."
        )
    if start.lstrip()[:5].lower() in (b"<!doc", b"<html"):
        raise ModelFileError(
            f"{source} is a web page and not a checkpoint: download the file itself again."
        )
    raise ModelFileError(f"{source} is not a torch checkpoint: choose the .ckpt file itself.")


def _root(archive: zipfile.ZipFile, source: str) -> str:
    roots = [n[: -len("/data.pkl")] for n in archive.namelist() if n.endswith("/data.pkl")]
    if len(roots) != 1:
        raise ModelFileError(
            f"{source} is a zip file but not a torch checkpoint: choose the .ckpt file itself."
        )
    order = f"{roots[0]}/byteorder"
    if order in archive.namelist() and _read(archive, order, source).strip() != b"little":
        raise ModelFileError(
            f"{source} was written on a big-endian machine: save it again on a common computer."
        )
    return roots[0]


def _read(archive: zipfile.ZipFile, name: str, source: str) -> bytes:
    """One of the small members, whole."""
    try:
        if archive.getinfo(name).file_size > _PICKLE_LIMITS.size:
            raise damaged(source)
        return archive.read(name)
    except _ZIP_DAMAGE as error:
        raise damaged(source) from error


def _check_storages(
    archive: zipfile.ZipFile, root: str, tensors: dict[str, StoredTensor], source: str
) -> None:
    """Every tensor lies wholly inside a member that is stored as it is."""
    for tensor in tensors.values():
        try:
            member = archive.getinfo(f"{root}/data/{tensor.storage}")
        except KeyError as error:
            raise damaged(source) from error
        reach = tensor.offset + 1
        reach += sum((n - 1) * s for n, s in zip(tensor.shape, tensor.strides, strict=True))
        fits = reach * tensor.itemsize <= member.file_size or not tensor.nbytes
        if not fits or member.compress_type != zipfile.ZIP_STORED:
            raise damaged(source)


def _gathered(tensor: StoredTensor, storage: bytes) -> bytes:
    """A tensor that is a transposed or strided view, put into C order."""
    flat = np.frombuffer(storage, dtype=f"u{tensor.itemsize}")
    view: NDArray[Any] = np.lib.stride_tricks.as_strided(
        flat[tensor.offset :],
        tensor.shape,
        [s * tensor.itemsize for s in tensor.strides],
        writeable=False,
    )
    return np.ascontiguousarray(view).tobytes()
