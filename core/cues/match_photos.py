# SPDX-License-Identifier: GPL-3.0-or-later
"""Matches between photos of one person, found through a fit of the head to them.

The fit says roughly where a photo's pixel lies in another one: the other photo is drawn over the
head as the first sees it, and what is left of a shift is found patch by patch. Both ways have to
agree. Light, lens and expression may differ, since patches are compared without their brightness
and places are carried by the skin's own points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ..geometry.bilinear import bilinear
from ..geometry.mesh import triangle_normals
from ..geometry.raster import Raster, rasterise
from ..heads.corners import is_skin
from ..heads.model import HeadModel
from ..photos.photo import LUMINANCE, Photo
from ..progress import Progress, silent
from ..reconstruction import PhotoFit
from .image_warp import shrink
from .patch_flow import Flow, Mask, patch_flow, pixel_centres
from .photo_matches import MOST, PhotoMatches

Array = NDArray[np.float64]

#: Finest pictures that are compared: pixels a metre of the face.
FINEST = 2000.0
#: Standard deviation of a match in either photo, pixels of these pictures, apart from what its
#: patch leaves open, and how many times that counts. Patches overlap, so that neighbours err alike:
#: both are larger than what single matches are off by.
SPREAD, OPEN = 0.2, 0.1
#: Standard deviation beyond which a match says too little.
VAGUE = 2.0
#: Least score of a patch; largest distance from a pixel to where there and back again leads.
SCORE, RETURN = 0.5, 1.5
#: Pixels between matches.
STEP = 6
#: Fewest matches that count; most pairs for each photo.
FEWEST, PAIRS = 50, 3
#: Degrees between two photos' views that serve best, and beyond which they share too little.
BEST_ANGLE, WIDEST = 25.0, 65.0
#: Cosine of the angle from a triangle's normal to the camera below which it is seen edge on.
FACING = 0.25
#: Metres by which a point may lie behind what its pixel shows.
BEHIND = 0.002
COMPARING = "Comparing the photos"


def match_photos(
    head: HeadModel,
    fits: Sequence[PhotoFit],
    photos: Sequence[Photo | None],
    progress: Progress = silent,
) -> tuple[PhotoMatches, ...]:
    """Between the pairs of photos that serve best; none where too little agrees. A photo whose
    pixels are not at hand is None.
    """
    found = []
    views: dict[tuple[int, int], _View] = {}

    def view(i: int, scale: float) -> _View:
        photo, factor = photos[i], max(1, int(_pixels_a_metre(fits[i]) / scale + 1e-6))
        assert photo is not None
        if (i, factor) not in views:
            views[i, factor] = _view(head, fits[i], photo, factor)
        return views[i, factor]

    pairs = _pairs(fits, [photo is not None for photo in photos])
    for k, (a, b) in enumerate(pairs):
        progress(COMPARING, k / len(pairs))
        scale = min(FINEST, _pixels_a_metre(fits[a]), _pixels_a_metre(fits[b]))
        matches = _matched(head, a, b, view(a, scale), view(b, scale))
        if matches is not None:
            found.append(matches)
    return tuple(found)


def _pixels_a_metre(fit: PhotoFit) -> float:
    return fit.camera.focal / float(fit.camera.t[2])


def _pairs(fits: Sequence[PhotoFit], present: Sequence[bool]) -> list[tuple[int, int]]:
    """Those whose angle serves best, at most PAIRS for each photo on average."""
    angles = {}
    for a, b in combinations([i for i, there in enumerate(present) if there], 2):
        along = fits[a].camera.R[2] @ fits[b].camera.R[2]
        angles[a, b] = float(np.degrees(np.arccos(np.clip(along, -1, 1))))
    kept = sorted(
        (pair for pair, angle in angles.items() if angle < WIDEST),
        key=lambda pair: abs(angles[pair] - BEST_ANGLE),
    )
    return sorted(kept[: PAIRS * len(fits)])


@dataclass(frozen=True, eq=False)
class _View:
    """A photo's face, reduced: picture (h, w) luminance, what it shows of the head, the mesh's
    points (V, 2) in it and their depth (V,), which triangles (T,) face it; the photo's pixel at
    its corner, and how many of them one of its pixels is.
    """

    picture: Array
    seen: Raster
    points: Array
    depth: Array
    faces: Mask
    corner: Array
    factor: int


def _view(head: HeadModel, fit: PhotoFit, photo: Photo, factor: int) -> _View:
    """factor: how many of the photo's pixels one of the view's is."""
    points, in_camera = fit.camera.project(fit.vertices), fit.camera.to_camera(fit.vertices)
    face = points[_face(head)]
    low = np.clip(np.floor(face.min(axis=0)) - 4 * factor, 0, [photo.width, photo.height])
    high = np.clip(np.ceil(face.max(axis=0)) + 4 * factor, 0, [photo.width, photo.height])
    (x0, y0), (x1, y1) = low.astype(int), high.astype(int)
    part = photo.pixels[y0:y1, x0:x1, :3]
    picture = (shrink(part, factor) if part.size else np.zeros((0, 0, 3))) @ LUMINANCE / 255
    points = (points - low) / factor
    height, width = picture.shape
    depth = in_camera[:, 2]
    seen = rasterise(points, depth, head.triangles, width, height, both_sides=False)
    normal = triangle_normals(in_camera, head.triangles)
    middle = in_camera[head.triangles].mean(axis=1)
    length = np.linalg.norm(normal, axis=1) * np.linalg.norm(middle, axis=1)
    faces = -(normal * middle).sum(axis=1) > FACING * length
    return _View(picture, seen, points, depth, faces & _is_face(head), low, factor)


def _face(head: HeadModel) -> Mask:
    """(V,) what may be matched: the face, where it has a name."""
    return head.regions.get("face", np.ones(head.vertex_count, bool))


def _is_face(head: HeadModel) -> Mask:
    """(T,) triangles of its skin."""
    out: Mask = is_skin(head) & _face(head)[head.triangles].all(axis=1)
    return out


def _matched(head: HeadModel, a: int, b: int, first: _View, second: _View) -> PhotoMatches | None:
    """Where there and back again leads to the same place."""
    if min(*first.picture.shape, *second.picture.shape) < 32:
        return None
    there, back = _carried(head, first, second), _carried(head, second, first)
    here = pixel_centres(*first.picture.shape)
    inside, x, y = _pixels(there.place, second.picture)
    returns = inside & back.good[y, x]
    home = bilinear(back.place, there.place, np.float64)
    good = there.good & returns & (np.linalg.norm(home - here, axis=-1) < RETURN)
    some = np.zeros_like(good)
    some[STEP // 2 :: STEP, STEP // 2 :: STEP] = True
    good &= some
    covariance = SPREAD**2 * np.eye(2) + OPEN * there.flow.covariance(good)
    found = PhotoMatches(
        a,
        b,
        first.corner + first.factor * here[good],
        second.corner + second.factor * there.place[good],
        first.factor**2 * covariance,
        SPREAD * second.factor,
    )
    found = found.only(np.linalg.eigvalsh(covariance)[:, 0] < VAGUE**2)
    if found.count < FEWEST:
        return None
    kept = np.zeros(found.count, bool)
    kept[np.linspace(0, found.count - 1, min(found.count, MOST)).astype(int)] = True
    return found.standing_for_all(kept)


@dataclass(frozen=True, eq=False)
class _Carried:
    """place (h, w, 2): where a view's pixels lie in another; good (h, w): where that is known;
    flow: the patches, in the view.
    """

    place: Array
    good: Mask
    flow: Flow


def _carried(head: HeadModel, view: _View, other: _View) -> _Carried:
    """By the fit, and then by what the patches say of its error."""
    triangle = view.seen.triangle
    shown = triangle >= 0
    which = np.where(shown, triangle, 0)
    both = shown & (view.faces & other.faces)[which]
    place = view.seen.interpolate(other.points[head.triangles])
    depth = view.seen.interpolate(other.depth[head.triangles])
    inside, x, y = _pixels(place, other.picture)
    both &= inside & (depth < other.seen.depth[y, x] + BEHIND)
    drawn = np.where(both, bilinear(other.picture, place, np.float64), 0)
    flow = patch_flow(view.picture, drawn, both)
    moved = pixel_centres(*both.shape) + flow.shift
    good = flow.found & (flow.score > SCORE) & (bilinear(both.astype(np.float32), moved) > 0.99)
    place = bilinear(place, moved, np.float64)
    return _Carried(place, good, flow)


def _pixels(place: Array, picture: Array) -> tuple[Mask, NDArray[np.intp], NDArray[np.intp]]:
    """Which places (h, w, 2) lie in a picture, and their columns and rows, 0 for the others."""
    x, y = place[..., 0], place[..., 1]
    height, width = picture.shape
    inside: Mask = np.asarray((x > 0) & (y > 0) & (x < width) & (y < height))
    column, row = (np.where(inside, v, 0).astype(np.intp) for v in (x, y))
    return inside, column, row
