# SPDX-License-Identifier: GPL-3.0-or-later
"""From which directions light reaches each place of a head: its own nose and chin shade it.

Told from depth pictures of the head model's average, seen from every direction (Williams, "Casting
curved shadows on curved surfaces", SIGGRAPH 1978), once a process: people differ too little for
it to matter to light that comes from all around, and expressions too.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..geometry.mesh import vertex_normals
from ..geometry.raster import rasterise
from ..geometry.smooth_step import smooth_step
from ..heads.model import HeadModel
from .vertex_links import neighbours, smoothed

Array = NDArray[np.float64]
Floats = NDArray[np.float32]

#: Directions all around, and pixels along a side of the depth pictures.
COUNT, _SIDE = 48, 112
#: Metres by which a surface may seem to lie behind itself, and over which shade sets in.
_SLACK = (0.004, 0.010)
#: What skin around a hollow hands on (Jimenez et al., "Practical real-time strategies for accurate
#: indirect occlusion", SIGGRAPH 2016 courses).
_REFLECTED = 0.4
#: How narrow a lobe of light about each direction is: they overlap half way to the next.
_NARROW = 9.0


@lru_cache(maxsize=1)
def directions() -> Array:
    """(COUNT, 3) unit vectors of the head frame, evenly about the sphere (Fibonacci lattice)."""
    k = np.arange(COUNT) + 0.5
    y = 1 - 2 * k / COUNT
    turn = np.pi * (1 + 5**0.5) * k
    level = np.sqrt(1 - y * y)
    return np.column_stack([level * np.sin(turn), y, level * np.cos(turn)])


@lru_cache(maxsize=1)
def lobes() -> Array:
    """(COUNT, COUNT): what share of each lobe's light comes from each direction; rows sum to 1."""
    towards = directions()
    out = np.exp(_NARROW * (towards @ towards.T - 1))
    shares: Array = out / out.sum(axis=1, keepdims=True)
    return shares


@lru_cache(maxsize=2)
def visibility(head: HeadModel) -> Floats:
    """(V, COUNT): 1 where a vertex of the average head is reached from a direction, 0 in shade."""
    vertices = head.neutral()
    triangles = head.triangles
    normals = vertex_normals(vertices, triangles)
    # Off the surface, so that a depth picture's steps do not shade what faces its light.
    points = vertices + 0.002 * normals
    out = np.empty((len(vertices), COUNT), np.float32)
    for k, towards in enumerate(directions()):
        out[:, k] = _reached(vertices, points, triangles, towards)
    return smoothed(out, neighbours(head), rounds=3)


def _reached(
    vertices: Array, points: Array, triangles: NDArray[np.int32], towards: Array
) -> Floats:
    """(V,) of one direction."""
    right = np.cross([0.0, 1.0, 0.0] if abs(towards[1]) < 0.9 else [1.0, 0.0, 0.0], towards)
    right /= np.linalg.norm(right)
    axes = np.column_stack([right, np.cross(towards, right)])
    flat = vertices @ axes
    low = flat.min(axis=0)
    scale = (_SIDE - 2) / float(np.ptp(flat, axis=0).max())
    depth = -(vertices @ towards)
    depth += 1.0 - depth.min()
    seen = rasterise((flat - low) * scale + 1, depth, triangles, _SIDE, _SIDE).depth
    at = np.clip(((points @ axes - low) * scale + 1).astype(int), 0, _SIDE - 1)
    own = depth - (points - vertices) @ towards
    behind = own - seen[at[:, 1], at[:, 0]]
    shade: Floats = 1 - smooth_step(np.where(np.isfinite(behind), behind, -1.0), *_SLACK)
    return shade


def responses(head: HeadModel, normals: Floats) -> Floats:
    """(V, COUNT): how bright each lobe of radiance 1 makes a matt white place with these normals
    (V, 3): all lobes together make it 1 where nothing shades it.
    """
    facing = np.maximum(normals @ directions().T.astype(np.float32), 0)
    facing *= visibility(head)
    facing *= np.float32(4.0 / COUNT)
    # Skin around a hollow lights it in turn: light that is reflected again and again.
    shaded = np.clip(1 - facing.sum(axis=1, keepdims=True), 0, 1)
    facing /= 1 - np.float32(_REFLECTED) * shaded
    out: Floats = facing @ lobes().T.astype(np.float32)
    return out
