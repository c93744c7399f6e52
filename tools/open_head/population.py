# SPDX-License-Identifier: GPL-3.0-or-later
"""The people of the open head: average and components of real ones, and what those do not say.

The average and the first 100 components are statistics of scans (see ``people``), with eyes, lips
and mouth seated as MakeHuman has them. The components after them are MakeHuman's variety of ears,
skull and neck, of which the scans' model carries little, and of the face where no component of the
scans reaches, cut down to what people can be expected to have there. All coefficients are standard
normal, and every component is exactly even or odd under the mirror.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .eye_seat import EyeSeat
from .identity_basis import principal_components
from .lip_seal import LipSeal, mouth_rings
from .mesh import PART_NAMES, HeadMesh
from .people import People
from .smooth import averaged, continued

FURTHER = 30
"""Components beyond the scans' own."""
_FACE_MM = 0.45
"""Root mean square in the face of all that the scans' 100 components leave out: their sizes fall
like k to the power of -1.1, and the tail of that series beyond the hundredth comes to this."""
_SPAN_MM = 3.0
"""How far off, for each coordinate, a shape may stay from what the scans' components make of it:
coefficients beyond a few sigma are no explanation."""
_RINGS = 5
"""Rings of the mouth's bag, from its rim inwards, over which its motion becomes the mouth's."""
_SMOOTHING, _EVERY = 8, 4


@dataclass(frozen=True)
class Population:
    """mean (V, 3) from MakeHuman's average to that of people; components (V, 3, K), metres per
    standard deviation, the scans' first.
    """

    mean: np.ndarray
    components: np.ndarray


class Seats:
    """Puts in their place what a statistic of scans does not see: eyes, lips, mouth."""

    def __init__(self, mesh: HeadMesh, template: np.ndarray, seal: LipSeal) -> None:
        """template (V, 3): MakeHuman's average, lips sealed."""
        self.mesh, self.template, self.seal = mesh, template, seal
        self.eyes = EyeSeat.of(mesh, template)
        skin = mesh.triangles()[0]
        self._skin = skin[(skin < mesh.spans["skin"].stop).all(axis=1)]
        self._bag, self._between, self._around = _mouth(mesh)

    def mean(self, moved: np.ndarray) -> np.ndarray:
        """Displacement (V, 3) of MakeHuman's average."""
        out = self.eyes.mean(self.template, self._mouth(moved))
        return self.seal.close(self.template + out) - self.template

    def mode(self, seated: np.ndarray, mode: np.ndarray) -> np.ndarray:
        """A component (V, 3) about the seated average (V, 3)."""
        return self.seal.close(self.eyes.mode(seated, self._mouth(mode)))

    def _mouth(self, field: np.ndarray) -> np.ndarray:
        """The bag's depth and the tongue go with the mouth around them, by one affine motion."""
        out = field.copy()
        around = self._around
        middle = self.template[around].mean(axis=0)
        design = np.column_stack([self.template - middle, np.full(len(field), 0.02)])
        motion, *_ = np.linalg.lstsq(design[around], field[around], rcond=None)
        inside = self._bag.copy()
        inside[self.mesh.spans["tongue"]] = True
        for name in ("teeth_upper", "teeth_lower"):
            inside[self.mesh.spans[name]] = True
        out[inside] = design[inside] @ motion
        known = np.ones(len(field), bool)
        known[self._between] = False
        return continued(self._skin, out, known, self._between)


def people_population(
    mesh: HeadMesh, seats: Seats, people: People, outside: np.ndarray,
    shapes: np.ndarray, weights: np.ndarray,
) -> Population:  # fmt: skip
    """Of people's statistics, and MakeHuman's shapes (n, V, 3) in a population's weights (N, n).

    outside (V,): ears, skull and neck, where MakeHuman's variety counts in full.
    """
    mean = seats.mean(people.mean)
    mean = (mean + mesh.mirrored(mean)) / 2
    seated = seats.template + mean
    modes = [seats.mode(seated, people.modes[:, :, k]) for k in range(people.modes.shape[2])]
    modes = even_or_odd(mesh, np.stack(modes, axis=2))
    more = _further(mesh, seats, modes, outside, shapes, weights)
    return Population(mean, np.concatenate([modes, more], axis=2))


def even_or_odd(mesh: HeadMesh, modes: np.ndarray) -> np.ndarray:
    """Components (V, 3, K) that are nearly even or odd under the mirror, exactly so."""
    other = mesh.mirrored(modes)
    sign = np.where((modes * other).sum(axis=(0, 1)) < 0, -1.0, 1.0)
    return (modes + sign * other) / 2


def _further(
    mesh: HeadMesh, seats: Seats, modes: np.ndarray, outside: np.ndarray,
    shapes: np.ndarray, weights: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """(V, 3, FURTHER): principal components of what MakeHuman's people have beyond the modes."""
    skin = np.unique(mesh.base_faces())
    flat = modes[skin].reshape(-1, modes.shape[2]) / (1e-3 * _SPAN_MM)
    goal = shapes[:, skin].reshape(len(shapes), -1).T / (1e-3 * _SPAN_MM)
    told = np.linalg.solve(flat.T @ flat + np.eye(flat.shape[1]), flat.T @ goal)
    rest = shapes - np.einsum("vck,ks->svc", modes, told)
    face = np.setdiff1d(skin, np.flatnonzero(outside))
    some = (weights - weights.mean(axis=0))[::_EVERY]
    spread = (some @ rest[:, face].reshape(len(rest), -1)).reshape(len(some), -1, 3)
    size = 1e3 * np.sqrt((spread**2).sum(axis=2).mean())
    share = np.where(outside, 1.0, min(1.0, _FACE_MM / size))
    share = averaged(mesh.base_faces(), share, _SMOOTHING)
    rest = rest * ((share + share[mesh.mirror]) / 2)[:, None]
    rest = np.stack([seats.seal.close(s) for s in rest])
    return principal_components(mesh, rest, weights, FURTHER).components


def _mouth(mesh: HeadMesh) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices of the mouth's bag in its depth and near its rim (V,), and of the lips around."""
    rings = mouth_rings(mesh)
    bag = mesh.quads[mesh.face_part == PART_NAMES.index("mouth_interior")]
    reached = rings[0]
    for _ in range(_RINGS):
        reached = np.unique(bag[np.isin(bag, reached).any(axis=1)])
    near, deep = np.zeros(len(mesh.positions), bool), np.zeros(len(mesh.positions), bool)
    near[reached] = True
    deep[np.unique(bag)] = True
    near[rings[0]] = deep[rings[0]] = False
    return deep & ~near, near, np.unique(np.concatenate(rings))
