# SPDX-License-Identifier: GPL-3.0-or-later
"""A smile whose teeth meet: the jaw stays shut, and the lips are drawn off the teeth.

The landmarks of such a smile fit an open jaw as well, and then there is a dark gap under the upper
teeth where the photo shows teeth down to the lower lip.
"""

from __future__ import annotations

from collections.abc import Container

import numpy as np
from numpy.typing import NDArray

from ..cues.screen_cues import ScreenCues
from ..heads.corners import triangle_part
from ..heads.model import HeadModel

Array = NDArray[np.float64]

_JAW = "jawOpen"
#: What the jaw may keep: teeth do not quite touch.
_LEFT = 0.02
_LIPS = (
    "mouthUpperUpLeft",
    "mouthUpperUpRight",
    "mouthLowerDownLeft",
    "mouthLowerDownRight",
)
#: What the names of parts start with that are in the mouth, without its walls.
_CARRIED = ("teeth", "gums", "tongue")
#: Landmarks of the lips' edges, inner and outer, between the corners.
_EDGES = (13, 82, 312, 81, 311, 14, 87, 317, 178, 402, 0, 37, 267, 17, 84, 314, 61, 291)
#: Metres by which a slider at its end has to move the lips to be worth it.
_HOLD = 0.002
_ROUNDS = 30


def teeth_meet(head: HeadModel, cues: ScreenCues, pinned: Container[int] = ()) -> bool:
    """Whether the photo shows teeth that meet, and the head has sliders for it. Where a person has
    pinned lips (landmarks), they are where they say.
    """
    return (
        cues.teeth_together
        and {_JAW, *_LIPS} <= set(head.expression_names)
        and not any(i in pinned for i in _EDGES)
    )


def with_teeth_together(head: HeadModel, expression: Array) -> tuple[Array, Array]:
    """Slider values (E,) with the jaw shut and the lips where they were, as nearly as sliders of
    the lips can have them between 0 and 1; and (V, 3) metres by which the skin has to be moved to
    be where it was before, which teeth and tongue are not.
    """
    names = head.expression_names
    jaw, lips = names.index(_JAW), [names.index(n) for n in _LIPS]
    excess = expression[jaw] - _LEFT
    if excess <= 0:
        return expression, np.zeros((head.vertex_count, 3))
    ids = np.intersect1d(np.array(_EDGES, np.int32), head.landmark_ids).astype(np.int32)

    def moved(slider: int) -> Array:
        return head.landmarks(head.expression_basis[:, :, slider], ids).ravel()

    basis = np.stack([moved(k) for k in lips], axis=1)
    out = expression.copy()
    out[jaw] = _LEFT
    square = basis.T @ basis + _HOLD**2 * np.eye(len(lips))
    right = basis.T @ (excess * moved(jaw)) + square @ out[lips]
    values = out[lips]
    for _ in range(_ROUNDS):  # one after another, each at its best between its ends
        for k in range(len(lips)):
            rest = right[k] - square[k] @ values + square[k, k] * values[k]
            values[k] = np.clip(rest / square[k, k], min(0.0, out[lips[k]]), max(1.0, out[lips[k]]))
    out[lips] = values
    kept = head.expression_basis @ (expression - out)
    kept[np.unique(head.triangles[np.isin(triangle_part(head), _within(head))])] = 0.0
    return out, kept


def _within(head: HeadModel) -> list[int]:
    """Numbers of the parts that the jaw carries and the lips do not."""
    return [i for i, name in enumerate(head.part_names) if name.startswith(_CARRIED)]
