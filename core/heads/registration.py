# SPDX-License-Identifier: GPL-3.0-or-later
"""Lays the open head's template onto the template of another head: who lies where on whom.

In three steps: the eyes are brought together, then the open head's own identity components and
a similarity bring the faces together, then a non-rigid iterative closest point refines it
(after Amberg, Romdhani and Vetter, "Optimal step nonrigid ICP algorithms for surface
registration", CVPR 2007, with a stiffness on neighbours' displacements that fades).

"Closest" is among position, normal and, near the mouth, jaw weight, so that a lip finds its own
lip and not the other one that touches it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.closest import Closest, closest_points, interpolate
from ..geometry.mesh import boundary_vertices, scatter_add, vertex_normals
from ..geometry.rotation import matrix_from_vector
from ..geometry.sparse import solve, uniform_laplacian
from .corners import is_skin
from .eyeballs import is_eyeball
from .face_anchors import Surface, anchor_motion, warp
from .model import HeadModel

Array = NDArray[np.float64]
Index = NDArray[np.integer[Any]]

#: Metres that a normal turned by a radian counts for, and a jaw weight from 0 to 1 at the mouth.
_NORMAL_METRES, _JAW_METRES = 0.010, 0.008
_MOUTH_RADIUS, _SOCKET_RADIUS = 0.018, 0.022
_COMPONENTS = 60
#: Metres; faces come to 0.2 to 0.7 mm, a face-sized random shape to 1.7.
_WORST_LIKENESS = 0.0012
#: (stiffness, furthest correspondence in metres) of each non-rigid round.
_ROUNDS = ((8.0, 0.02), (4.0, 0.015), (2.0, 0.012), (1.0, 0.01), (0.5, 0.008)) + (
    (0.25, 0.006),
) * 3


@dataclass(frozen=True, eq=False)
class Registration:
    """The open head laid on a target.

    source: the open head's surface, its vertices moved onto the target. onto: for each vertex
    of the target, where it lies on ``source``. distance (V,) metres between the two, residual:
    its median over the face in metres, and face (V,) the target vertices it is taken over.
    likeness: median distance in metres of the open head's face from the target when only its
    identity was fitted.
    """

    source: Surface
    onto: Closest
    distance: Array
    face: NDArray[np.bool_]
    likeness: float

    @property
    def residual(self) -> float:
        """Median distance over the face, metres; infinite if no vertex lies on the face."""
        return float(np.median(self.distance[self.face])) if self.face.any() else float("inf")


def open_surface(head: HeadModel) -> Surface:
    """The open head's outer skin and eyeballs."""
    joints = head.joints(head.template)
    return Surface(
        head.template,
        head.triangles[is_skin(head)],
        (head.triangles[is_eyeball(head, "l")], head.triangles[is_eyeball(head, "r")]),
        head.skin_weights[:, head.joint("jaw")],
        joints[[head.joint("eye_l"), head.joint("eye_r")]],
    )


def register(
    head: HeadModel, target: Surface, progress: Callable[[float], None] = lambda _: None
) -> Registration | None:
    """Lays an open head on a target; None if the target is no face.

    That is seen from what the open head's own components cannot reach: bent freely, it would
    wrap around anything round.
    """
    source = open_surface(head)
    lips = head.regions["lips"]
    weight = np.where(head.regions["face"], 1.0, 0.3)
    fitted = _fit_identity(head, source, target, np.unique(source.triangles), weight)
    joints = head.joints(fitted)[[head.joint("eye_l"), head.joint("eye_r")]]
    source = replace(source, vertices=fitted, eyes=joints)
    mouth = source.vertices[lips].mean(axis=0)
    face = np.unique(source.triangles)
    face = face[head.regions["face"][face]]
    off = closest_points(source.vertices[face], target.vertices, target.triangles).distance
    likeness = float(np.median(off))
    if likeness > _WORST_LIKENESS:
        return None
    warped = warp(source.vertices, *anchor_motion(source, target, mouth))
    source = replace(source, vertices=warped, eyes=target.eyes)
    progress(0.4)
    for i, (stiffness, reach) in enumerate(_ROUNDS):
        source = replace(source, vertices=bend(source, target, lips, stiffness, reach))
        progress(0.4 + 0.5 * (i + 1) / len(_ROUNDS))
    centre = source.vertices[lips].mean(axis=0)
    onto = closest_points(
        surface_features(target, centre), surface_features(source, centre), source.triangles
    )
    on_face = interpolate(onto, source.triangles, head.regions["face"].astype(np.float64)) > 0.5
    at = interpolate(onto, source.triangles, source.vertices)
    distance = np.linalg.norm(at - target.vertices, axis=1)
    in_skin = np.zeros(len(target.vertices), bool)
    in_skin[target.triangles] = True
    progress(1.0)
    return Registration(source, onto, distance, on_face & in_skin, likeness)


def features(registration: Registration, lips: NDArray[np.bool_], surface: Surface) -> Array:
    """(V, 7) what closest points of a finished registration are searched in.

    lips (V of the open head,) tells where the mouth is.
    """
    return surface_features(surface, registration.source.vertices[lips].mean(axis=0))


def surface_features(surface: Surface, mouth: Array) -> Array:
    """(V, 7) what closest points are searched in: place, normal, and jaw near the mouth (3,)."""
    normals = vertex_normals(surface.vertices, surface.triangles)
    near = np.exp(-((surface.vertices - mouth) ** 2).sum(axis=1) / _MOUTH_RADIUS**2)
    jaw = _JAW_METRES * near * surface.jaw
    return np.column_stack([surface.vertices, _NORMAL_METRES * normals, jaw])


def _fit_identity(
    head: HeadModel, source: Surface, target: Surface, used: Index, weight: Array
) -> Array:
    """Similarity and identity that bring the faces together -> all vertices (V, 3)."""
    k = min(_COMPONENTS, head.identity_count)
    chosen = used[:: max(1, len(used) // 1500)]
    basis = head.identity_basis[chosen][:, :, :k]
    boundary = boundary_vertices(target.triangles, len(target.vertices))
    identity = np.zeros(k)
    scale, rotation = 1.0, np.eye(3)
    offset = target.eyes.mean(axis=0) - source.eyes.mean(axis=0)
    for step in range(14):
        neutral = head.neutral(identity)
        placed = scale * neutral @ rotation.T + offset
        moved = replace(source, vertices=placed)
        mouth = placed[head.regions["lips"]].mean(axis=0)
        sought = surface_features(moved, mouth)[chosen]
        found = closest_points(sought, surface_features(target, mouth), target.triangles)
        good = good_matches(
            found, target, moved, chosen, boundary, reach=0.03 if step < 6 else 0.012
        )
        goal = interpolate(found, target.triangles, target.vertices)[good]
        at = placed[chosen][good]
        # Along the normal a correspondence is sure; across it slides, and counts for a tenth.
        normal = interpolate(found, target.triangles, surface_features(target, mouth)[:, 3:6])[good]
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
        root = 0.1 * np.eye(3) + 0.9 * normal[:, :, None] * normal[:, None, :]
        root *= np.sqrt(weight[chosen][good])[:, None, None] / 0.001
        centre = at.mean(axis=0)
        turn = np.cross(np.eye(3)[None], (at - centre)[:, None]).transpose(0, 2, 1)
        columns = [np.broadcast_to(np.eye(3), (len(at), 3, 3)), turn, (at - centre)[:, :, None]]
        if step >= 3:  # placed first, shaped then
            columns.append(scale * np.einsum("ij,njk->nik", rotation, basis[good]))
        jacobian = (root @ np.concatenate(columns, axis=2)).reshape(3 * len(at), -1)
        error = (root @ (goal - at)[:, :, None]).reshape(-1)
        prior = np.zeros(jacobian.shape[1])
        prior[7:] = len(at) * 0.02
        right = jacobian.T @ error
        right[7:] -= prior[7:] * identity[: len(right) - 7]
        update = np.linalg.solve(jacobian.T @ jacobian + np.diag(prior + 1e-9), right)
        spin, growth = matrix_from_vector(update[3:6]), 1.0 + update[6]
        rotation, scale = spin @ rotation, scale * growth
        offset = growth * spin @ (offset - centre) + centre + update[:3]
        identity[: len(update) - 7] += update[7:]
    out: Array = scale * head.neutral(identity) @ rotation.T + offset
    return out


def good_matches(
    found: Closest,
    target: Surface,
    source: Surface,
    queries: Index,
    boundary: NDArray[np.bool_],
    reach: float,
) -> NDArray[np.bool_]:
    """Correspondences that are near, face alike, and do not end at the target's rim."""
    corners = target.triangles[found.triangle]
    at_rim = (found.barycentric * boundary[corners]).sum(axis=1) > 0.99
    facing = interpolate(found, target.triangles, vertex_normals(target.vertices, target.triangles))
    own = vertex_normals(source.vertices, source.triangles)[queries]
    alike = (facing * own).sum(axis=1) > 0.5
    at = interpolate(found, target.triangles, target.vertices)
    near = np.linalg.norm(at - source.vertices[queries], axis=1) < reach
    hidden = _in_socket(target)[corners].any(axis=1) | _in_socket(source)[queries]
    good: NDArray[np.bool_] = near & alike & ~at_rim & ~hidden
    return good


def _in_socket(surface: Surface) -> NDArray[np.bool_]:
    """(V,) skin that faces an eyeball: the inside of lids and sockets, which no two heads
    have alike and nobody sees.
    """
    normals = vertex_normals(surface.vertices, surface.triangles)
    hidden = np.zeros(len(normals), bool)
    for eye in surface.eyes:
        away = surface.vertices - eye
        length = np.linalg.norm(away, axis=1)
        hidden |= (length < _SOCKET_RADIUS) & ((normals * away).sum(axis=1) < 0.1 * length)
    return hidden


def bend(
    source: Surface, target: Surface, lips: NDArray[np.bool_], stiffness: float, reach: float
) -> Array:
    """One non-rigid round: vertices (V, 3) pulled to where they belong, neighbours together."""
    count = len(source.vertices)
    mouth = source.vertices[lips].mean(axis=0)
    ours, theirs = surface_features(source, mouth), surface_features(target, mouth)
    used, aimed = np.unique(source.triangles), np.unique(target.triangles)
    pull, weight = np.zeros((count, 3)), np.zeros(count)

    found = closest_points(ours[used], theirs, target.triangles)
    rim = boundary_vertices(target.triangles, len(target.vertices))
    good = good_matches(found, target, source, used, rim, reach)
    goal = interpolate(found, target.triangles, target.vertices)
    pull[used[good]] += (goal - source.vertices[used])[good]
    weight[used[good]] += 1.0

    # The other way round too, or what sticks out of the target would be cut off.
    back = closest_points(theirs[aimed], ours, source.triangles)
    rim = boundary_vertices(source.triangles, count)
    good = good_matches(back, source, target, aimed, rim, reach)
    error = (target.vertices[aimed] - interpolate(back, source.triangles, source.vertices))[good]
    share = back.barycentric[good]
    corners = source.triangles[back.triangle[good]]
    for k in range(3):
        pull += scatter_add(corners[:, k], share[:, k, None] * error, count)
        weight += np.bincount(corners[:, k], share[:, k], minlength=count)
    laplacian = uniform_laplacian(source.triangles, count)
    free = laplacian.diagonal == 0  # vertices of no skin triangle stay where they are
    return source.vertices + solve_displacement(laplacian, weight, pull, stiffness, free)


def solve_displacement(
    laplacian: Any, weight: Array, pull: Array, stiffness: float, free: NDArray[np.bool_]
) -> Array:
    """Displacements (V, 3) that follow the pull where it is known and each other elsewhere."""
    diagonal = (weight + 1e-6) / stiffness + free
    return solve(laplacian, diagonal, pull / stiffness, tolerance=1e-5)
