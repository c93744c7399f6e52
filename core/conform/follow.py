# SPDX-License-Identifier: GPL-3.0-or-later
"""A profile for another shape of the same mesh: faces in the same order, vertices elsewhere.

So a base head needs to be registered once for all that was sculpted from it, and a person on it can
be wrapped back. What each vertex is bound to stays; the open head goes where the surface goes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.closest import closest_points, interpolate
from ..heads.eyeballs import Eyeball, is_eyeball
from ..heads.model import HeadModel
from .face_mask import open_mask
from .find_face import fit_similarity
from .mesh import OwnMesh
from .profile import KINDS, HeadProfile

Array = NDArray[np.float64]
Index = NDArray[np.integer[Any]]

#: Metres by which a mesh may be off the one that was registered, over the face, once both are
#: brought together: beyond, the same faces are something else.
_WORST = 0.02
#: Metres within which a vertex lies on the open head.
_NEAR = 0.002
_FEWEST = 100


def follow(head: HeadModel, profile: HeadProfile, mesh: OwnMesh) -> HeadProfile | None:
    """The profile of a mesh with the same faces as the one that was registered; None for others."""
    was = profile.mesh
    if mesh.order != was.order or len(mesh.vertices) != len(was.vertices):
        return None
    skin = np.nonzero((profile.kind == KINDS.index("skin")) & (profile.mask > 0))[0]
    before = profile.to_head(was.vertices)
    if len(skin) < _FEWEST:
        return None
    weight = 1.2 - profile.mask[skin].astype(np.float64)
    place = fit_similarity(mesh.vertices[skin], before[skin], weight)
    now = place(mesh.vertices)
    if float(np.median(np.linalg.norm(now - before, axis=1)[skin])) > _WORST:
        return None
    laid = _laid(head, profile, before, now)
    bound = np.nonzero(np.isin(profile.kind, [KINDS.index("skin"), KINDS.index("rider")]))[0]
    at = profile.bound(laid, bound)
    distance = profile.distance.copy()
    off = np.linalg.norm(at - now[bound], axis=1)
    change = off - np.linalg.norm(
        profile.bound(profile.laid.astype(np.float64), bound) - before[bound], axis=1
    )
    distance[bound] = np.maximum(distance[bound] + change, 0.0)
    face = skin[(profile.mask[skin] > 0.99) & (profile.distance[skin] < _NEAR)]
    median = float(np.median(distance[face])) if len(face) else profile.median
    return replace(
        profile,
        mesh=mesh,
        scale=place.scale,
        rotation=place.rotation,
        offset=place.offset,
        laid=laid.astype(np.float32),
        distance=distance.astype(np.float32),
        median=max(median, profile.median),
    )


def _laid(head: HeadModel, profile: HeadProfile, before: Array, now: Array) -> Array:
    """(n, 3) the open head, moved as the surface under it moved."""
    laid = profile.laid.astype(np.float64)
    kind, triangles = profile.kind, profile.mesh.triangles
    of_skin = triangles[(kind[triangles] == KINDS.index("skin")).all(axis=1)]
    # Lips that touch are told apart by what is bound to them.
    moving = np.nonzero(open_mask(head) > 0)[0]
    moving = moving[moving < head.proper_count]
    out = laid.copy()
    features = np.zeros((len(before), 4))
    features[:, :3] = before
    skin = np.unique(of_skin)
    side = _lower_share(head)
    features[skin, 3] = profile.bound(side, skin)
    ours = np.column_stack([laid, side])
    near = closest_points(ours[moving], features, of_skin)
    step = interpolate(near, of_skin, now - before)
    out[moving] += step
    for name in "lr":
        rows = np.nonzero(kind == KINDS.index(f"eye_{name}"))[0]
        ball = np.unique(head.triangles[is_eyeball(head, name)])
        if len(rows):
            part = triangles[(kind[triangles] == KINDS.index(f"eye_{name}")).all(axis=1)]
            old, new = Eyeball.of(before, part), Eyeball.of(now, part)
            out[ball] = new.centre + new.radius / old.radius * (laid[ball] - old.centre)
    return laid + head.led(out - laid)


def _lower_share(head: HeadModel) -> Array:
    """(n,) metres that keep the lower lip apart from the upper one."""
    return np.asarray(0.02 * head.skin_weights[:, head.joint("jaw")] * head.regions["lips"])
