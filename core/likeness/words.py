# SPDX-License-Identifier: GPL-3.0-or-later
"""In words: which parts of a head to trust, which are guesses, and which photo would help most.

Said of parts of the face by the sources of their vertices and their bounds
(core.likeness.source_and_bound), and of the photos' yaws. All that is said comes
out of TEMPLATES and PARTS, so that it can be translated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..rigged_head import SOURCES
from .source_and_bound import INFERRED, MEASURED, MIRRORED

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: Both sides together, left alone, right alone (the person's sides), and the regions of each.
PAIRS = (
    (("eyes", "left eye", "right eye"), ("eye_l", "eye_r")),
    (("cheeks", "left cheek", "right cheek"), ("cheek_l", "cheek_r")),
    (("ears", "left ear", "right ear"), ("ear_l", "ear_r")),
)
SINGLES = (
    ("nose", "nose"), ("mouth", "lips"), ("chin", "chin"), ("forehead", "forehead"),
    ("jaw", "jaw"), ("neck", "neck"), ("back of the head", "scalp"),
)  # fmt: skip
#: Parts in the order in which they are named.
PARTS = (
    "nose", "eyes", "left eye", "right eye", "mouth", "cheeks", "left cheek", "right cheek", "chin",
    "forehead", "jaw", "ears", "left ear", "right ear", "neck", "back of the head",
)  # fmt: skip

SIDE, LEFT, RIGHT, FRONT = "side", "left", "right", "front"
TRUST = "Trust {}: within {:.1f} mm of the person."
TRUST_ALONE = "Trust {}."
COPIED = "Mirrored from the other side: {}."
GUESSES = {
    "": "{} are guesses that a further photo hardly changes.",
    SIDE: "{} are guesses: add a photo from the side.",
    LEFT: "{} are guesses: add a photo from the person's left.",
    RIGHT: "{} are guesses: add a photo from the person's right.",
    FRONT: "{} are guesses: add a photo from the front.",
}
AND = "{} and {}"
TEMPLATES = (TRUST, TRUST_ALONE, COPIED, AND, *GUESSES.values())

#: Of a part's vertices, measured and mirrored ones, from which it is not said to be a guess.
HALF = 0.5
#: Degrees of yaw below which a photo shows both sides alike, and above which it hides one.
FRONTAL, TURNED = 20.0, 35.0


@dataclass(frozen=True)
class Part:
    """source: what it is said to be; bound: median of its vertices', metres."""

    source: int
    bound: float


@dataclass(frozen=True)
class Advice:
    """Parts by what they are; bound: metres, the widest of the measured ones; view: SIDE, LEFT,
    RIGHT or FRONT, of the photo to add, or empty.
    """

    measured: tuple[str, ...]
    mirrored: tuple[str, ...]
    guessed: tuple[str, ...]
    bound: float
    view: str

    def sentences(self, tr: Callable[[str], str] = str, *, figures: bool = True) -> list[str]:
        """What to trust least comes first; tr: into another language; figures: with millimetres."""
        out = []
        if self.guessed:
            out.append(tr(GUESSES[self.view]).format(_listed(self.guessed, tr)))
        if self.mirrored:
            out.append(tr(COPIED).format(_listed(self.mirrored, tr)))
        if self.measured:
            trust = tr(TRUST if figures else TRUST_ALONE)
            out.append(trust.format(_listed(self.measured, tr), 1e3 * self.bound))
        return [s[:1].upper() + s[1:] for s in out]


def parts_of(
    source: NDArray[np.int8], bound: Array, regions: Mapping[str, Mask], outer: Mask
) -> dict[str, Part]:
    """Each part by its name in PARTS; sides that are alike are one part. source, bound and outer
    (V,), the last what is seen from outside; regions by name (V,).
    """
    found: dict[str, Part] = {}

    def part(name: str) -> Part | None:
        at = regions[name] & outer if name in regions else np.zeros(0, bool)
        if not at.any():
            return None
        measured, mirrored = (float((source[at] == k).mean()) for k in (MEASURED, MIRRORED))
        kind = MEASURED if measured >= mirrored else MIRRORED
        known = measured + mirrored >= HALF
        return Part(kind if known else INFERRED, float(np.median(bound[at])))

    for names, sides in PAIRS:
        left, right = (part(side) for side in sides)
        if left is not None and right is not None and left.source == right.source:
            found[names[0]] = Part(left.source, max(left.bound, right.bound))
            continue
        for name, one in zip(names[1:], (left, right), strict=True):
            if one is not None:
                found[name] = one
    for name, region in SINGLES:
        one = part(region)
        if one is not None:
            found[name] = one
    return {name: found[name] for name in PARTS if name in found}


def advice_of(parts: Mapping[str, Part], yaws: Sequence[float]) -> Advice:
    """yaws: of the photos, degrees, positive when the head is turned to the person's left, so that
    its right side is seen.
    """
    by_source = [tuple(n for n, p in parts.items() if p.source == k) for k in range(3)]
    bounds = [parts[n].bound for n in by_source[MEASURED]]
    bound = max(bounds, default=0.0)
    return Advice(by_source[MEASURED], by_source[MIRRORED], by_source[INFERRED], bound, _view(yaws))


def likeness_report(
    source: NDArray[np.int8],
    bound: Array,
    regions: Mapping[str, Mask],
    outer: Mask,
    yaws: Sequence[float],
) -> dict[str, Any]:
    """For the report, JSON-ready; arguments as of parts_of and advice_of.

    share: of the vertices seen from outside, by source; parts: source and expected error, which
    95 of 100 vertices stay within; sentences: the advice.
    """
    parts = parts_of(source, bound, regions, outer)
    return {
        "share": {n: float((source[outer] == k).mean()) for k, n in enumerate(SOURCES)},
        "parts": {
            name: {"source": SOURCES[part.source], "expected_error_mm": 1e3 * part.bound}
            for name, part in parts.items()
        },
        "sentences": advice_of(parts, yaws).sentences(),
    }


def _view(yaws: Sequence[float]) -> str:
    """The view that no photo has. A head that is turned to its left shows its right side."""
    if not yaws:
        return ""
    shown = {LEFT: min(yaws) < -FRONTAL, RIGHT: max(yaws) > FRONTAL}
    if all(abs(y) > TURNED for y in yaws) and not all(shown.values()):
        return FRONT
    if not any(shown.values()):
        return SIDE
    return next((side for side, there in shown.items() if not there), "")


def _listed(names: Iterable[str], tr: Callable[[str], str]) -> str:
    words = [tr(name) for name in names]
    if len(words) == 1:
        return words[0]
    return tr(AND).format(", ".join(words[:-1]), words[-1])
