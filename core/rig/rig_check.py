# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a rig does what its names say: figures, limits, and a verdict.

The limits are drawn just beyond what ICT FaceKit's shapes, a known-good rig made from scans, do
on its own face (docs/rig.md has both columns): what fails is worse than what artists use already.
Only of lips more is asked: ICT's cross by 4.5 mm where the chin is raised fully, and by 9.6 mm
where mouthClose meets a fully open jaw.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.mesh import edges, vertex_areas
from ..heads.arkit import ARKIT_NAMES, PHOTO_RESIDUAL, mirrored_name
from .expected import expected, side_of
from .poses import common_pairs
from .rig_arrays import RigArrays

Array = NDArray[np.float64]
Figures = Iterator[tuple[str, float]]

_MOVES = 2e-4
_SKULL = ("scalp", "ear_l", "ear_r")
_BLINKS = {"l": "eyeBlinkLeft", "r": "eyeBlinkRight"}


@dataclass(frozen=True)
class Limit:
    """A figure stays at or under ``most`` and at or over ``least``."""

    unit: str
    what: str
    most: float = np.inf
    least: float = -np.inf

    def holds(self, value: float) -> bool:
        """False for a value that is not a number."""
        return self.least <= value <= self.most

    def margin(self, value: float) -> float:
        """How far inside the limit, in units of it; the smallest is the worst."""
        ends = [e for e in (self.most - value, value - self.least) if np.isfinite(e)]
        return min(ends) if np.isfinite(value) else -np.inf


LIMITS: dict[str, Limit] = {
    "names": Limit("times", "every one of the 52 names and photoResidual stands once", 1, 1),
    "finite": Limit("values", "numbers that are not finite", most=0),
    "region": Limit("share", "of a key's motion that lies where its name says", least=0.55),
    "side": Limit("share", "of a one-sided key's motion on its own side", least=0.85),
    "direction": Limit("cosine", "of a landmark's motion with where it should go", least=0.5),
    "amplitude": Limit("times", "the known-good rig's amplitude", most=2.2, least=0.35),
    "symmetry": Limit("share", "of the amplitude by which left and right differ", most=0.15),
    "skull": Limit("mm", "mean motion of scalp and ears", most=0.5),
    "lips": Limit("mm", "one lip inside the other, single keys", most=3.0),
    "lips in pairs": Limit("mm", "one lip inside the other, common pairs", most=3.0),
    "lids": Limit("mm", "one lid inside the other, single keys", most=1.0),
    "lids in pairs": Limit("mm", "one lid inside the other, common pairs", most=3.0),
    "blink": Limit("share", "of the eye that a full blink leaves open", most=0.07),
    "mouthClose": Limit("share", "of jawOpen's gap that mouthClose leaves", most=0.2),
    "additivity": Limit("times", "stretch of a pair over that of its keys alone", most=2.0),
    "pivots": Limit("sides", "of a bone's head where no surface is", most=0),
    "weights": Limit("", "difference of a vertex's weights from a sum of 1", most=1e-3),
    "influences": Limit("bones", "that move one vertex", most=4),
}


@dataclass(frozen=True)
class Finding:
    """One figure: of which check, of what, and whether it is within the check's limit."""

    check: str
    subject: str
    value: float
    passed: bool


@dataclass(frozen=True)
class Certificate:
    """All figures of a rig."""

    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether every figure is within its limit."""
        return all(f.passed for f in self.findings)

    @property
    def failures(self) -> tuple[Finding, ...]:
        """The figures outside their limits."""
        return tuple(f for f in self.findings if not f.passed)

    def worst(self, check: str) -> Finding | None:
        """The figure nearest to, or furthest outside, a check's limit; None if it had none."""
        own = [f for f in self.findings if f.check == check]
        return min(own, key=lambda f: LIMITS[check].margin(f.value), default=None)

    def report(self) -> dict[str, Any]:
        """As JSON holds it."""
        checks: dict[str, Any] = {}
        for name, limit in LIMITS.items():
            worst = self.worst(name)
            ends = {"at_most": limit.most, "at_least": limit.least}
            checks[name] = {
                "what": limit.what,
                "unit": limit.unit,
                **{k: v for k, v in ends.items() if np.isfinite(v)},
                "figures": sum(f.check == name for f in self.findings),
                "worst": None if worst is None else _row(worst),
                "failed": [_row(f) for f in self.failures if f.check == name],
            }
        return {"passed": self.passed, "checks": checks}


def _row(finding: Finding) -> dict[str, Any]:
    value = float(f"{finding.value:.4g}")
    return {"subject": finding.subject, "value": value if np.isfinite(value) else None}


def certify(rig: RigArrays, pairs: Iterable[tuple[str, str]] | None = None) -> Certificate:
    """Measures a rig. pairs: of keys, to be tried together; the 200 most common if None.

    A rig that lacks names or numbers is measured no further.
    """
    findings: list[Finding] = []

    def take(check: str, figures: Figures) -> bool:
        new = [Finding(check, s, v, LIMITS[check].holds(v)) for s, v in figures]
        findings.extend(new)
        return all(f.passed for f in new)

    if take("names", _names(rig)) and take("finite", _finite(rig)):
        tried = list(common_pairs() if pairs is None else pairs)
        for check, measure in _MEASURES.items():
            take(check, measure(rig))
        take("lips in pairs", _lips(rig, tried))
        take("lids in pairs", _lids(rig, tried))
        take("additivity", _additivity(rig, tried))
    return Certificate(tuple(findings))


def _names(rig: RigArrays) -> Figures:
    for name in (*ARKIT_NAMES, PHOTO_RESIDUAL):
        yield name, rig.key_names.count(name)
    for name in set(rig.key_names) - {*ARKIT_NAMES, PHOTO_RESIDUAL}:
        yield name, rig.key_names.count(name)


def _finite(rig: RigArrays) -> Figures:
    for name in ("basis", "deltas", "joints", "weights"):
        yield name, float((~np.isfinite(getattr(rig, name))).sum())


def _energy(rig: RigArrays, name: str) -> Array:
    """(V,) squared motion of the outer skin by area."""
    area = vertex_areas(rig.basis, rig.skin)
    out: Array = (rig.delta(name) ** 2).sum(axis=1) * area * rig.outer
    return out


def _region(rig: RigArrays) -> Figures:
    for name in ARKIT_NAMES:
        wanted = expected(name)
        if wanted is not None:
            inside = np.any([rig.region(r) for r in wanted.regions], axis=0)
            yield name, _share(_energy(rig, name), inside)


def _side(rig: RigArrays) -> Figures:
    middle = rig.basis[:, 0][rig.outer].mean() if rig.outer.any() else 0.0
    for name in ARKIT_NAMES:
        side = side_of(name)
        if side:
            # A lip's middle belongs to both sides.
            yield name, _share(_energy(rig, name), side * (rig.basis[:, 0] - middle) > -0.003)


def _share(energy: Array, inside: NDArray[np.bool_]) -> float:
    total = energy.sum()
    return float(energy[inside].sum() / total) if total > 0 else 0.0


def _direction(rig: RigArrays) -> Figures:
    for name in ARKIT_NAMES:
        wanted = expected(name)
        if wanted is None:
            continue
        points = [p for p in (wanted.landmark, wanted.minus) if p is not None]
        if not rig.present[points].all():
            continue
        moved = rig.landmarks(rig.delta(name))
        motion = moved[wanted.landmark] - (0 if wanted.minus is None else moved[wanted.minus])
        length = float(np.linalg.norm(motion))
        yield name, float(wanted.sign * motion[wanted.axis] / length) if length > 1e-5 else 0.0


def _amplitude(rig: RigArrays) -> Figures:
    for name in ARKIT_NAMES:
        wanted = expected(name)
        if wanted is not None:
            furthest = np.linalg.norm(rig.delta(name)[rig.outer], axis=1).max(initial=0.0)
            yield name, float(1e3 * furthest / wanted.reference_mm)


def _symmetry(rig: RigArrays) -> Figures:
    if not len(rig.mirror):
        return
    face = rig.region("face")
    for name in ARKIT_NAMES:
        if mirrored_name(name) < name or expected(name) is None:
            continue
        own, other = rig.delta(name), rig.delta(mirrored_name(name))
        off = np.linalg.norm(own[rig.mirror] * [-1, 1, 1] - other, axis=1)[face]
        size = np.linalg.norm(own, axis=1)[face].max(initial=0.0)
        if len(off) and size > 0:
            yield name, float(np.percentile(off, 99) / size)


def _skull(rig: RigArrays) -> Figures:
    skull = np.any([rig.region(r) for r in _SKULL], axis=0) & rig.outer
    if skull.any():
        for name in ARKIT_NAMES:
            yield name, float(1e3 * np.linalg.norm(rig.delta(name)[skull].mean(axis=0)))


def _touching(rig: RigArrays, fold: Any, states: Iterable[tuple[str, ...]]) -> Figures:
    """Overlap in millimetres of the states that move the fold at all, keys at 1.

    mouthClose is the closed mouth of an open jaw: it is tried with jawOpen.
    """
    if fold is None:
        return
    used = np.unique(np.concatenate([fold.upper, fold.lower]))
    for state in states:
        if any(np.abs(rig.delta(n)[used]).max(initial=0.0) > _MOVES for n in state):
            names = {*state, "jawOpen"} if "mouthClose" in state else set(state)
            overlap = fold.overlap(rig.posed(dict.fromkeys(names, 1.0)))
            yield " + ".join(n for n in ARKIT_NAMES if n in names), 1e3 * overlap


def _singles() -> list[tuple[str, ...]]:
    return [(name,) for name in ARKIT_NAMES]


def _lips(rig: RigArrays, pairs: Iterable[tuple[str, str]]) -> Figures:
    yield from _touching(rig, rig.lips, pairs)


def _lids(rig: RigArrays, pairs: Iterable[tuple[str, str]]) -> Figures:
    tried = [*pairs]
    for side in "lr":
        yield from _touching(rig, rig.lids[side], tried)


def _blink(rig: RigArrays) -> Figures:
    for side, name in _BLINKS.items():
        view = rig.eyes[side]
        if view is None:
            continue
        rest = view.opening(rig.basis)
        if rest > 1e-5:  # an eye that is closed at rest has nothing to close
            yield name, view.opening(rig.posed({name: 1.0})) / rest


def _mouth_close(rig: RigArrays) -> Figures:
    if not rig.present[[13, 14]].all():
        return

    def gap(values: dict[str, float]) -> float:
        at = rig.landmarks(rig.posed(values))
        return float(at[13, 1] - at[14, 1])

    rest, open_ = gap({}), gap({"jawOpen": 1.0})
    if open_ > rest:
        closed = gap({"jawOpen": 1.0, "mouthClose": 1.0})
        yield "jawOpen + mouthClose", abs(closed - rest) / (open_ - rest)


def _additivity(rig: RigArrays, pairs: Iterable[tuple[str, str]]) -> Figures:
    """Stretch of the outer skin's edges, at its 99.5th percentile over those that move."""
    outer = edges(rig.skin)
    outer = outer[rig.outer[outer].all(axis=1) & rig.region("face")[outer].any(axis=1)]
    rest = np.linalg.norm(rig.basis[outer[:, 0]] - rig.basis[outer[:, 1]], axis=1)
    outer, rest = outer[rest > 0], rest[rest > 0]

    def stretch(names: tuple[str, ...]) -> Array:
        at = rig.posed(dict.fromkeys(names, 1.0))
        length = np.linalg.norm(at[outer[:, 0]] - at[outer[:, 1]], axis=1)
        out: Array = np.abs(np.log(np.maximum(length, 1e-9) / rest))
        return out

    alone = {name: stretch((name,)) for name in {n for pair in pairs for n in pair}}
    for one, other in pairs:
        if "mouthClose" in (one, other):  # undoes what jawOpen stretches
            continue
        moved = (alone[one] > 0.01) | (alone[other] > 0.01)
        if moved.any():
            singly = max(float(np.percentile(alone[n][moved], 99.5)) for n in (one, other))
            both = float(np.percentile(stretch((one, other))[moved], 99.5))
            yield f"{one} + {other}", both / singly


def _pivots(rig: RigArrays) -> Figures:
    """Sides of five (left, right, front, back, above) without a surface; the neck is open, and
    the root lies where it is cut off.
    """
    for name, joint in zip(rig.joint_names, rig.joints, strict=True):
        if name == "root":
            continue
        open_ = 0
        for axis, signs in ((0, (-1, 1)), (1, (1,)), (2, (-1, 1))):
            at = _crossings(rig, joint, axis)
            open_ += sum(not ((at - joint[axis]) * sign > 0).any() for sign in signs)
        yield name, float(open_)


def _crossings(rig: RigArrays, point: Array, axis: int) -> Array:
    """(n,) coordinates at which the line through a point along an axis meets the head."""
    across = [k for k in range(3) if k != axis]
    corners = rig.basis[rig.triangles]
    a, b, c = (corners[:, k, :][:, across] for k in range(3))
    p = point[across]

    def cross(u: Array, v: Array) -> Array:
        out: Array = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]
        return out

    area = cross(b - a, c - a)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.stack([cross(b - p, c - p), cross(c - p, a - p), cross(a - p, b - p)]) / area
    hit = (area != 0) & (share >= 0).all(axis=0)
    out: Array = (share[:, hit].T * corners[hit, :, axis]).sum(axis=1)
    return out


def _weights(rig: RigArrays) -> Figures:
    off = np.abs(rig.weights.sum(axis=1) - 1) + np.maximum(-rig.weights, 0).sum(axis=1)
    yield f"vertex {int(off.argmax())}", float(off.max())


def _influences(rig: RigArrays) -> Figures:
    count = (rig.weights > 1e-6).sum(axis=1)
    yield f"vertex {int(count.argmax())}", float(count.max())


_MEASURES: dict[str, Callable[[RigArrays], Figures]] = {
    "region": _region,
    "side": _side,
    "direction": _direction,
    "amplitude": _amplitude,
    "symmetry": _symmetry,
    "skull": _skull,
    "lips": lambda rig: _touching(rig, rig.lips, _singles()),
    "lids": lambda rig: (
        row for side in "lr" for row in _touching(rig, rig.lids[side], _singles())
    ),
    "blink": _blink,
    "mouthClose": _mouth_close,
    "pivots": _pivots,
    "weights": _weights,
    "influences": _influences,
}
