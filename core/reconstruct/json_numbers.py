# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers and texts out of JSON that anybody may have written, and into it, checked.

The readers raise ValueError or TypeError for what is none.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Unknowns of one kind; more than any head has, so that a damaged file cannot exhaust memory.
MAX_UNKNOWNS = 2000
_LARGEST = 1e12


def numbers(values: Array) -> list[float]:
    """Nine digits of each."""
    return [float(f"{x:.9g}") for x in values]


def number(value: object) -> float:
    """A finite number."""
    # Compared, not asked for its finiteness: JSON knows integers that no float can hold.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("number")
    if not -_LARGEST < value < _LARGEST:
        raise ValueError("number")
    return float(value)


def positive(value: object) -> float:
    """A number above zero."""
    if number(value) <= 0:
        raise ValueError("focal")
    return number(value)


def short_text(value: object) -> str:
    """At most 500 characters."""
    if not isinstance(value, str) or len(value) > 500:
        raise ValueError("text")
    return value


def vector(value: object) -> Array:
    """(n,) with at most MAX_UNKNOWNS numbers."""
    out = np.array(value, dtype=np.float64)
    if out.ndim != 1 or len(out) > MAX_UNKNOWNS or not (np.abs(out) < 1e4).all():
        raise ValueError("vector")
    return out


def array(value: object, shape: tuple[int, ...]) -> Array:
    """Finite numbers of that shape."""
    out = np.array(value, dtype=np.float64)
    # Also false for nan.
    if out.shape != shape or not (np.abs(out) < 1e6).all():
        raise ValueError("array")
    return out
