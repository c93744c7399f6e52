# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a parsed .tflite graph as a tensor program, the format of `core.cues.tensor_program`.

Options become plain words and numbers, integer operands (paddings, slices, sizes) become
options, and weights are laid out as the runtime multiplies them.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import tflite
from numpy.typing import NDArray

from core.cues.tensor_program import FORMAT, VERSION

from .tflite_reader import Graph, Operation, builtin_options

Array = NDArray[Any]

_ACTIVATION = {0: "NONE", 1: "RELU", 3: "RELU6"}
_PADDING = {tflite.Padding.SAME: "SAME", tflite.Padding.VALID: "VALID"}
_PLAIN = ("RELU", "LOGISTIC", "HARD_SWISH", "PRELU", "TransformLandmarks")
#: (kh, kw, in, out) and (kh, kw, channels) from TFLite's (out, kh, kw, in) and (1, kh, kw, c);
#: (in, kh, kw, out) for the transposed convolution.
_LAYOUT: dict[str, Any] = {
    "CONV_2D": lambda w: w.transpose(1, 2, 3, 0),
    "DEPTHWISE_CONV_2D": lambda w: w[0],
    "Convolution2DTransposeBias": lambda w: w.transpose(3, 1, 2, 0),
}


def write(graph: Graph, path: Path) -> None:
    """Write the graph; the same graph gives the same bytes."""
    weights: dict[int, Array] = {}
    steps = []
    for operation in graph.operations:
        operands = list(operation.inputs)
        options = _options(operation, graph)
        if operation.kind in ("PAD", "RESHAPE", "STRIDED_SLICE", "RESIZE_BILINEAR"):
            del operands[1:]  # sizes; they are options now
        for position, i in enumerate(operands):
            if i in graph.constants:
                value = graph.constants[i]
                if position == 1 and operation.kind in _LAYOUT:
                    value = _LAYOUT[operation.kind](value)
                if i in weights and not np.array_equal(weights[i], value):
                    raise ValueError(f"tensor {i} is used in two layouts")
                weights[i] = np.ascontiguousarray(value)
        (output,) = operation.outputs
        steps.append(
            {"kind": operation.kind, "inputs": operands, "output": output, "options": options}
        )
    plan = {
        "format": FORMAT,
        "version": VERSION,
        "input": {"id": graph.input, "shape": graph.shapes[graph.input]},
        "outputs": graph.outputs,
        "operations": steps,
    }
    arrays = {f"t{i}": value for i, value in sorted(weights.items())}
    text = json.dumps(plan, separators=(",", ":")).encode()
    write_npz(path, {"plan": np.frombuffer(text, np.uint8), **arrays})


def write_npz(path: Path, arrays: dict[str, Array]) -> None:
    """np.savez_compressed with fixed timestamps, so that a rebuild gives the same bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.save(buffer, array, allow_pickle=False)
            archive.writestr(
                zipfile.ZipInfo(f"{name}.npy"), buffer.getvalue(), zipfile.ZIP_DEFLATED, 9
            )


def _options(operation: Operation, graph: Graph) -> dict[str, Any]:
    """The options of one operation in the runtime's words."""
    kind, custom = operation.kind, operation.custom

    def constant(position: int) -> list[Any]:
        values: list[Any] = graph.constants[operation.inputs[position]].tolist()
        return values

    if kind in _PLAIN:
        return {}
    if kind in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        table = builtin_options(operation, "Conv2D" if kind == "CONV_2D" else "DepthwiseConv2D")
        if (table.DilationHFactor(), table.DilationWFactor()) != (1, 1):
            raise ValueError("dilated convolutions do not occur in the nets we convert")
        if kind == "DEPTHWISE_CONV_2D" and table.DepthMultiplier() != 1:
            raise ValueError("depth multipliers do not occur in the nets we convert")
        return _window(table)
    if kind in ("MAX_POOL_2D", "AVERAGE_POOL_2D"):
        table = builtin_options(operation, "Pool2D")
        return {**_window(table), "kernel": [table.FilterHeight(), table.FilterWidth()]}
    if kind in ("ADD", "MUL"):
        table = builtin_options(operation, kind.title())
        return {"activation": _ACTIVATION[table.FusedActivationFunction()]}
    if kind == "PAD":
        before, after = zip(*constant(1), strict=True)
        return {"before": before, "after": after}
    if kind == "RESHAPE":
        return {"shape": graph.shapes[operation.outputs[0]]}
    if kind == "CONCATENATION":
        return {"axis": builtin_options(operation, "Concatenation").Axis()}
    if kind == "STRIDED_SLICE":
        table = builtin_options(operation, "StridedSlice")
        masks = ("BeginMask", "EndMask", "EllipsisMask", "NewAxisMask", "ShrinkAxisMask")
        if any(getattr(table, mask)() for mask in masks):
            raise ValueError("slice masks do not occur in the nets we convert")
        return {"begin": constant(1), "end": constant(2), "stride": constant(3)}
    if kind == "DEPTH_TO_SPACE":
        return {"block": builtin_options(operation, "DepthToSpace").BlockSize()}
    if kind == "RESIZE_BILINEAR":
        table = builtin_options(operation, "ResizeBilinear")
        if table.AlignCorners() or not table.HalfPixelCenters():
            raise ValueError("only half-pixel resizing occurs in the nets we convert")
        return {"size": constant(1)}
    if kind == "Convolution2DTransposeBias":
        kernel = graph.shapes[operation.inputs[1]][1:3]
        if kernel != (custom["height"], custom["width"]):
            raise ValueError("only transposed convolutions that tile occur in these nets")
        return {}
    if kind == "Landmarks2TransformMatrix":
        return {
            "left": custom["left_rotation_idx"],
            "right": custom["right_rotation_idx"],
            "subset": custom["subset_idxs"],
            "angle": custom["target_rotation_radians"],
            "scale": [custom["scale_x"], custom["scale_y"]],
            "width": custom["output_width"],
            "height": custom["output_height"],
        }
    if kind == "TransformTensorBilinear":
        return {"width": custom["output_width"], "height": custom["output_height"]}
    raise ValueError(f"operation {kind} does not occur in the nets we convert")


def _window(table: Any) -> dict[str, Any]:
    """Padding, stride and activation, which convolutions and pools share."""
    return {
        "padding": _PADDING[table.Padding()],
        "stride": [table.StrideH(), table.StrideW()],
        "activation": _ACTIVATION[table.FusedActivationFunction()],
    }
