# SPDX-License-Identifier: GPL-3.0-or-later
"""The expected error of a fit, calibrated on people whose truth is known (see .strangers).

Each person's first photo alone, and all photos together, are fitted, laid on the truth by the face
as an evaluation would, and each vertex of the skin is compared with the true surface. The bound
is hypot(SPREADS * spread, BEYOND); its two numbers minimise the pinball loss of the 95 % quantile
(Koenker and Bassett, "Regression quantiles", Econometrica 46, 1978) over half of the people, and
the other half says how often it holds.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.cues.screen_cues import ScreenCues
from core.errors import FitError
from core.fitting import FitProblem, fit_head
from core.geometry.closest import closest_points
from core.heads import HeadModel, load_open_head
from core.likeness.source_and_bound import likeness_of, normal_spread, outer_skin, similarities
from core.reconstruction import Reconstruction
from core.rigged_head import SOURCES

from .samples import SIZE

Array = NDArray[np.float64]

LEVEL = 0.95
#: What is tried: spreads, and millimetres.
SPREADS, BEYOND = np.linspace(1.5, 5.0, 36), np.linspace(0.0, 6.0, 31)
#: Every which vertex of the skin is compared.
STRIDE = 2
ROUNDS = 6


def bound(folder: Path) -> None:
    """Prints the two numbers and how often the bound holds on people that they do not know."""
    head = load_open_head()
    skin = outer_skin(head) & ~head.regions["mouth_interior"]
    rows = []
    for person, fit, truth in _fits(head, folder):
        likeness = likeness_of(head, fit)
        assert likeness is not None and fit.information is not None
        spread = normal_spread(head, fit.photos[0].neutral, fit.information)
        at = np.flatnonzero(skin)[::STRIDE]
        placed = _laid_on(head, skin, fit.photos[0].vertices, truth)
        distance = closest_points(placed[at], truth, head.triangles[skin[head.triangles].all(1)])
        rows.append(
            np.column_stack(
                [np.full(len(at), person), 1e3 * spread[at], 1e3 * distance.distance,
                 likeness.source[at], head.regions["face"][at]]
            )
        )  # fmt: skip
    person, spread, distance, source, face = np.concatenate(rows).T
    told = person % 2 == 0
    spreads, beyond = _fitted(spread[told], distance[told])
    print(f"{len(rows)} fits of {len(np.unique(person))} people: {spreads:.2f} spreads, "
          f"{beyond:.2f} mm beyond")  # fmt: skip
    inside = distance < np.hypot(spreads * spread, beyond)
    groups = {"other people": ~told, "their faces": ~told & (face > 0)}
    groups |= {f"their {w} vertices": ~told & (source == k) for k, w in enumerate(SOURCES)}
    for name, of in groups.items():
        print(f"{name:26}{100 * inside[of].mean():5.1f} % of {of.sum()} within the bound")


def _fits(head: HeadModel, folder: Path) -> list[tuple[int, Reconstruction, Array]]:
    """Of each person, from one photo and from all: number, fit, and true vertices (V, 3)."""
    out, files = [], sorted(folder.glob("strangers_*.npz"))
    if not files:
        raise SystemExit(f"No strangers in {folder}: run that step first.")
    for file in files:
        with np.load(file, allow_pickle=False) as z:
            a = {name: z[name] for name in z.files}
        rng = np.random.default_rng(0)
        for person in np.unique(a["person"]):
            mine = np.flatnonzero(a["person"] == person)
            for group in ([mine[0]], mine) if len(mine) > 1 else ([mine[0]],):
                cues = [
                    ScreenCues(
                        SIZE, SIZE, "mediapipe", landmarks=a["landmarks"][i],
                        landmark_depth=a["depth"][i], landmark_sigma=a["sigma"][i],
                    )
                    for i in group
                ]  # fmt: skip
                known = rng.random() < 0.5  # as where there is EXIF
                focal = [float(a["focal"][i]) if known else None for i in group]
                try:
                    fit = fit_head(FitProblem(head, cues, focal=focal))
                except FitError as error:
                    print(f"person {person} of {file.name}: {error}")
                    continue
                out.append((int(person), fit, a["vertices"][group[0]].astype(float)))
    return out


def _laid_on(head: HeadModel, skin: NDArray[np.bool_], vertices: Array, truth: Array) -> Array:
    """Vertices (V, 3) after the similarity that brings their face nearest to the true surface."""
    triangles = head.triangles[skin[head.triangles].all(axis=1)]
    face, placed = head.regions["face"] & skin, vertices.copy()
    for _ in range(ROUNDS):
        nearest = closest_points(placed[face], truth, triangles)
        corners = truth[triangles[nearest.triangle]]
        goal = np.einsum("nk,nka->na", nearest.barycentric, corners)
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        moves = similarities(placed - placed[face].mean(axis=0))
        along = np.einsum("na,nak->nk", normal, moves[face])
        lacking = ((goal - placed[face]) * normal).sum(axis=1)
        placed += moves @ np.linalg.lstsq(along, lacking, rcond=None)[0]
    return placed


def _fitted(spread: Array, distance: Array) -> tuple[float, float]:
    """Of SPREADS and BEYOND what has the least pinball loss."""

    def loss(spreads: float, beyond: float) -> float:
        over = distance - np.hypot(spreads * spread, beyond)
        return float(np.maximum(LEVEL * over, (LEVEL - 1) * over).mean())

    best = min(((loss(s, b), s, b) for s in SPREADS for b in BEYOND), key=lambda row: row[0])
    return float(best[1]), float(best[2])
