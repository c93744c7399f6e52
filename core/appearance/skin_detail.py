# SPDX-License-Identifier: GPL-3.0-or-later
"""Pores and mottling for skin that no photo shows, made from the person's own.

A patch of well seen skin is turned into an endless one of the same spectrum by adding it up at
random places ("asymptotic discrete spot noise": Galerne, Gousseau and Morel, "Random phase
textures: theory and synthesis", IEEE Transactions on Image Processing 20, 2011). It repeats
without seams, since it is made on a circle.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .atlas import Atlas
from .hair import hairy
from .layers import Layer
from .spreading import blurred, stretched

Floats = NDArray[np.float32]

#: Texels of 512 along the patch's side, and over which detail is told from broad colour.
_PATCH, _BROAD = 48, 6
#: Standard deviations of the logarithm: beyond so many is a mole; and more is no skin.
_ODD, _MOST = 2.5, 0.045
#: What skin has at least, where a photo is too small or too soft to show it.
_LEAST = 0.012


def own_detail(atlas: Atlas, layer: Layer, size: int) -> Floats:
    """(n, n) natural logarithms of brightness about 0, that repeat every n texels of a texture of
    ``size``; of the best seen patch of a photo.
    """
    step = size // atlas.size
    n = _PATCH * step
    noise = _noise(2 * n)
    patch = _patch(atlas, layer, step)
    if patch is None:
        out = blurred(noise, 1, passes=1)
        return out * np.float32(_LEAST / max(float(out.std()), 1e-6))
    spread = max(float(patch.std()), 1e-6)
    patch = np.clip(patch, -_ODD * spread, _ODD * spread)
    window = np.hanning(n).astype(np.float32)
    patch = (patch - patch.mean()) * window * window[:, None]
    # The same in all directions: what runs one way is the photo's grain, or a fold of that place.
    power = np.abs(np.fft.fft2(patch, noise.shape)) ** 2
    ring = _rings(2 * n)
    mean = np.bincount(ring.ravel(), power.ravel()) / np.bincount(ring.ravel())
    spectrum = np.fft.fft2(noise) * np.sqrt(mean)[ring]
    out = np.fft.ifft2(spectrum).real.astype(np.float32)
    wanted = np.clip(spread, _LEAST, _MOST)
    return out * np.float32(wanted / max(float(out.std()), 1e-9))


@lru_cache(maxsize=2)
def _rings(n: int) -> NDArray[np.intp]:
    """(n, n) whole frequency of each place of a spectrum."""
    one = np.fft.fftfreq(n, 1 / n)
    return np.round(np.hypot(one, one[:, None])).astype(np.intp)


def _patch(atlas: Atlas, layer: Layer, step: int) -> Floats | None:
    """(n, n) of the photo's detail where it is seen best; None where none is seen whole."""
    seen = atlas.picture(layer.weight * layer.likeness)
    mean = blurred(seen, _PATCH // 2, passes=1)
    row, column = (int(x) for x in np.unravel_index(int(np.argmax(mean)), mean.shape))
    half = _PATCH // 2
    row, column = (int(np.clip(x, half, atlas.size - half)) for x in (row, column))
    window = np.s_[row - half : row + half, column - half : column + half]
    weight = seen[window]
    if float(weight.mean()) < 0.25:
        return None
    places = atlas.picture(layer.pixels)[window]
    n = _PATCH * step
    pixels = stretched(places, n, n).reshape(-1, 2)
    colour = layer.source.at(pixels).reshape(n, n, 3)
    bright = np.log(np.maximum(colour.mean(axis=2), 2e-3))
    detail: Floats = bright - blurred(bright, _BROAD * step)
    detail *= stretched(np.clip(2 * weight - 0.4, 0, 1), n, n)
    return detail.astype(np.float32)


@lru_cache(maxsize=2)
def _noise(n: int) -> Floats:
    """(n, n) white noise, the same for everybody."""
    return np.random.default_rng(11).standard_normal((n, n), np.float32)


@lru_cache(maxsize=2)
def strands(n: int) -> Floats:
    """(n, n) even between 0 and 1: short hairs, cropped, repeated every n texels."""
    noise = np.random.default_rng(12).standard_normal((n, n), np.float32)
    # Longer than wide.
    for shift in (1, 2, 3):
        noise = noise + np.roll(noise, shift, axis=0)
    fine = noise + 0.5 * np.roll(noise, 1, axis=1)
    rank = np.empty(fine.size, np.float32)
    rank[np.argsort(fine, axis=None)] = (np.arange(fine.size) + 0.5) / fine.size
    return rank.reshape(n, n)


def make_up(
    surface: Floats,
    rows: tuple[int, int],
    detail: Floats,
    unknown: Floats,
    hairs: tuple[Floats, Floats] | None,
) -> None:
    """Gives a texture's rows (h, N, 3) pores where it is unknown (Q, Q), and hairs: their share
    (Q, Q) and colour (3,). detail (n, n): of :func:`own_detail`.
    """
    size = surface.shape[1]
    down, across = np.arange(*rows) % len(detail), np.arange(size) % len(detail)
    share = stretched(unknown, size, size, rows)
    share *= detail[down][:, across]
    share += 1
    surface *= share[..., None]
    if hairs is None:
        return
    share = stretched(hairs[0], size, size, rows).ravel()
    at = np.flatnonzero(share > 0.004)
    if len(at):
        flat = surface.reshape(-1, 3)
        texels = flat[at]
        hairy(texels, share[at], strands(len(detail))[down][:, across].ravel()[at], hairs[1])
        flat[at] = texels
