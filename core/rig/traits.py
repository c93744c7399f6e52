# SPDX-License-Identifier: GPL-3.0-or-later
"""Named traits of the open head: nose width, jaw, ...: a changed person at rest, and their keys.

A trait is a slider of MakeHuman's, -1..1, whose shapes ship with the head (``vendor/open_head``,
``named_shapes.npz``). Changing one moves the face at rest; bones and expression keys follow, as
the keys of another person. Everything is told as a change, so that what was sculpted by hand
on top of the head stays.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFileError
from ..heads.open_head import VENDOR, load_open_head
from .bone_tails import joint_tails
from .person_keys import rest_keys
from .tear_line import settled, wet_vertices

Array = NDArray[np.float64]

_UNIT = 1e-5  # metres a step of delta_10um


@dataclass(frozen=True)
class Trait:
    """name: for code and files; label and less, more (the ends, in words): for a person;
    slider: MakeHuman's name.
    """

    name: str
    label: str
    less: str
    more: str
    slider: str


def _traits(*rows: str) -> tuple[Trait, ...]:
    return tuple(Trait(*(part.strip() for part in row.split("|"))) for row in rows)


#: By region, from the whole to the parts.
TRAITS: dict[str, tuple[Trait, ...]] = {
    "Head": _traits(
        "head_width      | Width        | narrow  | wide    | head-scale-horiz-decr-incr",
        "head_height     | Height       | short   | long    | head-scale-vert-decr-incr",
        "head_depth      | Depth        | flat    | deep    | head-scale-depth-decr-incr",
        "head_fat        | Fat          | lean    | full    | head-fat-decr-incr",
        "head_age        | Age          | younger | older   | head-age-decr-incr",
        "forehead_height | Forehead Height | low  | high    | forehead-scale-vert-decr-incr",
        "forehead_slope  | Forehead Slope  | back | forward | forehead-trans-backward-forward",
        "temples         | Temples      | hollow  | full    | forehead-temple-decr-incr",
    ),
    "Brows": _traits(
        "brow_height | Height     | low  | high    | eyebrows-trans-down-up",
        "brow_angle  | Angle      | down | up      | eyebrows-angle-down-up",
        "brow_depth  | Brow Ridge | back | forward | eyebrows-trans-backward-forward",
    ),
    "Eyes": _traits(
        "eye_size       | Size         | small  | large  | eye-scale-decr-incr",
        "eye_distance   | Distance     | close  | apart  | eye-trans-in-out",
        "eye_height     | Height       | low    | high   | eye-trans-down-up",
        "eye_opening    | Opening      | narrow | open   | eye-height2-decr-incr",
        "eye_inner      | Inner Corner | down   | up     | eye-corner1-down-up",
        "eye_outer      | Outer Corner | down   | up     | eye-corner2-down-up",
        "eye_fold       | Lid Fold     | low    | high   | eye-eyefold-down-up",
        "eye_epicanthus | Epicanthus   | in     | out    | eye-epicanthus-in-out",
        "eye_bags       | Bags         | none   | full   | eye-bag-decr-incr",
    ),
    "Cheeks": _traits(
        "cheek_volume | Volume     | hollow | full  | cheek-volume-decr-incr",
        "cheek_bones  | Cheekbones | flat   | sharp | cheek-bones-decr-incr",
        "cheek_height | Height     | low    | high  | cheek-trans-down-up",
    ),
    "Nose": _traits(
        "nose_width     | Width     | narrow   | wide     | nose-scale-horiz-decr-incr",
        "nose_length    | Length    | short    | long     | nose-scale-vert-decr-incr",
        "nose_depth     | Depth     | flat     | deep     | nose-scale-depth-decr-incr",
        "nose_bridge    | Bridge    | narrow   | wide     | nose-width2-decr-incr",
        "nose_hump      | Hump      | hollow   | humped   | nose-hump-decr-incr",
        "nose_tip       | Tip       | down     | up       | nose-point-down-up",
        "nose_tip_width | Tip Width | narrow   | wide     | nose-point-width-decr-incr",
        "nostrils       | Nostrils  | narrow   | wide     | nose-nostrils-width-decr-incr",
        "nose_height    | Height    | low      | high     | nose-trans-down-up",
    ),
    "Mouth": _traits(
        "mouth_width   | Width     | narrow | wide    | mouth-scale-horiz-decr-incr",
        "mouth_height  | Height    | low    | high    | mouth-trans-down-up",
        "mouth_depth   | Depth     | back   | forward | mouth-trans-backward-forward",
        "lip_upper     | Upper Lip | thin   | full    | mouth-upperlip-height-decr-incr",
        "lip_lower     | Lower Lip | thin   | full    | mouth-lowerlip-height-decr-incr",
        "mouth_corners | Corners   | down   | up      | mouth-angles-down-up",
        "cupids_bow    | Cupid's Bow | flat | curved  | mouth-cupidsbow-decr-incr",
    ),
    "Jaw and Chin": _traits(
        "jaw_width   | Jaw Width   | narrow | wide    | chin-bones-decr-incr",
        "jaw_drop    | Jaw Drop    | high   | low     | chin-jaw-drop-decr-incr",
        "jaw_depth   | Jaw Depth   | back   | forward | chin-prognathism-decr-incr",
        "chin_width  | Chin Width  | narrow | wide    | chin-width-decr-incr",
        "chin_height | Chin Height | short  | long    | chin-height-decr-incr",
        "chin_depth  | Chin Depth  | back   | forward | chin-prominent-decr-incr",
        "chin_cleft  | Chin Cleft  | none   | deep    | chin-cleft-decr-incr",
    ),
    "Ears and Neck": _traits(
        "ear_size   | Ear Size   | small | large | ear-scale-decr-incr",
        "ear_wings  | Ear Wings  | flat  | apart | ear-wing-decr-incr",
        "ear_lobes  | Ear Lobes  | small | large | ear-lobe-decr-incr",
        "neck_width | Neck Width | thin  | thick | neck-scale-horiz-decr-incr",
        "double_chin | Double Chin | none | full | neck-double-decr-incr",
    ),
}

NAMES: tuple[str, ...] = tuple(t.name for group in TRAITS.values() for t in group)


@dataclass(frozen=True, eq=False)
class Change:
    """What traits do to one person, all as differences in metres, head frame.

    basis (V, 3); keys: name -> (V, 3) of its offsets from the basis.
    """

    basis: Array
    keys: dict[str, Array]


@dataclass(frozen=True, eq=False)
class BoneChange:
    """What traits do to the bones: joints and tails (J, 3), differences in metres, head frame."""

    joint_names: tuple[str, ...]
    joints: Array
    tails: Array


def trait_offset(before: Mapping[str, float], after: Mapping[str, float]) -> Array:
    """(V, 3) by which the face at rest moves when traits go from one set of values to another."""
    shapes = _shapes()
    out = np.zeros((load_open_head().vertex_count, 3))
    for name in NAMES:
        one, other = float(before.get(name, 0.0)), float(after.get(name, 0.0))
        if one == other:
            continue
        negative, positive = shapes[name]
        out += (max(other, 0.0) - max(one, 0.0)) * positive
        out += (max(-other, 0.0) - max(-one, 0.0)) * negative
    return out


def change_of(basis: Array, before: Mapping[str, float], after: Mapping[str, float]) -> Change:
    """How a head of the open head's mesh changes; basis (V, 3) as it stands, with ``before``.

    Raises ModelFileError if the shapes are missing, or the basis has another mesh.
    """
    head = load_open_head()
    if basis.shape != head.template.shape:
        raise ModelFileError(
            "This head has another mesh than the open head: its traits cannot be changed."
        )
    was = np.asarray(basis, np.float64)
    offset = _settled(was, trait_offset(before, after))
    now = was + offset
    old, new = _keys(was), rest_keys(head, now)
    _keys_of_last(now, new)
    return Change(offset, {name: new[name] - old[name] for name in new if name in old})


def _settled(basis: Array, offset: Array) -> Array:
    """An offset (V, 3) of the basis (V, 3) under which the line of tears stays on its lids."""
    head = load_open_head()
    wet = wet_vertices(head)
    out = offset.copy()
    out[wet] = settled(head, basis + offset)[wet] - settled(head, basis)[wet]
    return out


def bones_of(basis: Array, before: Mapping[str, float], after: Mapping[str, float]) -> BoneChange:
    """How the bones change; basis (V, 3) as it stands, with ``after``."""
    head = load_open_head()
    now = np.asarray(basis, np.float64)
    was = now - trait_offset(before, after)
    joints = [head.joints(v) for v in (was, now)]
    tails = [joint_tails(head, v, j) for v, j in zip((was, now), joints, strict=True)]
    return BoneChange(head.joint_names, joints[1] - joints[0], tails[1] - tails[0])


_last: tuple[Array, dict[str, Array]] | None = None


def _keys(basis: Array) -> dict[str, Array]:
    """Keys at rest; those of the last change's outcome are at hand while a slider is dragged.

    A mesh keeps single precision, so that outcome comes back rounded.
    """
    if _last is not None and np.abs(_last[0] - basis).max() < 1e-6:
        return _last[1]
    return rest_keys(load_open_head(), basis)


def _keys_of_last(basis: Array, keys: dict[str, Array]) -> None:
    global _last
    _last = (basis, keys)


@lru_cache(maxsize=1)
def _shapes(folder: Path = VENDOR) -> dict[str, tuple[Array, Array]]:
    """Trait -> (negative, positive) shapes (V, 3) at the slider's ends, zero without any."""
    path = folder / "named_shapes.npz"
    try:
        with np.load(path, allow_pickle=False) as z:
            a = {name: z[name] for name in z.files}
        place = {str(name): k for k, name in enumerate(a["names"])}
        rows = {str(name): k for k, name in enumerate(a["slider_names"])}
        head = load_open_head()
        out = {}
        for group in TRAITS.values():
            for trait in group:
                row = rows[trait.slider]
                ends = (str(a[f"slider_{end}"][row]) for end in ("negative", "positive"))
                negative, positive = (
                    head.led(_sum(a, [place[n] for n in end.split("|") if n], head.vertex_count))
                    for end in ends
                )
                out[trait.name] = (negative, positive)
    except (OSError, ValueError, KeyError, EOFError, IndexError, zipfile.BadZipFile) as error:
        raise ModelFileError(
            f"The head's traits ({path.name}) are missing or damaged: reinstall the extension."
        ) from error
    return out


def _sum(a: Mapping[str, NDArray[np.generic]], shapes: list[int], count: int) -> Array:
    out = np.zeros((count, 3))
    ptr, index, delta = a["ptr"], a["index"], a["delta_10um"]
    for k in shapes:
        span = slice(int(ptr[k]), int(ptr[k + 1]))
        out[index[span].astype(np.intp)] += delta[span].astype(np.float64) * _UNIT
    return out
