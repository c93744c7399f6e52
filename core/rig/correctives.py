# SPDX-License-Identifier: GPL-3.0-or-later
"""Driven keys for pairs that do not simply add up.

A corrective's value is the product of its two keys' values, so that it is there only while both
are. Three kinds are needed: a closed lid stays closed whatever else moves the lids; a smile
gives way as the jaw opens, since the cheek that lifts the corner of the mouth is then stretched
by the jaw; and where two keys move the same skin alike, as both sides of a lip do its middle, it
does not go twice as far.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .contacts import Fold

Array = NDArray[np.float64]

PREFIX = "corr_"

#: Keys that move the lids: at a full blink they move them no longer.
_OF_LIDS = ("eyeSquint", "cheekSquint", "eyeWide", "eyeLookUp", "eyeLookDown")
#: Share of a smile that a fully open jaw takes back.
_SMILE_GIVES_WAY = 0.35
#: Share of what two keys do alike that is taken back: of both sides of a lip in its middle, and of
#: two keys that raise the same cheek.
_ALIKE = {
    ("mouthPressLeft", "mouthPressRight"): 1.0,
    ("mouthLowerDownLeft", "mouthLowerDownRight"): 0.5,
    ("cheekSquintLeft", "eyeSquintLeft"): 0.4,
    ("cheekSquintRight", "eyeSquintRight"): 0.4,
}
#: Metres from the lids' rims over which a closed lid holds the skin.
_HOLD = 0.006
_SIDES = (("l", "Left"), ("r", "Right"))


def corrective_pairs() -> list[tuple[str, str]]:
    """The two keys of each corrective."""
    pairs = [(f"eyeBlink{side}", f"{key}{side}") for _, side in _SIDES for key in _OF_LIDS]
    pairs += [("jawOpen", f"mouthSmile{side}") for _, side in _SIDES]
    return [*pairs, *_ALIKE]


def corrective_name(one: str, other: str) -> str:
    """corr_jawOpen_mouthSmileLeft."""
    return f"{PREFIX}{one}_{other}"


def corrective_shapes(
    basis: Array, keys: dict[str, Array], lids: dict[str, Fold | None]
) -> dict[tuple[str, str], Array]:
    """(V, 3) for each pair, from a person at rest (V, 3), their keys (V, 3) and lids by side.

    A head on which no lids were found has no correctives of them.
    """
    shapes: dict[tuple[str, str], Array] = {}
    for letter, side in _SIDES:
        fold = lids[letter]
        if fold is not None:
            hold = _held(basis, fold)[:, None]
            for key in _OF_LIDS:
                shapes[f"eyeBlink{side}", f"{key}{side}"] = -hold * keys[f"{key}{side}"]
    for _, side in _SIDES:
        shapes["jawOpen", f"mouthSmile{side}"] = -_SMILE_GIVES_WAY * keys[f"mouthSmile{side}"]
    for (one, other), share in _ALIKE.items():
        shapes[one, other] = -share * _common(keys[one], keys[other])
    return {pair: shape for pair, shape in shapes.items() if np.abs(shape).max() > 1e-6}


def _common(one: Array, other: Array) -> Array:
    """(V, 3) what two motions (V, 3) do alike: their sum's direction, as far as the lesser goes."""
    lesser = np.minimum(np.linalg.norm(one, axis=1), np.linalg.norm(other, axis=1))
    both = one + other
    length = np.linalg.norm(both, axis=1)
    return both * (lesser / np.maximum(length, 1e-9))[:, None]


def _held(basis: Array, fold: Fold) -> Array:
    """(V,) one on the lids, falling to zero around them."""
    rims = basis[np.unique(np.concatenate([fold.upper, fold.lower]))]
    out = np.zeros(len(basis))
    reach = 3 * _HOLD
    low, high = rims.min(axis=0) - reach, rims.max(axis=0) + reach
    near = np.nonzero(((basis > low) & (basis < high)).all(axis=1))[0]
    # About their middle, where no digits are lost to how far away the origin is.
    ours, theirs = basis[near] - rims.mean(axis=0), rims - rims.mean(axis=0)
    products = (theirs**2).sum(axis=1) - 2 * ours @ theirs.T
    squares = np.maximum((ours**2).sum(axis=1) + products.min(axis=1), 0)
    out[near] = np.exp(-squares / (2 * _HOLD**2))
    return out
