# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads trained weights: those of a run's folder, or of one of trial weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .network import Network


def load_weights(folder: Path) -> tuple[Network, dict[str, NDArray[Any]]]:
    """The network and its errors. A run's folder has ``weights.npz``, by name, and ``errors.npz``.
    One of trial weights has ``w0.npz``, ``w1.npz`` and ``cov.npz``: weights in the order of
    `Network`'s own, under whatever names and without the decoder's, and covariances ``z<yaw>``.
    Raises SystemExit for weights of another network.
    """
    network = Network()
    own = network.state_dict()
    if (folder / "weights.npz").is_file():
        named = _arrays(folder / "weights.npz")
        errors = _arrays(folder / "errors.npz") if (folder / "errors.npz").is_file() else {}
    else:
        said = [a for part in ("w0.npz", "w1.npz") for a in _arrays(folder / part).values()]
        names = [n for n in own if not n.startswith("maps.")]
        named = dict(zip(names, said, strict=False)) if len(said) == len(names) else {}
        errors = _spread(folder / "cov.npz")
    if any(n not in own or a.shape != tuple(own[n].shape) for n, a in named.items()) or not named:
        raise SystemExit(f"The weights in {folder} are not of this network.")
    read = {n: torch.as_tensor(np.asarray(a)).to(own[n].dtype) for n, a in named.items()}
    network.load_state_dict({**own, **read})
    return network, errors


def _spread(path: Path) -> dict[str, NDArray[Any]]:
    spread = {int(n[1:]): a for n, a in _arrays(path).items() if n.startswith("z")}
    yaws = sorted(spread)
    return {"yaw_from": np.array(yaws), "error_covariance": np.stack([spread[y] for y in yaws])}


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    with np.load(path, allow_pickle=False) as z:
        return {name: z[name] for name in z.files}
