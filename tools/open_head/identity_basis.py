# SPDX-License-Identifier: GPL-3.0-or-later
"""A population of heads sampled in MakeHuman's sliders, and its principal components.

The sampled statistics are a guess, not a measurement: no scans are involved.  Components are in
sigma units (coefficients of unit variance) and each is either exactly even or exactly odd under the
mirror, so that a mirrored head has the same coefficients up to known signs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .identity_targets import AGES, GENDERS, MUSCLES, RACES, WEIGHTS, Slider, body_shape, race_shape
from .mesh import HeadMesh

POPULATION, SEED = 2000, 7
_SIDE_JITTER = 0.12
"""Relative difference between the left and the right shape of one slider."""


def sample_population(sliders: list[Slider], names: list[str]) -> np.ndarray:
    """(POPULATION, n) weights of the named shapes, one row a person."""
    rng = np.random.default_rng(SEED)
    column = {name: i for i, name in enumerate(names)}
    weights = np.zeros((POPULATION, len(names)))
    for row in weights:
        gender = np.clip(rng.choice([0.12, 0.88]) + 0.15 * rng.standard_normal(), 0, 1)
        age = np.clip(0.5 + 0.38 * rng.beta(1, 1.6) - 0.06 * (rng.random() < 0.15), 0.4, 0.95)
        muscle = np.clip(0.5 + 0.18 * rng.standard_normal(), 0, 1)
        weight = np.clip(0.5 + 0.20 * rng.standard_normal(), 0, 1)
        for name, w in _macro_weights(gender, age, rng.dirichlet([0.7] * 3), muscle, weight):
            row[column[name]] += w
        for slider in sliders:
            value = np.clip(slider.sigma * rng.standard_normal(), -1, 1)
            # A slider without a negative end may run its positive shape gently backwards.
            ends, sign = (
                (slider.negative, 1)
                if value < 0 and slider.negative
                else (slider.positive, np.sign(value))
            )
            for name in ends:
                row[column[name]] += sign * abs(value) * (1 + _SIDE_JITTER * rng.standard_normal())
    return weights


def _macro_weights(
    gender: float, age: float, race: np.ndarray, muscle: float, weight: float
) -> Iterator[tuple[str, float]]:
    """MakeHuman's macro blending: gender 0 female..1 male; age 0.1875 child, 0.5 young, 1 old."""
    of_gender = dict(zip(GENDERS, (1 - gender, gender), strict=True))
    grown = (age - 0.1875) / 0.3125
    of_age = dict(
        zip(AGES, (max(0, 1 - grown), min(grown, 2 - 2 * age), max(0, 2 * age - 1)), strict=True)
    )
    of_muscle = _three_way(MUSCLES, muscle)
    of_weight = _three_way(WEIGHTS, weight)
    for g, wg in of_gender.items():
        for a, wa in of_age.items():
            for r, wr in zip(RACES, race, strict=True):
                yield race_shape(r, g, a), wg * wa * wr
            for m, wm in of_muscle.items():
                for w, ww in of_weight.items():
                    yield body_shape(g, a, m, w), wg * wa * wm * ww


def _three_way(names: tuple[str, ...], x: float) -> dict[str, float]:
    return dict(zip(names, (max(0, 1 - 2 * x), 1 - abs(2 * x - 1), max(0, 2 * x - 1)), strict=True))


@dataclass(frozen=True)
class IdentityBasis:
    """Mean and principal components of the population."""

    mean: np.ndarray
    """(V, 3) metres: even part of the population's mean displacement from the base mesh."""
    components: np.ndarray
    """(V, 3, K) metres per sigma, largest first."""
    explained: np.ndarray
    """(K,) share of the variance explained by the components up to each."""


def principal_components(
    mesh: HeadMesh, shapes: np.ndarray, weights: np.ndarray, count: int
) -> IdentityBasis:
    """Principal components of ``weights @ shapes``, without forming the (N, 3V) sample matrix.

    The population enters together with its mirror image, whose covariance splits into the even and
    the odd part of the shapes.  With G = S S^T the Gram matrix of the shapes S (n, 3V) and W the
    centred weights, the singular values of W G^(1/2) are those of the sample matrix W S.
    """
    flat = shapes.reshape(len(shapes), -1)
    reflected = mesh.mirrored(shapes.transpose(1, 2, 0)).transpose(2, 0, 1).reshape(flat.shape)
    centred = weights - weights.mean(axis=0)
    scale = np.sqrt(len(weights) - 1)
    parts = []
    for part in ((flat + reflected) / 2, (flat - reflected) / 2):
        values, vectors = np.linalg.eigh(part @ part.T)
        root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
        left, singular, _ = np.linalg.svd(centred @ root, full_matrices=False)
        parts.append((singular, (left[:, :count].T @ centred / scale) @ part))
    spectrum = np.concatenate([p[0] for p in parts])
    components = np.concatenate([p[1] for p in parts])
    candidates = np.concatenate([parts[0][0][:count], parts[1][0][:count]])
    order = np.argsort(-candidates, kind="stable")[:count]
    components = components[order]
    # An eigenvector's sign is arbitrary: the largest entry is made positive so that builds agree.
    largest = np.abs(components).argmax(axis=1)
    components *= np.sign(components[np.arange(count), largest])[:, None]
    variance = np.cumsum(candidates[order] ** 2) / (spectrum**2).sum()
    mean = (weights.mean(axis=0) @ (flat + reflected) / 2).reshape(shapes.shape[1:])
    return IdentityBasis(
        mean=mean,
        components=components.reshape(count, *shapes.shape[1:]).transpose(1, 2, 0),
        explained=variance,
    )
