# SPDX-License-Identifier: GPL-3.0-or-later
"""A photo's row of a contact sheet: the photo, the mesh over it, the head from front and side.

Needs OpenCV, so it belongs to the command line.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.mesh import vertex_normals
from ..geometry.raster import rasterise
from ..heads.model import HAIR_PARTS, HeadModel
from ..photos.photo import Photo
from ..rigged_head import RiggedHead

Pixels = NDArray[np.uint8]

#: Pixels on a side of each of the four pictures.
TILE = 200
_QUALITY = 80
_PAPER = 245
#: Head frame: from the subject's upper left, in front.
_LIGHT = np.array([0.35, 0.45, 0.82])
_GREY, _WHITE, _RED = (170.0,) * 3, (225.0,) * 3, (120.0, 60.0, 60.0)
_EYES = ("eyeball_l", "eyeball_r", "iris_l", "iris_r", "pupil_l", "pupil_r")
_TEETH = ("teeth_upper", "teeth_lower", "gums_upper", "gums_lower")
_MOUTH = ("tongue", "mouth_interior")
_LEFT_OUT = (*HAIR_PARTS, "neck_cut", "tears")


def contact_jpg(photo: Photo, overlay: Pixels, head: HeadModel, rigged: RiggedHead) -> bytes:
    """JPEG of 4 TILE x TILE pixels: photo, overlay, front and left profile as in the photo's
    expression. overlay (h, w, 3) RGB.
    """
    import cv2

    tiles = [_fitted(photo.pixels), _fitted(overlay)]
    pictures = [
        (("skin",), _GREY, _decoded(rigged.skin_albedo)),
        (_EYES, _WHITE, _decoded(rigged.eye_picture)),
        (_TEETH, _WHITE, _decoded(rigged.mouth_picture)),
        (_MOUTH, _RED, None),
    ]
    tiles += [_view(head, rigged, pictures, turned) for turned in (False, True)]
    strip = np.concatenate(tiles, axis=1)[..., ::-1]
    _, data = cv2.imencode(".jpg", strip, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    out: bytes = data.tobytes()
    return out


def _fitted(pixels: Pixels) -> Pixels:
    """The whole picture on a square."""
    import cv2

    scale = TILE / max(pixels.shape[:2])
    width, height = (max(round(scale * side), 1) for side in pixels.shape[1::-1])
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(pixels, (width, height), interpolation=method)
    out = np.full((TILE, TILE, 3), _PAPER, np.uint8)
    top, left = (TILE - height) // 2, (TILE - width) // 2
    out[top : top + height, left : left + width] = small
    return out


def _view(
    head: HeadModel,
    rigged: RiggedHead,
    pictures: Sequence[tuple[tuple[str, ...], tuple[float, ...], Pixels | None]],
    turned: bool,
) -> Pixels:
    """An orthographic view along -z, or along -x from the subject's left. pictures: names of parts,
    their colour, and their texture if there is one.
    """
    points = rigged.posed.astype(np.float64)
    triangles, uv, parts = _shown(head, rigged)
    # From the side the light comes from the side, too.
    lit = vertex_normals(points, head.triangles) @ (_LIGHT[[2, 1, 0]] if turned else _LIGHT)
    if turned:
        points = np.stack([-points[:, 2], points[:, 1], points[:, 0]], axis=1)
    used = points[np.unique(triangles)]
    low, high = used.min(axis=0), used.max(axis=0)
    scale = 0.96 * TILE / max(high[0] - low[0], high[1] - low[1])
    middle = (low + high) / 2
    x = (points[:, 0] - middle[0]) * scale + TILE / 2
    y = (middle[1] - points[:, 1]) * scale + TILE / 2
    seen = rasterise(np.stack([x, y], axis=1), high[2] + 1.0 - points[:, 2], triangles, TILE, TILE)
    shade = seen.interpolate((0.45 + 0.55 * np.clip(lit, 0, 1))[triangles, None])
    place = np.clip(seen.interpolate(uv), 0, 1)
    colour = np.full((TILE, TILE, 3), _GREY)
    for names, flat, picture in pictures:
        here = (seen.triangle >= 0) & np.isin(parts, names)[seen.triangle]
        colour[here] = flat
        if picture is not None:
            rows = ((1 - place[here, 1]) * (picture.shape[0] - 1)).astype(int)
            colour[here] = picture[rows, (place[here, 0] * (picture.shape[1] - 1)).astype(int)]
    out = np.where(seen.triangle[..., None] >= 0, shade * colour, _PAPER)
    return np.clip(out, 0, 255).astype(np.uint8)


def _shown(
    head: HeadModel, rigged: RiggedHead
) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.str_]]:
    """(T, 3) triangles that are drawn, (T, 3, 2) where in its part's picture each corner is, and
    (T,) the part's name.
    """
    q = rigged.uv_quads
    kept = np.stack([np.ones(len(q), bool), q[:, 3] >= 0], axis=1)
    corners = np.stack([q[:, [0, 1, 2]], q[:, [0, 2, 3]]], axis=1)[kept]
    parts = np.repeat(rigged.part_names[rigged.face_part], kept.sum(axis=1))
    drawn = ~np.isin(parts, _LEFT_OUT)
    return head.triangles[drawn], rigged.uv[corners[drawn]].astype(np.float64), parts[drawn]


def _decoded(picture: Pixels) -> Pixels | None:
    """(h, w, 3) RGB at a quarter of its size; None of no picture."""
    import cv2

    if not picture.size:
        return None
    read: Any = cv2.imdecode(picture, cv2.IMREAD_REDUCED_COLOR_4)
    return np.ascontiguousarray(read[..., ::-1])
