# SPDX-License-Identifier: GPL-3.0-or-later
"""The operations of tensor programs, each a function of its options and its operands.

Tensors are float32, (1, H, W, C) unless a line says otherwise. Meanings follow the TensorFlow
Lite operator reference; weights come laid out for one matrix product: convolutions
(kh, kw, in, out), depthwise (kh, kw, channels). The three operations of MediaPipe's attention
mesh (Grishchenko et al., "Attention Mesh", 2020) and its transposed convolution stand below.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Array = NDArray[np.float32]
Options = dict[str, Any]

OPERATIONS: dict[str, Callable[..., Array]] = {}


def _operation(kind: str) -> Callable[[Callable[..., Array]], Callable[..., Array]]:
    def register(function: Callable[..., Array]) -> Callable[..., Array]:
        OPERATIONS[kind] = function
        return function

    return register


def _activate(x: Array, activation: str) -> Array:
    """Apply a fused activation in place."""
    if activation == "RELU":
        np.maximum(x, 0, out=x)
    elif activation == "RELU6":
        np.clip(x, 0, 6, out=x)
    elif activation != "NONE":
        raise ValueError(f"unknown activation {activation}")
    return x


def _pad(x: Array, before: list[int], after: list[int], fill: float = 0.0) -> Array:
    """Pad all axes; np.pad does the same with ten times the overhead on small maps."""
    if not any(before) and not any(after):
        return x
    shape = [b + n + a for b, n, a in zip(before, x.shape, after, strict=True)]
    padded = np.full(shape, fill, np.float32)
    padded[tuple(slice(b, b + n) for b, n in zip(before, x.shape, strict=True))] = x
    return padded


def _frame(
    x: Array, kernel: tuple[int, int], options: Options, fill: float = 0.0
) -> tuple[Array, int, int, int, int]:
    """The map (H, W, C) padded for a sliding kernel, the output's size and the strides."""
    sy, sx = options["stride"]
    (kh, kw), (_, h, w, _) = kernel, x.shape
    if options["padding"] == "SAME":
        oh, ow = -(-h // sy), -(-w // sx)
        py, px = max((oh - 1) * sy + kh - h, 0), max((ow - 1) * sx + kw - w, 0)
        x = _pad(x, [0, py // 2, px // 2, 0], [0, py - py // 2, px - px // 2, 0], fill)
    elif options["padding"] == "VALID":
        oh, ow = (h - kh) // sy + 1, (w - kw) // sx + 1
    else:
        raise ValueError(f"unknown padding {options['padding']}")
    return x[0], oh, ow, sy, sx


@_operation("CONV_2D")
def _convolution(options: Options, x: Array, weights: Array, bias: Array) -> Array:
    kh, kw, channels, out = weights.shape
    if (kh, kw) == (1, 1) and options["stride"] == [1, 1]:
        _, oh, ow, _ = x.shape
        columns = x.reshape(-1, channels)
    else:
        frame, oh, ow, sy, sx = _frame(x, (kh, kw), options)
        windows = sliding_window_view(sliding_window_view(frame, kh, axis=0), kw, axis=1)
        windows = windows[: oh * sy : sy, : ow * sx : sx].transpose(0, 1, 3, 4, 2)
        columns = windows.reshape(oh * ow, -1)
    y = columns @ weights.reshape(-1, out)
    y += bias
    return _activate(y, options["activation"]).reshape(1, oh, ow, out)


@_operation("DEPTHWISE_CONV_2D")
def _depthwise(options: Options, x: Array, weights: Array, bias: Array) -> Array:
    kh, kw, channels = weights.shape
    frame, oh, ow, sy, sx = _frame(x, (kh, kw), options)
    y = np.empty((oh, ow, channels), np.float32)
    y[...] = bias
    term = np.empty_like(y)
    for i in range(kh):
        rows = frame[i : i + (oh - 1) * sy + 1 : sy]
        for j in range(kw):
            np.multiply(rows[:, j : j + (ow - 1) * sx + 1 : sx], weights[i, j], out=term)
            y += term
    return _activate(y, options["activation"])[None]


def _pool(
    options: Options, x: Array, reduce: Callable[..., Any], fill: float
) -> tuple[Array, int, int]:
    kh, kw = options["kernel"]
    frame, oh, ow, sy, sx = _frame(x, (kh, kw), options, fill)
    y = frame[: (oh - 1) * sy + 1 : sy, : (ow - 1) * sx + 1 : sx].copy()
    for i in range(kh):
        for j in range(kw):
            if i or j:
                shifted = frame[i : i + (oh - 1) * sy + 1 : sy, j : j + (ow - 1) * sx + 1 : sx]
                reduce(y, shifted, out=y)
    return y[None], kh, kw


@_operation("MAX_POOL_2D")
def _max_pool(options: Options, x: Array) -> Array:
    return _pool(options, x, np.maximum, -np.inf)[0]


@_operation("AVERAGE_POOL_2D")
def _average_pool(options: Options, x: Array) -> Array:
    _, h, w, channels = x.shape
    kh, kw = options["kernel"]
    if options["padding"] != "VALID" or options["stride"] != [kh, kw] or h % kh or w % kw:
        raise ValueError("only average pools that tile the map are supported")
    blocks = x.reshape(1, h // kh, kh, w // kw, kw, channels)
    y: Array = blocks.mean(axis=(2, 4), dtype=np.float32)
    return y


@_operation("PRELU")
def _prelu(options: Options, x: Array, slope: Array) -> Array:
    scaled: Array = x * slope
    if slope.max() <= 1:
        np.maximum(scaled, x, out=scaled)
    else:
        np.copyto(scaled, x, where=x > 0)
    return scaled


@_operation("RELU")
def _relu(options: Options, x: Array) -> Array:
    return np.maximum(x, np.float32(0))


@_operation("LOGISTIC")
def _logistic(options: Options, x: Array) -> Array:
    y = np.exp(-np.clip(x, -80, 80))
    y += np.float32(1)
    return np.reciprocal(y)


@_operation("HARD_SWISH")
def _hard_swish(options: Options, x: Array) -> Array:
    y: Array = np.clip(x + np.float32(3), 0, 6)
    y *= x
    y /= np.float32(6)
    return y


@_operation("ADD")
def _add(options: Options, a: Array, b: Array) -> Array:
    return _activate(np.add(a, b), options["activation"])


@_operation("MUL")
def _multiply(options: Options, a: Array, b: Array) -> Array:
    return _activate(np.multiply(a, b), options["activation"])


@_operation("PAD")
def _pad_axes(options: Options, x: Array) -> Array:
    return _pad(x, options["before"], options["after"])


@_operation("RESHAPE")
def _reshape(options: Options, x: Array) -> Array:
    return x.reshape(options["shape"])


@_operation("CONCATENATION")
def _concatenate(options: Options, *parts: Array) -> Array:
    return np.concatenate(parts, axis=options["axis"])


@_operation("STRIDED_SLICE")
def _slice(options: Options, x: Array) -> Array:
    bounds = zip(options["begin"], options["end"], options["stride"], strict=True)
    return x[tuple(slice(*bound) for bound in bounds)]


@_operation("DEPTH_TO_SPACE")
def _depth_to_space(options: Options, x: Array) -> Array:
    block, (_, h, w, channels) = options["block"], x.shape
    y = x.reshape(h, w, block, block, channels // block**2).transpose(0, 2, 1, 3, 4)
    return y.reshape(1, h * block, w * block, -1)


@_operation("RESIZE_BILINEAR")
def _resize(options: Options, x: Array) -> Array:
    """Half-pixel centres, edges held."""

    def taps(size: int, source: int) -> tuple[NDArray[np.intp], NDArray[np.intp], Array]:
        at = np.maximum((np.arange(size) + 0.5) * (source / size) - 0.5, 0)
        low = np.minimum(at.astype(np.intp), source - 1)
        return low, np.minimum(low + 1, source - 1), (at - low).astype(np.float32)

    y0, y1, fy = taps(options["size"][0], x.shape[1])
    x0, x1, fx = taps(options["size"][1], x.shape[2])
    rows = x[0, y0] + (x[0, y1] - x[0, y0]) * fy[:, None, None]
    y: Array = rows[:, x0] + (rows[:, x1] - rows[:, x0]) * fx[:, None]
    return y[None]


@_operation("Convolution2DTransposeBias")
def _transposed_convolution(options: Options, x: Array, weights: Array, bias: Array) -> Array:
    """Kernel equal to the stride, so that the outputs tile; weights (in, kh, kw, out)."""
    _, h, w, channels = x.shape
    _, kh, kw, out = weights.shape
    y = x.reshape(-1, channels) @ weights.reshape(channels, -1)
    y = y.reshape(h, w, kh, kw, out).transpose(0, 2, 1, 3, 4).reshape(1, h * kh, w * kw, out)
    y += bias
    return y


@_operation("Landmarks2TransformMatrix")
def _region_matrix(options: Options, landmarks: Array) -> Array:
    """The affine map (1, 4, 4) from a region's grid to the feature map's input pixels.

    The region is the box around ``subset`` of ``landmarks`` (1, N, 3) in the frame in which the
    line from landmark ``left`` to ``right`` has the angle ``angle`` (radians).
    """
    points = landmarks[0, :, :2].astype(np.float64)
    dx, dy = points[options["right"]] - points[options["left"]]
    turn = options["angle"] - np.arctan2(dy, dx)
    upright = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    turned = points[options["subset"]] @ upright.T
    low, high = turned.min(axis=0), turned.max(axis=0)
    grid = np.array([options["width"], options["height"]], float)
    scale = upright.T * ((high - low) * np.array(options["scale"]) / grid)
    matrix = np.eye(4)
    matrix[:2, :2] = scale
    matrix[:2, 3] = upright.T @ ((low + high) / 2) - scale @ (grid / 2)
    return matrix.astype(np.float32)[None]


@_operation("TransformTensorBilinear")
def _sample_region(options: Options, features: Array, matrix: Array) -> Array:
    """Sample a feature map on a region's grid, bilinear, zero outside, half-pixel centres."""
    source, m = features[0], matrix[0].astype(np.float64)
    h, w, _ = source.shape
    gx, gy = np.meshgrid(np.arange(options["width"]) + 0.5, np.arange(options["height"]) + 0.5)
    x = m[0, 0] * gx + m[0, 1] * gy + m[0, 3] - 0.5
    y = m[1, 0] * gx + m[1, 1] * gy + m[1, 3] - 0.5
    inside = (x >= 0) & (x <= w - 1) & (y >= 0) & (y <= h - 1)
    x0, y0 = (np.clip(np.floor(a), 0, n - 1).astype(np.intp) for a, n in ((x, w), (y, h)))
    x1, y1 = np.minimum(x0 + 1, w - 1), np.minimum(y0 + 1, h - 1)
    fx, fy = (x - x0)[..., None].astype(np.float32), (y - y0)[..., None].astype(np.float32)
    top = source[y0, x0] * (1 - fx) + source[y0, x1] * fx
    bottom = source[y1, x0] * (1 - fx) + source[y1, x1] * fx
    sampled: Array = (top * (1 - fy) + bottom * fy) * inside[..., None].astype(np.float32)
    return sampled[None]


@_operation("TransformLandmarks")
def _place_landmarks(options: Options, landmarks: Array, matrix: Array) -> Array:
    """Region coordinates of landmarks (1, N, 2) back to the input's pixels."""
    m = matrix[0]
    placed: Array = landmarks[..., :2] @ m[:2, :2].T
    placed += m[:2, 3]
    return placed
