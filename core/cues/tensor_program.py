# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a converted neural network with numpy: NHWC, float32, batch of one.

A tensor program is an .npz file made by ``tools/mediapipe`` from a .tflite file, or by training. It
holds the weights and ``plan``. Weights are ``t<id>``, float16 where the original stored halves, or
int8, of which ``s<id>`` (channels,) says what a step of each of the last axis's channels is worth.
The plan is UTF-8 JSON with ``format``, ``version``, ``input`` {id, shape}, ``outputs`` {name: id}
and ``operations``, a list of {kind, inputs, output, options} in the order of execution. The
operations themselves stand in `tensor_operations`.

Loading checks the whole plan and raises `ModelFileError`; running checks the input's shape.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .model_files import damaged, read_arrays
from .tensor_operations import OPERATIONS, Options

FORMAT = "pixel3dmm tensor program"
VERSION = 1

Array = NDArray[np.float32]


class _PlanError(Exception):
    """What is wrong with a plan; becomes a `ModelFileError` with the file's name."""


@dataclass(frozen=True)
class _Step:
    """One operation: ``values[output] = operation(values[inputs]..., options)``."""

    kind: str
    inputs: tuple[int, ...]
    output: int
    options: Options
    last_use: tuple[int, ...]


class TensorProgram:
    """A network that is ready to run; keeps no state between calls.

    ``input_shape`` is (1, height, width, channels), ``output_names`` what a call returns.
    ``beside`` names arrays of the file that are no part of the program; they are kept under
    that name. Raises `ModelFileError` if the file is missing or damaged.
    """

    def __init__(self, path: Path, beside: Collection[str] = ()) -> None:
        self._path = path
        arrays = read_arrays(path)
        if missing := set(beside) - set(arrays):
            raise damaged(path, f"no array {min(missing)}")
        self.beside = {name: arrays.pop(name) for name in beside}
        try:
            plan = json.loads(arrays.pop("plan").tobytes())
            if plan["format"] != FORMAT or plan["version"] != VERSION:
                raise _PlanError(f"no {FORMAT} of version {VERSION}")
            steps = {int(n[1:]): arrays.pop(n) for n in list(arrays) if n.startswith("s")}
            self._constants = {int(n[1:]): _constant(n, a, steps) for n, a in arrays.items()}
            self._input = int(plan["input"]["id"])
            self.input_shape = tuple(int(n) for n in plan["input"]["shape"])
            self._outputs = {str(n): int(i) for n, i in plan["outputs"].items()}
            self._steps = _steps(plan["operations"], self._constants, self._input, self._outputs)
        except (_PlanError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise damaged(path, error) from error

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the arrays that a call returns."""
        return tuple(self._outputs)

    def __call__(self, tensor: NDArray[np.floating[Any]]) -> dict[str, Array]:
        """Run on one input (1, H, W, C); returns the outputs by name, batch axis included."""
        if tensor.shape != self.input_shape:
            raise ValueError(f"expected a tensor of shape {self.input_shape}, got {tensor.shape}")
        values: dict[int, Array] = {self._input: np.ascontiguousarray(tensor, np.float32)}
        try:
            for step in self._steps:
                operands = [values[i] if i in values else self._constants[i] for i in step.inputs]
                values[step.output] = OPERATIONS[step.kind](step.options, *operands)
                for i in step.last_use:
                    del values[i]
        except (ValueError, IndexError, TypeError, KeyError) as error:
            # The input is right, so shapes or options that do not fit come from the file.
            raise damaged(self._path, f"{step.kind}: {error}") from error
        return {name: values[i] for name, i in self._outputs.items()}


def _constant(name: str, array: NDArray[Any], steps: Mapping[int, NDArray[Any]]) -> Array:
    if not name.startswith("t") or array.dtype not in (np.int8, np.float16, np.float32):
        raise _PlanError(f"unexpected array {name}")
    values = array.astype(np.float32)
    if array.dtype == np.int8:
        step = steps[int(name[1:])]
        if step.dtype != np.float32 or step.shape != array.shape[-1:]:
            raise _PlanError(f"array {name} has no steps")
        values *= step
    if not np.isfinite(values).all():
        raise _PlanError(f"array {name} is not finite")
    return values


def _steps(
    operations: list[dict[str, Any]],
    constants: dict[int, Array],
    source: int,
    outputs: dict[str, int],
) -> list[_Step]:
    """Check that each value is known before it is used and find where it is used last."""
    known = {source, *constants}
    last: dict[int, int] = {}
    for n, operation in enumerate(operations):
        if operation["kind"] not in OPERATIONS:
            raise _PlanError(f"unknown operation {operation['kind']}")
        if not isinstance(operation["options"], dict):
            raise _PlanError(f"operation {n} has no options")
        if missing := set(operation["inputs"]) - known:
            raise _PlanError(f"value {min(missing)} is used before it is made")
        if operation["output"] in known:
            raise _PlanError(f"value {operation['output']} is made twice")
        known.add(operation["output"])
        last.update(dict.fromkeys(operation["inputs"], n))
    if missing := set(outputs.values()) - known:
        raise _PlanError(f"output {min(missing)} is never made")
    kept = {*constants, *outputs.values()}
    return [
        _Step(
            kind=operation["kind"],
            inputs=tuple(int(i) for i in operation["inputs"]),
            output=int(operation["output"]),
            options=operation["options"],
            last_use=tuple(i for i in sorted(set(operation["inputs"]) - kept) if last[i] == n),
        )
        for n, operation in enumerate(operations)
    ]
