# SPDX-License-Identifier: GPL-3.0-or-later
"""How a person's face looks at rest, point by point: what every frame is compared with.

The head at rest is drawn into a crop at rest; what lies there of skin, and of the eyes between the
lids, are the points, and what the crops at rest show there is how they look. Lids, which roll and
crease, and what turns away are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..appearance.photo_trust import inside_ring
from ..cues.eye_openings import RINGS
from ..fitting.points import PointSet
from ..fitting.state import PhotoState
from ..geometry.mesh import vertex_normals
from ..geometry.raster import rasterise
from ..heads.corners import triangle_part
from ..heads.face_landmarks import FACE_OVAL
from ..heads.model import STRIP_PARTS
from .person import Person
from .pictures import BLURS, SIDE, Crop
from .surface import Surface

Array = NDArray[np.float64]
Floats = NDArray[np.float32]

#: Every so many-th sample of a crop is a point, of skin and of eyes.
EVERY, EVERY_EYE = 3, 1
#: Crops at rest that are averaged.
MOST_AT_REST = 12
#: What a piece of the eye counts beside as much skin.
EYES_COUNT = 1.0
#: Around the eyes' rings: skin so much further out, and eyeballs so much further in, count.
_LIDS, _BALL = 1.45, 0.85
#: Cosine to the view at which a point begins to count, and beyond which it counts in full.
_TURNED, _FACING = 0.15, 0.45
_EYES = ("eyeball", "iris", "pupil")


@dataclass(frozen=True, eq=False)
class Texture:
    """n points: surface, normals (n, 3) in the head frame, look (levels, n) as Level.value, and
    weight (n,), what a point counts beside one of skin.
    """

    surface: Surface
    normals: Array
    look: tuple[Floats, ...]
    weight: Array

    def facing(self, state: PhotoState) -> Array:
        """(n,) 0..1, how far a point is seen in a state."""
        toward = -(self.normals @ state.R.T)[:, 2]
        out: Array = self.weight * np.clip((toward - _TURNED) / (_FACING - _TURNED), 0.0, 1.0)
        return out


def texture_of(
    person: Person,
    crops: Sequence[Crop],
    states: Sequence[PhotoState],
    landmarks: Array,
    centre: Array,
) -> Texture:
    """Of frames at rest, the first one's landmarks (478, 2) pixels; centre (2,) as in fit_frame."""
    head, crop, state = person.head, crops[0], states[0]
    vertices = head.neutral(person.identity)
    camera = vertices @ state.R.T + state.t
    samples, _ = crop.samples(state.focal * camera[:, :2] / camera[:, 2:] + centre)
    # Brows and lashes are strips above the skin that carries their look in a photo.
    part = np.array(head.part_names)[triangle_part(head)]
    solid = np.flatnonzero(~np.isin(part, list(STRIP_PARTS)))
    # Triangles are drawn at pixels whose first centre is (0.5, 0.5).
    drawn = rasterise(
        samples + 0.5, camera[:, 2], head.triangles[solid], SIDE, SIDE, both_sides=False
    )
    shown = solid[drawn.triangle]
    rings, _ = crop.samples(landmarks[:, :2])
    low, high = np.zeros(2, np.intp), np.full(2, SIDE, np.intp)

    def inside(ids: Sequence[int], share: float = 1.0) -> NDArray[np.bool_]:
        ring = rings[list(ids)] + 0.5
        middle = ring.mean(axis=0)
        return inside_ring(middle + share * (ring - middle), low, high)

    seen = np.where(drawn.triangle >= 0, part[shown], "")
    face, ball = inside(FACE_OVAL), np.zeros((SIDE, SIDE), bool)
    for ring in RINGS.values():
        face &= ~inside(ring, _LIDS)
        ball |= inside(ring, _BALL)
    grid = np.zeros((SIDE, SIDE), bool)
    grid[::EVERY, ::EVERY] = True
    skin = face & (seen == "skin") & grid
    grid[::EVERY_EYE, ::EVERY_EYE] = True
    eyes = ball & np.char.startswith(seen.astype(str), _EYES[0]) & grid
    for name in _EYES[1:]:
        eyes |= ball & np.char.startswith(seen.astype(str), name) & grid
    rows, columns = np.nonzero(skin | eyes)
    corners = head.triangles[shown[rows, columns]]
    barycentric = drawn.barycentric[rows, columns]
    points = PointSet.of_surface(head, corners, barycentric, 0)
    base = np.einsum("nk,nkc->nc", barycentric, vertices[corners])
    points = replace(points, base=base.T, centre=person.points.centre)
    surface = Surface.of(points, person.layout.drift_count)
    normals = np.einsum(
        "nk,nkc->nc", barycentric, vertex_normals(vertices, head.triangles)[corners]
    )
    normals /= np.maximum(np.linalg.norm(normals, axis=1), 1e-9)[:, None]
    looks: list[list[Floats]] = [[] for _ in BLURS]
    for taken, at in zip(crops[:MOST_AT_REST], states[:MOST_AT_REST], strict=False):
        places, _ = taken.samples(surface.placed(at).pixels() + centre)
        for k, level in enumerate(taken.levels()):
            looks[k].append(level.at(places)[:, 0])
    weight = np.where(eyes[rows, columns], EYES_COUNT * (EVERY_EYE / EVERY) ** 2, 1.0)
    return Texture(surface, normals, tuple(np.median(look, axis=0) for look in looks), weight)
