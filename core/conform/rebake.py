# SPDX-License-Identifier: GPL-3.0-or-later
"""The person's skin drawn into the texture layout of the artist's own mesh.

Every texel of the layout lies on a triangle, every triangle is bound to the open head, and there
the texture of ours is read. The fourth channel is the profile's mask: 1 on the face, 0 where the
artist's own texture stays, so that one can be laid over the other.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..appearance.spreading import filled, widened
from ..errors import MeshError
from ..geometry.bilinear import bilinear
from ..geometry.raster import rasterise
from ..heads.corners import triangle_uv
from ..heads.model import HeadModel
from .mesh import OwnMesh
from .profile import KINDS, HeadProfile

Array = NDArray[np.float64]
Floats = NDArray[np.float32]

#: Texels around the drawn parts that are filled, so that no seam shows through filtering.
MARGIN = 8
#: Of the layout's side: a triangle that takes more of ours lies across the seam at the back.
_SEAM = 0.2


def rebake(
    head: HeadModel,
    profile: HeadProfile,
    mesh: OwnMesh,
    picture: NDArray[np.uint8],
    size: int = 2048,
) -> NDArray[np.uint8]:
    """(size, size, 4) the picture (s, s, 3) of the open head's layout in the mesh's own.

    Raises MeshError for a mesh without a layout.
    """
    return rebaked(head, profile, mesh, [picture], size)[0]


def rebaked(
    head: HeadModel,
    profile: HeadProfile,
    mesh: OwnMesh,
    pictures: Sequence[NDArray[np.uint8]],
    size: int,
) -> list[NDArray[np.uint8]]:
    """As rebake(), of several pictures of the same head at once."""
    profile.check_mesh(mesh)
    if not len(mesh.uv):
        raise MeshError(f"{mesh.name} has no texture layout: unwrap it first.")
    at = places_in_our_layout(head, profile)
    skin = (profile.kind[mesh.triangles] == KINDS.index("skin")).all(axis=1)
    corners = at[mesh.triangles]
    near = np.ptp(corners, axis=1).max(axis=1) < _SEAM
    rows = np.nonzero(skin & near & np.isfinite(corners).all(axis=(1, 2)))[0]
    layout = mesh.uv[rows]
    points = (np.stack([layout[..., 0], 1.0 - layout[..., 1]], axis=-1) * size).reshape(-1, 2)
    raster = rasterise(
        points, np.ones(len(points)), np.arange(3 * len(rows)).reshape(-1, 3), size, size
    )
    drawn = raster.triangle >= 0
    uv = raster.interpolate(corners[rows])[drawn]
    mask = raster.interpolate(profile.mask[mesh.triangles[rows]].astype(np.float64))[drawn]
    around = drawn
    for _ in range(MARGIN):
        around = widened(around)
    around &= ~drawn
    made = []
    for picture in pictures:
        out = np.zeros((size, size, 4), np.float32)
        out[drawn, :3] = _read(picture, uv)
        out[drawn, 3] = 255.0 * mask
        if drawn.any():
            out[around] = filled(out, drawn.astype(np.float32))[around]
        made.append(np.clip(out + 0.5, 0, 255).astype(np.uint8))
    return made


def places_in_our_layout(head: HeadModel, profile: HeadProfile) -> Array:
    """(V, 2) of each of the mesh's vertices in the open head's layout, v upward; nan for none."""
    triangles, layout = head.triangles, triangle_uv(head)
    count = head.vertex_count
    order = np.argsort(triangles, axis=1)
    ours = np.take_along_axis(triangles, order, axis=1).astype(np.int64)
    code = (ours[:, 0] * count + ours[:, 1]) * count + ours[:, 2]
    by_code = np.argsort(code)
    own = np.argsort(profile.corners, axis=1)
    theirs = np.take_along_axis(profile.corners, own, axis=1).astype(np.int64)
    sought = (theirs[:, 0] * count + theirs[:, 1]) * count + theirs[:, 2]
    row = by_code[np.clip(np.searchsorted(code[by_code], sought), 0, len(code) - 1)]
    found = code[row] == sought
    sorted_uv = np.take_along_axis(layout, order[..., None], axis=1)[row]
    share = np.take_along_axis(profile.share, own, axis=1)
    out = np.einsum("nk,nkc->nc", share.astype(np.float64), sorted_uv)
    out[~found] = np.nan
    return out


def _read(picture: NDArray[np.uint8], uv: Array) -> Floats:
    """(n, 3) of a picture at uv (n, 2), v upward."""
    height, width = picture.shape[:2]
    places = np.stack([uv[:, 0] * width, (1.0 - uv[:, 1]) * height], axis=-1)
    read: Floats = bilinear(picture, places)
    return read


def decode_own_png(data: bytes) -> NDArray[np.uint8]:
    """(h, w, 3) of a picture that ``core.files.png`` wrote. Raises MeshError for any other."""
    try:
        width, height, *kind = struct.unpack(">IIBBBBB", data[16:29])
        if data[:8] != b"\x89PNG\r\n\x1a\n" or kind != [8, 2, 0, 0, 0] or max(width, height) > 8192:
            raise ValueError("not of our kind")
        packed, at = b"", 33
        while at + 12 <= len(data):
            (length,) = struct.unpack(">I", data[at : at + 4])
            if data[at + 4 : at + 8] == b"IDAT":
                packed += data[at + 8 : at + 8 + length]
            at += 12 + length
        size = height * (1 + 3 * width)
        raw = np.frombuffer(zlib.decompressobj().decompress(packed, size), np.uint8)
        rows = raw.reshape(height, 1 + 3 * width)
        if (rows[:, 0] != 1).any():
            raise ValueError("not of our kind")
        pixels = rows[:, 1:].reshape(height, width, 3)
        return np.cumsum(pixels, axis=1, dtype=np.uint8)
    except (ValueError, struct.error, zlib.error) as error:
        raise MeshError(
            "The head's skin texture is damaged: reconstruct the head again."
        ) from error
