# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads an .npz that anybody may have made: arrays of plain numbers and text, or one exception.

Nothing in it is run, and nothing larger than the caller expects is unpacked: sizes are added up
before a byte is read, and an array's header has to fit the bytes that follow it.
"""

from __future__ import annotations

import io
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Collection
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

#: numpy's letters of booleans, numbers and text.
_KINDS = frozenset("biufU")
_SUFFIX = ".npy"
#: What zipfile, zlib and numpy's reader of headers raise over what was damaged on purpose.
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    tokenize.TokenError,
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    NotImplementedError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)


class ArraysError(ValueError):
    """The file is no .npz, is damaged, holds objects, or is larger than it may be."""


class ObjectsError(ArraysError):
    """An array of objects: a pickle, which begins at ``start``."""

    def __init__(self, start: int) -> None:
        super().__init__("an array of objects")
        self.start = start


def read_npz(
    file: Path | bytes | BinaryIO, largest: int, only: Collection[str] | None = None
) -> dict[str, NDArray[Any]]:
    """The arrays by name; of those in ``only``, as many as are there.

    largest: bytes that they may have together. Raises ArraysError, and OSError for a file that
    cannot be read.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(file) if isinstance(file, bytes) else file) as archive:
            members = {m.filename: m for m in archive.infolist()}
            if only is not None:
                members = {f"{n}{_SUFFIX}": members[f"{n}{_SUFFIX}"] for n in only
                           if f"{n}{_SUFFIX}" in members}  # fmt: skip
            if sum(m.file_size for m in members.values()) > largest:
                raise ValueError("larger than it may be")
            return {
                name.removesuffix(_SUFFIX): read_npy(archive.read(member))
                for name, member in members.items()
                if name.endswith(_SUFFIX)
            }
    except DAMAGE as error:
        raise ArraysError(f"{type(error).__name__}: {error}") from error


def read_npy(data: bytes) -> NDArray[Any]:
    """The array of an .npy. Raises ArraysError."""
    try:
        return _array(data)
    except ObjectsError:
        raise
    except DAMAGE as error:
        raise ArraysError(f"{type(error).__name__}: {error}") from error


def _array(data: bytes) -> NDArray[Any]:
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    # Version 3 is for names of fields, which these arrays do not have.
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else (
        np.lib.format.read_array_header_2_0)  # fmt: skip
    shape, _, dtype = header(stream)
    if dtype.hasobject:
        raise ObjectsError(stream.tell())
    if dtype.kind not in _KINDS or prod(shape) * dtype.itemsize != len(data) - stream.tell():
        raise ValueError("an array whose header does not fit its bytes")
    stream.seek(0)
    array: NDArray[Any] = np.load(stream, allow_pickle=False)
    if dtype.kind == "U" and array.size and not _is_text(array):
        raise ValueError("text of characters that there are not")
    return array


def _is_text(array: NDArray[Any]) -> bool:
    """No number beyond Unicode, from which Python cannot make text; no half of a surrogate pair,
    which cannot be written anywhere.
    """
    codes = np.ascontiguousarray(array).reshape(-1).astype(array.dtype.newbyteorder("="))
    points = codes.view(np.uint32)
    return bool(((points < 0xD800) | ((points > 0xDFFF) & (points < 0x110000))).all())
