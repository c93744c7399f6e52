# SPDX-License-Identifier: GPL-3.0-or-later
"""An offline smoother over a whole shot: still stretches stand still, fast motion stays as it is.

Each curve is a random walk seen in white noise. The maximum a posteriori walk of a linear Gaussian
model is what a Kalman filter forward and a Rauch-Tung-Striebel smoother back would give; in
information form it is one tridiagonal system, and neither lags nor leads. Steps have Student's t
distribution instead of a normal one, solved by reweighting (Lange, Little and Taylor, "Robust
statistical modeling using the t distribution", JASA 1989): small steps are averaged away, and a
blink costs hardly more than a twitch.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Degrees of freedom of the steps, and rounds of reweighting.
FREEDOM, ROUNDS = 1.0, 12
#: Share of a step's evidence that comes from the curve itself; the rest from its group.
OWN = 0.5
#: Where nothing is seen: stiffness of a step, as a share of a quiet one's, and frames within which
#: a curve fades.
_UNSEEN, _FADING = 1e-4, 6.0
#: The quiet share of a shot's second differences by which its noise is measured.
_QUIET = 0.35
#: Quantile of |x| of a standard normal at _QUIET.
_QUIET_QUANTILE = 0.45376


def white_noise(curves: Array, seen: NDArray[np.bool_]) -> Array:
    """(K,) standard deviation of what flickers in curves (T, K), by the quiet part of their second
    differences; seen (T,).
    """
    second = np.diff(curves, n=2, axis=0) / np.sqrt(6.0)
    whole = seen[2:] & seen[1:-1] & seen[:-2]
    if whole.sum() < 4:
        return np.zeros(curves.shape[1])
    out: Array = np.quantile(np.abs(second[whole]), _QUIET, axis=0) / _QUIET_QUANTILE
    return out


def walk(curves: Array, information: Array, stiffness: Array) -> Array:
    """The walk (T, K) that minimises information (x - curves)^2 + stiffness (x_t - x_t-1)^2.

    information (T, K); stiffness (T - 1, K). Thomas's algorithm, all curves at once.
    """
    diagonal, right = information.copy(), information * curves
    diagonal[:-1] += stiffness
    diagonal[1:] += stiffness
    for t in range(1, len(curves)):
        share = stiffness[t - 1] / diagonal[t - 1]
        diagonal[t] -= share * stiffness[t - 1]
        right[t] += share * right[t - 1]
    out = np.zeros_like(curves)
    out[-1] = right[-1] / diagonal[-1]
    for t in range(len(curves) - 2, -1, -1):
        out[t] = (right[t] + stiffness[t] * out[t + 1]) / diagonal[t]
    return out


def smooth(
    curves: Array,
    confidence: Array,
    groups: NDArray[np.intp],
    *,
    noise: Array,
    quiet_step: Array,
    fade_to: Array | None = None,
    hold: int = 6,
) -> Array:
    """Curves (T, K) of one shot without their noise.

    confidence (T,) 0..1, 0 where nothing was seen: there curves go straight from what was seen
    before to what is seen after, by way of fade_to (K,) if the gap is longer than twice ``hold``
    frames. groups (K,): curves of a group tell each other that something moves. noise (K,) and
    quiet_step (K,): standard deviations of what flickers, and of a step where nothing moves.
    """
    count = len(curves)
    if count < 2:
        return curves.copy()
    seen = confidence > 0
    if not seen.any():
        rest = np.zeros(curves.shape[1]) if fade_to is None else fade_to
        return np.tile(rest, (count, 1))
    information = confidence[:, None] ** 2 / noise**2
    target = np.where(seen[:, None], curves, 0.0)
    if fade_to is not None:
        far = _distance(seen) > hold
        information = np.where(far[:, None], _UNSEEN / (_FADING * quiet_step) ** 2, information)
        target = np.where(far[:, None], fade_to, target)
    information = np.maximum(information, 1e-9)
    member = (groups[:, None] == np.unique(groups)[None, :]).astype(float)
    size = member.sum(axis=0)
    gap = ~(seen[1:] & seen[:-1])[:, None]
    out = target.copy()
    stiffness = np.broadcast_to(1.0 / quiet_step**2, (count - 1, len(groups)))
    for round_ in range(ROUNDS):
        if round_ or not seen.all():
            out = walk(target, information, stiffness)
        step = (np.diff(out, axis=0) / quiet_step) ** 2
        together = (step @ member / size) @ member.T
        weight = (FREEDOM + 1) / (FREEDOM + OWN * step + (1 - OWN) * together)
        # Where nothing is seen nothing may jump: all steps are alike.
        stiffness = np.where(gap, _UNSEEN, weight) / quiet_step**2
    return walk(target, information, stiffness)


def _distance(seen: NDArray[np.bool_]) -> Array:
    """(T,) frames to the nearest that was seen."""
    at = np.arange(len(seen))
    known = at[seen]
    after = np.searchsorted(known, at)
    right = known[np.clip(after, 0, len(known) - 1)]
    left = known[np.clip(after - 1, 0, len(known) - 1)]
    out: Array = np.minimum(np.abs(right - at), np.abs(at - left)).astype(float)
    return out
