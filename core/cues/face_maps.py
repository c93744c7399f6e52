# SPDX-License-Identifier: GPL-3.0-or-later
"""Dense maps and landmarks of one face as one ScreenCues: maps count on the face alone.

A network that names every pixel of its crop has an opinion on hair, hands and background too. The
landmarks say where the face is: outside their convex hull the maps' confidence is zero.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..heads.face_landmarks import SKIN_LANDMARKS
from .screen_cues import ScreenCues

Array = NDArray[np.float64]


def face_box(cues: ScreenCues) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of a face's landmarks in pixels of the photo."""
    assert cues.landmarks is not None
    low, high = (
        cues.landmarks[:SKIN_LANDMARKS].min(axis=0),
        cues.landmarks[:SKIN_LANDMARKS].max(axis=0),
    )
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def with_maps(landmarks: ScreenCues, maps: ScreenCues) -> ScreenCues:
    """Landmarks of one predictor and maps of another, of one face in one photo.

    The maps' confidence becomes zero outside the face.
    """
    both = replace(
        landmarks,
        predictor=maps.predictor,
        uv=maps.uv,
        normal=maps.normal,
        confidence=maps.confidence,
        crop_to_photo=maps.crop_to_photo,
        notes=(*landmarks.notes, *maps.notes),
    )
    if not both.dense:
        return both
    assert maps.confidence is not None
    inside = np.where(on_face(both), maps.confidence, 0).astype(np.float32)
    return replace(both, confidence=inside)


def without_maps(cues: ScreenCues, *, uv: bool = True, normal: bool = True) -> ScreenCues:
    """Cues less their uv map, their normals, or both; the rest of the maps goes with the last."""
    left = replace(cues, uv=None if uv else cues.uv, normal=None if normal else cues.normal)
    if left.dense:
        return left
    return replace(left, confidence=None, crop_to_photo=None, background=None)


def on_face(cues: ScreenCues) -> NDArray[np.bool_]:
    """(h, w) True for pixels of the maps within the convex hull of the landmarks."""
    assert cues.landmarks is not None and cues.confidence is not None
    assert cues.crop_to_photo is not None
    linear, offset = cues.crop_to_photo[:, :2], cues.crop_to_photo[:, 2]
    hull = convex_hull((cues.landmarks[:SKIN_LANDMARKS] - offset) @ np.linalg.inv(linear).T)
    rows, columns = cues.confidence.shape
    x, y = np.arange(columns) + 0.5, (np.arange(rows) + 0.5)[:, None]
    inside = np.ones((rows, columns), bool)
    for a, b in zip(hull, np.roll(hull, -1, axis=0), strict=True):
        inside &= (b[0] - a[0]) * (y - a[1]) >= (b[1] - a[1]) * (x - a[0])
    return inside


def convex_hull(points: Array) -> Array:
    """The corners (k, 2) of the convex hull of points (n, 2), from x towards y (Andrew 1979)."""
    ordered = sorted(map(tuple, points.tolist()))

    def chain(along: list[tuple[float, ...]]) -> list[tuple[float, ...]]:
        out: list[tuple[float, ...]] = []
        for p in along:
            while len(out) > 1 and _turn(out[-2], out[-1], p) <= 0:
                out.pop()
            out.append(p)
        return out[:-1]

    return np.array(chain(ordered) + chain(ordered[::-1]))


def _turn(a: tuple[float, ...], b: tuple[float, ...], c: tuple[float, ...]) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
