# SPDX-License-Identifier: GPL-3.0-or-later
"""What an artist does with the 52 sliders: by region, by side, by chance, by the photo's amount.

Values are a mapping from ARKit names to 0..1; names that are absent count as 0. Nothing here
knows meshes.
"""

from __future__ import annotations

from collections.abc import Container, Mapping

import numpy as np

from ..heads.arkit import ARKIT_NAMES, mirrored_name
from .poses import POSES

#: From top to bottom of a face. Every name stands in one region.
REGIONS: dict[str, tuple[str, ...]] = {
    title: tuple(name for name in ARKIT_NAMES if name.startswith(starts))
    for title, starts in (
        ("Brows", "brow"),
        ("Eyes", "eye"),
        ("Cheeks", "cheek"),
        ("Nose", "nose"),
        ("Jaw", "jaw"),
        ("Mouth", "mouth"),
        ("Tongue", "tongue"),
    )
}

#: These two are one control in two directions: nothing of them can be linked.
_SIDEWAYS = ("jawLeft", "jawRight", "mouthLeft", "mouthRight")
_IN_AND_OUT = {"eyeLookIn": "eyeLookOut", "eyeLookOut": "eyeLookIn"}

#: Poses that say nothing of an expression, or that only a joke would mix in.
_NOT_AT_RANDOM = ("Neutral", "Tongue out", "Eyes closed", "Eyes squeezed", "Jaw left", "Jaw right")


def leader(name: str) -> str | None:
    """The left side's slider that one of the right follows when sides are linked, else None.

    Gaze is linked as eyes move, both to the same side: the right eye looks in where the left
    looks out.
    """
    if not name.endswith("Right") or name in _SIDEWAYS:
        return None
    stem = name.removesuffix("Right")
    return f"{_IN_AND_OUT.get(stem, stem)}Left"


def mirrored(values: Mapping[str, float]) -> dict[str, float]:
    """The expression as a mirror shows it; names without a side keep their value."""
    return {name: float(values.get(mirrored_name(name), 0.0)) for name in values}


def found(text: str, titles: Mapping[str, str] | None = None) -> list[str]:
    """Names that contain every word of the text, as ARKit spells them or as titles do.

    "smile left" finds mouthSmileLeft; an empty text finds all.
    """
    words = text.lower().split()
    titles = titles or {}
    return [
        name
        for name in ARKIT_NAMES
        if all(word in f"{name} {title(name)} {titles.get(name, '')}".lower() for word in words)
    ]


def title(name: str) -> str:
    """mouthSmileLeft -> "Mouth Smile Left"."""
    return "".join(f" {c}" if c.isupper() else c for c in name).title()


def short_title(name: str, region: str) -> str:
    """The title without the region's own name, which stands above: Mouth, Smile -> "Smile"."""
    words = title(name)
    return words.removeprefix(region.removesuffix("s")).strip() or words


def pair_of(name: str, names: Container[str]) -> tuple[str | None, str]:
    """Stem and side of a slider that has a partner across the face, (None, "") without.

    jawLeft and jawRight are one control in two directions, not a pair.
    """
    for side, other in (("Left", "Right"), ("Right", "Left")):
        stem = name.removesuffix(side)
        if stem != name and name not in _SIDEWAYS and f"{stem}{other}" in names:
            return stem, side
    return None, ""


def photo_amount(values: Mapping[str, float], photo: Mapping[str, float]) -> float:
    """How much of the photo's expression is in the values: 1 at the photo's, 0 at neutral.

    The least squares answer where other sliders were moved as well; 0 without an expression in
    the photo.
    """
    square = sum(v * v for v in photo.values())
    if square == 0:
        return 0.0
    return sum(values.get(name, 0.0) * v for name, v in photo.items()) / square


def with_photo_amount(
    values: Mapping[str, float], photo: Mapping[str, float], amount: float
) -> dict[str, float]:
    """The values with another amount of the photo's expression, what was moved by hand kept.

    Sliders stay within 0..1, or beyond it as far as the photo does or they were.
    """
    change = amount - photo_amount(values, photo)
    out = {}
    for name, v in photo.items():
        now = values.get(name, 0.0)
        least, most = min(0.0, v, now), max(1.0, v, now)
        out[name] = min(max(now + change * v, least), most)
    return out


def random_expression(seed: int, strength: float) -> dict[str, float]:
    """All 52 values of an expression that a face could make: two poses mixed, and a little more.

    The same seed gives the same. strength: 0 is neutral, 1 is full.
    """
    random = np.random.default_rng(seed)
    titles = [t for t in POSES if t not in _NOT_AT_RANDOM]
    one, other = (POSES[titles[i]] for i in random.choice(len(titles), 2, replace=False))
    share = random.uniform(0.2, 0.8)
    # The two sides of a face move nearly alike.
    small: dict[str, float] = {}
    for name in ARKIT_NAMES:
        partner = mirrored_name(name)
        common = small.get(partner, abs(random.normal(scale=0.05)))
        small[name] = max(common + random.normal(scale=0.01), 0.0)
    return {
        name: float(
            np.clip(
                strength
                * (share * one.get(name, 0.0) + (1 - share) * other.get(name, 0.0) + small[name]),
                0.0,
                1.0,
            )
        )
        for name in ARKIT_NAMES
    }
