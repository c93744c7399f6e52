# SPDX-License-Identifier: GPL-3.0-or-later
"""The head in the photo with the fitted mesh drawn over it: whether a fit holds, at a glance.

Needs OpenCV, so it belongs to the command line.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..heads.model import HAIR_PARTS, HeadModel
from ..photos.photo import Photo
from ..reconstruction import PhotoFit

#: The long side of the picture: small heads are enlarged so that lines stay thin beside them.
SHORTEST, LONGEST = 1024, 2048
#: Of the photo around the head, as a share of the head's size on each side.
MARGIN = 0.25
MESH_RGB, DETECTED_RGB = (70, 220, 255), (255, 200, 40)
MESH_OPACITY = 0.45
#: OpenCV draws at 1 / 2**_SHIFT of a pixel.
_SHIFT = 4

Pixels = NDArray[np.uint8]


def overlay_png(picture: Pixels) -> bytes:
    """PNG of (h, w, 3) RGB."""
    import cv2

    _, png = cv2.imencode(".png", picture[..., ::-1])
    data: bytes = png.tobytes()
    return data


def overlay_picture(photo: Photo, head: HeadModel, fit: PhotoFit) -> Pixels:
    """(h, w, 3) RGB: lines along the quads that are seen, dots where landmarks were detected."""
    import cv2

    points = fit.camera.project(fit.vertices)
    corner, cut = _around(photo.pixels, points)
    long = max(cut.shape[:2])
    scale = min(max(long, SHORTEST), LONGEST) / long
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    picture = cv2.resize(cut, None, fx=scale, fy=scale, interpolation=method)

    def place(pixels: NDArray[np.float64]) -> NDArray[np.float64]:
        # OpenCV's pixel 0 is centred at 0, ours at a half.
        return (pixels - corner) * scale - 0.5

    lines = picture.copy()
    depth = fit.camera.to_camera(fit.vertices)[:, 2]
    points = place(points)
    hairs = [head.part_names.index(name) for name in HAIR_PARTS if name in head.part_names]
    quads = head.quads[~np.isin(head.face_part, hairs)]
    seen = visible_quads(quads, points, depth, picture.shape[1::-1])
    outlines = [_fixed(points[quad[quad >= 0]]) for quad in quads[seen]]
    cv2.polylines(lines, outlines, True, MESH_RGB, 1, cv2.LINE_AA, _SHIFT)
    picture = cv2.addWeighted(lines, MESH_OPACITY, picture, 1 - MESH_OPACITY, 0)
    eyes = np.linalg.norm(fit.landmarks[33] - fit.landmarks[263]) * scale
    radius = round(max(0.006 * eyes, 0.7) * 2**_SHIFT)
    for x, y in _fixed(place(fit.landmarks)):
        cv2.circle(picture, (int(x), int(y)), radius, DETECTED_RGB, -1, cv2.LINE_AA, _SHIFT)
    out: Pixels = picture
    return out


def _around(pixels: Pixels, points: NDArray[np.float64]) -> tuple[NDArray[np.float64], Pixels]:
    """The part of a photo around projected points, and its top-left corner (2,) in pixels.

    The whole photo if the points lie outside of it.
    """
    size = np.array(pixels.shape[1::-1])
    low, high = np.nanmin(points, axis=0), np.nanmax(points, axis=0)
    margin = MARGIN * (high - low).max()
    low = np.clip(np.floor(low - margin), 0, size).astype(int)
    high = np.clip(np.ceil(high + margin), 0, size).astype(int)
    if (high - low).min() < 1:
        low, high = np.zeros(2, int), size
    return low.astype(float), pixels[low[1] : high[1], low[0] : high[0]]


def visible_quads(
    quads: NDArray[np.int32],
    points: NDArray[np.float64],
    depth: NDArray[np.float64],
    size: tuple[int, int],
) -> NDArray[np.intp]:
    """Indices of the quads that face the camera and are not wholly hidden by others.

    points (V, 2) pixels of a picture of ``size`` width, height; depth (V,) along the view.
    A painter fills each quad with its number from back to front; whose number is left is seen.
    """
    import cv2

    corners = np.where(quads >= 0, quads, quads[:, :1])
    finite: NDArray[np.bool_] = np.asarray(np.isfinite(points).all(axis=1))
    placed: NDArray[np.bool_] = np.asarray(finite[corners].all(axis=1))
    first, second = (points[corners[:, k + 2]] - points[corners[:, k]] for k in (0, 1))
    # y runs down, so an outward (counter-clockwise) quad turns clockwise on the picture.
    turn: NDArray[np.float64] = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    facing = np.less(turn, 0)
    painted = np.full((size[1], size[0]), -1.0, np.float32)
    order = np.argsort(-depth[corners].mean(axis=1), kind="stable")
    # Quads that are turned away hide what lies behind them too, so they are painted as nothing.
    for i in order[placed[order]]:
        colour: Any = float(i) if facing[i] else -1.0
        cv2.fillConvexPoly(painted, _fixed(points[corners[i]]), colour, cv2.LINE_8, _SHIFT)
    seen: NDArray[np.intp] = np.unique(painted[painted >= 0]).astype(np.intp)
    return seen


def _fixed(points: NDArray[np.float64]) -> NDArray[np.int32]:
    """Pixels as OpenCV's fixed-point numbers; far outside points are cut off at its limits."""
    fixed: NDArray[np.int32] = np.rint(np.clip(points, -30000, 30000) * 2**_SHIFT).astype(np.int32)
    return fixed
