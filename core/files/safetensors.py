# SPDX-License-Identifier: GPL-3.0-or-later
"""The safetensors format, read and written with numpy alone.

The file is eight bytes with the length of a JSON header (little-endian), the header, and the
tensors' bytes in C order (https://github.com/huggingface/safetensors, "Format"). It is written
here, and not by the package of that name, for two reasons: the package wants every tensor in
memory at once where we stream gigabytes, and it is absent in Blender's own Python, where a
checkpoint can be converted before any neural runtime exists.

Arrays of BF16, which numpy lacks, are given as float32; a bit pattern loses nothing by it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFileError
from .restricted_pickle import damaged

_DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "|i1",
    "U8": "|u1",
    "BOOL": "|b1",
}
_MAX_HEADER = 100 << 20
_ALIGNMENT = 64


class Writable(Protocol):
    """Anything that takes bytes."""

    def write(self, data: bytes, /) -> int:
        """Takes all of them."""


@dataclass(frozen=True)
class TensorEntry:
    """dtype as safetensors names it, and the shape."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """Bytes of the tensor."""
        return prod(self.shape) * np.dtype(_DTYPES[self.dtype]).itemsize


class SafetensorsFile:
    """An opened file: its arrays are maps of the disk, read when they are touched.

    entries: name -> dtype and shape. metadata: text -> text.
    """

    def __init__(self, path: Path) -> None:
        """Raises ModelFileError if the file is missing, damaged, or not of this format."""
        self.path = path
        try:
            size = path.stat().st_size
            with path.open("rb") as stream:
                length = int.from_bytes(stream.read(8), "little")
                if not 2 <= length <= min(_MAX_HEADER, size - 8):
                    raise damaged(path.name)
                header = json.loads(stream.read(length))
            self.metadata = {str(k): str(v) for k, v in header.pop("__metadata__", {}).items()}
            self._start = 8 + length
            self._offsets: dict[str, int] = {}
            self.entries: dict[str, TensorEntry] = {}
            for name, entry in header.items():
                self._add(name, entry, size - self._start)
        except OSError as error:
            raise ModelFileError(
                f"{path.name} cannot be read ({error.strerror}): check that it is there and that "
                "you may open it."
            ) from error
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise damaged(path.name) from error

    def _add(self, name: str, entry: Mapping[str, Any], size: int) -> None:
        tensor = TensorEntry(entry["dtype"], tuple(entry["shape"]))
        begin, end = entry["data_offsets"]
        if any(type(n) is not int or n < 0 for n in (*tensor.shape, begin, end)):
            raise ValueError(name)
        if end - begin != tensor.nbytes or end > size:
            raise ValueError(name)
        self.entries[name] = tensor
        self._offsets[name] = self._start + begin

    def raw(self, name: str) -> NDArray[Any]:
        """The array as it lies on the disk, mapped and read-only; BF16 as uint16."""
        entry = self.entries[name]
        dtype = np.dtype(_DTYPES[entry.dtype])
        if not entry.nbytes:
            return np.zeros(entry.shape, dtype)
        return np.memmap(self.path, dtype, "r", self._offsets[name], entry.shape)

    def array(self, name: str) -> NDArray[Any]:
        """The array; BF16 as float32."""
        raw = self.raw(name)
        if self.entries[name].dtype == "BF16":
            return (raw.astype(np.uint32) << 16).view(np.float32)
        return raw


def write_safetensors(
    stream: Writable,
    entries: Mapping[str, TensorEntry],
    chunks: Callable[[str], Iterable[bytes]],
    metadata: Mapping[str, str],
) -> None:
    """Writes the tensors in the order of ``entries``, each as ``chunks(name)`` yields its bytes.

    Raises ValueError if a tensor yields more or fewer bytes than its entry says; the stream is
    then of no use. OSError as the stream raises it.
    """
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    offset = 0
    for name, entry in entries.items():
        end = offset + entry.nbytes
        header[name] = {
            "dtype": entry.dtype,
            "shape": list(entry.shape),
            "data_offsets": [offset, end],
        }
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + 8) % _ALIGNMENT)
    stream.write(len(text).to_bytes(8, "little"))
    stream.write(text)
    for name, entry in entries.items():
        written = 0
        for chunk in chunks(name):
            stream.write(chunk)
            written += len(chunk)
        if written != entry.nbytes:
            raise ValueError(f"{name} has {written} bytes, not {entry.nbytes}")
