# SPDX-License-Identifier: GPL-3.0-or-later
"""Local networks around anchors, evaluated as one product a layer and network.

A member is an anchor; the two of a symmetric pair share a network, of which the second sees x
negated, and the last member is the global one, anchored at the origin. Its input is
[codes, delta] (MonoNPHM) or [delta, codes] (NPHM 2023), where codes are those of the member alone:
what the first layer says of them is computed once a member and not once a query.
Softplus with beta 100 between layers; the derivative of softplus is the logistic function.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Index = NDArray[np.intp]

BETA = np.float32(100.0)
_LARGE, _PIECE = np.float32(0.3), 1 << 14
_ROOT_HALF = np.float32(0.5**0.5)


def softplus(h: Floats) -> Floats:
    """log(1 + exp(beta h)) / beta, in place.

    In pieces that stay in the processor's cache; and nothing smaller than exp(-30) is taken, whose
    like are slow and change no number.
    """
    flat = h.reshape(-1)
    buffer = np.empty(min(_PIECE, len(flat)), np.float32)
    for start in range(0, len(flat), _PIECE):
        x = flat[start : start + _PIECE]
        e = buffer[: len(x)]
        np.abs(x, out=e)
        np.minimum(e, _LARGE, out=e)
        e *= -BETA
        np.exp(e, out=e)
        e += np.float32(1.0)
        np.log(e, out=e)
        e *= np.float32(1.0) / BETA
        np.maximum(x, np.float32(0.0), out=x)
        x += e
    return h


def slope_of(value: Floats) -> Floats:
    """The derivative of softplus where its value is ``value``: 1 - exp(-beta value)."""
    return np.float32(1.0) - np.exp(-BETA * np.minimum(value, _LARGE))


@dataclass(frozen=True, eq=False)
class LocalNetworks:
    """weights[j] (N, out, in) and biases[j] (N, out) of layer j of N networks.

    codes: how many of the first layer's inputs are codes; delta_first: whether they come after the
    position; skip: the layer that sees the input again, or -1.
    """

    weights: tuple[Floats, ...]
    biases: tuple[Floats, ...]
    pairs: int
    codes: int
    delta_first: bool = False
    skip: int = -1
    rectified: bool = False

    @property
    def members(self) -> int:
        """Anchors, and the global member."""
        return len(self.weights[0]) + self.pairs

    def network_of(self, member: Index) -> Index:
        """Which network a member uses."""
        pairs = self.pairs
        return np.where(member < 2 * pairs, member // 2, member - pairs)

    def flips(self) -> Floats:
        """(members,) -1 where x is negated."""
        odd = np.arange(self.members) % 2 == 1
        return np.where(odd & (np.arange(self.members) < 2 * self.pairs), -1, 1).astype(np.float32)

    def split(self, layer: int) -> tuple[Floats, Floats, Floats]:
        """A layer's weights on what comes from below (none for the first), codes, and delta."""
        w = self.weights[layer]
        inner = self.weights[0].shape[2]
        below, own = w[:, :, : w.shape[2] - inner], w[:, :, w.shape[2] - inner :]
        if layer and layer == self.skip:
            below, own = below * _ROOT_HALF, own * _ROOT_HALF
        if self.delta_first:
            delta = inner - self.codes
            return below, own[:, :, delta:], own[:, :, :delta]
        return below, own[:, :, : self.codes], own[:, :, self.codes :]

    def bound(self, codes: Floats) -> BoundNetworks:
        """With codes (members, codes)."""
        network = self.network_of(np.arange(self.members))
        layers = [0] + ([self.skip] if self.skip > 0 else [])
        constants = {}
        for layer in layers:
            _, of_codes, _ = self.split(layer)
            constants[layer] = np.einsum("mhi,mi->mh", of_codes[network], codes)
            constants[layer] += self.biases[layer][network]
        return BoundNetworks(self, constants)


@dataclass(frozen=True, eq=False)
class BoundNetworks:
    """The networks with everybody's codes in them; constants[layer] (members, out)."""

    networks: LocalNetworks
    constants: dict[int, Floats]

    def values(self, member: Index, delta: Floats, hidden: bool = False) -> tuple[Floats, Floats]:
        """Pairs (P,) of members and their deltas (P, D), sorted by network -> (P, out), and the
        last hidden layer before its softplus (P, h), empty unless asked for.
        """
        nets = self.networks
        last = len(nets.weights) - 1
        out = np.empty((len(member), nets.weights[-1].shape[1]), np.float32)
        kept = np.empty((len(member) if hidden else 0, nets.weights[-1].shape[2]), np.float32)
        for n, rows in _groups(nets.network_of(member)):
            h = self._first(n, member[rows], delta[rows], 0, None)
            for j in range(1, last + 1):
                if hidden and j == last:
                    kept[rows] = h
                h = np.maximum(h, np.float32(0.0)) if nets.rectified else softplus(h)
                if j == nets.skip:
                    h = self._first(n, member[rows], delta[rows], j, h)
                else:
                    h = h @ nets.weights[j][n].T
                    h += nets.biases[j][n]
            out[rows] = h
        return out, kept

    def gradients(self, member: Index, delta: Floats) -> tuple[Floats, Floats, Floats]:
        """Of networks with one output: values (P,), derivatives by delta (P, D) and by the
        member's codes (P, codes).
        """
        nets = self.networks
        last = len(nets.weights) - 1
        value = np.empty(len(member), np.float32)
        by_delta = np.empty_like(delta)
        by_codes = np.empty((len(member), nets.codes), np.float32)
        for n, rows in _groups(nets.network_of(member)):
            h = self._first(n, member[rows], delta[rows], 0, None)
            kept = []
            for j in range(1, last + 1):
                h = softplus(h)
                kept.append(h)
                if j == nets.skip:
                    h = self._first(n, member[rows], delta[rows], j, h)
                else:
                    h = h @ nets.weights[j][n].T + nets.biases[j][n]
            value[rows] = h[:, 0]
            back = np.ones_like(h)
            to_delta = np.zeros((len(h), delta.shape[1]), np.float32)
            to_codes = np.zeros((len(h), nets.codes), np.float32)
            for j in range(last, -1, -1):
                if j in self.constants:
                    below, of_codes, of_delta = (w[n] for w in nets.split(j))
                    to_delta += back @ of_delta
                    to_codes += back @ of_codes
                else:
                    below = nets.weights[j][n]
                if j:
                    back = (back @ below) * slope_of(kept[j - 1])
            by_delta[rows], by_codes[rows] = to_delta, to_codes
        return value, by_delta, by_codes

    def _first(
        self, n: int, member: Index, delta: Floats, layer: int, below: Floats | None
    ) -> Floats:
        of_below, _, of_delta = (w[n] for w in self.networks.split(layer))
        h = self.constants[layer][member]
        h += delta @ of_delta.T
        if below is not None:
            h += below @ of_below.T
        return h


def _groups(network: Index) -> list[tuple[int, slice]]:
    """Runs of equal numbers."""
    if not len(network):
        return []
    starts = np.flatnonzero(np.r_[True, network[1:] != network[:-1]])
    ends = np.r_[starts[1:], len(network)]
    return [(int(network[a]), slice(int(a), int(b))) for a, b in zip(starts, ends, strict=True)]
