# SPDX-License-Identifier: GPL-3.0-or-later
"""Lays the open head onto a mesh whose face was found: identity first, then bending.

Identity, expression-free, and a similarity are fitted to the landmarks and then to the nearest
points as well (a damped Gauss-Newton step each round); the landmarks that are still off draw the
shape smoothly along; the last tenths of a millimetre are the non-rigid rounds of
``core.heads.registration``. A stylised head is reached by the middle step alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.closest import closest_points, interpolate
from ..geometry.mesh import boundary_vertices
from ..geometry.rotation import matrix_from_vector
from ..heads.eyeballs import Eyeball, is_eyeball
from ..heads.face_anchors import Surface, anchor_motion, warp
from ..heads.model import HeadModel
from ..heads.registration import bend, good_matches, open_surface, surface_features
from .face_mask import open_mask
from .mouth_side import lower_lip_share

Array = NDArray[np.float64]
Index = NDArray[np.integer[Any]]

#: (stiffness, furthest correspondence in metres) of each non-rigid round.
_ROUNDS = ((8.0, 0.02), (4.0, 0.015), (2.0, 0.012), (1.0, 0.01), (0.5, 0.008)) + (
    (0.25, 0.006),
) * 2
#: Metres that a landmark may be off, as lifted; widths in metres by which what is left is drawn.
_SIGMA, _WIDTHS = 0.0025, (0.04, 0.025)
#: Triangles of the mesh that a round searches among.
_MOST = 30_000


def open_head_surface(head: HeadModel, points: Array) -> tuple[Surface, float]:
    """The open head with its lips told apart as those of any mesh are, and the way around its
    mouth in times the straight one; points (478, 3) as found on its template.
    """
    surface = open_surface(head)
    share, ratio = lower_lip_share(surface.vertices, surface.triangles, points)
    return replace(surface, jaw=share), ratio


def fit_identity(
    head: HeadModel,
    source: Surface,
    target: Surface | None,
    points: Array,
    goals: Array,
    weight: Array,
) -> Array:
    """All vertices (V, 3) of the open head, shaped and placed.

    points (P, 3) on the template's surface correspond to goals (P, 3) with weight (P,).
    target: also to be near it; None for landmarks alone.
    """
    on_skin = closest_points(points, source.vertices, source.triangles)
    corners = source.triangles[on_skin.triangle]
    share = on_skin.barycentric
    used = np.nonzero(weight > 0)[0]
    k = head.identity_count
    of_points = np.einsum("nk,nkcj->ncj", share[used], head.identity_basis[corners[used]])
    skin = np.unique(source.triangles)
    chosen = skin[head.regions["face"][skin]]
    chosen = chosen[:: max(1, len(chosen) // 900)]
    of_chosen = head.identity_basis[chosen]
    rim = None if target is None else boundary_vertices(target.triangles, len(target.vertices))
    identity, scale, rotation, offset = np.zeros(k), 1.0, np.eye(3), np.zeros(3)
    for step in range(5 if target is None else 11):
        neutral = head.neutral(identity)
        placed = scale * neutral @ rotation.T + offset
        at = np.einsum("nk,nkc->nc", share[used], placed[corners[used]])
        error = goals[used] - at
        off = np.linalg.norm(error, axis=1)
        root = np.sqrt(weight[used] / (1 + (off / (3 * _SIGMA)) ** 2)) / _SIGMA
        if target is not None:
            root *= 0.5  # nearest points are surer
        rows = [(at, error, root[:, None, None] * np.eye(3), of_points)]
        if target is not None and rim is not None and step >= 3:
            moved = replace(source, vertices=placed)
            mouth = placed[head.regions["lips"]].mean(axis=0)
            features = surface_features(target, mouth)
            found = closest_points(
                surface_features(moved, mouth)[chosen], features, target.triangles
            )
            good = good_matches(found, target, moved, chosen, rim, 0.02 if step < 7 else 0.01)
            goal = interpolate(found, target.triangles, target.vertices)[good]
            normal = interpolate(found, target.triangles, features[:, 3:6])[good]
            normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
            tight = 0.1 * np.eye(3) + 0.9 * normal[:, :, None] * normal[:, None, :]
            here = placed[chosen][good]
            rows.append((here, goal - here, tight / 0.002, of_chosen[good]))
        centre = placed[chosen].mean(axis=0)
        normal_matrix, right = np.zeros((k + 7, k + 7)), np.zeros(k + 7)
        for where, wanted, tight, basis in rows:
            arm = where - centre
            turn = np.cross(np.eye(3)[None], arm[:, None]).transpose(0, 2, 1)
            shape = scale * np.einsum("ij,njk->nik", rotation, basis)
            jacobian = np.concatenate(
                [np.broadcast_to(np.eye(3), (len(arm), 3, 3)), turn, arm[:, :, None], shape], axis=2
            )
            jacobian = (tight @ jacobian).reshape(-1, k + 7)
            normal_matrix += jacobian.T @ jacobian
            right += jacobian.T @ (tight @ wanted[:, :, None]).reshape(-1)
        prior = np.zeros(k + 7)
        prior[7:] = 8.0  # landmarks and points of one face are not independent
        right[7:] -= prior[7:] * identity
        update = np.linalg.solve(normal_matrix + np.diag(prior + 1e-9), right)
        spin, growth = matrix_from_vector(np.asarray(update[3:6], np.float64)), 1.0 + update[6]
        rotation, scale = spin @ rotation, scale * growth
        offset = growth * spin @ (offset - centre) + centre + update[:3]
        identity = identity + update[7:]
    out: Array = scale * head.neutral(identity) @ rotation.T + offset
    return out


def lay_on(
    head: HeadModel,
    source: Surface,
    fitted: Array,
    target: Surface,
    points: Array,
    goals: Array,
    weight: Array,
    progress: Callable[[float], None] = lambda _: None,
) -> Surface:
    """The open head bent onto the target: ``source`` with its vertices there.

    fitted (V, 3) from :func:`fit_identity`; points, goals and weight as there.
    """
    vertices = drawn_to(source, fitted, points, goals, weight)
    joints = head.joints(vertices)[[head.joint("eye_l"), head.joint("eye_r")]]
    source = replace(source, vertices=vertices, eyes=joints)
    lips = head.regions["lips"]
    mouth = vertices[lips].mean(axis=0)
    anchors, motion = anchor_motion(source, target, mouth)
    near = np.linalg.norm(motion, axis=1) < 0.02
    vertices = warp(vertices, anchors[near], motion[near])
    source = replace(source, vertices=vertices, eyes=target.eyes)
    # Where nothing will be moved, nothing needs to lie to a tenth of a millimetre.
    moving = open_mask(head) > 0
    near = replace(source, triangles=source.triangles[moving[source.triangles].any(axis=1)])
    thinned = _thinned(_around(target, vertices[moving]))
    for i, (stiffness, reach) in enumerate(_ROUNDS):
        near = replace(near, vertices=bend(near, thinned, lips, stiffness, reach))
        progress((i + 1) / len(_ROUNDS))
    source = replace(source, vertices=near.vertices)
    return replace(source, vertices=_with_the_rest(head, source, target))


def drawn_to(source: Surface, vertices: Array, points: Array, goals: Array, weight: Array) -> Array:
    """(V, 3) vertices that are drawn smoothly along by points (P, 3) of the source's surface whose
    goals (P, 3) are elsewhere, weight (P,) at most 1.
    """
    at = closest_points(points, source.vertices, source.triangles)
    used = weight > 0
    for width in _WIDTHS:
        now = interpolate(at, source.triangles, vertices)[used]
        motion = weight[used, None] * (goals[used] - now)
        vertices = _drawn(vertices, now, motion, width)
    return vertices


def _around(target: Surface, points: Array) -> Surface:
    """Only what lies within two centimetres of some points, by cells of that size."""
    cell = 0.02
    cells = np.unique(np.floor(points / cell).astype(np.int64), axis=0)
    steps = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3), axis=-1).reshape(-1, 3)
    wanted = (cells[:, None] + steps[None]).reshape(-1, 3)
    own = np.floor(target.vertices / cell).astype(np.int64)
    low = wanted.min(axis=0)
    size = wanted.max(axis=0) - low + 1
    inside = ((own >= low) & (own < low + size)).all(axis=1)
    grid = np.zeros(size, bool)
    grid[tuple((wanted - low).T)] = True
    at = np.where(inside[:, None], own - low, 0)
    kept = inside & grid[tuple(at.T)]
    return replace(target, triangles=target.triangles[kept[target.triangles].all(axis=1)])


def _drawn(points: Array, anchors: Array, motion: Array, width: float) -> Array:
    """Points (n, 3) that follow noisy anchors: a mean of their motions, by distance."""
    squares = ((points[:, None] - anchors[None]) ** 2).sum(axis=2)
    share = np.exp(-squares / (2 * width**2))
    out: Array = points + (share @ motion) / (share.sum(axis=1, keepdims=True) + 0.2)
    return out


def _thinned(target: Surface) -> Surface:
    """With as many triangles as a search can take; a mesh of a face's usual density stays."""
    if len(target.triangles) <= _MOST:
        return target
    keys = np.floor(target.vertices / 0.002).astype(np.int64)
    _, first, label = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    label = label.reshape(-1)
    triangles = label[target.triangles]
    whole = (triangles[:, 0] != triangles[:, 1]) & (triangles[:, 1] != triangles[:, 2])
    whole &= triangles[:, 2] != triangles[:, 0]
    triangles = np.unique(triangles[whole], axis=0)
    return replace(
        target, vertices=target.vertices[first], jaw=target.jaw[first], triangles=triangles,
        eyeballs=(triangles[:0], triangles[:0]),
    )  # fmt: skip


def _with_the_rest(head: HeadModel, source: Surface, target: Surface) -> Array:
    """The open head's eyeballs in the target's, and what follows the skin where it belongs."""
    vertices = source.vertices.copy()
    for side, ball in zip("lr", target.eyeballs, strict=True):
        if not len(ball):
            continue
        theirs = Eyeball.of(target.vertices, ball)
        rows = np.unique(head.triangles[is_eyeball(head, side)])
        ours = Eyeball.of(head.template, head.triangles[is_eyeball(head, side)])
        away = head.template[rows] - ours.centre
        vertices[rows] = theirs.centre + theirs.radius / ours.radius * away
    skin = np.unique(source.triangles)
    inner = np.setdiff1d(
        np.nonzero(head.regions["mouth_interior"])[0], skin
    )  # carried by the lips around it
    if len(inner):
        near = ((head.template[inner][:, None] - head.template[skin][None]) ** 2).sum(axis=2)
        share = 1.0 / (near + 0.004**2) ** 2
        share /= share.sum(axis=1, keepdims=True)
        vertices[inner] = head.template[inner] + share @ (vertices[skin] - head.template[skin])
    return head.template + head.led(vertices - head.template)
