# SPDX-License-Identifier: GPL-3.0-or-later
"""Shades the pixels of a head: light from around, one to three lamps with cast shadows, gloss.

Radiance from around is a second-order function of the normal (Ramamoorthi and Hanrahan, "An
efficient representation for irradiance environment maps", 2001), times the open sky of each point.
Lamps are far away; gloss is Blinn-Phong with Schlick's Fresnel term. Light that comes out of skin
beside where it went in softens the terminator, red the most: the cosine is wrapped by colour.
Pores and wrinkles tilt the normal in the shading alone, never in what is to be learnt.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.heads.model import HeadModel

from .appearance import Coat, Paint, Pixels, lit, shadow_map

Array = NDArray[np.float64]


def shade(
    paint: Paint,
    head: HeadModel,
    vertices: Array,
    at: Pixels,
    points: Array,
    normals: Array,
    view: Array,
    up: Array,
    coat: Coat,
    rng: np.random.Generator,
) -> Array:
    """(n, 3) linear radiance. vertices (V, 3), points and normals (n, 3), view (n, 3) towards the
    camera and up (3,), all in the head frame.
    """
    normals = _rough(paint, at, normals, rng)
    sun = rng.random() < 0.25
    around = _around(normals, up, rng) * coat.sky[:, None] ** rng.uniform(0.7, 1.5)
    radiance = around * coat.color
    wrap = rng.uniform(0.0, 0.35) * np.array([1.0, 0.45, 0.3])
    for k in range(1 + int(rng.integers(0, 3))):
        light = _direction(view.mean(axis=0), up, rng)
        color = np.exp(rng.normal(0, 0.1, 3)) * np.exp(rng.normal(0, 0.4))
        color = color * (rng.uniform(1.0, 3.5) if k == 0 else rng.uniform(0.1, 1.0))
        if sun and k == 0:
            color = color * 1.5
        cosine = (normals @ light)[:, None]
        diffuse = np.maximum((cosine + wrap) / (1 + wrap), 0)
        arrives = np.ones(len(points))
        if rng.random() < 0.75:
            shadow = shadow_map(vertices, head, light)
            # A lamp has a size: its shadow is the mean of a few.
            spread = 0.0 if sun else rng.uniform(0.0, 0.12)
            aims = [light] if spread == 0 else [_towards(light, spread, rng) for _ in range(3)]
            arrives = np.mean([lit(points, normals, shadow, aim) for aim in aims], axis=0)
        half = view + light
        half /= np.linalg.norm(half, axis=1, keepdims=True)
        power = rng.uniform(8, 60)
        facing = np.maximum((normals * half).sum(axis=1), 0) ** power * (power + 2) / 8
        fresnel = 0.04 + 0.96 * (1 - np.clip((view * half).sum(axis=1), 0, 1)) ** 5
        shine = coat.gloss * facing * fresnel * np.maximum(cosine[:, 0], 0)
        radiance += color * arrives[:, None] * (diffuse * coat.color / np.pi * 2 + shine[:, None])
    return radiance


def _rough(paint: Paint, at: Pixels, normals: Array, rng: np.random.Generator) -> Array:
    for scale, level, most in ((1.5, 0.55, 0.05), (2.5, 1.0, 0.07)):
        strength = rng.random() ** 1.5 * most
        tilt = np.stack([paint.noise(at.uv, scale, level, rng) for _ in range(3)], axis=1)
        normals = normals + strength * tilt
    out: Array = normals / np.linalg.norm(normals, axis=1, keepdims=True)
    return out


def _around(normals: Array, up: Array, rng: np.random.Generator) -> Array:
    """(n, 3) from all directions: a sky and a floor of their own colours, and some second order."""
    level = np.exp(rng.normal(-0.9, 0.7))
    sky = np.exp(rng.normal(0, 0.15, 3))
    floor = np.exp(rng.normal(-0.6, 0.4)) * np.exp(rng.normal(0, 0.15, 3))
    tilted = _towards(up, 0.6, rng)
    share = (0.5 + 0.5 * (normals @ tilted))[:, None]
    out = share * sky + (1 - share) * floor
    linear = normals @ rng.normal(0, 0.2, (3, 1))
    x, y, z = normals.T
    square = np.stack([x * y, y * z, x * z, x * x - y * y, 3 * z * z - 1], axis=1)
    out = out * (1 + linear + square @ rng.normal(0, 0.08, (5, 1)))
    return level * np.maximum(out, 0.02)


def _direction(view: Array, up: Array, rng: np.random.Generator) -> Array:
    """Of a lamp, (3,): anywhere before the face, more often from above and from the front."""
    away = rng.normal(size=3)
    out = away / np.linalg.norm(away) + rng.uniform(0.1, 1.1) * view + rng.uniform(0, 0.7) * up
    return out / np.linalg.norm(out)


def _towards(direction: Array, spread: float, rng: np.random.Generator) -> Array:
    out = direction + spread * rng.normal(size=3)
    return out / np.linalg.norm(out)
