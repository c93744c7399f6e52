# SPDX-License-Identifier: GPL-3.0-or-later
"""How light a person's skin is: one photo shows only skin times light, so both get a prior.

Skin lies along a line from very light to dark. Its classes are those of the individual typology
angle, atan((L* - 50) / b*) (Chardin, Cires and Hourseau, "Skin colour typology and suntanning
pathways", International Journal of Cosmetic Science 13, 1991; Del Bino and Bernerd, "Variations in
skin colour and the biological consequences of ultraviolet radiation exposure", British Journal of
Dermatology 169, 2013): very light above 55 degrees, light to 41, intermediate to 28, tan to 10,
brown to -30, dark below. Light: photographers and cameras expose faces so that white in the key
light comes out nearly white, and balance its tint. The white of the eye says more, where the photo
holds enough of it: it is much the same in everybody, in the shade of lids and lashes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Floats = NDArray[np.float32]

#: CIELAB (D65) of facial skin, dark to very light; their typology angles are -55, -15, 17, 34, 55
#: and 62 degrees.
LOCUS = ((33.0, 10.0, 12.0), (45.0, 12.5, 18.5), (56.0, 13.0, 20.0), (62.0, 12.5, 18.0),
         (70.0, 10.5, 14.0), (75.0, 8.5, 13.0))  # fmt: skip
#: Lightness that is as likely as any other, and by how much people go beyond.
_COMMON, _BEYOND = (33.0, 72.0), 3.0
#: What skin mirrors without taking up its colour; instruments that measure skin see it too.
GLAZE = 0.035
#: White of the eye, linear RGB, and what reaches it between lids and lashes of the key light.
_SCLERA, _BETWEEN_LIDS = np.array([0.62, 0.57, 0.54]), 0.5
#: Standard deviations of natural logarithms, of brightness and of tint: people about the line; key
#: light about white (its mean is below 1: photographers spare highlights); white of the eye.
_SKIN, _LIGHT, _EYE = (0.06, 0.09), (0.30, 0.14), (0.40, 0.14)
_KEY, _TINTS_WORD = 0.95, 1.0
#: By how much less the white of the eye leans from blue to red than the skin (natural logarithm) to
#: be taken for it, and by how much less sure its brightness is for each unit below the key light.
_WHITER, _SHADED = 0.25, 1.5


@dataclass(frozen=True, eq=False)
class Tone:
    """skin (3,): the person's reflectance, linear RGB, with what it mirrors; light (3,): what the
    photo shows of white in the key light, so that skin * light is the skin in the photo.
    """

    skin: Floats
    light: Floats


def tone_of(seen: Floats, eye: Floats | None = None) -> Tone:
    """The tone of skin that the photo shows under the key light as ``seen`` (3,) linear RGB; eye
    (3,): how it shows the white of the eye, if it does.
    """
    shown = np.log(np.maximum(np.asarray(seen, np.float64), 1e-4))
    lightness = np.linspace(25, 82, 115)
    skins = np.log(skin_at(lightness))
    outside = np.maximum(np.maximum(_COMMON[0] - lightness, lightness - _COMMON[1]), 0)
    cost = (outside / _BEYOND) ** 2
    # Two opinions of the light's logarithm, and one of its sum with the skin's.
    opinions = [(np.full(3, np.log(_KEY)), _LIGHT)]
    white = None if eye is None else np.log(np.maximum(np.asarray(eye, np.float64), 1e-4))
    if white is not None and shown[0] - shown[2] - (white[0] - white[2]) > _WHITER:
        white = white - np.log(_SCLERA * _BETWEEN_LIDS)
        shaded = max(0.0, float(np.log(_KEY) - white.mean()))
        opinions.append((white, (_EYE[0] + _SHADED * shaded, _EYE[1])))
    light = np.zeros_like(skins)
    for part, which in ((_mean, 0), (_tint, 1)):
        views = [(part(shown - skins), _SKIN[which])]
        views += [(np.broadcast_to(part(m), skins.shape), s[which]) for m, s in opinions]
        sure = np.array([1 / s**2 for _, s in views])
        best = np.tensordot(sure, np.stack([m for m, _ in views]), 1) / sure.sum()
        light += best
        for m, s in views:
            away = ((m - best) / s) ** 2
            # Film and cameras lend their own tints: they say little of lightness.
            cost = cost + (away[:, 0] if which == 0 else _TINTS_WORD * away.sum(axis=1))
    odds = np.exp(-0.5 * (cost - cost.min()))
    found = (odds / odds.sum()) @ light
    return Tone(np.exp(shown - found).astype(np.float32), np.exp(found).astype(np.float32))


def without_glaze(reflectance: Floats) -> Floats:
    """What a renderer is given as base colour: it adds the mirroring itself."""
    out: Floats = np.maximum((reflectance - GLAZE) / (1 - GLAZE), 0.006)
    return out


def _mean(logs: Array) -> Array:
    out: Array = np.broadcast_to(logs.mean(axis=-1, keepdims=True), logs.shape)
    return out


def _tint(logs: Array) -> Array:
    out: Array = logs - logs.mean(axis=-1, keepdims=True)
    return out


def skin_at(lightness: Array) -> Array:
    """(n, 3) linear RGB of the line at CIELAB lightnesses (n,), continued beyond its ends."""
    known = np.array(LOCUS)
    a, b = (np.interp(lightness, known[:, 0], known[:, k]) for k in (1, 2))
    y = (lightness + 16) / 116
    f = np.stack([y + a / 500, y, y - b / 200], axis=-1)
    cube = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29))
    out: Array = np.maximum(cube * _WHITE @ _FROM_XYZ.T, 2e-3)
    return out


#: D65, and IEC 61966-2-1's matrix from XYZ to linear RGB.
_WHITE = np.array([0.95047, 1.0, 1.08883])
_FROM_XYZ = np.array(
    [[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]]
)
