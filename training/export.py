# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a trained network as a tensor program (core.cues.tensor_program), weights as halves."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from core.cues.dense_input import CHANNELS, GRID
from core.cues.tensor_program import FORMAT, VERSION

from .network import Block, Network, Up

#: Bits of a half's ten that are not kept. The network's answers change by a hundredth.
DROPPED = 4


class _Writer:
    """Operations in order, values by number; 0 is the input."""

    def __init__(self) -> None:
        self.operations: list[dict[str, Any]] = []
        self.weights: dict[int, NDArray[np.float16]] = {}
        self.origins: dict[int, tuple[torch.Tensor, tuple[int, ...]]] = {}
        self.count = 1

    def _number(self) -> int:
        self.count += 1
        return self.count - 1

    def _weight(self, tensor: torch.Tensor, axes: tuple[int, ...]) -> int:
        number = self._number()
        self.origins[number] = tensor, axes
        values = tensor.detach().cpu().float().permute(axes).numpy()
        self.weights[number] = rounded(np.ascontiguousarray(values))
        return number

    def add(self, kind: str, inputs: list[int], options: dict[str, Any]) -> int:
        output = self._number()
        step = {"kind": kind, "inputs": inputs, "output": output, "options": options}
        self.operations.append(step)
        return output

    def convolution(self, x: int, layer: torch.nn.Conv2d, *, relu: bool) -> int:
        options = {
            "stride": list(layer.stride),
            "padding": "SAME",
            "activation": "RELU" if relu else "NONE",
        }
        weights = [self._weight(layer.weight, (2, 3, 1, 0)), self._weight(layer.bias, (0,))]
        return self.add("CONV_2D", [x, *weights], options)

    def block(self, x: int, block: Block) -> int:
        x = self.convolution(x, block.first, relu=True)
        y = self.convolution(x, block.second, relu=False)
        return self.add("ADD", [x, y], {"activation": "RELU"})

    def up(self, x: int, finer: int, up: Up) -> int:
        layer = up.spread
        weights = [self._weight(layer.weight, (0, 2, 3, 1)), self._weight(layer.bias, (0,))]
        spread = self.add("Convolution2DTransposeBias", [x, *weights], {})
        return self.block(self.add("CONCATENATION", [spread, finer], {"axis": 3}), up.block)


def rounded(values: NDArray[np.floating[Any]]) -> NDArray[np.float16]:
    """Halves of which the last DROPPED bits are zero, to the nearest: they pack better."""
    bits = values.astype(np.float16).view(np.uint16).astype(np.uint32)
    step = np.uint32(1 << DROPPED)
    out: NDArray[np.float16] = (
        ((bits + step // 2) // step * step).astype(np.uint16).view(np.float16)
    )
    return out


def export(state: Path, out: Path) -> None:
    """From a run's state.pt; the same state gives the same bytes."""
    network = Network()
    network.load_state_dict(torch.load(state, map_location="cpu", weights_only=True)["kept"])
    write(network, out)


def load(path: Path) -> Network:
    """The torch network with the weights of an exported file."""
    network = Network()
    writer, _ = _written(network)
    with np.load(path, allow_pickle=False) as z, torch.no_grad():
        for number, (tensor, axes) in writer.origins.items():
            values = torch.from_numpy(z[f"t{number}"].astype(np.float32))
            tensor.copy_(values.permute(tuple(np.argsort(axes))))
    return network


def _written(network: Network) -> tuple[_Writer, int]:
    """A network as operations, and the number of its output."""
    w = _Writer()
    maps = [w.block(0, network.enter)]
    for down in network.down:
        maps.append(w.block(maps[-1], down))
    x = maps.pop()
    for up in network.up:
        x = w.up(x, maps.pop(), up)
    return w, w.convolution(x, network.leave, relu=False)


def write(network: Network, out: Path) -> None:
    """Writes a network."""
    w, x = _written(network)
    plan = {
        "format": FORMAT,
        "version": VERSION,
        "input": {"id": 0, "shape": [1, GRID, GRID, CHANNELS]},
        "outputs": {"maps": x},
        "operations": w.operations,
    }
    arrays = {"plan": np.frombuffer(json.dumps(plan, separators=(",", ":")).encode(), np.uint8)}
    arrays |= {f"t{i}": value for i, value in w.weights.items()}
    out.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.save(buffer, array, allow_pickle=False)
            # A fixed date, so that the bytes depend on the weights alone.
            entry = zipfile.ZipInfo(f"{name}.npy")
            archive.writestr(entry, buffer.getvalue(), zipfile.ZIP_DEFLATED, 9)
