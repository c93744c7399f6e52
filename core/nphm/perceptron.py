# SPDX-License-Identifier: GPL-3.0-or-later
"""Two plain networks of the decoder: ReLU layers for anchors, a skip network for deformation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .local_networks import Floats, slope_of, softplus

_ROOT_HALF = np.float32(0.5**0.5)


@dataclass(frozen=True, eq=False)
class Perceptron:
    """ReLU between layers; weights[j] (out, in), biases[j] (out,)."""

    weights: tuple[Floats, ...]
    biases: tuple[Floats, ...]

    def value(self, x: Floats) -> tuple[Floats, Floats]:
        """x (in,) -> value (out,) and Jacobian (out, in)."""
        jacobian = np.eye(len(x), dtype=np.float32)
        for j, (w, b) in enumerate(zip(self.weights, self.biases, strict=True)):
            x, jacobian = w @ x + b, w @ jacobian
            if j < len(self.weights) - 1:
                jacobian = np.where((x > 0)[:, None], jacobian, np.float32(0.0))
                x = np.maximum(x, np.float32(0.0))
        return x, jacobian


@dataclass(frozen=True, eq=False)
class SkipNetwork:
    """Softplus (beta 100) between layers; the middle layer sees the input again, both over the
    square root of two. The input is [x, code]: what layers say of a code that all queries share
    is computed once.
    """

    weights: tuple[Floats, ...]
    biases: tuple[Floats, ...]

    @property
    def middle(self) -> int:
        """The layer with the skip."""
        return (len(self.weights) - 1) // 2

    def bound(self, code: Floats) -> BoundSkip:
        """With a code (c,)."""
        first, again = self.weights[0], self.weights[self.middle]
        own = first.shape[1]
        constant = first[:, own - len(code) :] @ code + self.biases[0]
        more = again[:, again.shape[1] - len(code) :] @ code * _ROOT_HALF
        return BoundSkip(self, len(code), constant, more + self.biases[self.middle])


@dataclass(frozen=True, eq=False)
class BoundSkip:
    """With a code in it."""

    network: SkipNetwork
    codes: int
    constant: Floats
    more: Floats

    def value(self, x: Floats) -> tuple[Floats, list[Floats]]:
        """x (n, 3) -> (n, out), and the hidden layers for :meth:`back`."""
        net = self.network
        own = net.weights[0].shape[1]
        h = x @ net.weights[0][:, : own - self.codes].T
        h += self.constant
        kept = []
        for j in range(1, len(net.weights)):
            h = softplus(h)
            kept.append(h)
            w = net.weights[j]
            if j == net.middle:
                below = w.shape[1] - own
                place = w[:, below : below + own - self.codes]
                h = (h @ w[:, :below].T + x @ place.T) * _ROOT_HALF
                h += self.more
            else:
                h = h @ w.T
                h += net.biases[j]
        return h, kept

    def back(self, kept: list[Floats], gradient: Floats) -> Floats:
        """(n, out) derivatives -> (n, 3 + codes) by place and code."""
        net = self.network
        own = net.weights[0].shape[1]
        out = np.zeros((len(gradient), own), np.float32)
        for j in range(len(net.weights) - 1, 0, -1):
            w = net.weights[j]
            if j == net.middle:
                gradient = gradient * _ROOT_HALF
                out += gradient @ w[:, w.shape[1] - own :]
                w = w[:, : w.shape[1] - own]
            gradient = (gradient @ w) * slope_of(kept[j - 1])
        out += gradient @ net.weights[0]
        return out
