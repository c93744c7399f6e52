# SPDX-License-Identifier: GPL-3.0-or-later
"""Codes of a head that is known roughly: from the pipeline's mesh, and normals that photos show.

Unknowns are coordinates in the statistics of the training codes: one identity for all photos of a
person and an expression a photo. Damped Gauss-Newton over few hundred points:

    distance   s(x) = 0 where the mesh is, a millimetre or two wide: nearness to the start
    normals    t . grad s = 0 for both tangents of a normal that the photo shows, on the surface
    anchors    a(z) = the mesh's points that the anchors are: scale, place and sparse landmarks
    outline    s >= 0 along rays beside the head
    prior      coordinates are standard normal, and stay near a regressor's if there was one
    symmetry   codes of the two sides are alike

In the manner of Pix2NPHM, whose regressor and weights are not public; `regressor` is our own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ..errors import FitError
from .decoder import NEGLIGIBLE, UNITS, Codes, Field
from .render import onto_surface, tangent_slopes, tangents_of
from .weights import NeuralHead

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Widths:
    """Standard deviations: metres, sine of an angle, and of coordinates; rounds of the solver."""

    distance: float = 0.0015
    normal: float = 0.12
    anchor: float = 0.003
    outline: float = 0.001
    prior: float = 1.0
    near_start: float = 0.5
    symmetry: float = 0.6
    rounds: int = 7
    #: Farther than so many spreads off, a residual counts less and less (Huber).
    robust: float = 2.0


@dataclass(frozen=True, eq=False)
class Observation:
    """One photo in the decoder's space, units. points (n, 3) of the posed surface with normals
    (n, 3), weight (n,) of the distance and trust (n,) of the normal, 0 where no photo shows it.
    anchors (A, 3) of the head at rest or None. beside (m, k, 3): points of rays that miss the head.
    """

    points: Array
    normals: Array
    weight: Array
    trust: Array
    anchors: Array | None = None
    beside: Array = field(default_factory=lambda: np.zeros((0, 1, 3)))


@dataclass(frozen=True, eq=False)
class NeuralFit:
    """identity (I,) and faces, each (E,), as coordinates; cost before and after; rounds taken."""

    identity: Array
    faces: tuple[Array, ...]
    costs: tuple[float, ...]

    def codes(self, head: NeuralHead, photo: int) -> Codes:
        """Of a photo's head."""
        s = head.statistics
        face = s.face(self.faces[photo]) if head.decoder.sizes.expression else None
        look = s.appearance if len(s.appearance) else None
        return Codes(s.identity(self.identity), face, look)


def fit_codes(
    head: NeuralHead,
    photos: Sequence[Observation],
    start: NeuralFit | None = None,
    widths: Widths | None = None,
) -> NeuralFit:
    """Solves; start: a regressor's, to stay near to. Without one the fit begins at the mean code,
    with anchors and distances alone.

    Raises FitError where there is nothing to fit to or the field gives no numbers.
    """
    if not photos or any(len(p.points) < 10 for p in photos):
        raise FitError("The neural head has too little of a surface to be fitted to.")
    if not all(np.isfinite(p.points).all() and np.isfinite(p.normals).all() for p in photos):
        raise FitError("The neural head cannot be fitted to what is no number.")
    widths = widths or Widths()
    count = head.statistics.basis.shape[1]
    each = head.statistics.basis_exp.shape[1]
    if start is None:
        x = np.zeros(count + each * len(photos))
        coarse = replace(widths, distance=2.5 * widths.distance, rounds=3)
        plain = [replace(p, trust=np.zeros(len(p.points))) for p in photos]
        x, first = _solve(_Problem(head, plain, coarse, None), x)
    else:
        x, first = np.concatenate([start.identity, *start.faces]), ()
    begun = x.copy() if start is not None else None
    x, costs = _solve(_Problem(head, photos, widths, begun), x)
    faces = tuple(x[count + i * each : count + (i + 1) * each] for i in range(len(photos)))
    return NeuralFit(x[:count], faces, (*first, *costs))


def _solve(problem: _Problem, x: Array) -> tuple[Array, tuple[float, ...]]:
    """Levenberg-Marquardt with damping by the diagonal."""
    damping, costs = 1e-3, []
    residual, jacobian = problem.linearise(x)
    cost = float(residual @ residual)
    for _ in range(problem.widths.rounds):
        costs.append(cost)
        normal, gradient = jacobian.T @ jacobian, jacobian.T @ residual
        for _ in range(4):
            damped = normal + damping * np.diag(np.diag(normal))
            step = -np.linalg.solve(damped, gradient)
            # What was met moves with every step, so the cost is asked of the same points again.
            trial, there = problem.linearise(x + step)
            new = float(trial @ trial)
            if np.isfinite(new) and new < cost:
                break
            damping = min(damping * 10, 1e6)
        else:
            break
        gain = (cost - new) / max(cost, 1e-12)
        x, residual, jacobian, cost = x + step, trial, there, new
        damping = max(damping * 0.3, 1e-6)
        if gain < 1e-3:
            break
    costs.append(cost)
    if not np.isfinite(x).all():
        raise FitError("The neural head could not be fitted: its codes ran away.")
    return x, tuple(costs)


@dataclass(frozen=True, eq=False)
class _Problem:
    head: NeuralHead
    photos: Sequence[Observation]
    widths: Widths
    begun: Array | None

    def linearise(self, x: Array) -> tuple[Array, Array]:
        """Weighted residuals (m,) and their Jacobian (m, n)."""
        stats, w = self.head.statistics, self.widths
        count, each = stats.basis.shape[1], stats.basis_exp.shape[1]
        geometry = stats.identity(x[:count])
        residuals, rows = [], []
        for i, photo in enumerate(self.photos):
            at = slice(count + i * each, count + (i + 1) * each)
            face = stats.face(x[at]) if self.head.decoder.sizes.expression else None
            here = self.head.decoder.field(Codes(geometry, face))
            for value, geo, exp in self._blocks(here, photo):
                jacobian = np.zeros((len(value), len(x)))
                jacobian[:, :count] = geo @ stats.basis
                if exp.shape[1]:
                    jacobian[:, at] = exp @ stats.basis_exp
                scale = _huber(value, w.robust)
                residuals.append(value * scale)
                rows.append(jacobian * scale[:, None])
        for value, jacobian in self._priors(x, geometry):
            residuals.append(value)
            rows.append(jacobian)
        return np.concatenate(residuals), np.concatenate(rows)

    def _blocks(self, here: Field, photo: Observation) -> list[tuple[Array, Array, Array]]:
        """(value, by geometry, by expression) of a photo's residuals, in spreads."""
        w, out = self.widths, []
        g = here.gradients(photo.points)
        # Distances of a field whose gradient is not 1 are not in units.
        slope = np.maximum(np.linalg.norm(g.place, axis=1), 0.3)
        scale = photo.weight / (w.distance * UNITS * slope)
        out.append((g.value * scale, g.geometry * scale[:, None], g.expression * scale[:, None]))
        seen = photo.trust > 0
        if seen.any():
            n, trust = photo.normals[seen], photo.trust[seen]
            there = onto_surface(here, photo.points[seen], n, 3 * w.distance * UNITS)
            for tangent in tangents_of(n):
                t = tangent_slopes(here, there, tangent)
                by = trust / (w.normal * slope[seen])
                out.append((t.value * by, t.geometry * by[:, None], t.expression * by[:, None]))
        if len(photo.beside):
            m, k, _ = photo.beside.shape
            value = here.distance(photo.beside.reshape(-1, 3), NEGLIGIBLE).reshape(m, k)
            least = value.argmin(axis=1)
            wrong = np.flatnonzero(value[np.arange(m), least] < 0)
            if len(wrong):
                g = here.gradients(photo.beside[wrong, least[wrong]])
                by = 1 / (w.outline * UNITS)
                out.append((g.value * by, g.geometry * by, g.expression * by))
        if photo.anchors is not None:
            out.append(self._anchors(here, photo.anchors))
        return out

    def _anchors(self, here: Field, anchors: Array) -> tuple[Array, Array, Array]:
        by = 1 / (self.widths.anchor * UNITS)
        sizes = self.head.decoder.sizes
        geo = np.zeros((anchors.size, sizes.geometry))
        geo[:, : sizes.glob] = here.by_glob * by
        return (here.anchors - anchors).ravel() * by, geo, np.zeros((anchors.size, 0))

    def _priors(self, x: Array, geometry: NDArray[np.float32]) -> list[tuple[Array, Array]]:
        w, stats, sizes = self.widths, self.head.statistics, self.head.decoder.sizes
        eye = np.eye(len(x))
        out = [(x / w.prior, eye / w.prior)]
        if self.begun is not None:
            out.append(((x - self.begun) / w.near_start, eye / w.near_start))
        local = slice(sizes.glob, sizes.glob + 2 * sizes.pairs * sizes.local)
        if sizes.pairs:
            basis = stats.basis[local].reshape(sizes.pairs, 2, sizes.local, -1)
            both = geometry[local].reshape(sizes.pairs, 2, sizes.local)
            spread = np.sqrt((basis**2).sum(axis=(1, 3)).mean()) * w.symmetry
            # As many residuals as there are codes, which are not independent: the basis is small.
            by = 1.0 / (max(float(spread), 1e-6) * np.sqrt(sizes.local))
            value = (both[:, 0] - both[:, 1]).ravel() * by
            jacobian = np.zeros((len(value), len(x)))
            apart = (basis[:, 0] - basis[:, 1]).reshape(len(value), -1)
            jacobian[:, : apart.shape[1]] = apart * by
            out.append((value, jacobian))
        return out


def _huber(value: Array, robust: float) -> Array:
    size = np.abs(value)
    return np.where(size <= robust, 1.0, np.sqrt(robust / np.maximum(size, 1e-12)))
