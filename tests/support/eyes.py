# SPDX-License-Identifier: GPL-3.0-or-later
"""Eyeballs, lids and the line of tears, measured along rays from the eye's centre.

How far a vertex of the ball stands outside the lids' outer surface on its ray, how far a vertex of
the lids' outer surface is below the ball's, and where the strip of tears lies between them. Shares
no code with the rig that it measures.
"""

from __future__ import annotations

import numpy as np

from core.heads.arkit import ARKIT_NAMES
from core.heads.corners import triangle_part
from core.rig.rig_arrays import RigArrays

from .rigs import rigged_person

ALLOWED = 0.0002
REACH = 0.03


def ray_lengths(directions, triangles):
    """(n,) smallest length at which rays from the origin leave a surface, infinite where they
    do not, and the cosine between ray and surface there: they meet triangles (m, 3, 3) that face
    away from the origin.
    """
    a, b, c = triangles.transpose(1, 0, 2)
    normal = np.cross(b - a, c - a)
    height = (normal * a).sum(axis=1)  # positive where the surface faces away
    slope = directions @ normal.T
    with np.errstate(divide="ignore", invalid="ignore"):
        length = height / slope
    inside = (slope > 0) & (length > 0)
    for p, q in ((a, b), (b, c), (c, a)):
        inside &= directions @ np.cross(p, q).T >= 0
    length = np.where(inside, length, np.inf)
    first = length.argmin(axis=1)
    rows = np.arange(len(directions))
    size = np.linalg.norm(normal[first], axis=1)
    return length[rows, first], slope[rows, first] / np.maximum(size, 1e-12)


class Eye:
    """One eye of the open head: its ball, and the skin that can be seen around it."""

    def __init__(self, head, side):
        part = triangle_part(head)
        names = [head.part_names.index(f"{n}_{side}") for n in ("eyeball", "iris", "pupil")]
        self.joint = head.joint(f"eye_{side}")
        self.ball = head.triangles[np.isin(part, names)]
        self.vertices = np.unique(self.ball)
        skin = head.triangles[part == head.part_names.index("skin")]
        centre = head.joints(head.template)[self.joint]
        self.skin = skin[np.linalg.norm(head.template[skin] - centre, axis=2).max(axis=1) < REACH]
        # The inside of the lids is tucked into the ball on purpose, where nobody sees it: what
        # counts is skin that faces away from the eye on the template.
        a, b, c = (head.template[self.skin] - centre).transpose(1, 0, 2)
        facing = np.zeros((head.vertex_count, 3))
        for corner in self.skin.T:
            np.add.at(facing, corner, np.cross(b - a, c - a))
        seen = np.unique(self.skin)
        self.lids = seen[(facing[seen] * (head.template[seen] - centre)).sum(axis=1) > 0]

    def through(self, v, centre):
        """Metres that the ball stands out of the lids, and the lids are sunk into the ball."""
        ball = v[self.vertices] - centre
        front = ball[ball[:, 2] > 0]
        reach = np.linalg.norm(front, axis=1)
        lids, cosine = ray_lengths(front / reach[:, None], v[self.skin] - centre)
        # Straight through the skin: a lid's margin is met at a slant.
        out = np.max((reach - lids) * cosine, initial=0.0, where=np.isfinite(lids))
        away = v[self.lids] - centre
        length = np.linalg.norm(away, axis=1)
        surface, _ = ray_lengths(away / length[:, None], v[self.ball] - centre)
        sunk = np.where(np.isfinite(surface), surface - length, 0.0)
        return out, np.max(sunk, initial=0.0)


def people(head, count):
    """The template, then random identities at one standard deviation a component."""
    rng = np.random.default_rng(2024)
    return [rng.normal(size=head.identity_count) * (i > 0) for i in range(count)]


def poses(head, eyes, rig):
    """Name, offset (V, 3) and the turn of the eyes of every key that comes near an eye."""
    yield "rest", None, None
    near = np.unique(np.concatenate([eye.skin.ravel() for eye in eyes]))
    for name in ARKIT_NAMES:
        offset = rig.delta(name)
        if np.abs(offset[near]).max() < 5e-5:
            continue
        yield name, offset, None
        if name in head.gaze_range:
            yield f"{name}, eye turned", offset, (name, head.gaze_range[name])


def depths(head, eyes, person, identity):
    """Metres by which one person's eyes and lids run into each other, the worse of both ways:
    (person, pose, joint) -> depth.
    """
    rig = RigArrays.of(rigged_person(head, identity))
    out = {}
    for name, offset, gaze in poses(head, eyes, rig):
        v = rig.basis if offset is None else rig.basis + offset
        if gaze is not None:
            rotations = np.zeros((len(rig.joints), 3))
            rotations[head.joint("eye_l" if gaze[0].endswith("Left") else "eye_r")] = gaze[1]
            v = head.skin(v, rig.joints, rotations)
        for eye in eyes:
            out[person, name, eye.joint] = max(eye.through(v, rig.joints[eye.joint]))
    return out


def strips_of(head):
    """Triangles of the left eye's strip and of the right one's."""
    part = triangle_part(head)
    triangles = head.triangles[part == head.part_names.index("tears")]
    left = head.template[triangles][:, :, 0].mean(axis=1) > 0
    return [triangles[left], triangles[~left]]


def rows_of(strip):
    """(3, n): under the lid's skin, surface, under the ball."""
    return np.unique(strip).reshape(3, -1)


def above(points, surface, centre):
    """(n,) metres of points above triangles (m, 3, 3), along rays from a centre."""
    away = points - centre
    length = np.linalg.norm(away, axis=1)
    found, _ = ray_lengths(away / length[:, None], surface - centre)
    return length - found


def heights(head, eyes, strips, person, identity):
    """Metres above the ball of one person's strips: (person, pose, joint) -> highest of the edge
    that ends under it, lowest and highest of the surface.
    """
    rig = RigArrays.of(rigged_person(head, identity))
    found = {}
    for name, offset, gaze in poses(head, eyes, rig):
        v = rig.basis if offset is None else rig.basis + offset
        if gaze is not None:
            rotations = np.zeros((len(rig.joints), 3))
            rotations[head.joint("eye_l" if gaze[0].endswith("Left") else "eye_r")] = gaze[1]
            v = head.skin(v, rig.joints, rotations)
        for eye, strip in zip(eyes, strips, strict=True):
            centre = rig.joints[eye.joint]
            _, surface, ball = rows_of(strip)
            edge = above(v[ball], v[eye.ball], centre)
            middle = above(v[surface], v[eye.ball], centre)
            found[person, name, eye.joint] = (edge.max(), middle.min(), middle.max())
    return found


def is_wrong(edge, lowest, highest):
    """Whether the strip ends before the ball, sinks into it, or stands far off."""
    return edge > 0 or lowest < -ALLOWED or highest > 0.002
