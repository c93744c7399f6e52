# SPDX-License-Identifier: GPL-3.0-or-later
"""What the dense network says, in words of the geometry.

Channels on the grid: flow (2) in units of FLOW_UNIT cells, residual of the normal (3), natural logs
of the two errors' Laplace scales (2: in the flow's unit, and as a chord), logit of bare skin (1).
At a cell, the point that is truly seen is the one that the fit shows ``flow`` away, and the true
normal is the fit's plus the residual, made a unit vector again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .dense_input import normalised

Array = NDArray[np.float64]

FLOW, NORMAL, FLOW_SCALE, NORMAL_SCALE, SKIN = slice(0, 2), slice(2, 5), 5, 6, 7
OUTPUTS = 8
#: Cells of the grid.
FLOW_UNIT = 2.0


@dataclass(frozen=True, eq=False)
class Prediction:
    """flow (h, w, 2) cells; normal (h, w, 3) in the crop's frame; flow_error (h, w) cells and
    normal_error (h, w) radians, expected lengths of the errors; skin (h, w) probability.
    """

    flow: Array
    normal: Array
    flow_error: Array
    normal_error: Array
    skin: Array


def read_output(output: NDArray[np.floating[Any]], fitted_normal: Array) -> Prediction:
    """Output (h, w, OUTPUTS) of the network beside the fit's normals (h, w, 3)."""
    x = output.astype(np.float64)
    # A two-dimensional Laplace density exp(-r / b) has the mean length 2 b.
    error = 2 * np.exp(np.clip(x[..., [FLOW_SCALE, NORMAL_SCALE]], -8, 3))
    return Prediction(
        flow=x[..., FLOW] * FLOW_UNIT,
        normal=normalised(fitted_normal + x[..., NORMAL]),
        flow_error=error[..., 0] * FLOW_UNIT,
        normal_error=error[..., 1],
        skin=1 / (1 + np.exp(-np.clip(x[..., SKIN], -60, 60))),
    )
