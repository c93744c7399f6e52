# SPDX-License-Identifier: GPL-3.0-or-later
"""Colours of a head's likeness, and a see-through picture of its fit to lay over the photo.

The picture draws the parts of the face as the camera sees the mesh, each in the colour of its
landmarks' mean distance from where they were found, and a line from each landmark of the head to
where it was found.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..fitting.landmark_model import load_landmark_model
from ..geometry.camera import Camera
from ..geometry.raster import rasterise
from .source_and_bound import nearest_distance

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Index = NDArray[np.integer[Any]]
Stops = tuple[tuple[float, tuple[float, float, float]], ...]

#: sRGB of each source: colours that those tell apart who see few (Okabe and Ito, "Color universal
#: design", 2008).
SOURCE_COLORS = np.array([(0.0, 0.62, 0.45), (0.34, 0.71, 0.91), (0.90, 0.62, 0.0)])
_GOOD, _FAIR, _POOR, _BAD = (
    (0.0, 0.45, 0.70),
    (0.0, 0.62, 0.45),
    (0.94, 0.89, 0.26),
    (0.8, 0.2, 0.1),
)
#: Millimetres of the bound, and percent of the eyes' distance of a landmark, by sRGB.
BOUND_STOPS: Stops = ((3, _GOOD), (5, _FAIR), (8, _POOR), (15, _BAD))
PIXEL_STOPS: Stops = ((0.5, _GOOD), (1, _FAIR), (2, _POOR), (4, _BAD))

#: Parts of the face by their regions' names, as in likeness_words.
FACE_PARTS = {
    "nose": ("nose",), "left eye": ("eye_l", "brow_l"), "right eye": ("eye_r", "brow_r"),
    "mouth": ("lips",), "left cheek": ("cheek_l",), "right cheek": ("cheek_r",),
    "chin": ("chin",), "jaw": ("jaw",), "forehead": ("forehead",),
}  # fmt: skip
#: MediaPipe's outer corners of the eyes.
_OUTER = (33, 263)
#: Pixels along the picture's longer side at most, of the picture for one of a small photo, and of
#: its lines.
_LONGEST, _FINER, _LINE = 1536, 3.0, 3
_FILL, _OUTLINE = 0.22, 0.9


@dataclass(frozen=True)
class PartError:
    """Of one part's landmarks: mean distance in pixels, the same in percent of the distance
    between the eyes' outer corners, and how many there are.
    """

    pixels: float
    percent: float
    count: int


def ramp(values: Array, stops: Stops) -> Array:
    """(n,) -> (n, 3) sRGB, between the stops by the logarithm."""
    at = np.log([stop for stop, _ in stops])
    logs = np.log(np.maximum(values, 1e-9))
    colors = np.array([color for _, color in stops])
    return np.stack([np.interp(logs, at, colors[:, k]) for k in range(3)], axis=-1)


def linear(srgb: Array) -> Array:
    """sRGB -> linear (IEC 61966-2-1)."""
    high = ((srgb + 0.055) / 1.055) ** 2.4
    return np.where(srgb <= 0.04045, srgb / 12.92, high)


def face_parts(basis: Array, regions: Mapping[str, Mask]) -> NDArray[np.int8]:
    """(V,) number in FACE_PARTS of the part that a vertex of the face is in or next to, else -1.

    basis (V, 3) at rest.
    """
    out = np.full(len(basis), -1, np.int8)
    face = np.flatnonzero(regions["face"]) if "face" in regions else np.zeros(0, np.intp)
    distance = np.full((len(FACE_PARTS), len(face)), np.inf)
    for k, names in enumerate(FACE_PARTS.values()):
        inside = np.zeros(len(basis), bool)
        for name in names:
            inside |= regions.get(name, np.zeros(len(basis), bool))
        if inside.any():
            distance[k] = nearest_distance(basis[face], basis[inside])
    if len(face) and np.isfinite(distance).any():
        out[face] = distance.argmin(axis=0)
    return out


def landmark_places(vertices: Index, barycentric: Array) -> Index:
    """(478,) the vertex next to each landmark, -1 where the head has no place for it.

    vertices (478, 3) and barycentric (478, 3), or both empty.
    """
    if not len(vertices):
        return np.full(478, -1)
    nearest = np.take_along_axis(vertices, barycentric.argmax(axis=1)[:, None], axis=1)
    return nearest[:, 0]


def as_reported(
    fitted: Array, points: Array, camera: Camera, identity: Array, drift: Array, head_name: str
) -> Array:
    """(478, 2) pixels where the detector is expected to report landmarks that are at ``fitted``.

    Its habits are measured and no error of a fit (core.fitting.landmark_model). fitted (478, 2)
    pixels; points (478, 3) the same in the head frame, for what a millimetre is on the picture;
    identity (I,) and drift (D,) as fitted.
    """
    model = load_landmark_model()
    bias = model.offset(camera.R)
    if model.head == head_name:
        count = min(len(identity), model.identity.shape[2])
        bias = bias + model.identity[:, :, :count] @ identity[:count]
    if len(drift) == model.habits.shape[2]:
        bias = bias + model.habits @ drift
    return fitted + camera.project(points + bias) - camera.project(points)


def part_errors(
    found: Array, fitted: Array, parts: NDArray[np.int8], vertices: Index
) -> dict[str, PartError]:
    """By part; found and fitted (478, 2) pixels, nan where the head has no such point; vertices
    (478,) where each lies on the head, -1 for nowhere.
    """
    off = np.linalg.norm(found - fitted, axis=1)
    eyes = float(np.linalg.norm(found[_OUTER[0]] - found[_OUTER[1]]))
    known = np.isfinite(off) & (vertices >= 0)
    where = np.where(known, parts[vertices], -1)
    out = {}
    for k, name in enumerate(FACE_PARTS):
        of = off[where == k]
        if len(of):
            mean = float(of.mean())
            out[name] = PartError(mean, 100 * mean / max(eyes, 1e-9), len(of))
    return out


def picture(
    vertices: Array,
    triangles: Index,
    camera: Camera,
    parts: NDArray[np.int8],
    errors: Mapping[str, PartError],
    found: Array,
    fitted: Array,
) -> NDArray[np.float32]:
    """(h, w, 4) sRGB with alpha, straight, rows from the top, of the photo's proportions.

    vertices (V, 3) as they stand, head frame; parts (V,) as face_parts gives them; found and
    fitted (478, 2) pixels of the photo.
    """
    scale = min(_LONGEST / max(camera.width, camera.height), _FINER)
    width, height = (max(round(scale * side), 1) for side in (camera.width, camera.height))
    points, depth = scale * camera.project(vertices), camera.to_camera(vertices)[:, 2]
    raster = rasterise(points, depth, triangles, width, height)
    nearest = np.take_along_axis(
        triangles[raster.triangle], raster.barycentric.argmax(axis=2)[..., None], axis=2
    )[..., 0]
    shown = np.where(raster.triangle >= 0, parts[nearest], np.int8(-2))
    colors = np.ones((len(FACE_PARTS) + 2, 3))  # the last two: the rest of the head, nothing
    for k, name in enumerate(FACE_PARTS):
        if name in errors:
            colors[k] = ramp(np.array([errors[name].percent]), PIXEL_STOPS)[0]
    out = np.zeros((height, width, 4), np.float32)
    out[..., :3] = colors[shown]
    out[..., 3] = np.where(shown >= 0, _FILL, 0.0)
    edge = _edges(shown)
    out[edge, 3] = _OUTLINE
    _lines(out, scale * found, scale * fitted)
    return out


def _edges(shown: NDArray[np.int8]) -> Mask:
    """Pixels next to another part, _LINE wide, inside of the head."""
    edge = np.zeros(shown.shape, bool)
    for step in range(1, _LINE + 1):
        across, down = shown[:, step:] != shown[:, :-step], shown[step:] != shown[:-step]
        edge[:, :-step] |= across
        edge[:-step] |= down
        # What lies outside is not drawn on, so the head's side of its outline is.
        edge[:, step:] |= across & (shown[:, :-step] == -2)
        edge[step:] |= down & (shown[:-step] == -2)
    return edge & (shown > -2)


def _lines(out: NDArray[np.float32], found: Array, fitted: Array) -> None:
    """White from each landmark of the head to where it was found."""
    height, width = out.shape[:2]
    known = np.isfinite(found).all(axis=1) & np.isfinite(fitted).all(axis=1)
    start, by = fitted[known], (found - fitted)[known]
    count = np.maximum(np.ceil(2 * np.abs(by).max(axis=1)), 1).astype(int)
    which = np.repeat(np.arange(len(count)), count)
    place = (np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)) / count[which]
    at = np.floor(start[which] + place[:, None] * by[which]).astype(int)
    at = at[(at >= 0).all(axis=1) & (at < [width, height]).all(axis=1)]
    out[at[:, 1], at[:, 0]] = 1.0
