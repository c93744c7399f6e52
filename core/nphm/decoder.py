# SPDX-License-Identifier: GPL-3.0-or-later
"""The decoder: codes -> a head as a field of signed distances and colours, with derivatives.

MonoNPHM (numbers of layers and widths are free):

    a_k    = mean_k + mlp_pos(z_glob)                        anchors
    x_can  = x + offset(x, c, z_exp), hyper(x, c, z_exp)     c = compressor [z_geo, a]
    sdf    = sum_k w_k(x_can) f_k([z_glob, z_k, x_can - a_k, hyper])

Lengths in units, four to the metre; float32 throughout, as the published code.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .blending import Blend, blend
from .layout import EXPRESSION, IDENTITY, MONONPHM, NPHM, Sizes, deform_names, local_name
from .local_networks import BoundNetworks, Floats, Index, LocalNetworks
from .perceptron import BoundSkip, Perceptron, SkipNetwork

#: Units to the metre.
UNITS = 4.0
#: Queries that are looked at together.
_BLOCK = 4096
_THREADS = 8
#: Weights below are left out where a little may be lost: microns.
NEGLIGIBLE = 2e-6


@dataclass(frozen=True, eq=False)
class Codes:
    """geometry (G,), expression (X,) or None for the head at rest without any deformation,
    appearance (P,) or None.
    """

    geometry: Floats
    expression: Floats | None = None
    appearance: Floats | None = None


@dataclass(frozen=True, eq=False)
class Gradients:
    """value (n,); by place (n, 3), by the identity's code (n, G) and the expression's (n, X)."""

    value: Floats
    place: Floats
    geometry: Floats
    expression: Floats


@dataclass(frozen=True, eq=False)
class Decoder:
    """sizes; anchors (A, 3) of the mean head; networks of distance, colour (or None), and place."""

    sizes: Sizes
    anchors: Floats
    distance: LocalNetworks
    place: Perceptron
    compressor: tuple[Floats, Floats] | None = None
    deformation: SkipNetwork | None = None
    colour: LocalNetworks | None = None
    bottleneck: Perceptron | None = None

    @classmethod
    def of(
        cls, arrays: Mapping[str, NDArray[np.generic]], sizes: Sizes, anchors: Floats
    ) -> Decoder:
        """Of a checkpoint's arrays by name; see core.nphm.layout."""
        s = sizes

        def pick(names: list[str]) -> tuple[tuple[Floats, ...], tuple[Floats, ...]]:
            both = [
                tuple(np.ascontiguousarray(arrays[f"{n}.{part}"], np.float32) for n in names)
                for part in ("weight", "bias")
            ]
            return both[0], both[1]

        def local(part: str) -> tuple[tuple[Floats, ...], tuple[Floats, ...]]:
            layers = [
                pick([local_name(n, j, part) for n in range(s.networks)])
                for j in range(s.layers + 1)
            ]
            return tuple(np.stack(w) for w, _ in layers), tuple(np.stack(b) for _, b in layers)

        codes = s.glob + s.local
        if s.kind == MONONPHM:
            distance = LocalNetworks(*local("deepSDFensemble"), s.pairs, codes)
        else:
            names = [f"{IDENTITY}.ensembled_deep_sdf.lin{j}" for j in range(s.layers + 1)]
            distance = LocalNetworks(*pick(names), s.pairs, codes, True, s.layers // 2)
        place = Perceptron(*pick([f"{IDENTITY}.mlp_pos.{i}" for i in (0, 2, 4)]))
        compressor = deformation = colour = bottleneck = None
        if s.expression:
            (w,), (b,) = pick([f"{EXPRESSION}.compressor.0"])
            compressor = (w, b)
            shapes = {name: a.shape for name, a in arrays.items()}
            deformation = SkipNetwork(*pick(deform_names(shapes)))
        if s.colour:
            colour = LocalNetworks(*local("aggr_app"), s.pairs, s.glob + s.colour, rectified=True)
            bottleneck = Perceptron(
                *pick([f"{IDENTITY}.communcation_bottleneck{i}" for i in (1, 2)])
            )
        return cls(
            s, np.asarray(anchors, np.float32), distance, place, compressor, deformation, colour,
            bottleneck,
        )  # fmt: skip

    def field(self, codes: Codes) -> Field:
        """The head of these codes."""
        return Field.of(self, codes)

    def neutral(self, geometry: Floats) -> Floats:
        """Anchors (A, 3) of an identity."""
        offset, _ = self.place.value(np.asarray(geometry, np.float32)[: self.sizes.glob])
        return self.anchors + offset.reshape(-1, 3)


@dataclass(frozen=True, eq=False)
class Field:
    """One head. anchors (A, 3); by_glob (3A, glob): how they follow the global code."""

    decoder: Decoder
    codes: Codes
    anchors: Floats
    by_glob: Floats
    networks: BoundNetworks
    deformation: BoundSkip | None
    colours: BoundNetworks | None = field(default=None)

    @classmethod
    def of(cls, decoder: Decoder, codes: Codes) -> Field:
        """See Decoder.field."""
        s = decoder.sizes
        z = np.asarray(codes.geometry, np.float32)
        glob, local = z[: s.glob], z[s.glob :].reshape(s.anchors + 1, s.local)
        offset, by_glob = decoder.place.value(glob)
        anchors = decoder.anchors + offset.reshape(-1, 3)
        every = np.concatenate([np.broadcast_to(glob, (len(local), s.glob)), local], axis=1)
        networks = decoder.distance.bound(every)
        deformation = None
        if decoder.deformation is not None and codes.expression is not None:
            assert decoder.compressor is not None
            w, b = decoder.compressor
            said = w @ np.concatenate([z, anchors.ravel()]) + b
            both = np.concatenate([said, np.asarray(codes.expression, np.float32)])
            deformation = decoder.deformation.bound(both)
        colours = None
        if decoder.colour is not None and codes.appearance is not None:
            a = np.asarray(codes.appearance, np.float32)
            rows = a[s.glob :].reshape(s.anchors + 1, s.colour)
            glob = np.broadcast_to(a[: s.glob], (len(rows), s.glob))
            colours = decoder.colour.bound(np.concatenate([glob, rows], axis=1))
        return cls(decoder, codes, anchors, by_glob, networks, deformation, colours)

    def canonical(self, points: NDArray[np.floating]) -> Floats:
        """Queries (n, 3) -> (n, 3 + hyper): where they lie in the head at rest."""
        x = np.asarray(points, np.float32)
        s = self.decoder.sizes
        if self.deformation is None or s.kind == NPHM:
            return np.concatenate([x, np.zeros((len(x), s.hyper), np.float32)], axis=1)
        out = np.empty((len(x), 3 + s.hyper), np.float32)
        deformation = self.deformation

        def one(rows: slice) -> None:
            out[rows] = deformation.value(x[rows])[0]

        _each(one, _blocks(len(x)))
        out[:, :3] += x
        return out

    def posed(self, points: NDArray[np.floating]) -> Floats:
        """NPHM 2023, whose deformation leads from the head at rest to the posed one: (n, 3)."""
        x = np.asarray(points, np.float32)
        if self.deformation is None:
            return x
        return x + self.deformation.value(x)[0][:, :3]

    def distance(self, points: NDArray[np.floating], negligible: float = 0.0) -> Floats:
        """Signed distance (n,) of queries (n, 3)."""
        return self.distance_there(self.canonical(points), negligible)

    def distance_there(self, query: Floats, negligible: float = 0.0) -> Floats:
        """Of canonical queries (n, 3 + hyper). negligible: blend weights below it are left out."""
        out = np.empty(len(query), np.float32)

        def one(rows: slice) -> None:
            q = query[rows]
            mix = blend(q[:, :3], self.anchors, self.decoder.sizes)
            owner, slot = self._pairs(mix, negligible)
            member = mix.member[owner, slot]
            said, _ = self.networks.values(member, self._delta(q[owner], member))
            weighted = mix.weight[owner, slot] * said[:, 0]
            out[rows] = np.bincount(owner, weighted, len(q)).astype(np.float32) + mix.constant

        _each(one, _blocks(len(query)))
        return out

    def colour(self, points: NDArray[np.floating]) -> Floats:
        """(n, 3) as the network says them, about -1 to 1; ValueError without a colour's code."""
        return self.colour_there(self.canonical(points))

    def colour_there(self, query: Floats) -> Floats:
        """Of canonical queries."""
        if self.colours is None or self.decoder.bottleneck is None:
            raise ValueError("no code of colour")
        first, second = self.decoder.bottleneck.weights
        b1, b2 = self.decoder.bottleneck.biases
        out = np.zeros((len(query), 3), np.float32)
        for rows in _blocks(len(query)):
            q = query[rows]
            mix = blend(q[:, :3], self.anchors, self.decoder.sizes)
            owner, slot = self._pairs(mix, 0.0)
            member = mix.member[owner, slot]
            _, hidden = self.networks.values(member, self._delta(q[owner], member), hidden=True)
            said = np.maximum(hidden @ first.T + b1, np.float32(0.0)) @ second.T + b2
            rgb, _ = self.colours.values(member, said)
            weighted = mix.weight[owner, slot, None] * rgb
            for k in range(3):
                out[rows, k] = np.bincount(owner, weighted[:, k], len(q))
        return out

    def gradients(self, points: NDArray[np.floating], *, codes: bool = True) -> Gradients:
        """Value and derivatives at queries (n, 3); without those by codes if not asked for."""
        x = np.asarray(points, np.float32)
        s = self.decoder.sizes
        n = len(x)
        expression = s.expression if self.deformation is not None and codes else 0
        out = Gradients(
            np.empty(n, np.float32),
            np.empty((n, 3), np.float32),
            np.zeros((n, s.geometry if codes else 0), np.float32),
            np.zeros((n, expression), np.float32),
        )
        _each(lambda rows: self._gradients(x[rows], rows, out, codes), _blocks(n, _BLOCK // 4))
        return out

    def _gradients(self, x: Floats, rows: slice, out: Gradients, codes: bool) -> None:
        s = self.decoder.sizes
        moves = self.deformation is not None and s.kind == MONONPHM
        if moves:
            assert self.deformation is not None
            moved, kept = self.deformation.value(x)
            query = moved.copy()
            query[:, :3] += x
        else:
            kept = []
            query = np.concatenate([x, np.zeros((len(x), s.hyper), np.float32)], axis=1)
        mix = blend(query[:, :3], self.anchors, s)
        owner, slot = self._pairs(mix, 0.0)
        member = mix.member[owner, slot]
        said, by_delta, by_code = self.networks.gradients(member, self._delta(query[owner], member))
        weight = mix.weight[owner, slot]
        values = np.zeros(mix.weight.shape, np.float32)
        values[owner, slot] = said
        value = (mix.weight * values).sum(axis=1) + mix.constant
        # By the canonical query and by anchors: through the networks, and through the weights.
        by_delta = by_delta * weight[:, None]
        by_delta[:, 0] *= self.decoder.distance.flips()[member]
        by_query = np.stack(
            [np.bincount(owner, c, len(x)) for c in by_delta.T], axis=1
        ).astype(np.float32)  # fmt: skip
        by_place, by_anchor = mix.change(values, value)
        by_query[:, :3] += by_place
        anchored = np.zeros((len(x), s.anchors + 1, 3), np.float32)
        k = by_anchor.shape[1]
        anchored[np.arange(len(x))[:, None], mix.member[:, :k]] += by_anchor
        np.subtract.at(anchored, (owner, member), by_delta[:, :3])
        by_anchors = anchored[:, : s.anchors].reshape(len(x), -1)
        out.value[rows] = value
        geometry = out.geometry[rows]
        if codes:
            by_code = by_code * weight[:, None]
            for c in range(s.glob):
                geometry[:, c] = np.bincount(owner, by_code[:, c], len(x))
            local = geometry[:, s.glob :].reshape(len(x), s.anchors + 1, s.local)
            local[owner, member] = by_code[:, s.glob :]
            geometry[:, s.glob :] = local.reshape(len(x), -1)
        if not moves:
            out.place[rows] = by_query[:, :3]
        else:
            assert self.deformation is not None
            back = self.deformation.back(kept, by_query)
            out.place[rows] = by_query[:, :3] + back[:, :3]
            if codes:
                assert self.decoder.compressor is not None
                w = self.decoder.compressor[0]
                out.expression[rows] = back[:, 3 + len(w) :]
                through = back[:, 3 : 3 + len(w)] @ w
                geometry += through[:, : s.geometry]
                by_anchors = by_anchors + through[:, s.geometry :]
        if codes:
            geometry[:, : s.glob] += by_anchors @ self.by_glob

    def _pairs(self, mix: Blend, negligible: float) -> tuple[Index, Index]:
        """Queries and slots of the pairs that count, sorted by network."""
        keep = mix.weight > negligible
        if self.decoder.sizes.kind != MONONPHM:
            keep &= mix.weight > np.float32(1e-12)
        owner, slot = np.nonzero(keep)
        network = self.decoder.distance.network_of(mix.member[owner, slot])
        order = np.argsort(network, kind="stable")
        return owner[order], slot[order]

    def _delta(self, query: Floats, member: Index) -> Floats:
        """(P, 3 + hyper) from the members' anchors, mirrored where they are."""
        there = np.concatenate([self.anchors, np.zeros((1, 3), np.float32)])
        delta = query.copy()
        delta[:, :3] -= there[member]
        delta[:, 0] *= self.decoder.distance.flips()[member]
        return delta


def _each(work: Callable[[slice], None], blocks: list[slice]) -> None:
    """On as many processors as there are: numpy lets go of the interpreter in its products."""
    if len(blocks) < 2:
        for rows in blocks:
            work(rows)
        return
    with ThreadPoolExecutor(min(os.cpu_count() or 1, _THREADS)) as pool:
        list(pool.map(work, blocks))


def _blocks(count: int, size: int = _BLOCK) -> list[slice]:
    return [slice(i, min(i + size, count)) for i in range(0, count, size)]
