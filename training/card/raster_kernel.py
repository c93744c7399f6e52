# SPDX-License-Identifier: GPL-3.0-or-later
"""The z-buffer of raster.py as one kernel for a CUDA card, by CuPy: a thread a triangle of a head.

It does raster.py's arithmetic in its order and in single precision; which of two triangles a pixel
on their common edge gets may differ by rounding.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

_THREADS = 128
_SOURCE = r"""
extern "C" __global__ void nearest(
    const float* points, const long long* triangles, unsigned long long* keys,
    const int heads, const int vertices, const int faces, const int size, const int both)
{
    const long long job = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (job >= (long long)heads * faces) return;
    const int head = (int)(job / faces), face = (int)(job % faces);
    const float* of = points + 3ll * vertices * head;
    float x[3], y[3], z[3];
    for (int k = 0; k < 3; k++) {
        const float* p = of + 3 * triangles[3ll * face + k];
        x[k] = p[0]; y[k] = p[1]; z[k] = p[2];
        if (!(z[k] > 1e-6f)) return;
    }
    const float ux = x[1] - x[0], uy = y[1] - y[0], vx = x[2] - x[0], vy = y[2] - y[0];
    const float area = ux * vy - uy * vx;
    if (both ? area == 0.f : !(area < 0.f)) return;
    // In floats until after the bounds, since a corner may lie anywhere.
    const float most = (float)size;
    const int left = (int)fminf(fmaxf(ceilf(fminf(x[0], fminf(x[1], x[2])) - .5f), 0.f), most);
    const float last = most - 1.f;
    const int right = (int)fminf(fmaxf(floorf(fmaxf(x[0], fmaxf(x[1], x[2])) - .5f), -1.f), last);
    const int top = (int)fminf(fmaxf(ceilf(fminf(y[0], fminf(y[1], y[2])) - .5f), 0.f), most);
    const int bottom = (int)fminf(fmaxf(floorf(fmaxf(y[0], fmaxf(y[1], y[2])) - .5f), -1.f), last);
    unsigned long long* image = keys + (long long)head * size * size;
    for (int row = top; row <= bottom; row++)
        for (int column = left; column <= right; column++) {
            const float px = column + .5f - x[0], py = row + .5f - y[0];
            const float second = (px * vy - py * vx) / area, third = (ux * py - uy * px) / area;
            const float one = 1.f - second - third;
            if (one < 0.f || second < 0.f || third < 0.f) continue;
            const float depth = 1.f / (one / z[0] + second / z[1] + third / z[2]);
            // Depths are positive, so that their bits grow as they do.
            const unsigned long long key =
                ((unsigned long long)__float_as_uint(depth) << 32) | (unsigned)face;
            atomicMin(image + (long long)row * size + column, key);
        }
}
"""


def nearest(
    points: Tensor, triangles: Tensor, size: int, empty: int, *, both_sides: bool
) -> Tensor:
    """(n, size, size) keys of points (n, V, 3) and triangles (T, 3): the bits of the depth, then
    the triangle's number; empty where nothing is. All on one card.
    """
    cupy, kernel = _kernel()
    points, triangles = points.float().contiguous(), triangles.contiguous()
    count, vertices, faces = len(points), points.shape[1], len(triangles)
    keys = torch.full((count, size, size), empty, dtype=torch.int64, device=points.device)
    blocks = (count * faces + _THREADS - 1) // _THREADS
    stream = torch.cuda.current_stream(points.device).cuda_stream
    places = [cupy.uint64(t.data_ptr()) for t in (points, triangles, keys)]
    sizes = [cupy.int32(n) for n in (count, vertices, faces, size, both_sides)]
    with cupy.cuda.Device(points.device.index or 0), cupy.cuda.ExternalStream(stream):
        kernel((blocks,), (_THREADS,), (*places, *sizes))
    return keys


@lru_cache(maxsize=1)
def _kernel() -> tuple[Any, Any]:
    import cupy

    return cupy, cupy.RawKernel(_SOURCE, "nearest", options=("--fmad=false",))
