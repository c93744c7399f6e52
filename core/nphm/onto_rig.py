# SPDX-License-Identifier: GPL-3.0-or-later
"""The neural surface's detail becomes the rigged head's: a shape, and finer than its mesh, maps.

Each vertex of the skin goes along its normal to the neural surface of the photo's own expression,
so that what is open or shut stays so; lips, lids, ears, neck and what hair covers stay as they
were, with a soft border. The same distance along the normal at rest is the key ``photoDetail``.
Finer than the mesh, a texture holds what is left: normals in tangent space, and heights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..geometry.mesh import edges, scatter_add, vertex_normals
from ..geometry.raster import rasterise
from ..geometry.smooth_step import smooth_step
from ..heads.corners import triangle_part
from ..heads.model import HeadModel
from .decoder import NEGLIGIBLE, UNITS, Field
from .placement import Placement

Array = NDArray[np.float64]

#: Metres: the farthest that a vertex goes; within which what is kept keeps its neighbours, and
#: beyond which nothing does; how near to the surface a vertex has to come.
FARTHEST, _NEAR, _FAR, _ARRIVED = 0.006, 0.001, 0.012, 0.0004
#: Regions that stay as they were.
KEPT = ("lips", "eye_l", "eye_r", "ear_l", "ear_r", "mouth_interior", "scalp", "neck",
        "eye_socket_l", "eye_socket_r")  # fmt: skip
_STEPS, _BLENDED, _SMOOTHED = 5, 6, 3
#: Largest height of the map, metres, which is white; texels on a side.
HEIGHT, TEXELS = 0.002, 256


@dataclass(frozen=True, eq=False)
class Projected:
    """along (V,) metres from the mesh to the neural surface, times the mask; mask (V,) 0 to 1;
    reached: share of the masked vertices that came onto the surface.
    """

    along: Array
    mask: Array
    reached: float


@dataclass(frozen=True, eq=False)
class DetailMaps:
    """normal (n, n, 3) eight bits, tangent space, +y up; height (n, n) metres from the projected
    mesh, 0 where it says nothing; known (n, n).
    """

    normal: NDArray[np.uint8]
    height: NDArray[np.float32]
    known: NDArray[np.bool_]


def detail_mask(head: HeadModel, neutral: Array) -> Array:
    """(V,) 1 on skin that takes detail, 0 on what stays as it was, smooth in between."""
    part = triangle_part(head)
    skin = np.zeros(head.vertex_count, bool)
    names = np.array(head.part_names)[part] if len(head.part_names) else np.array([])
    on_skin = names == "skin" if len(names) else np.ones(len(head.triangles), bool)
    skin[np.unique(head.triangles[on_skin])] = True
    kept = ~skin
    for name in KEPT:
        if name in head.regions:
            kept |= head.regions[name]
    if "face" in head.regions:
        kept |= ~head.regions["face"]
    inside = np.flatnonzero(~kept)
    border = np.flatnonzero(kept & _beside(head, ~kept))
    out = np.zeros(head.vertex_count)
    if not len(inside):
        return out
    if not len(border):
        out[inside] = 1.0
        return out
    gap = np.array([((neutral[border] - neutral[v]) ** 2).sum(axis=1).min() for v in inside])
    out[inside] = smooth_step(np.sqrt(gap), _NEAR, _FAR)
    return out


def project(
    field: Field, place: Placement, head: HeadModel, posed: Array, mask: Array
) -> Projected:
    """posed (V, 3) metres, head frame, in the field's expression."""
    rows = np.flatnonzero(mask > 0)
    along = np.zeros(head.vertex_count)
    if not len(rows):
        return Projected(along, mask, 0.0)
    t, left = _walk(field, place, posed[rows], directions(head, posed)[rows], FARTHEST)
    there = (np.abs(left) < _ARRIVED) & (np.abs(t) < 0.99 * FARTHEST)
    along[rows] = np.where(there, t, 0.0)
    along = _filled(head, along, rows[~there], rows)
    return Projected(along * mask, mask, float(there.mean()))


def directions(head: HeadModel, vertices: Array) -> Array:
    """(V, 3) unit normals, those of neighbours blended, so that what goes along them does not
    cross in a fold.
    """
    normal = vertex_normals(vertices, head.triangles)
    pairs = edges(head.triangles)
    both = np.concatenate([pairs, pairs[:, ::-1]])
    for _ in range(_BLENDED):
        normal = normal + scatter_add(both[:, 0], normal[both[:, 1]], len(vertices)) / 4
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    return normal


def detail_maps(
    field: Field,
    place: Placement,
    head: HeadModel,
    posed: Array,
    done: Projected,
    size: int = TEXELS,
) -> DetailMaps:
    """What the neural surface has beyond the projected mesh, in the head's texture layout."""
    moved = posed + done.along[:, None] * directions(head, posed)
    takes = (done.mask[head.triangles] > 0).any(axis=1)
    triangles, uv_triangles = head.triangles[takes], _uv_triangles(head)[takes]
    # Rows run downwards, v upwards.
    pixels = np.column_stack([head.uv[:, 0] * size, (1 - head.uv[:, 1]) * size])
    seen = rasterise(pixels, np.ones(len(pixels)), uv_triangles, size, size)
    shading = vertex_normals(moved, head.triangles)
    corners = moved[triangles]
    values = np.concatenate([corners, shading[triangles], done.mask[triangles][..., None]], 2)
    flat = seen.interpolate(values)
    known = (seen.triangle >= 0) & (flat[..., 6] > 0.02)
    at, base = flat[known][:, :3], flat[known][:, 3:6]
    base /= np.maximum(np.linalg.norm(base, axis=1, keepdims=True), 1e-9)
    t, left = _walk(field, place, at, base, HEIGHT)
    arrived = np.abs(left) < _ARRIVED
    t = np.where(arrived, t, 0.0) * flat[known][:, 6]
    height = np.zeros((size, size), np.float32)
    height[known] = t
    gradient = field.gradients(place.to_units(at + t[:, None] * base), codes=False).place @ place.R
    fine = gradient / np.maximum(np.linalg.norm(gradient, axis=1, keepdims=True), 1e-9)
    tangent = _tangents(head, uv_triangles, corners)[seen.triangle[known]]
    share = flat[known][:, 6:7] * arrived[:, None]
    pixels_out = np.full((size, size, 3), [128, 128, 255], np.uint8)
    pixels_out[known] = _encoded(base + share * (fine - base), base, tangent)
    return DetailMaps(pixels_out, height, known)


def _walk(
    field: Field, place: Placement, start: Array, normal: Array, limit: float
) -> tuple[Array, Array]:
    """Metres along normals to the surface, ``limit`` at most, and how far it still is (n,)."""
    t, slope = np.zeros(len(start)), np.ones(len(start))
    before, before_t = np.zeros(len(start)), np.zeros(len(start))
    left = before
    for step in range(_STEPS):
        points = place.to_units(start + t[:, None] * normal)
        value = field.distance(points, NEGLIGIBLE).astype(float) / UNITS
        if step:
            # The secant's slope: fields of real weights are not quite distances.
            run = t - before_t
            with np.errstate(divide="ignore", invalid="ignore"):
                secant = (value - before) / run
            good = np.isfinite(secant) & (np.abs(run) > 1e-7)
            slope = np.where(good, np.clip(secant, 0.4, 3.0), slope)
        before, before_t, left = value, t, value
        if step < _STEPS - 1:
            t = np.clip(t - value / slope, -limit, limit)
    return t, left


def _encoded(fine: Array, base: Array, tangent: Array) -> NDArray[np.uint8]:
    """Normals (n, 3) in the frame of base normals and tangents, as pixels."""
    along = tangent - (tangent * base).sum(axis=1, keepdims=True) * base
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    across = np.cross(base, along)
    local = np.stack([(fine * axis).sum(axis=1) for axis in (along, across, base)], axis=1)
    local[:, 2] = np.maximum(local[:, 2], 0.05)
    local /= np.linalg.norm(local, axis=1, keepdims=True)
    return np.round(127.5 + 127.5 * local).astype(np.uint8)


def _tangents(head: HeadModel, uv_triangles: NDArray[np.integer], corners: Array) -> Array:
    """(T, 3) the direction in space in which u grows, of each triangle."""
    uv = head.uv[uv_triangles]
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    du, dv = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
    turn = du[:, 0] * dv[:, 1] - du[:, 1] * dv[:, 0]
    scale = np.where(np.abs(turn) > 1e-12, 1 / np.where(turn == 0, 1, turn), 0.0)
    out: Array = (a * dv[:, 1:] - b * du[:, 1:]) * scale[:, None]
    return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12)


def _uv_triangles(head: HeadModel) -> NDArray[np.integer]:
    """(T, 3) corners in the layout, in the order of head.triangles."""
    q = head.uv_quads
    both = np.stack([q[:, [0, 1, 2]], q[:, [0, 2, 3]]], axis=1)
    keep = np.stack([np.ones(len(q), bool), head.quads[:, 3] >= 0], axis=1)
    return both[keep]


def _beside(head: HeadModel, inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(V,) vertices with a neighbour inside."""
    pairs = edges(head.triangles)
    out = np.zeros(head.vertex_count, bool)
    for a, b in ((0, 1), (1, 0)):
        out[pairs[inside[pairs[:, a]], b]] = True
    return out


def _filled(
    head: HeadModel, values: Array, missing: NDArray[np.intp], rows: NDArray[np.intp]
) -> Array:
    """Values of missing vertices as their neighbours' among rows; a little smoothing of all."""
    pairs = edges(head.triangles)
    there = np.zeros(head.vertex_count, bool)
    there[rows] = True
    pairs = pairs[there[pairs].all(axis=1)]
    both = np.concatenate([pairs, pairs[:, ::-1]])
    weight = np.ones(head.vertex_count)
    weight[missing] = 0.0
    for _ in range(8):
        known = np.stack([values[both[:, 1]] * weight[both[:, 1]], weight[both[:, 1]]], axis=1)
        sums = scatter_add(both[:, 0], known, head.vertex_count)
        mean = sums[:, 0] / np.maximum(sums[:, 1], 1e-9)
        gap = (weight == 0) & (sums[:, 1] > 0)
        values = np.where(gap, mean, values)
        weight = np.where(gap, 1.0, weight)
    count = np.bincount(both[:, 0], minlength=head.vertex_count)
    for _ in range(_SMOOTHED):
        mean = scatter_add(both[:, 0], values[both[:, 1], None], head.vertex_count)[:, 0]
        values = np.where(count > 0, 0.5 * values + 0.5 * mean / np.maximum(count, 1), values)
    return values
