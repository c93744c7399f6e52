# SPDX-License-Identifier: GPL-3.0-or-later
"""A decoder of MonoNPHM's form with a known, head-like shape, without any training.

Each local network is the plane through its anchor along the head's normal there: softplus(x) less
softplus(-x) is x, so that layers hand a plane's distance on unchanged, and what blends is a surface
through the anchors. The global code moves the anchors as people differ; local codes lift planes;
some random units make the rest. Expressions are smooth motions by random layers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from core.geometry.mesh import vertex_normals
from core.heads.model import HeadModel
from core.nphm.decoder import Decoder
from core.nphm.layout import CODES, EXPRESSION, IDENTITY, Sizes, local_name, read_sizes
from core.nphm.statistics import CodeStatistics
from core.nphm.weights import LICENCE, NeuralHead

Arrays = dict[str, np.ndarray[Any, Any]]

#: Small sizes, and the published ones.
SMALL = {"glob": 12, "local": 3, "hidden": 16, "expression": 6, "deform": 24, "compressed": 4}
PUBLISHED = {
    "glob": 64, "local": 32, "hidden": 200, "expression": 100, "deform": 400, "compressed": 16,
}  # fmt: skip
#: Units to the metre, and what of the head lies in the middle.
SCALE, MIDDLE = 4.0, np.array([0.0, -0.015, 0.055])
_PAIRS, _MIDLINE, _BOOK = 30, 5, 60


def nphm_like(head: HeadModel, size: dict[str, int] | None = None, seed: int = 0) -> NeuralHead:
    """The decoder with its statistics."""
    arrays, sizes = nphm_arrays(head, size or SMALL, seed)
    decoder = Decoder.of(arrays, sizes, arrays["anchors"])
    description = {
        "title": "Planes",
        "source_sha256": "0" * 64,
        "licence": LICENCE,
        "notes": [],
        "sizes": sizes.to_json(),
    }
    return NeuralHead(decoder, CodeStatistics.of_books(arrays, sizes, None), description)


def nphm_arrays(head: HeadModel, size: dict[str, int], seed: int = 0) -> tuple[Arrays, Sizes]:
    """Arrays by the names of a checkpoint, with ``anchors``."""
    rng = np.random.default_rng(seed)
    ids = _anchor_vertices(head)
    anchors = (head.template[ids] - MIDDLE) * SCALE
    normals = vertex_normals(head.template, head.outer_triangles)[ids]
    g, local, hidden = size["glob"], size["local"], size["hidden"]
    out: Arrays = {"anchors": anchors.astype(np.float32)}
    identity = head.identity_basis[ids].reshape(len(ids) * 3, -1) * SCALE
    u, s, _ = np.linalg.svd(identity, full_matrices=False)
    # Anchors follow the global code: relu(x) - relu(-x) is x.
    k = min(12, g, size["glob"])
    place = size.get("place", max(2 * k, 24))
    first = np.zeros((place, g))
    first[:k, :k], first[k : 2 * k, :k] = np.eye(k), -np.eye(k)
    last = np.zeros((len(anchors) * 3, place))
    last[:, :k], last[:, k : 2 * k] = u[:, :k] * s[:k], -u[:, :k] * s[:k]
    for i, weight in ((0, first), (2, np.eye(place)), (4, last)):
        out[f"{IDENTITY}.mlp_pos.{i}.weight"] = weight
        out[f"{IDENTITY}.mlp_pos.{i}.bias"] = np.zeros(len(weight))
    for n in range(len(anchors) - _PAIRS + 1):
        member = 2 * n if n < _PAIRS else n + _PAIRS
        normal = normals[member] if member < len(anchors) else np.array([0.0, 0.0, 1.0])
        _network(out, n, normal, (g, local, hidden), rng)
    c, x, wide = size["compressed"], size["expression"], size["deform"]
    inner = 3 + c + x
    shapes = [(wide, inner), (wide, wide), (wide, wide), (wide, wide + inner)]
    shapes += [(wide, wide), (wide, wide), (5, wide)]
    geometry = g + (len(anchors) + 1) * local
    compressor = rng.standard_normal((c, geometry + 3 * len(anchors))) * 0.02
    out[f"{EXPRESSION}.compressor.0.weight"] = compressor
    out[f"{EXPRESSION}.compressor.0.bias"] = np.zeros(c)
    for i, shape in enumerate(shapes):
        gain = 0.015 if i == 6 else 1.2
        out[f"{EXPRESSION}.defDeepSDF.lin{i}.weight"] = (
            rng.standard_normal(shape) * gain / np.sqrt(shape[1])
        )
        out[f"{EXPRESSION}.defDeepSDF.lin{i}.bias"] = np.zeros(shape[0])
    # At rest and on average nothing moves: the last layer's mean is taken off.
    for name, width, spread in (("geo", geometry, 0.7), ("exp", x, 0.7)):
        book = rng.standard_normal((_BOOK, width)) * spread
        out[f"{CODES}.codebook.{name}.embedding.weight"] = book
    arrays = {name: np.asarray(a, np.float32) for name, a in out.items()}
    return arrays, read_sizes({n: a.shape for n, a in arrays.items()}, {}, "planes")


def _network(
    out: Arrays,
    n: int,
    normal: np.ndarray[Any, Any],
    widths: tuple[int, int, int],
    rng: np.random.Generator,
) -> None:
    g, local, hidden = widths
    inner = g + local + 5
    first = rng.standard_normal((hidden, inner)) * 0.3
    first[0] = 0.0
    first[0, g + local : g + local + 3] = normal
    first[0, g] = 0.012  # the local code lifts the plane
    first[0, g + local + 3 :] = 0.05
    first[1] = -first[0]
    layers = [first]
    for _ in range(3):
        w = rng.standard_normal((hidden, hidden)) * 0.8 / np.sqrt(hidden)
        w[:2] = 0.0
        w[0, :2], w[1, :2] = [1.0, -1.0], [-1.0, 1.0]
        layers.append(w)
    last = rng.standard_normal((1, hidden)) * 0.01 / np.sqrt(hidden)
    last[0, :2] = [1.0, -1.0]
    layers.append(last)
    for j, w in enumerate(layers):
        out[local_name(n, j) + ".weight"] = w
        out[local_name(n, j) + ".bias"] = np.zeros(len(w))


def _anchor_vertices(head: HeadModel) -> np.ndarray[Any, Any]:
    """(65,) spread over the skin: pairs across the face, then the midline."""
    assert head.mirror is not None
    used = np.unique(head.outer_triangles)
    eyes = head.regions["eyeball_l"] | head.regions["eyeball_r"]
    used = used[(used < head.proper_count) & ~eyes[used] & ~head.regions["mouth_interior"][used]]
    points = head.template[used]
    weight = np.where(head.regions["face"][used], 1.6, 1.0)
    gap = np.full(len(used), np.inf)
    out: list[int] = []
    for count, allowed in (
        (_MIDLINE, (np.abs(points[:, 0]) < 1e-4) & (points[:, 2] > 0)),
        (_PAIRS, points[:, 0] < -0.008),
    ):
        for _ in range(count):
            i = int(np.argmax(np.where(allowed, np.minimum(gap, 9.0) * weight, -1.0)))
            out += (
                [int(used[i])] if count == _MIDLINE else [int(used[i]), int(head.mirror[used[i]])]
            )
            for at in (points[i], points[i] * [-1, 1, 1]):
                gap = np.minimum(gap, np.linalg.norm(points - at, axis=1))
    return np.array(out[_MIDLINE:] + out[:_MIDLINE])
