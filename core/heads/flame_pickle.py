# SPDX-License-Identifier: GPL-3.0-or-later
"""The classes that occur in FLAME's pickles, as harmless stand-ins that only keep their state.

FLAME's files were written by Python 2 with chumpy and scipy. None of these is needed, or ever
imported, to read them: the restricted unpickler hands each object's state to a stand-in, and
``plain_array`` turns a stand-in into an ordinary array.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..files.restricted_pickle import Allowed, latin1_bytes

#: More numbers than any head model holds; keeps a lying shape from asking for all memory.
_MOST_NUMBERS = 1 << 28


class PickledType:
    """``numpy.dtype``: plain numbers become a dtype, other kinds are kept unread."""

    def __init__(self, code: Any = "", *_: Any) -> None:
        self.code = str(code)
        self.order = "="

    def __setstate__(self, state: Any) -> None:
        self.order = str(state[1])

    def numpy(self) -> np.dtype[Any]:
        """The dtype; ValueError if it is not one of booleans, integers or floats."""
        if self.code[:1] not in "biuf" or not self.code[1:].isdigit():
            raise ValueError(f"array of {self.code!r}")
        order = self.order if self.order in "<>=" else "="
        return np.dtype(order + self.code)


class PickledArray:
    """``numpy.ndarray``: its shape, type and raw bytes, or the objects of an object array."""

    def __init__(self, *_: Any) -> None:
        self.state: tuple[Any, ...] = ()

    def __setstate__(self, state: Any) -> None:
        self.state = tuple(state)

    def numpy(self) -> NDArray[Any]:
        """The array; ValueError if it does not hold plain numbers that fill its shape."""
        _, shape, kind, fortran, raw = self.state
        if isinstance(raw, list):  # an object array of one thing: what numpy.savez wraps
            if len(raw) != 1:
                raise ValueError("array of objects")
            return plain_array(raw[0])
        data = raw.encode("latin1") if isinstance(raw, str) else bytes(raw)
        flat = np.frombuffer(data, dtype=kind.numpy())
        return flat.reshape(tuple(shape), order="F" if fortran else "C")


class PickledSparse:
    """``scipy.sparse`` matrices compressed by column or by row."""

    by_column = True

    def __init__(self, *_: Any) -> None:
        self.state: dict[str, Any] = {}

    def __setstate__(self, state: Any) -> None:
        self.state = dict(state)

    def numpy(self) -> NDArray[Any]:
        """The dense matrix; ValueError if indices and shape contradict each other."""
        rows, columns = (int(n) for n in self.state["_shape"])
        if rows * columns > _MOST_NUMBERS:
            raise ValueError("matrix too large")
        data, indices, starts = (
            plain_array(self.state[key]) for key in ("data", "indices", "indptr")
        )
        outer = columns if self.by_column else rows
        runs = np.diff(starts.astype(np.int64)).astype(np.int64)
        # A run that is longer than the data would be made before anybody saw that it is.
        fits = len(starts) == outer + 1 and len(data) == len(indices) == runs.sum()
        if not fits or starts[0] != 0 or (runs < 0).any():
            raise ValueError("sparse matrix of contradictory sizes")
        major = np.repeat(np.arange(outer), runs)
        dense = np.zeros((rows, columns))
        np.add.at(dense, (indices, major) if self.by_column else (major, indices), data)
        return dense


class PickledRows(PickledSparse):
    """``scipy.sparse.csr_matrix``."""

    by_column = False


class PickledChumpy:
    """``chumpy.ch.Ch``: an array that remembers its derivatives; its numbers are under ``x``."""

    def __init__(self, *_: Any) -> None:
        self.state: dict[str, Any] = {}

    def __setstate__(self, state: Any) -> None:
        self.state = dict(state)

    def numpy(self) -> NDArray[Any]:
        """The numbers."""
        return plain_array(self.state["x"])


def plain_array(value: Any) -> NDArray[Any]:
    """An array of numbers from whatever a pickle spells it as.

    Raises ValueError, KeyError or TypeError where it is no array of numbers.
    """
    if isinstance(value, PickledArray | PickledSparse | PickledChumpy):
        return value.numpy()
    if isinstance(value, list | tuple | int | float):
        return np.asarray(value, dtype=np.float64)
    raise ValueError(f"no array: {type(value).__name__}")


def _reconstruct(*_: Any) -> PickledArray:
    """``numpy.core.multiarray._reconstruct``: an empty array whose state follows."""
    return PickledArray()


def _from_buffer(buffer: Any, kind: PickledType, shape: Any, order: str = "C") -> PickledArray:
    """``numpy.core.numeric._frombuffer``: how protocol 5 spells a whole array."""
    array = PickledArray()
    array.__setstate__((1, shape, kind, order == "F", buffer))
    return array


def _scalar(kind: PickledType, raw: Any = b"") -> PickledArray:
    """``numpy.core.multiarray.scalar``."""
    array = PickledArray()
    array.__setstate__((1, (), kind, False, raw))
    return array


def _reconstruct_object(cls: Any, *_: Any) -> Any:
    """``copyreg._reconstructor``, for the stand-ins alone."""
    if cls not in (PickledChumpy, PickledSparse, PickledRows):
        raise TypeError("an object of a class that is made otherwise")
    return cls()


class _BaseObject:
    """``object``: named by Python 2's ``copy_reg._reconstructor``, never made."""


FLAME_CLASSES: Allowed = {
    ("builtins", "set"): set,
    ("builtins", "object"): _BaseObject,
    ("copyreg", "_reconstructor"): _reconstruct_object,
    ("_codecs", "encode"): latin1_bytes,
    ("numpy", "dtype"): PickledType,
    ("numpy", "ndarray"): PickledArray,
    **{
        (f"numpy.{core}.{module}", name): stand_in
        for core in ("core", "_core")
        for module, name, stand_in in (
            ("multiarray", "_reconstruct", _reconstruct),
            ("multiarray", "scalar", _scalar),
            ("numeric", "_frombuffer", _from_buffer),
        )
    },
    **{
        (f"scipy.sparse.{mark}{form}", f"{form}_{suffix}"): stand_in
        for mark in ("", "_")
        for suffix in ("matrix", "array")
        for form, stand_in in (("csc", PickledSparse), ("csr", PickledRows))
    },
    ("chumpy.ch", "Ch"): PickledChumpy,
}
