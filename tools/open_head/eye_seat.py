# SPDX-License-Identifier: GPL-3.0-or-later
"""Seats eyeballs behind the lids of a face, and lays the lids' margins on them.

A statistic of scans says where lids are; of the ball behind them it says little, and nothing of the
margin's tucked edges. So the ball (round, of one size) goes where the line of the lashes has it at
MakeHuman's own distances; what is left over comes out of that line, and fades outwards over the
lids; the margin follows it at MakeHuman's distances from the ball, and so do the sockets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .mesh import HeadMesh
from .smooth import continued
from .tears import lid_rings

_STEPS = 30
#: Metres that lids stand off the ball beyond MakeHuman's own distance: people's are wider open, and
#: more of the cornea passes under them as the gaze goes up and down.
_ROOM = 0.0001
#: Rings of lid beyond the line of the lashes over which its correction fades.
_FADE_RINGS = 9
#: Rings of the socket, from the margin inwards, over which its motion becomes the ball's.
_SOCKET_RINGS = 3


@dataclass(frozen=True)
class EyeSeat:
    """Of the left eye of a head whose lids lie well on it."""

    mesh: HeadMesh
    rings: np.ndarray
    """(n, 3) the margin's vertices: tucked edge, middle, line of the lashes."""
    centre: np.ndarray
    """(3,) of the ball."""
    distance: np.ndarray
    """(n, 3) of the rings' vertices from the centre."""

    @classmethod
    def of(cls, mesh: HeadMesh, template: np.ndarray) -> EyeSeat:
        """From MakeHuman's average (V, 3), metres."""
        rings = lid_rings(mesh, template)
        ball = template[mesh.spans["eyeball_l"]]
        centre = _centre(ball[mesh.eye_ring[mesh.spans["eyeball_l"]] > 8])
        return cls(mesh, rings, centre, np.linalg.norm(template[rings] - centre, axis=2))

    def mean(self, before: np.ndarray, moved: np.ndarray) -> np.ndarray:
        """Displacement (V, 3), even, of the template ``before``: ``moved`` with its eyes seated."""
        centre = self.centre.copy()
        line = (before + moved)[self.rings[:, 2]]
        for _ in range(_STEPS):
            away = line - centre
            length = np.linalg.norm(away, axis=1)
            normal = away / length[:, None]
            shift, *_ = np.linalg.lstsq(normal, length - self.distance[:, 2] - _ROOM, rcond=None)
            centre += shift
        away = line - centre
        normal = away / np.linalg.norm(away, axis=1, keepdims=True)
        goals = centre + (self.distance + _ROOM)[:, :, None] * normal[:, None]
        return self._placed(moved, centre - self.centre, goals - before[self.rings])

    def mode(self, template: np.ndarray, mode: np.ndarray) -> np.ndarray:
        """A component (V, 3) of people about the seated ``template``, with eyes that follow."""
        line, motion = template[self.rings[:, 2]], mode[self.rings[:, 2]]
        ball = template[self.mesh.spans["eyeball_l"]]
        centre = _centre(ball[self.mesh.eye_ring[self.mesh.spans["eyeball_l"]] > 8])
        normal = line - centre
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        shift, *_ = np.linalg.lstsq(normal, (motion * normal).sum(axis=1), rcond=None)
        # First order: nobody of the margin comes nearer to the centre or goes farther from it.
        out = motion - normal * ((motion - shift) * normal).sum(axis=1, keepdims=True)
        slide = out - normal * (out * normal).sum(axis=1, keepdims=True)
        held = (shift * normal).sum(axis=1, keepdims=True) * normal
        rows = np.repeat((slide + held)[:, None], self.rings.shape[1], axis=1)
        return self._placed(mode, shift, rows)

    def _placed(self, field: np.ndarray, shift: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """A field (V, 3), even or odd, whose left ball moves by ``shift`` and whose left margin by
        ``rows``, with lids and socket between; the right eye's is the mirror image.
        """
        mesh = self.mesh
        sign = 1.0 if (field * mesh.mirrored(field)).sum() > 0 else -1.0
        out = field.copy()
        out[mesh.spans["eyeball_l"]] = shift
        change = np.zeros_like(field)
        change[self.rings] = rows - field[self.rings]
        triangles = self._skin
        lid, still = self._lid
        fixed = still.copy()
        fixed[self.rings[:, 2]] = True
        out += np.where(lid[:, None], continued(triangles, change, fixed, lid), 0.0)
        out[self.rings] = rows
        deep, near = self._socket
        out[deep] = shift
        fixed = deep.copy()
        fixed[self.rings[:, 0]] = True
        out = np.where(near[:, None], continued(triangles, out, fixed, near), out)
        change = out - field
        # What was in the place of the eyes before counts for nothing.
        eyes = np.zeros(len(field), bool)
        eyes[mesh.spans["eyeball_r"]] = True
        rest = np.where(eyes[:, None], 0.0, field)
        change[mesh.spans["eyeball_l"]] = shift
        rest[mesh.spans["eyeball_l"]] = 0.0
        return rest + change + sign * mesh.mirrored(change)

    @property
    def _skin(self) -> np.ndarray:
        triangles, _ = self.mesh.triangles()
        return triangles[(triangles < self.mesh.spans["skin"].stop).all(axis=1)]

    @property
    def _socket(self) -> tuple[np.ndarray, np.ndarray]:
        """(V,) vertices of the left socket that go with the ball, and those between."""
        count = len(self.mesh.positions)
        inside = np.zeros(count, bool)
        inside[np.unique(self.mesh.quads[self.mesh.sockets["l"]])] = True
        inside[self.rings] = False
        near = np.zeros(count, bool)
        near[self.rings[:, 0]] = True
        near = _grown(self.mesh, near, inside, _SOCKET_RINGS)
        near[self.rings[:, 0]] = False
        return inside & ~near, near

    @property
    def _lid(self) -> tuple[np.ndarray, np.ndarray]:
        """(V,) vertices over which a correction of the line fades, and the still ones around."""
        count = len(self.mesh.positions)
        inside = np.zeros(count, bool)
        inside[np.unique(self.mesh.base_faces())] = True
        inside[np.unique(self.mesh.quads[self.mesh.sockets["l"]])] = False
        inside[self.rings[:, :2]] = False
        line = np.zeros(count, bool)
        line[self.rings[:, 2]] = True
        lid = _grown(self.mesh, line, inside, _FADE_RINGS)
        ring = _grown(self.mesh, lid, inside, 2) & ~lid
        lid[self.rings[:, 2]] = False
        return lid, ring


def _centre(points: np.ndarray) -> np.ndarray:
    """(3,) of the sphere that fits points (n, 3) best, by least squares."""
    system = np.column_stack([2 * points, np.ones(len(points))])
    return np.linalg.lstsq(system, (points**2).sum(axis=1), rcond=None)[0][:3]


def _grown(mesh: HeadMesh, start: np.ndarray, inside: np.ndarray, rings: int) -> np.ndarray:
    out = start.copy()
    faces = mesh.base_faces()
    for _ in range(rings):
        touched = np.zeros(len(out), bool)
        touched[faces[out[faces].any(axis=1)]] = True
        out |= touched & inside
    return out
