# SPDX-License-Identifier: GPL-3.0-or-later
"""The light that the photo was taken in, as a shading that can be divided out, and as a light that
a scene can be lit with.

Light is a sum of broad lobes from all around, none of them negative (see :mod:`.visibility`), and
skin a matt surface that shades itself: "precomputed radiance transfer" (Sloan, Kautz and Snyder,
SIGGRAPH 2002) with lobes in place of harmonics, which overshoot where no skin faces. The lobes are
fitted to the skin's colour, on the understanding that cheeks, nose, chin and forehead are of one
colour.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..geometry.axes import to_head
from .visibility import COUNT, directions, lobes

Array = NDArray[np.float64]
Floats = NDArray[np.float32]

#: How far lobes may stray from light that is the same from everywhere, and a channel's from the
#: grey light: the larger, the less. Against the mean squared colour of a sample.
_EVEN, _GREY = 0.0001, 0.001
_ROUNDS, _STEPS = 4, 120
#: The share of the face that is brighter than its key light makes matt skin.
_KEY = 80.0
#: How narrow each direction's light is drawn in a picture.
_BETWEEN = 30.0
#: Shading below this share of the mean is not divided out: what is left there is noise.
_DARKEST = 0.28


@dataclass(frozen=True, eq=False)
class Light:
    """strength (COUNT, 3): linear RGB radiance of the lobes, as a share of what makes white skin
    under the key light 1; colour (3,): the skin's in the photo under a shading of 1.
    """

    strength: Array
    colour: Floats

    @classmethod
    def even(cls, colour: Floats) -> Light:
        """The same from everywhere."""
        return cls(np.ones((COUNT, 3)), colour)

    def shading(self, responses: Floats) -> Floats:
        """(n, 3) for responses (n, COUNT) to the lobes: 1 is the key light on the face."""
        out: Floats = np.maximum(responses @ self.strength.astype(np.float32), _DARKEST)
        return out

    def radiance(self, towards: Array) -> Array:
        """(n, 3) that comes from unit directions (n, 3) of the head frame."""
        # A lobe spreads its light over the directions near it: each of them gets its shares.
        at = lobes().T @ self.strength
        near = np.exp(_BETWEEN * (towards @ directions().T - 1))
        out: Array = (near / near.sum(axis=1, keepdims=True)) @ at
        return out


def surroundings(light: Light, height: int = 16) -> Floats:
    """(height, 2 height, 3) radiance all around the head in the scene's axes, laid out as Blender's
    equirectangular pictures are: rows from above the head to below it, columns from its right over
    its back, its left and its front.
    """
    up = np.pi * (0.5 - (np.arange(height) + 0.5) / height)[:, None]
    turn = -2 * np.pi * ((np.arange(2 * height) + 0.5) / (2 * height) - 0.5)
    parts = np.broadcast_arrays(np.cos(up) * np.cos(turn), np.cos(up) * np.sin(turn), np.sin(up))
    towards = to_head(np.stack(parts, axis=-1).reshape(-1, 3))
    out = light.radiance(towards)
    # Drawn, the lobes are wider: a face that looks at them is to be as bright as it was.
    size = np.cos(up).repeat(2 * height, axis=0).ravel() * (np.pi / height) ** 2
    drawn = (size * np.maximum(towards[:, 2], 0)) @ out / np.pi
    fitted = 4 / COUNT * (np.maximum(directions()[:, 2], 0) @ (lobes().T @ light.strength))
    out *= fitted / np.maximum(drawn, 1e-9)
    return out.reshape(height, 2 * height, 3).astype(np.float32)


def fit_light(colours: Floats, responses: Floats, weight: Floats) -> Light:
    """The light in which skin of these colours (n, 3), linear RGB, answers so (n, COUNT).

    Reweighted (Cauchy) so that brows, moles and highlights do not count as light.
    """
    colour = np.maximum(np.median(colours, axis=0), 1e-3).astype(np.float64)
    basis = np.asarray(responses, np.float64)
    target = np.asarray(colours, np.float64) / colour
    grey = target.mean(axis=1)
    robust = np.asarray(weight, np.float64)
    reached = basis.sum(axis=1)
    found = np.ones(COUNT)
    for _ in range(_ROUNDS):
        total = max(float(robust.sum()), 1e-9)
        even = float((robust * reached) @ grey / max(float((robust * reached) @ reached), 1e-9))
        square = (basis.T * robust) @ basis / total
        found = _no_negative(square, (basis.T * robust) @ grey / total, even, _EVEN, found)
        away = grey - basis @ found
        scale = 1.5 * float(np.median(np.abs(away))) + 1e-3
        robust = weight / (1.0 + (away / scale) ** 2)
    total = max(float(robust.sum()), 1e-9)
    square = (basis.T * robust) @ basis / total
    tint = np.average(target / np.maximum(grey, 1e-6)[:, None], axis=0, weights=robust + 1e-12)
    channels = [
        _no_negative(square, (basis.T * robust) @ target[:, k] / total, tint[k] * found, _GREY)
        for k in range(3)
    ]
    strength = np.stack(channels, axis=1)
    key = np.maximum(np.percentile(basis @ strength, _KEY, axis=0), 0.05)
    return Light(strength / key, (colour * key).astype(np.float32))


def _no_negative(
    square: Array, right: Array, prior: Array | float, ridge: float, start: Array | None = None
) -> Array:
    """The least x'Sx/2 - r'x + ridge |x - prior|^2/2 with no negative x (k,): projected gradient
    with momentum (Nesterov; Beck and Teboulle, SIAM J. Imaging Sciences 2009).
    """
    square = square + ridge * np.eye(len(square))
    right = right + ridge * prior
    step = 1.0 / float(np.linalg.eigvalsh(square)[-1])
    x = np.broadcast_to(np.asarray(prior, np.float64), right.shape) if start is None else start
    ahead, pace = x, 1.0
    for _ in range(_STEPS):
        new = np.maximum(ahead - step * (square @ ahead - right), 0.0)
        faster = (1 + np.sqrt(1 + 4 * pace * pace)) / 2
        ahead = new + (pace - 1) / faster * (new - x)
        x, pace = new, faster
    return np.asarray(x, np.float64)
