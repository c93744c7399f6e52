# SPDX-License-Identifier: GPL-3.0-or-later
"""smooth_step(): a border that is soft on both sides."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def smooth_step(x: NDArray[Any], low: float, high: float) -> NDArray[Any]:
    """0 up to ``low``, 1 from ``high`` on, and without a kink in between; of x's kind."""
    t = np.clip((x - low) / (high - low), 0, 1)
    out: NDArray[Any] = t * t * (3 - 2 * t)
    return out
