# SPDX-License-Identifier: GPL-3.0-or-later
"""Rotations as vectors and matrices. Radians; column vectors, so ``R @ x`` rotates ``x``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def cross_matrix(vectors: Array) -> Array:
    """(..., 3) -> (..., 3, 3) with ``cross_matrix(a) @ b == cross(a, b)``."""
    v = np.asarray(vectors, dtype=np.float64)
    out = np.zeros((*v.shape[:-1], 3, 3))
    out[..., 0, 1], out[..., 0, 2], out[..., 1, 2] = -v[..., 2], v[..., 1], -v[..., 0]
    out[..., 1, 0], out[..., 2, 0], out[..., 2, 1] = v[..., 2], -v[..., 1], v[..., 0]
    return out


def matrix_from_vector(vectors: Array) -> Array:
    """Rodrigues' formula, (..., 3) axis times angle -> (..., 3, 3)."""
    v = np.asarray(vectors, dtype=np.float64)
    angle = np.linalg.norm(v, axis=-1)[..., None, None]
    # sinc keeps both coefficients exact at zero angle, where the formula divides by it.
    k = cross_matrix(v)
    a = np.sinc(angle / np.pi)
    b = 0.5 * np.sinc(angle / (2 * np.pi)) ** 2
    return np.eye(3) + a * k + b * (k @ k)


def vector_from_matrix(matrix: Array) -> Array:
    """(3, 3) rotation -> (3,) axis times angle, angle in [0, pi]."""
    m = np.asarray(matrix, dtype=np.float64)
    axis = np.array([m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]])
    sine, cosine = 0.5 * np.linalg.norm(axis), 0.5 * (np.trace(m) - 1.0)
    angle = float(np.arctan2(sine, cosine))
    if sine > 1e-8:
        return axis * (angle / (2 * sine))
    if cosine > 0:
        return axis * 0.5
    # Half a turn: the axis is the dominant column of (R + I) / 2.
    half = (m + np.eye(3)) / 2
    column = half[:, int(np.argmax(np.diag(half)))]
    return column / np.linalg.norm(column) * angle


def nearest_rotation(matrix: Array) -> Array:
    """The rotation nearest to a (3, 3) matrix in the Frobenius norm (polar decomposition)."""
    u, _, vt = np.linalg.svd(np.asarray(matrix, dtype=np.float64))
    return u @ np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))]) @ vt


def angle_between(first: Array, second: Array) -> float:
    """Angle in degrees of the rotation that takes one (3, 3) rotation to the other."""
    return float(np.degrees(np.linalg.norm(vector_from_matrix(first @ second.T))))
