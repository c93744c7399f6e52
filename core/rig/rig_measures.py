# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rig check measures: figures (subject, value) of one check each, in the limit's unit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.mesh import edges, vertex_areas
from ..heads.arkit import ARKIT_NAMES, PHOTO_RESIDUAL, mirrored_name
from .expected import expected, side_of
from .rig_arrays import RigArrays

Array = NDArray[np.float64]
Figures = Iterator[tuple[str, float]]

#: Metres that a key moves a lip or a lid at least to count as moving it.
_MOVES = 2e-4
_SKULL = ("scalp", "ear_l", "ear_r")
_BLINKS = {"l": "eyeBlinkLeft", "r": "eyeBlinkRight"}


def names(rig: RigArrays) -> Figures:
    """Each name that should stand, and each that stands beside them: how often it does."""
    for name in (*ARKIT_NAMES, PHOTO_RESIDUAL):
        yield name, rig.key_names.count(name)
    for name in set(rig.key_names) - {*ARKIT_NAMES, PHOTO_RESIDUAL}:
        yield name, rig.key_names.count(name)


def finite(rig: RigArrays) -> Figures:
    """Numbers of each array that are not finite."""
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


def lips(rig: RigArrays, pairs: Iterable[tuple[str, str]]) -> Figures:
    """Overlap of the lips, millimetres, of pairs of keys at 1."""
    yield from _touching(rig, rig.lips, pairs)


def lids(rig: RigArrays, pairs: Iterable[tuple[str, str]]) -> Figures:
    """Overlap of either eye's lids, millimetres, of pairs of keys at 1."""
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


def additivity(rig: RigArrays, pairs: Iterable[tuple[str, str]]) -> Figures:
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


#: Each check that needs no pairs of keys, by its name.
MEASURES: dict[str, Callable[[RigArrays], Figures]] = {
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
