# SPDX-License-Identifier: GPL-3.0-or-later
"""What the sliders cannot express of a photo's face: a smooth, bounded extra shape.

The landmarks that the fit leaves unexplained pull the surface along the image plane. The pull
is the mean of a Gaussian process over the posed surface (Rasmussen and Williams, "Gaussian
processes for machine learning", 2006, section 2.2): smooth over ``LENGTH``, expected to be
``SPREAD`` large, and believing each landmark as far as its own spread allows. It travels as the
shape key ``photoResidual`` and can be dialled out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.camera import Camera
from ..heads.model import HeadModel
from .block import robust_weights
from .landmark_blocks import LandmarkBlock
from .pins import PinBlock
from .state import State

Array = NDArray[np.float64]

LENGTH, SPREAD = 0.012, 0.0008
#: Nothing that two words like "residual" may hide moves a face by more than this, metres.
LIMIT = 0.004
#: A person who sets a pin sees what it does.
PINNED_LIMIT = 0.012
#: Exponent below which a kernel is nothing.
_FAINT = -50.0
#: Points whose kernel is made at once.
_ROWS = 256


def residual_shape(
    head: HeadModel, shaped: Array, blocks: Sequence[LandmarkBlock], state: State, camera: Camera
) -> Array:
    """(V, 3) metres in the head frame; zero on the eyeballs, teeth and tongue. blocks: of one
    photo, what was detected and what is pinned.
    """
    out = np.zeros_like(shaped)
    vertices = _movable(head)
    out[vertices] = pulled(shaped[vertices], blocks, state, camera)
    return head.led(out)


def pulled(points: Array, blocks: Sequence[LandmarkBlock], state: State, camera: Camera) -> Array:
    """The shape's motion (n, 3) of points (n, 3) of the skin, metres in the head frame."""
    pulls = [_pull(block, state, camera) for block in blocks]
    in_head, metres, noise = (np.concatenate(part) for part in zip(*pulls, strict=True))
    kernel = _kernel(in_head, in_head) + np.diag(noise**2)
    pull = np.linalg.solve(kernel, metres)
    image_plane = _carried(points, in_head, pull)
    out = np.column_stack([image_plane, np.zeros(len(points))]) @ camera.R
    length = np.linalg.norm(out, axis=1, keepdims=True)
    # A soft limit, so that the field stays smooth where it is reached; a harder one for pins, which
    # are to be met as long as they can be.
    limit, power = LIMIT, 2
    if any(isinstance(b, PinBlock) for b in blocks):
        limit, power = PINNED_LIMIT, 4
    return np.asarray(out / (1 + (length / limit) ** power) ** (1 / power))


def _pull(block: LandmarkBlock, state: State, camera: Camera) -> tuple[Array, Array, Array]:
    """A block's points on the skin (n, 3) in the head frame, the pull on each (n, 2) and its
    spread (n,), metres in the image plane.
    """
    photo = state.photos[block.photo]
    at = block.points.in_camera(state.identity, photo)
    residuals = block.residuals(state)
    # What a person has pinned is not doubted here, however far it is.
    scale = None if isinstance(block, PinBlock) else block.robust_scale
    weights, _ = robust_weights(residuals, block.group, scale)
    pixels = residuals.reshape(-1, 2) * block.sigma[:, None]
    skin = block.points.eye < 0
    metres = -pixels * (at[2] / camera.focal)[:, None]
    # What the fit did not believe (a hand, glasses) does not come back through this door.
    noise = block.held * at[2] / camera.focal / weights[:: block.group]
    return block.points.in_head(state.identity, photo).T[skin], metres[skin], noise[skin]


def _kernel(a: Array, b: Array, kind: type[np.floating[Any]] = np.float64) -> NDArray[Any]:
    """(n, m); in single precision, which is a fifth of the time, to a ten-thousandth."""
    middle = b.mean(axis=0)
    a, b = ((points - middle).astype(kind) for points in (a, b))
    out: NDArray[Any] = a @ (-2 * b.T)
    # In place: passes over memory are most of the time.
    out += (b**2).sum(axis=1)
    out += (a**2).sum(axis=1)[:, None]
    out *= kind(-0.5 / LENGTH**2)
    # Numbers too small for a processor to be quick with are as good as none.
    np.maximum(out, kind(_FAINT), out=out)
    np.exp(out, out=out)
    out *= kind(SPREAD**2)
    return out


def _carried(points: Array, at: Array, pull: Array) -> Array:
    """(n, 2) the kernel between points (n, 3) and ``at`` (m, 3), times pull (m, 2), in rows that
    stay in the processor's cache.
    """
    light = pull.astype(np.float32)
    parts = [
        _kernel(points[i : i + _ROWS], at, np.float32) @ light for i in range(0, len(points), _ROWS)
    ]
    return np.concatenate(parts).astype(np.float64)


def _movable(head: HeadModel) -> NDArray[np.intp]:
    """Vertices of the skin."""
    skin = head.face_part == head.part_names.index("skin")
    used = np.unique(head.quads[skin])
    return used[used >= 0].astype(np.intp)
