# SPDX-License-Identifier: GPL-3.0-or-later
"""An eye that is called closed is closed: its lids meet, whatever the landmarks left open.

The landmark net reports the lids of closed eyes a little apart, and no expression that is near the
average shuts one eye alone; so the fit leaves such an eye a third open.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cues.eye_openings import LIDS, RINGS, closed_eyes
from ..cues.screen_cues import ScreenCues
from ..heads.model import HeadModel

Array = NDArray[np.float64]

_BLINK = {"left": "eyeBlinkLeft", "right": "eyeBlinkRight"}
_WIDE = {"left": "eyeWideLeft", "right": "eyeWideRight"}
#: Metres between the landmarks of lids that meet: they lie on the outer edges of thick margins.
_MEET = 0.0008


def closed_sides(head: HeadModel, cues: ScreenCues, pinned: Container[int] = ()) -> tuple[str, ...]:
    """Sides of the eyes that the photo shows closed and the head has sliders for. An eye that is
    not seen is not closed, and where a person has pinned lids (landmarks) they are where they say.
    """
    if cues.landmarks is None:
        return ()
    unseen = cues.unseen
    return tuple(
        side
        for side in closed_eyes(cues.landmarks)
        if _BLINK[side] in head.expression_names
        and not unseen[[i for pair in LIDS[side].pairs for i in pair]].any()
        and not any(i in pinned for i in RINGS[side])
    )


def with_closed_lids(
    head: HeadModel, neutral: Array, expression: Array, sides: tuple[str, ...]
) -> Array:
    """Slider values (E,) with the eyes of ``sides`` shut; neutral (V, 3) metres at rest.

    The template's blink closes eyes of any size and goes too far on most: it is taken to where the
    lids' edges are as far apart as lids that meet have them.
    """
    out = expression.copy()
    for side in sides:
        blink = head.expression_names.index(_BLINK[side])
        out[blink] = 0.0
        if _WIDE[side] in head.expression_names:
            out[head.expression_names.index(_WIDE[side])] = 0.0
        upper, lower = (np.array(e, np.int32) for e in zip(*LIDS[side].pairs, strict=True))

        def gap(shape: Array, upper: Any = upper, lower: Any = lower) -> float:
            edges = head.landmarks(shape, upper) - head.landmarks(shape, lower)
            return float(edges[:, 1].mean())

        still = neutral + head.expression_basis @ out
        wide = gap(still)
        travel = wide - gap(still + head.expression_basis[:, :, blink])
        if travel > 0:
            out[blink] = np.clip((wide - _MEET) / travel, 0.0, 1.0)
    return out
