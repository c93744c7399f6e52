# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a trained shape network for the product: batch norms folded, weights in eight bits.

Convolutions and full layers keep one step a channel of their output; small arrays stay float32.
Beside the tensor program (core.cues.tensor_program) stands what core.cues.shape_network reads:
the covariance of errors in units of the network's own spread, by yaw, and what each component is
worth on the head that it was trained on, so that another head is noticed.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from core.cues.shape_network import component_size
from core.cues.tensor_program import FORMAT, VERSION
from core.heads import load_open_head
from core.heads.model import HeadModel

from .network import SIZE, Block, Network
from .weights import load_weights

Weights = NDArray[np.float32]

#: Arrays of fewer numbers are kept as they are.
FEW = 2048
#: What is tried as a channel's largest step over its largest weight.
_CLIPS = np.linspace(0.7, 1.0, 13)


def export(network: Network, errors: Mapping[str, NDArray[Any]], head: HeadModel, out: Path) -> str:
    """Writes the file and returns what eight bits cost, in a sentence.

    errors: ``yaw_from`` (b,) degrees and ``error_covariance`` (b, I, I).
    """
    writer = _Writer()
    outputs = writer.network(network.eval())
    plan = {
        "format": FORMAT,
        "version": VERSION,
        "input": {"id": 0, "shape": [1, SIZE, SIZE, 3]},
        "outputs": outputs,
        "operations": writer.operations,
    }
    count = network.mean.out_features
    arrays: dict[str, NDArray[Any]] = {
        "plan": np.frombuffer(json.dumps(plan, separators=(",", ":")).encode(), np.uint8),
        **writer.arrays,
        "yaw_from": np.asarray(errors["yaw_from"], np.float32),
        "error_covariance": np.asarray(errors["error_covariance"], np.float32),
        "component_mm": component_size(head, count).astype(np.float32),
    }
    _write(arrays, out)
    lost = np.sqrt(writer.lost / writer.total)
    return f"{out.stat().st_size / 1e6:.2f} MB; weights are off by {100 * lost:.2f} % (rms)"


def export_run(run: Path, out: Path) -> str:
    """Of a run's folder, or of one of trial weights; the open head is what it belongs to."""
    network, errors = load_weights(run)
    return export(network, errors, load_open_head(), out)


class _Writer:
    """Operations in order, values by number; 0 is the input. lost and total: squares of what
    eight bits lose, and of the weights.
    """

    def __init__(self) -> None:
        self.operations: list[dict[str, Any]] = []
        self.arrays: dict[str, NDArray[Any]] = {}
        self.count, self.lost, self.total = 1, 0.0, 0.0

    def network(self, net: Network) -> dict[str, int]:
        """The outputs by name."""
        x = self.convolution(0, net.enter, net.enter_norm, relu=True)
        for block in net.body:
            assert isinstance(block, Block)
            x = self.block(x, block)
        x = self.convolution(x, net.squeeze, net.squeeze_norm, relu=True)
        # A full layer over a map is a convolution as large as the map.
        channels = net.squeeze.out_channels
        side = round((net.hidden.in_features / channels) ** 0.5)
        weights = net.hidden.weight.detach().reshape(-1, channels, side, side)
        x = self.weighted(x, _array(weights), _array(net.hidden.bias), (1, 1), relu=True)
        said = {"mean": net.mean, "log_sigma": net.log_sigma}
        return {
            name: self.weighted(
                x, _array(layer.weight)[:, :, None, None], _array(layer.bias), (1, 1), relu=False
            )
            for name, layer in said.items()
        }

    def block(self, x: int, block: Block) -> int:
        y = self.convolution(x, block.first, block.first_norm, relu=True)
        y = self.convolution(y, block.second, block.second_norm, relu=False)
        if isinstance(block.short, nn.Sequential):
            convolution, norm = block.short
            assert isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
            x = self.convolution(x, convolution, norm, relu=False)
        return self.add("ADD", [x, y], {"activation": "RELU"})

    def convolution(self, x: int, layer: nn.Conv2d, norm: nn.BatchNorm2d, *, relu: bool) -> int:
        weights, bias = folded(layer, norm)
        py, px = (int(n) for n in layer.padding)
        if py or px:
            around = [0, py, px, 0]
            x = self.add("PAD", [x], {"before": around, "after": around})
        return self.weighted(x, weights, bias, layer.stride, relu=relu)

    def weighted(
        self, x: int, weights: Weights, bias: Weights, stride: tuple[int, ...], *, relu: bool
    ) -> int:
        """weights (out, in, kh, kw)."""
        options = {
            "stride": [int(n) for n in stride],
            "padding": "VALID",
            "activation": "RELU" if relu else "NONE",
        }
        numbers = [self.constant(weights.transpose(2, 3, 1, 0)), self.constant(bias)]
        return self.add("CONV_2D", [x, *numbers], options)

    def add(self, kind: str, inputs: list[int], options: dict[str, Any]) -> int:
        output = self.number()
        step = {"kind": kind, "inputs": inputs, "output": output, "options": options}
        self.operations.append(step)
        return output

    def constant(self, values: Weights) -> int:
        number = self.number()
        if values.size < FEW:
            self.arrays[f"t{number}"] = np.ascontiguousarray(values, np.float32)
            return number
        whole, step = in_bytes(values)
        self.arrays[f"t{number}"], self.arrays[f"s{number}"] = whole, step
        self.lost += float(((whole * step - values) ** 2).sum())
        self.total += float((values**2).sum())
        return number

    def number(self) -> int:
        self.count += 1
        return self.count - 1


def folded(layer: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[Weights, Weights]:
    """Weights (out, in, kh, kw) and bias (out,) of a convolution and the norm after it."""
    mean, variance = norm.running_mean, norm.running_var
    assert mean is not None and variance is not None
    gain = norm.weight / torch.sqrt(variance + norm.eps)
    bias = torch.zeros_like(mean) if layer.bias is None else layer.bias
    return _array(layer.weight * gain[:, None, None, None]), _array(
        norm.bias + (bias - mean) * gain
    )


def in_bytes(values: Weights) -> tuple[NDArray[np.int8], Weights]:
    """Whole numbers and a step (channels,) for each of the last axis, of least square error."""
    flat = values.reshape(-1, values.shape[-1])
    largest = np.maximum(np.abs(flat).max(axis=0), 1e-12)
    best, step = np.full(len(largest), np.inf), largest / 127
    for clip in _CLIPS:
        tried = clip * largest / 127
        error = ((np.clip(np.round(flat / tried), -127, 127) * tried - flat) ** 2).sum(axis=0)
        step = np.where(error < best, tried, step)
        best = np.minimum(best, error)
    step = step.astype(np.float32)
    whole = np.clip(np.round(values / step), -127, 127).astype(np.int8)
    return np.ascontiguousarray(whole), step


def _array(tensor: torch.Tensor) -> Weights:
    return tensor.detach().cpu().float().numpy()


def _write(arrays: Mapping[str, NDArray[Any]], out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.save(buffer, array, allow_pickle=False)
            # A fixed date, so that the bytes depend on the weights alone.
            entry = zipfile.ZipInfo(f"{name}.npy")
            archive.writestr(entry, buffer.getvalue(), zipfile.ZIP_DEFLATED, 9)
