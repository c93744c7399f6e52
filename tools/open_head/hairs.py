# SPDX-License-Identifier: GPL-3.0-or-later
"""Lashes and brows: single tapered hairs of a few faces each, which need no transparency.

Each hair stands on the skin and goes with it. Lengths in this module are metres.
"""

from __future__ import annotations

import numpy as np

from .add_ons import AddOn
from .geometry import closest_on_triangles
from .mesh import PART_NAMES, HeadMesh

_UPPER_LID = (362, 398, 384, 385, 386, 387, 388, 466, 263)
_LOWER_LID = (362, 382, 381, 380, 374, 373, 390, 249, 263)
_UPPER_BROW = (336, 296, 334, 293, 300)
_LOWER_BROW = (285, 295, 282, 283, 276)
_LASHES = {"upper": (44, 0.0082, 0.0078), "lower": (22, 0.0038, 0.0065)}
"""How many, the longest's length, and how far from the rim the skin is with which they turn."""
_ROOT_DEPTH = 0.0008
_BROW_HAIRS = 150
_BROW_LOWER = -0.002
"""MediaPipe draws its brow points along the upper edge of the hair, metres."""
_SEED = 11


def lashes(
    mesh: HeadMesh,
    template: np.ndarray,
    weights: np.ndarray,
    places: tuple[np.ndarray, np.ndarray],
    centre: np.ndarray,
) -> AddOn:
    """Both rows of the left eye.

    places: vertices and barycentric weights (478, 3) of the landmarks; centre (3,) of the eye.
    """
    rng = np.random.default_rng(_SEED)
    hairs = []
    skin = _triangles(mesh, template, centre, 0.03)
    for row, ids, up in (("upper", _UPPER_LID, 1.0), ("lower", _LOWER_LID, -1.0)):
        count, longest, beyond = _LASHES[row]
        at = np.linspace(*((0.12, 0.985) if up > 0 else (0.3, 0.86)), count)
        at = np.clip(at + rng.uniform(-0.4, 0.4, count) / count, 0, 0.999) * (len(ids) - 1)
        for s in at:
            k, part = int(s), s % 1
            rows = [places[0][ids[k]], places[0][ids[k + 1]]]
            shares = [places[1][ids[k]] * (1 - part), places[1][ids[k + 1]] * part]
            leaders, share = np.concatenate(rows), np.concatenate(shares)
            root = share @ template[leaders]
            along = template[places[0][ids[k + 1]]][0] - template[places[0][ids[k]]][0]
            out = root - centre
            out /= np.linalg.norm(out)
            along -= out * (along @ out)
            along /= np.linalg.norm(along)
            share_of_way = s / (len(ids) - 1)
            fan = 0.75 * (share_of_way - 0.42) + rng.normal(0, 0.06)
            long = longest * (0.55 + 0.45 * np.sin(np.pi * np.clip(share_of_way, 0.1, 0.9)))
            long *= rng.uniform(0.8, 1.05)
            t = np.array([0.0, 0.35, 0.7, 1.0])[:, None]
            lift = np.array([[0.0, up, 0.0]])
            path = root + long * (out * 0.85 * t + lift * (0.05 * t + 0.6 * t**2) + fan * along * t)
            if up < 0:  # it leaves the lid further down, and shows no root on the lid's rim
                path[0] += _ROOT_DEPTH * lift[0]
            # Lids turn as they close: the lash goes on in the direction from the skin to the rim.
            above, bary = _closest(root + np.array([0, up * beyond, 0.002]), template, skin)
            turn = 0.8 * long / beyond
            hairs.append(_Hair(path, along, 0.00026, leaders, share, above, bary, turn))
    return _add_on(hairs, "lashes", weights)


def brow(
    mesh: HeadMesh,
    template: np.ndarray,
    weights: np.ndarray,
    places: tuple[np.ndarray, np.ndarray],
) -> AddOn:
    """The left brow."""
    rng = np.random.default_rng(_SEED)
    mark = np.einsum("nk,nkc->nc", places[1], template[places[0]])
    upper, lower = mark[list(_UPPER_BROW)], mark[list(_LOWER_BROW)]
    skin = _triangles(mesh, template, (upper.mean(axis=0) + lower.mean(axis=0)) / 2, 0.055)
    hairs = []
    for i in range(_BROW_HAIRS):
        s = (i + rng.uniform(0, 1)) / _BROW_HAIRS
        h = rng.beta(1.6, 1.6)
        at = s * (len(upper) - 1) * 0.98 + 0.04
        high, low = (_along(p, at) for p in (upper, lower))
        thick = np.interp(s, [0, 0.1, 0.6, 1], [0.6, 0.8, 0.62, 0.2])
        root = low + (0.5 + thick * (h - 0.5)) * (high - low) + [0.0, _BROW_LOWER, 0.0]
        angle = np.interp(s, [0, 0.2, 0.55, 1], [75, 45, 12, -22]) + 22 * (0.5 - h)
        angle = np.radians(angle + rng.normal(0, 6))
        long = np.interp(s, [0, 0.3, 1], [0.0065, 0.009, 0.0065]) * rng.uniform(0.75, 1.1)
        heading = np.array([np.cos(angle), np.sin(angle), 0.0])
        hairs.append(_lying(template, skin, root, heading, long))
    return _add_on(hairs, "brows", weights)


class _Hair:
    """Points (n, 3) from root to tip with who leads them."""

    def __init__(  # type: ignore[no-untyped-def]
        self, path, side, width, leaders, share, above=None, bary=None, turn=0.0
    ) -> None:
        self.path, self.side, self.width = path, side, width
        n = len(path)
        if above is None:
            self.leaders, self.shares = leaders, share
            return
        t = np.linspace(0, 1, n)[:, None]
        self.leaders = np.tile(np.concatenate([leaders, above]), (n, 1))
        self.shares = np.concatenate([(1 + turn * t) * share, -turn * t * bary], axis=1)


def _lying(
    template: np.ndarray, skin: np.ndarray, root: np.ndarray, heading: np.ndarray, long: float
) -> _Hair:
    """A hair along the skin, every point of it led by the skin beneath."""
    path, leaders, shares = [], [], []
    for t, off in ((0.0, -0.0002), (0.5, 0.0007), (1.0, 0.0006)):
        corners, bary = _closest(root + t * long * heading, template, skin)
        a, b, c = template[corners]
        normal = np.cross(b - a, c - a)
        path.append(bary @ template[corners] + off * normal / np.linalg.norm(normal))
        leaders.append(corners)
        shares.append(bary)
    side = np.cross(heading, [0.0, 0.0, 1.0])
    return _Hair(np.array(path), side, 0.00042, np.array(leaders), np.array(shares))


def _add_on(hairs: list[_Hair], part: str, weights: np.ndarray) -> AddOn:
    points, faces, uv, leaders, shares = [], [], [], [], []
    for hair in hairs:
        n = len(hair.path)
        first = sum(map(len, points))
        across = hair.width / 2 * np.linspace(1.0, 0.45, n - 1)[:, None] * hair.side
        pairs = np.stack([hair.path[:-1] - across, hair.path[:-1] + across], axis=1)
        points.append(np.concatenate([pairs.reshape(-1, 3), hair.path[-1:]]))
        order = np.append(np.repeat(np.arange(n - 1), 2), n - 1)
        leaders.append(hair.leaders[order])
        shares.append(hair.shares[order])
        for k in range(n - 2):
            faces.append([2 * k, 2 * k + 1, 2 * k + 3, 2 * k + 2])
            low, high = k / (n - 1), (k + 1) / (n - 1)
            uv.append([(0.0, low), (1.0, low), (1.0, high), (0.0, high)])
        faces.append([2 * n - 4, 2 * n - 3, 2 * n - 2, -1 - first])
        low = (n - 2) / (n - 1)
        uv.append([(0.0, low), (1.0, low), (0.5, 1.0), (0.5, 1.0)])
        faces[-(n - 1) :] = (np.array(faces[-(n - 1) :]) + first).tolist()
    led, share = np.concatenate(leaders), np.concatenate(shares)
    joints = np.clip(np.einsum("nk,nkj->nj", np.maximum(share, 0), weights[led]), 0, None)
    return AddOn(
        np.concatenate(points),
        np.array(faces),
        part,
        np.array(uv),
        led,
        share,
        joints / joints.sum(axis=1, keepdims=True),
    )


def _along(points: np.ndarray, at: float) -> np.ndarray:
    k = min(int(at), len(points) - 2)
    return points[k] + (at - k) * (points[k + 1] - points[k])


def _triangles(
    mesh: HeadMesh, template: np.ndarray, centre: np.ndarray, reach: float
) -> np.ndarray:
    """(n, 3) triangles of the skin around a point that face forwards."""
    triangles, owner = mesh.triangles()
    skin = triangles[mesh.face_part[owner] == PART_NAMES.index("skin")]
    near = (np.linalg.norm(template[skin] - centre, axis=2) < reach).all(axis=1)
    a, b, c = template[skin].transpose(1, 0, 2)
    return skin[near & (np.cross(b - a, c - a)[:, 2] > 0)]


def _closest(
    point: np.ndarray, template: np.ndarray, skin: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    triangle, bary = closest_on_triangles(point, template[skin])
    return skin[triangle], bary
