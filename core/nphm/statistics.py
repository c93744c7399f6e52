# SPDX-License-Identifier: GPL-3.0-or-later
"""Which codes are likely: mean and principal directions of a checkpoint's training codes.

Codes are written as mean + basis @ coordinates, where coordinates are about standard normal; a fit
moves coordinates, and their squares are its prior.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .layout import CODES, Sizes
from .local_networks import Floats

#: Most directions that are kept of the identity's and of the expression's codes.
IDENTITIES, EXPRESSIONS = 100, 40
#: Of a book of which nothing is known, how far codes go: the spread that training asks for.
_UNKNOWN = 0.05


@dataclass(frozen=True, eq=False)
class CodeStatistics:
    """geometry (G,), basis (G, I); expression (X,), basis_exp (X, E); appearance (P,), may be
    empty.
    """

    geometry: Floats
    basis: Floats
    expression: Floats
    basis_exp: Floats
    appearance: Floats

    @classmethod
    def of_books(
        cls, arrays: Mapping[str, NDArray[Any]], sizes: Sizes, longest: float | None = 1.0
    ) -> CodeStatistics:
        """Of the training codes among a checkpoint's arrays; longest: see lookup."""
        geo = _book(arrays, "geo", sizes.geometry, longest)
        if not len(geo):
            geo = _book(arrays, "", sizes.geometry, None)
        exp = _book(arrays, "exp", sizes.expression, longest)
        app = _book(arrays, "app", sizes.appearance, longest)
        geometry, basis = _principal(geo, sizes.geometry, IDENTITIES)
        expression, basis_exp = _principal(exp, sizes.expression, EXPRESSIONS)
        appearance = app.mean(axis=0) if len(app) else np.zeros(sizes.appearance)
        return cls(geometry, basis, expression, basis_exp, np.asarray(appearance, np.float32))

    def identity(self, coordinates: NDArray[np.floating]) -> Floats:
        """(I,) -> (G,)."""
        out: Floats = self.geometry + self.basis @ np.asarray(coordinates, np.float32)
        return out

    def face(self, coordinates: NDArray[np.floating]) -> Floats:
        """(E,) -> (X,)."""
        out: Floats = self.expression + self.basis_exp @ np.asarray(coordinates, np.float32)
        return out


def lookup(book: NDArray[Any], longest: float | None = 1.0) -> Floats:
    """Codes as training used them: rows longer than ``longest`` are brought to that length."""
    book = np.asarray(book, np.float32)
    if longest is None:
        return book
    length = np.linalg.norm(book, axis=1, keepdims=True)
    shorter: Floats = book * (np.float32(longest) / (length + np.float32(1e-7)))
    return np.where(length > longest, shorter, book)


def _book(
    arrays: Mapping[str, NDArray[Any]], name: str, width: int, longest: float | None
) -> Floats:
    """Rows of the codebook that are of the right length; none where there is no such book."""
    full = f"{CODES}.codebook.{name}.embedding.weight" if name else f"{CODES}.weight"
    if width and full in arrays and arrays[full].ndim == 2 and arrays[full].shape[1] == width:
        return lookup(arrays[full], longest)
    return np.zeros((0, width), np.float32)


def _principal(book: Floats, width: int, most: int) -> tuple[Floats, Floats]:
    """Mean (width,) and basis (width, k), each column one standard deviation long."""
    if len(book) < 2:
        mean = book.mean(axis=0) if len(book) else np.zeros(width, np.float32)
        k = min(most, width)
        return np.asarray(mean, np.float32), _UNKNOWN * np.eye(width, k, dtype=np.float32)
    mean = book.mean(axis=0)
    _, values, vectors = np.linalg.svd(book - mean, full_matrices=False)
    k = min(most, len(book) - 1, width)
    basis = vectors[:k].T * (values[:k] / np.sqrt(len(book) - 1))
    return mean.astype(np.float32), np.ascontiguousarray(basis, np.float32)
