# SPDX-License-Identifier: GPL-3.0-or-later
"""A procedural eyeball: rings of quads round the optical axis, with a corneal bulge.

MakeHuman's own eyes are 72-vertex proxies; ours has edges exactly on the pupil's rim and on the
limbus so that materials can be given by face.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

SEGMENTS = 32
PUPIL_RING, LIMBUS_RING = 2, 7
_PUPIL_DEGREES, _LIMBUS_DEGREES = 7.0, 22.3
"""Angles on MakeHuman's 15.5 mm eyeball that give a 3.8 mm pupil and an 11.8 mm iris (the size that
MediaPipe assumes of every iris is 11.7 mm)."""
_CORNEA_DEGREES, _CORNEA_BULGE = 25.0, 0.07
_RING_DEGREES = np.concatenate(
    [
        np.linspace(0, _PUPIL_DEGREES, PUPIL_RING + 1),
        np.linspace(_PUPIL_DEGREES, _LIMBUS_DEGREES, LIMBUS_RING - PUPIL_RING + 1)[1:],
        [25.5, 29.5, 35.0, 42.0, 51.0, 62.0, 75.0, 90.0, 108.0, 130.0, 155.0],
    ]
)


@dataclass(frozen=True)
class Eyeball:
    """Unit eyeball looking along +z, the left one; the right one is its mirror image in x."""

    points: np.ndarray
    """(n, 3) front pole, rings from front to back, back pole."""
    faces: np.ndarray
    """(f, 4), triangles at the poles with -1 in the fourth place, outward orientation."""
    ring: np.ndarray
    """(n,) ring number of each vertex, 0 at the front pole."""
    face_ring: np.ndarray
    """(f,) ring number of each face's outer edge."""
    uv: np.ndarray
    """(u, 2) polar unwrap with the pupil in the middle of the tile."""
    uv_faces: np.ndarray
    """(f, 4) numbers into ``uv``."""


def make_eyeball() -> Eyeball:
    """Build the unit eyeball."""
    theta = np.radians(_RING_DEGREES[1:])
    phi = np.arange(SEGMENTS) * (2 * np.pi / SEGMENTS)
    # Exact mirror symmetry needs cos and sin that mirror exactly, which rounding does not grant.
    cos, sin = np.round(np.cos(phi), 15), np.round(np.sin(phi), 15)
    radius = 1 + _CORNEA_BULGE * np.clip(1 - (theta / np.radians(_CORNEA_DEGREES)) ** 2, 0, 1)
    across, along = radius * np.sin(theta), radius * np.cos(theta)
    rings = np.stack(
        [
            across[:, None] * cos,
            across[:, None] * sin,
            np.repeat(along[:, None], SEGMENTS, axis=1),
        ],
        axis=-1,
    )
    points = np.concatenate([[[0, 0, 1 + _CORNEA_BULGE]], rings.reshape(-1, 3), [[0, 0, -1]]])
    count = len(theta)
    ring = np.concatenate([[0], np.repeat(np.arange(1, count + 1), SEGMENTS), [count + 1]])

    here = np.arange(SEGMENTS)
    there = (here + 1) % SEGMENTS
    none = np.full(SEGMENTS, -1)
    first = 1 + np.arange(count)[:, None] * SEGMENTS
    front = np.stack([np.zeros(SEGMENTS, int), first[0] + here, first[0] + there, none], axis=1)
    sides = [
        np.stack([a + here, b + here, b + there, a + there], axis=1) for a, b in pairwise(first)
    ]
    back = np.stack(
        [first[-1] + here, np.full(SEGMENTS, len(points) - 1), first[-1] + there, none], 1
    )
    faces = np.concatenate([front, *sides, back])
    face_ring = np.repeat(np.arange(1, count + 2), SEGMENTS)

    # The exponent widens the iris on the tile: it is what is seen.  The last ring of faces gets a
    # uv of its own at the back pole for every face, since a pole has no single direction.
    reach = 0.5 * (np.append(theta, np.pi) / np.pi) ** 0.7
    direction = np.stack([cos, sin], axis=1)
    between = phi + np.pi / SEGMENTS
    pole = 0.5 + reach[-1] * np.stack([np.cos(between), np.sin(between)], axis=1)
    uv = np.concatenate(
        [[[0.5, 0.5]], *(0.5 + r * direction for r in reach[:-1]), pole],
    )
    uv_faces = faces.copy()
    uv_faces[-SEGMENTS:, 1] = len(points) - 1 + here
    return Eyeball(points, faces, ring, face_ring, uv, uv_faces)
