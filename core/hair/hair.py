# SPDX-License-Identifier: GPL-3.0-or-later
"""A person's hair: made from a photo or from a style alone, changed by sliders, and drawn."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import PersonError
from ..heads.model import HeadModel
from ..photos.photo import Photo
from ..reconstruction import PhotoFit
from .colour import colour_of, pigment, reflectance
from .from_photo import Seen, choose, density, fitted, measure
from .grow import Roots, ended, grow
from .hull import style_fields
from .roots import candidates, scatter, spread
from .see import Sight, see_hair
from .shell import Shell, shell_of
from .strands import Look, strands
from .styles import STYLES, Style

Array = NDArray[np.float64]

GUIDES = 500
#: Strands that are drawn at density 1, and the most at any density.
STRANDS, MOST_STRANDS = 30_000, 90_000
#: Metres of one step of a stored strand's whole numbers.
STEP = 2e-5
#: Hair of a photo in which none is seen well enough to have a colour: brown.
_BROWN = (0.6, 0.2)
_SEED = 20


@dataclass(frozen=True)
class Adjust:
    """What sliders change. length, density, volume, curl, frizz: factors, 1 as it was grown;
    parting: metres to the person's left, for styles that have one. Raises PersonError.
    """

    length: float = 1.0
    density: float = 1.0
    volume: float = 1.0
    curl: float = 1.0
    frizz: float = 1.0
    parting: float = 0.0

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            if type(value) not in (int, float) or not -0.1 <= value <= 5.0:
                raise PersonError(f"The hair's {f.name} must be a number from 0 to 5.")

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Adjust:
        """Unknown names are ignored."""
        known = {f.name for f in fields(cls)}
        return cls(**{name: value for name, value in data.items() if name in known})


@dataclass(frozen=True, eq=False)
class Hair:
    """guides (G, P, 3) metres in the head frame at rest, from roots; style: a name of STYLES, by
    which it curls; density (V,) of hair at the head's vertices; melanin and redness 0..1.
    """

    guides: Array
    roots: Roots
    style: str
    density: Array
    melanin: float
    redness: float

    @property
    def colour(self) -> Array:
        """(3,) linear RGB of a mass of it."""
        return colour_of(self.melanin, self.redness)


def from_style(
    head: HeadModel,
    vertices: Array,
    name: str,
    pigments: tuple[float, float] = _BROWN,
    parting: float = 0.0,
) -> Hair:
    """Hair that no photo says anything of; vertices (V, 3) at rest. Raises PersonError for a style
    that there is not.
    """
    if name not in STYLES:
        raise PersonError(f"There is no hair style {name!r}: use {', '.join(STYLES)}.")
    style = STYLES[name]
    if style.parting is not None:
        style = replace(style, parting=style.parting + parting)
    shell = shell_of(head, vertices)
    scalp = head.regions["scalp"].astype(np.float64)
    return _grown(head, vertices, shell, name, style, None, scalp, pigments)


def from_photo(
    head: HeadModel, fit: PhotoFit, photo: Photo, tone: NDArray[np.floating]
) -> tuple[Hair | None, dict[str, Any]]:
    """The hair that a photo shows, None for a bald head, and figures and sentences on it for the
    report; tone (3,) linear RGB of the skin.
    """
    sight = see_hair(head, fit, photo)
    report: dict[str, Any] = {
        "from": "photo",
        "scalp_covered": round(sight.scalp, 3),
        "style": "bald",
        "warnings": [],
    }
    if sight.bald:
        return None, report
    shell = shell_of(head, fit.neutral)
    seen = measure(shell, fit.camera, sight)
    name = choose(seen)
    pigments = pigment(reflectance(sight.colour, sight.skin, tone))
    where = density(shell, seen, fit.neutral, head.regions["scalp"].astype(np.float64))
    hair = _grown(head, fit.neutral, shell, name, STYLES[name], seen, where, pigments)
    # What would be seen before the background, where the photo shows none, is not there.
    at = fit.camera.project(hair.guides.reshape(-1, 3))
    free = sight.at(at, sight.free[..., None])[:, 0].reshape(hair.guides.shape[:2])
    hair = replace(hair, guides=ended(hair.guides, free))
    report |= {
        "style": name,
        "melanin": round(pigments[0], 3),
        "redness": round(pigments[1], 3),
        "forehead_covered": round(seen.fringe, 3),
        "hangs_below_middle_mm": [round(1000 * low) for low in seen.lowest],
        "guides": len(hair.guides),
        "warnings": _warnings(photo, sight, seen),
    }
    return hair, report


def _warnings(photo: Photo, sight: Sight, seen: Seen) -> list[str]:
    out = []
    if sight.cut:
        out.append(
            f"Hair is cut by the border of {photo.name}: what lies beyond it is a guess by the "
            "style."
        )
    if sight.alike > 0.5:
        out.append(
            f"Hair in {photo.name} has the colour of the background: its outline may be off."
        )
    return out


def _grown(
    head: HeadModel,
    vertices: Array,
    shell: Shell,
    name: str,
    style: Style,
    seen: Seen | None,
    where: Array,
    pigments: tuple[float, float],
) -> Hair:
    rng = np.random.default_rng(_SEED)
    if seen is None:
        known = style_fields(shell, style)
    else:
        style, known = fitted(shell, seen, style)
    roots = spread(scatter(head, vertices, where, candidates(GUIDES), rng), GUIDES)
    guides = grow(shell, roots, style, known, rng)
    return Hair(guides, roots, name, where, *pigments)


def adjusted(head: HeadModel, vertices: Array, hair: Hair, adjust: Adjust) -> Array:
    """(G, P, 3) guides with another length and volume."""
    guides = hair.guides
    shape = guides - guides[:, :1]
    if adjust.length != 1.0:
        points = guides.shape[1]
        at = np.minimum(np.linspace(0, 1, points) * min(adjust.length, 1.0), 1.0) * (points - 1)
        low = np.minimum(at.astype(np.intp), points - 2)
        part = (at - low)[None, :, None]
        shape = shape[:, low] * (1 - part) + shape[:, low + 1] * part
        if adjust.length > 1.0:
            # Longer hair goes on as its last part goes.
            along = np.linspace(0, 1, points)[None, :, None] ** 2
            size = np.linalg.norm(np.diff(guides, axis=1), axis=2).sum(axis=1)[:, None, None]
            end = shape[:, -1:] - shape[:, -4:-3]
            end /= np.maximum(np.linalg.norm(end, axis=2, keepdims=True), 1e-9)
            shape = shape + (adjust.length - 1.0) * size * along * end
    out: Array = guides[:, :1] + shape
    if adjust.volume != 1.0 or adjust.length > 1.0:
        shell = shell_of(head, vertices)
        flat = out.reshape(-1, 3)
        azimuth, place, radius = shell.chart(flat)
        skull = shell.at(shell.skull, azimuth, place)
        above = np.maximum(radius - skull, 0.001) * adjust.volume
        moved = shell.point(azimuth, place, skull + above).reshape(out.shape)
        share = np.clip(np.linspace(0, 3, out.shape[1]), 0, 1)[None, :, None]
        out = out + share * (moved - out)
    return out


def drawn(head: HeadModel, vertices: Array, hair: Hair, adjust: Adjust) -> dict[str, Any]:
    """Fields of RiggedHead: the guides, and strands at the adjusted density."""
    rng = np.random.default_rng(_SEED + 1)
    style = STYLES[hair.style]
    guides = adjusted(head, vertices, hair, adjust)
    look = Look(style.curl * adjust.curl, style.wave, style.frizz * adjust.frizz, style.clump)
    count = int(np.clip(STRANDS * adjust.density, 200, MOST_STRANDS))
    roots = scatter(head, vertices, hair.density, round(count / 0.97), rng)
    found = strands(guides, guides[:, 0], roots, look, rng)
    about = {
        "style": hair.style,
        "melanin": hair.melanin,
        "redness": hair.redness,
        "colour": [float(c) for c in hair.colour],
        "adjust": asdict(adjust),
    }
    whole = np.clip(np.round(found / STEP), -32767, 32767).astype(np.int16)
    return {
        "hair_guides": hair.guides.astype(np.float32),
        "hair_root_triangle": hair.roots.triangle.astype(np.int32),
        "hair_root_place": hair.roots.barycentric.astype(np.float32),
        "hair_density": hair.density.astype(np.float32),
        "hair_strands": whole,
        "hair_uv": _uv(head, roots),
        "hair_json": json.dumps(about, sort_keys=True),
    }


def _uv(head: HeadModel, roots: Roots) -> NDArray[np.float32]:
    """(n, 2) places of roots in the skin's layout."""
    corners = uv_triangles(head)[roots.triangle]
    return np.einsum("nk,nkc->nc", roots.barycentric, head.uv[corners]).astype(np.float32)


def uv_triangles(head: HeadModel) -> NDArray[np.integer]:
    """(T, 3) corners of ``head.triangles`` in ``head.uv``."""
    corners = head.uv_quads
    both = np.stack([corners[:, [0, 1, 2]], corners[:, [0, 2, 3]]], axis=1)
    kept = np.stack([np.ones(len(corners), bool), head.quads[:, 3] >= 0], axis=1)
    return both[kept]


def stored(
    guides: NDArray[np.floating],
    triangle: NDArray[np.integer],
    place: NDArray[np.floating],
    where: NDArray[np.floating],
    about: Mapping[str, Any],
) -> Hair:
    """Hair as fields of a RiggedHead hold it. Raises PersonError where they are damaged."""
    try:
        style, melanin = str(about["style"]), float(about["melanin"])
        redness = float(about["redness"])
    except (KeyError, TypeError, ValueError) as error:
        raise PersonError("The hair of this head is damaged: make it again.") from error
    if style not in STYLES or guides.ndim != 3 or not 0 <= melanin <= 1 or not 0 <= redness <= 1:
        raise PersonError("The hair of this head is damaged: make it again.")
    points = guides.astype(np.float64)
    roots = Roots(points[:, 0], triangle.astype(np.int32), place.astype(np.float64))
    return Hair(points, roots, style, where.astype(np.float64), melanin, redness)
