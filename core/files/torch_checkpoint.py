# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a torch checkpoint (.ckpt, .pt) without torch, and without trusting it.

A checkpoint since torch 1.6 is a zip with a pickle (``data.pkl``) and one stored member for each
tensor storage (``data/KEY``). The pickle goes through ``restricted_pickle``; a tensor stays where
it is until its bytes are asked for, so a file of many gigabytes opens in a moment. What PyTorch
Lightning puts beside the weights is kept as plain values: an OmegaConf object becomes the dict or
list that it holds, with its interpolations as the text they are.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFileError
from .restricted_pickle import Limits, damaged, load_restricted

#: torch's storage classes as safetensors calls their element type, and its size in bytes.
_STORAGES = {
    "DoubleStorage": ("F64", 8),
    "FloatStorage": ("F32", 4),
    "HalfStorage": ("F16", 2),
    "BFloat16Storage": ("BF16", 2),
    "LongStorage": ("I64", 8),
    "IntStorage": ("I32", 4),
    "ShortStorage": ("I16", 2),
    "CharStorage": ("I8", 1),
    "ByteStorage": ("U8", 1),
    "BoolStorage": ("BOOL", 1),
}
_OLD_FORMAT = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"
_PICKLE_LIMITS = Limits(size=64 << 20, opcodes=5_000_000)
_CHUNK = 4 << 20
_PLAIN_DEPTH = 48
_PLAIN_VALUES = 500_000


@dataclass(frozen=True)
class StoredTensor:
    """A tensor in the file. dtype is safetensors' name for it; strides count elements."""

    dtype: str
    itemsize: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int
    storage: str

    @property
    def nbytes(self) -> int:
        """Bytes of the tensor itself, not of its storage."""
        return prod(self.shape) * self.itemsize

    @property
    def contiguous(self) -> bool:
        """True if its elements follow each other in C order."""
        expected = 1
        for size, stride in zip(reversed(self.shape), reversed(self.strides), strict=True):
            if size != 1 and stride != expected:
                return False
            expected *= size
        return True


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
        except (zipfile.BadZipFile, EOFError, OSError) as error:
            raise damaged(self.source) from error


@contextmanager
def open_torch_checkpoint(path: Path) -> Iterator[TorchCheckpoint]:
    """The checkpoint, open for as long as the block lasts.

    Raises ModelFileError if the file is missing, empty, truncated, of another kind, in the
    format of before torch 1.6, or asks for a class that has no place in it.
    """
    source = path.name
    _check_kind(path, source)
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise damaged(source) from error
    with archive:
        root = _root(archive, source)
        try:
            content = load_restricted(
                archive.read(f"{root}/data.pkl"),
                _allowed(),
                source=source,
                persistent_load=_Storage.from_reference,
                limits=_PICKLE_LIMITS,
            )
        except (zipfile.BadZipFile, EOFError, OSError) as error:
            raise damaged(source) from error
        if not isinstance(content, dict) or not isinstance(content.get("state_dict"), dict):
            raise ModelFileError(
                f"{source} holds no network weights (no state_dict): choose a training checkpoint."
            )
        tensors = content.pop("state_dict")
        if not all(isinstance(n, str) and isinstance(t, StoredTensor) for n, t in tensors.items()):
            raise damaged(source)
        _check_storages(archive, root, tensors, source)
        extra = {str(key): plain(value) for key, value in content.items()}
        yield TorchCheckpoint(source, dict(tensors), extra, archive, root)


def plain(value: Any) -> Any:
    """The value with OmegaConf's nodes unwrapped and tensors named, ready for JSON.

    What lies deeper than any configuration does, or is more than one could hold, becomes "...":
    a pickle may well refer to itself.
    """
    budget = iter(range(_PLAIN_VALUES))

    def unwrap(value: Any, depth: int) -> Any:
        if depth > _PLAIN_DEPTH or next(budget, None) is None:
            return "..."
        if isinstance(value, _ConfigNode):
            return unwrap(value.state.get("_content", value.state.get("_val")), depth + 1)
        if isinstance(value, dict):
            return {str(k): unwrap(v, depth + 1) for k, v in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [unwrap(v, depth + 1) for v in value]
        if isinstance(value, StoredTensor):
            return f"tensor {list(value.shape)} {value.dtype}"
        return value if isinstance(value, str | int | float | bool | type(None)) else str(value)

    return unwrap(value, 0)


class _ConfigNode:
    """Stands for every class of OmegaConf: keeps the state, does nothing with it."""

    __slots__ = ("state",)

    def __init__(self, *args: Any) -> None:
        self.state: dict[str, Any] = {}

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, dict):
            raise TypeError("state of an unknown form")
        self.state = state


@dataclass(frozen=True)
class _Storage:
    dtype: str
    itemsize: int
    key: str
    count: int

    @classmethod
    def from_reference(cls, reference: Any) -> _Storage:
        """The persistent id of torch: ("storage", class, key, device, element count)."""
        kind, (dtype, itemsize), key, _, count = reference
        if kind != "storage" or not isinstance(key, str) or not key.isalnum():
            raise ValueError("a reference of an unknown form")
        return cls(dtype, itemsize, key, int(count))


def _rebuild_tensor(storage: _Storage, offset: int, shape: Any, strides: Any, *_: Any) -> Any:
    sizes = (offset, *shape, *strides)
    if not isinstance(storage, _Storage) or any(type(n) is not int or n < 0 for n in sizes):
        raise TypeError("a tensor of an unknown form")
    last = offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
    if prod(shape) and last >= storage.count:
        raise ValueError("a tensor that reaches beyond its storage")
    return StoredTensor(
        storage.dtype, storage.itemsize, tuple(shape), tuple(strides), offset, storage.key
    )


def _rebuild_parameter(data: Any, *_: Any) -> Any:
    return data


def _mapping(*args: Any) -> dict[Any, Any]:
    """OrderedDict and defaultdict; what the latter would make for missing keys is dropped."""
    items = args[0] if args and isinstance(args[0], list) else ()
    return dict(items)


def _allowed() -> dict[tuple[str, str], Any]:
    names: dict[tuple[str, str], Any] = {
        ("collections", "OrderedDict"): _mapping,
        ("collections", "defaultdict"): _mapping,
        ("pytorch_lightning.utilities.parsing", "AttributeDict"): _mapping,
        ("lightning_fabric.utilities.data", "AttributeDict"): _mapping,
        ("lightning.fabric.utilities.data", "AttributeDict"): _mapping,
        ("builtins", "set"): set,
        ("torch", "Size"): tuple,
        ("torch._utils", "_rebuild_tensor"): _rebuild_tensor,
        ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
        ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
        ("omegaconf.dictconfig", "DictConfig"): _ConfigNode,
        ("omegaconf.listconfig", "ListConfig"): _ConfigNode,
        ("omegaconf.base", "ContainerMetadata"): _ConfigNode,
        ("omegaconf.base", "Metadata"): _ConfigNode,
        # Named as the type of a value, never called: their own names stand for them.
        ("typing", "Any"): "Any",
    }
    for name in ("dict", "list", "tuple", "str", "int", "long", "float", "bool", "bytes", "object"):
        names["builtins", name] = name
    for node in ("Any", "String", "Integer", "Float", "Boolean", "Bytes", "Path", "Enum"):
        names["omegaconf.nodes", node + "Node"] = _ConfigNode
    for storage, element in _STORAGES.items():
        names["torch", storage] = element
    return names


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
    if order in archive.namelist() and archive.read(order).strip() != b"little":
        raise ModelFileError(
            f"{source} was written on a big-endian machine: save it again on a common computer."
        )
    return roots[0]


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
