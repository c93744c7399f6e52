# SPDX-License-Identifier: GPL-3.0-or-later
"""The light that the photo was taken in, as a shading that can be divided out.

Nine spherical harmonics of the surface's normal describe what distant light does to a matt
surface to within a percent (Ramamoorthi and Hanrahan, "An efficient representation for
irradiance environment maps", SIGGRAPH 2001). They are fitted to the skin's colour, on the
understanding that skin of the cheeks, nose, chin and forehead is of one colour.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

#: Ridge on harmonics of order 0, 1 and 2, against the mean squared colour: a strong gradient of
#: light is common, a second lobe less so.
_RIDGE = np.array([0.0, *[0.002] * 3, *[0.08] * 5])
_ROUNDS = 5
#: Shading outside of these percentiles of what the face shows is not believed: normals that no
#: skin there had would be guessed from a polynomial.
_BELIEVED = (8.0, 95.0)


@dataclass(frozen=True, eq=False)
class Light:
    """coefficients (9, 3): linear RGB shading of a normal in the head frame, kept between darkest
    and brightest (3,); colour (3,): the skin's under a shading of 1.
    """

    coefficients: NDArray[np.float64]
    darkest: NDArray[np.float64]
    brightest: NDArray[np.float64]
    colour: Floats

    @classmethod
    def even(cls, colour: Floats) -> Light:
        """The same from everywhere."""
        one = np.ones(3)
        return cls(np.vstack([one, np.zeros((8, 3))]), one, one, colour)

    def shading(self, normals: Floats) -> Floats:
        """(n, 3) for unit normals (n, 3): 1 is the light on the middle of the face."""
        out = np.clip(harmonics(normals) @ self.coefficients, self.darkest, self.brightest)
        shading: Floats = out.astype(np.float32)
        return shading


def harmonics(normals: Floats) -> NDArray[np.float64]:
    """The nine real harmonics up to order 2, up to their constants, (n, 9)."""
    x, y, z = np.asarray(normals, float).T
    one = np.ones_like(x)
    return np.column_stack([one, x, y, z, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y])


def fit_light(colours: Floats, normals: Floats, weight: Floats) -> Light:
    """The light in which skin of these colours (n, 3), linear RGB, has these normals (n, 3).

    Reweighted (Cauchy) so that brows, moles and highlights do not count as light. The shading is
    1 on average over the samples.
    """
    colour = np.maximum(np.median(colours, axis=0), 1e-3)
    basis = harmonics(normals)
    target = np.asarray(colours, float) / colour
    ridge = np.diag(_RIDGE) * max(float(weight.sum()), 1e-9)
    start = np.zeros((9, 3))
    start[0] = 1.0
    found, robust = start, np.asarray(weight, float)
    for _ in range(_ROUNDS):
        square = basis.T @ (basis * robust[:, None])
        found = start + np.linalg.solve(
            square + ridge + 1e-9 * np.eye(9),
            basis.T @ (robust[:, None] * (target - basis @ start)),
        )
        away = np.abs(target - basis @ found).mean(axis=1)
        scale = 1.5 * float(np.median(away)) + 1e-4
        robust = weight / (1.0 + (away / scale) ** 2)
    shading = basis @ found
    mean = np.maximum(np.average(shading, axis=0, weights=np.maximum(robust, 1e-12)), 0.05)
    low, high = np.percentile(shading / mean, _BELIEVED, axis=0)
    low = np.maximum(low, 0.15)
    return Light(found / mean, low, np.maximum(high, low), (colour * mean).astype(np.float32))
