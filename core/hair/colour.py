# SPDX-License-Identifier: GPL-3.0-or-later
"""Hair's colour: the photo's without its light, and as pigment.

The absorption of hair follows from the colour of a mass of it (Chiang, Bitterli, Tappan and
Burley, "A practical and controllable hair and fur model for production path tracing", Computer
Graphics Forum 35, 2016, equation 9), and pigment from the absorption (d'Eon et al., "An
energy-conserving hair reflectance model", EGSR 2011): eumelanin is brown to black, pheomelanin red.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Real = NDArray[np.floating]

#: Absorption of the two pigments, linear RGB, in the units of a renderer's melanin.
_EUMELANIN = np.array([0.506, 0.841, 1.653])
_PHEOMELANIN = np.array([0.343, 0.733, 1.924])
#: Azimuthal roughness of the hair for which the colour holds.
ROUGHNESS = 0.3
#: Of the logarithm of a mass's colour over the root of its absorption, at that roughness.
_SLOPE = float(np.polyval([0.245, 5.574, -10.73, 2.532, -0.215, 5.969], ROUGHNESS))
#: Strands shade each other: a mass of hair looks darker than what it is made of.
_SHADED = 1.25


def reflectance(seen: Real, skin_seen: Real, skin: Real) -> Array:
    """(3,) linear RGB of hair that the photo shows as ``seen`` beside a face that it shows as
    ``skin_seen`` and that is ``skin``.
    """
    light = np.maximum(np.asarray(skin_seen, float), 0.02) / np.maximum(
        np.asarray(skin, float), 0.02
    )
    # The light's tint is told from skin, and skin is a poor grey card.
    light = light.mean() * (light / light.mean()) ** 0.5
    out: Array = np.clip(np.asarray(seen, float) / light * _SHADED, 0.004, 0.85)
    return out


def pigment(colour: Real) -> tuple[float, float]:
    """Melanin 0..1 and redness 0..1 that come nearest to a colour (3,) linear RGB."""
    wanted = (np.log(np.clip(np.asarray(colour, float), 1e-6, 0.99)) / _SLOPE) ** 2
    best = (np.inf, 0.0, 0.0)
    for red in np.linspace(0, 1, 41):
        mixed = (1 - red) * _EUMELANIN + red * _PHEOMELANIN
        amount = max(float(mixed @ wanted / (mixed @ mixed)), 0.0)
        error = float(((np.sqrt(amount * mixed) - np.sqrt(wanted)) ** 2).sum())
        if error < best[0]:
            best = (error, amount, float(red))
    return float(1 - np.exp(-best[1])), best[2]


def colour_of(melanin: float, redness: float) -> Array:
    """(3,) linear RGB of a mass of hair; inverse of :func:`pigment`."""
    amount = -np.log(max(1 - melanin, 1e-4))
    absorbed = amount * ((1 - redness) * _EUMELANIN + redness * _PHEOMELANIN)
    out: Array = np.exp(-np.sqrt(absorbed) * _SLOPE)
    return out
