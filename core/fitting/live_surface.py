# SPDX-License-Identifier: GPL-3.0-or-later
"""LiveSurface: what a LiveFit needs of a head model, the same for all photos of all people."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..heads.followers import Followers
from ..heads.handles import Handle, handles, mirrored_landmarks
from ..heads.model import INNER_REGIONS, HeadModel
from .pins import SURFACE, Pin
from .points import PointSet

Array = NDArray[np.float64]
Index = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class LiveSurface:
    """points: the n vertices of the head proper; skin (s,): those that the extra shape moves;
    triangles (T, 3): what can be taken hold of; wire (e, 2): the edges of quads on the outer skin
    of the head without its neck, and wire_sides (e, 2) the two of wire_triangles (w, 3) beside
    each; mirror (n,) the vertex across the face; landmark_vertices, landmark_barycentric (478, 3)
    as in HeadModel, and landmark_mirror (478,); handles: named points; followers: of the other
    vertices.
    """

    points: PointSet
    skin: NDArray[np.intp]
    triangles: Index
    wire: Index
    wire_sides: Index
    wire_triangles: Index
    mirror: Index
    landmark_vertices: Index
    landmark_barycentric: Array
    landmark_mirror: Index
    handles: tuple[Handle, ...]
    followers: Followers | None = None

    @classmethod
    def of(cls, head: HeadModel, identity_count: int) -> LiveSurface:
        """Of a head model whose landmarks lie on the head proper."""
        count = head.proper_count
        points = PointSet.of_vertices(head, np.arange(count, dtype=np.intp), identity_count)
        skin = head.quads[head.face_part == head.part_names.index("skin")]
        vertices = np.unique(skin)
        hidden = np.zeros(head.vertex_count, bool)
        for name in (*INNER_REGIONS, "neck"):
            hidden |= head.regions.get(name, np.zeros(head.vertex_count, bool))
        faces = skin[~np.where(skin < 0, True, hidden[skin]).all(axis=1)]
        wire, sides = _edges(faces)
        triangles = head.outer_triangles
        mirror = np.arange(count) if head.mirror is None else head.mirror[:count]
        return cls(
            points=points,
            skin=vertices[vertices >= 0].astype(np.intp),
            triangles=triangles[(triangles < count).all(axis=1)].astype(np.int32),
            wire=wire,
            wire_sides=sides,
            wire_triangles=faces[:, :3].astype(np.int32),
            mirror=mirror.astype(np.int32),
            landmark_vertices=head.landmark_vertices.astype(np.int32),
            landmark_barycentric=head.landmark_barycentric,
            landmark_mirror=mirrored_landmarks(head),
            handles=handles(head),
            followers=head.followers,
        )

    @property
    def count(self) -> int:
        """n."""
        return self.points.count

    @cached_property
    def template_landmarks(self) -> Array:
        """(478, 3) metres at rest on the head model, nan where it has none."""
        corners = self.points.base.T[np.maximum(self.landmark_vertices, 0)]
        at = np.einsum("nk,nki->ni", self.landmark_barycentric, corners)
        return np.where(self.landmark_vertices[:, :1] >= 0, at, np.nan)

    def across(self, pin: Pin) -> Pin | None:
        """A pin on the point across the face, at the same pixels; None in the middle."""
        if pin.landmark != SURFACE:
            other = int(self.landmark_mirror[pin.landmark])
            if other in (-1, pin.landmark):
                return None
            return Pin(pin.photo, other, pin.x, pin.y)
        corners = [int(self.mirror[c]) for c in pin.corners]
        if set(corners) == set(pin.corners):
            return None
        return Pin.on_surface(pin.photo, corners, pin.weights, pin.x, pin.y)

    def extended(self, motion: Array) -> Array:
        """Motion (n, 3) of the head proper as that of all vertices (V, 3)."""
        return motion if self.followers is None else self.followers.extend(motion)

    def pin_of(self, handle: Handle, photo: int) -> Pin:
        """A pin on a handle, at no place yet."""
        if handle.landmark >= 0:
            return Pin(photo, handle.landmark, 0.0, 0.0)
        return Pin.on_surface(photo, [handle.vertex] * 3, [1.0, 0.0, 0.0], 0.0, 0.0)

    def pin_of_landmark(self, landmark: int, photo: int) -> Pin | None:
        """A pin on any landmark that the head has, at no place yet."""
        known = self.landmark_vertices[landmark, 0] >= 0
        return Pin(photo, landmark, 0.0, 0.0) if known else None


def _edges(faces: Index) -> tuple[Index, Index]:
    """The edges (e, 2) of quads (f, 4), each once, and its two faces (e, 2), twice the same one at
    a border.
    """
    ends, owner = [], []
    last = np.where(faces[:, 3] >= 0, faces[:, 3], faces[:, 0])
    ring = np.column_stack([faces[:, :3], last, faces[:, 0]])
    for k in range(4):
        ends.append(ring[:, k : k + 2])
        owner.append(np.arange(len(faces)))
    pairs, of = np.sort(np.concatenate(ends), axis=1), np.concatenate(owner)
    proper = pairs[:, 0] != pairs[:, 1]
    edges, at = np.unique(pairs[proper], axis=0, return_inverse=True)
    at, of = at.reshape(-1), of[proper]
    sides = np.empty((len(edges), 2), np.int32)
    sides[at, 0] = of
    sides[at[::-1], 1] = of[::-1]
    return edges.astype(np.int32), sides
