# SPDX-License-Identifier: GPL-3.0-or-later
"""A .tflite file as a plain list of operations with numpy constants.

Reads the first subgraph through the schema package ``tflite``. Weights that the file stores as
halves stay halves; sparse ones (Gale et al., block-free traversal of the TFLite schema's
``SparsityParameters``) are made dense; DEQUANTIZE and DENSIFY of constants vanish.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
import tflite
from flatbuffers import flexbuffers
from numpy.typing import NDArray

Array = NDArray[Any]

_DTYPES = {
    tflite.TensorType.FLOAT32: np.dtype("<f4"),
    tflite.TensorType.FLOAT16: np.dtype("<f2"),
    tflite.TensorType.INT32: np.dtype("<i4"),
}
_KINDS = {v: k for k, v in vars(tflite.BuiltinOperator).items() if isinstance(v, int)}


@dataclass(frozen=True)
class Operation:
    """One operation: tensor ids, and a function that reads an option by its accessor's name."""

    kind: str
    inputs: list[int]
    outputs: list[int]
    builtin: Any
    custom: dict[str, Any]


@dataclass(frozen=True)
class Graph:
    """The net: constants by tensor id, shapes of all tensors, operations in order."""

    constants: dict[int, Array]
    shapes: dict[int, tuple[int, ...]]
    operations: list[Operation]
    input: int
    outputs: dict[str, int]


def read(data: bytes) -> Graph:
    """Parse a .tflite file's bytes."""
    model = tflite.Model.GetRootAs(data, 0)
    graph = model.Subgraphs(0)
    constants: dict[int, Array] = {}
    shapes: dict[int, tuple[int, ...]] = {}
    for i in range(graph.TensorsLength()):
        tensor = graph.Tensors(i)
        shapes[i] = tuple(tensor.Shape(k) for k in range(tensor.ShapeLength()))
        buffer = model.Buffers(tensor.Buffer())
        if buffer.DataLength():
            values = np.frombuffer(buffer.DataAsNumpy().tobytes(), _DTYPES[tensor.Type()])
            constants[i] = (
                values.reshape(shapes[i])
                if tensor.Sparsity() is None
                else _densify(values, shapes[i], tensor.Sparsity())
            )
    operations = []
    for i in range(graph.OperatorsLength()):
        operation = _operation(model, graph.Operators(i))
        if operation.kind in ("DEQUANTIZE", "DENSIFY") and operation.inputs[0] in constants:
            constants[operation.outputs[0]] = constants[operation.inputs[0]]
        else:
            operations.append(operation)
    outputs = [graph.Outputs(i) for i in range(graph.OutputsLength())]
    names = {graph.Tensors(i).Name().decode(): i for i in outputs}
    return Graph(constants, shapes, operations, graph.Inputs(0), names)


def _operation(model: Any, operator: Any) -> Operation:
    code = model.OperatorCodes(operator.OpcodeIndex())
    # Files before schema 3a keep the code in the deprecated byte, later ones in the new field.
    kind = _KINDS[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
    custom: dict[str, Any] = {}
    if kind == "CUSTOM":
        kind = code.CustomCode().decode()
        raw = operator.CustomOptionsAsNumpy()
        if kind == "Convolution2DTransposeBias":
            # A plain TfLiteTransposeConvParams: padding (1 same, 2 valid), stride w, stride h.
            values = struct.unpack("<3i", raw)
            custom = dict(zip(("padding", "width", "height"), values, strict=True))
        elif operator.CustomOptionsLength():
            custom = flexbuffers.Loads(raw.tobytes())
    return Operation(
        kind,
        [operator.Inputs(i) for i in range(operator.InputsLength())],
        [operator.Outputs(i) for i in range(operator.OutputsLength())],
        operator.BuiltinOptions(),
        custom,
    )


def builtin_options(operation: Operation, kind: str) -> Any:
    """The operation's option table, e.g. ``Conv2DOptions`` for ``kind`` "Conv2D"."""
    options = getattr(tflite, f"{kind}Options")()
    options.Init(operation.builtin.Bytes, operation.builtin.Pos)
    return options


def _index_vector(kind: int, table: flatbuffers.table.Table) -> list[int]:
    name = {v: k for k, v in vars(tflite.SparseIndexVector).items() if isinstance(v, int)}[kind]
    vector = getattr(tflite, name)()
    vector.Init(table.Bytes, table.Pos)
    return [vector.Values(i) for i in range(vector.ValuesLength())]


def _densify(values: Array, shape: tuple[int, ...], sparsity: Any) -> Array:
    """Expand the values along the traversal order; zero where the file stores nothing."""
    if sparsity.BlockMapLength():
        raise ValueError("blocked sparsity does not occur in the nets we convert")
    order = [sparsity.TraversalOrder(i) for i in range(sparsity.TraversalOrderLength())]
    # Grow the coordinates of all stored values one dimension at a time.
    coordinates = np.zeros((1, len(shape)), np.int64)
    for level, axis in enumerate(order):
        dimension = sparsity.DimMetadata(level)
        if dimension.Format() == tflite.DimensionType.DENSE:
            size = dimension.DenseSize()
            steps = np.tile(np.arange(size), len(coordinates))
            coordinates = np.repeat(coordinates, size, axis=0)
        else:
            segments = np.array(
                _index_vector(dimension.ArraySegmentsType(), dimension.ArraySegments())
            )
            steps = np.array(_index_vector(dimension.ArrayIndicesType(), dimension.ArrayIndices()))
            coordinates = np.repeat(coordinates, np.diff(segments), axis=0)
        coordinates[:, axis] = steps
    if len(coordinates) != len(values):
        raise ValueError("sparse tensor holds another number of values than its index says")
    dense = np.zeros(shape, values.dtype)
    dense[tuple(coordinates.T)] = values
    return dense
