# SPDX-License-Identifier: GPL-3.0-or-later
"""What the photos say of a person's identity: uncertainty, each photo's share, the view missing.

Everything rests on the Laplace approximation: the Gauss-Newton matrix at the solution is the
inverse covariance of the unknowns.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..heads.model import HeadModel
from .block import Block
from .solver import Problem
from .state import State

Array = NDArray[np.float64]

#: Degrees of yaw below which all photos count as frontal, and above which as turned away.
FRONTAL, TURNED = 20.0, 35.0


def identity_information(problem: Problem, state: State) -> Array:
    """(I, I) inverse covariance of the identity with all else marginalised.

    Unknowns that are held, such as sliders at a bound, count as known there.
    """
    matrix, gradient, _ = problem.normal_equations(state)
    return _marginal(problem.layout.identity_count, matrix, problem.held(state, gradient))


def _marginal(k: int, matrix: Array, held: NDArray[np.bool_]) -> Array:
    """(k, k) of the first k unknowns out of the Gauss-Newton matrix of all."""
    move = np.nonzero(~held)[0]
    rest = move[move >= k]
    # An unknown that nothing depends on says nothing and must not stop the others.
    rest = rest[np.diag(matrix)[rest] > 0]
    a, b, c = matrix[:k, :k], matrix[:k][:, rest], matrix[np.ix_(rest, rest)]
    schur = a - b @ np.linalg.solve(c + 1e-9 * np.diag(np.diag(c)), b.T)
    return np.asarray((schur + schur.T) / 2, dtype=np.float64)


def surface_spread(
    head: HeadModel, information: Array, where: NDArray[np.bool_] | None = None
) -> Array:
    """(V,) standard deviation of the neutral surface in metres; where (V,): of these vertices."""
    k = len(information)
    covariance = np.linalg.inv(information)
    every = head.identity_basis if where is None else head.identity_basis[where]
    # Single precision does for a figure of two digits and takes half the time.
    basis = every[:, :, :k].reshape(-1, k).astype(np.float32)
    variance = np.einsum("ni,ni->n", basis @ covariance.astype(np.float32), basis)
    return np.sqrt(np.maximum(variance.reshape(-1, 3).sum(axis=1), 0.0)).astype(np.float64)


def photo_shares(head: HeadModel, problem: Problem, state: State, total: Array) -> list[float]:
    """For each photo, by how many mm it lowered the face's uncertainty (root mean square).

    That is the uncertainty that would be left without it and without its matches with others,
    minus the one with all photos.
    """
    with_all, layout = face_spread_mm(head, total), problem.layout
    matrix, gradient, _ = problem.normal_equations(state)
    held = problem.held(state, gradient)
    parts = _parts(problem, state)
    shares = []
    for i in range(layout.photo_count):
        others = matrix.copy()
        for photos, at, part in parts:
            if i in photos:
                others[np.ix_(at, at)] -= part
        start = layout.photo_start(i)
        gone = held.copy()
        gone[start : start + layout.photo_size] = True
        without = _marginal(layout.identity_count, others, gone)
        shares.append(face_spread_mm(head, without) - with_all)
    return shares


def _parts(problem: Problem, state: State) -> list[tuple[tuple[int, ...], NDArray[np.intp], Array]]:
    """What each photo, and each pair of matched ones, adds to the Gauss-Newton matrix: photos,
    unknowns (c,) and the part (c, c).
    """
    groups: dict[tuple[int, ...], list[Block]] = {}
    for block in problem.blocks:
        one = getattr(block, "photo", None)
        photos: tuple[int, ...] = getattr(block, "photos", () if one is None else (one,))
        if photos:
            groups.setdefault(photos, []).append(block)
    out = []
    for photos, blocks in groups.items():
        matrix = replace(problem, blocks=blocks).normal_equations(state)[0]
        at = np.unique(np.concatenate([problem.layout.columns(photo) for photo in photos]))
        out.append((photos, at, matrix[np.ix_(at, at)]))
    return out


def face_spread_mm(head: HeadModel, information: Array) -> float:
    """Root mean square of the spread over the face, millimetres."""
    spread = surface_spread(head, information, head.regions.get("face"))
    return float(1e3 * np.sqrt(np.mean(spread**2)))


def missing_view(yaws: list[float]) -> str | None:
    """Which further photo would help most, in words; yaws in degrees, positive to the left."""
    if all(abs(y) < FRONTAL for y in yaws):
        return (
            "The depth of nose, chin and brow is a guess: add a photo of the person "
            "turned by about 45 degrees."
        )
    if all(abs(y) > TURNED for y in yaws):
        return "The width of the face is a guess: add a photo from the front."
    return None


def evidence_report(
    head: HeadModel, problem: Problem, state: State, yaws: list[float], total: Array
) -> dict[str, Any]:
    """For the report: the face's uncertainty, each photo's share of it, and advice."""
    report: dict[str, Any] = {"face_uncertainty_mm": face_spread_mm(head, total)}
    if len(yaws) > 1:
        report["uncertainty_lowered_mm"] = photo_shares(head, problem, state, total)
    advice = missing_view(yaws)
    if advice is not None:
        report["advice"] = advice
    return report
