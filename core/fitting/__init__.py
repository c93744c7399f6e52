# SPDX-License-Identifier: GPL-3.0-or-later
"""From cues to a head: one second-order solver over residual blocks.

It knows head models and cues, and nothing of which predictor spoke or of Blender.
"""

from .fit import fit_head
from .problem import FitProblem

__all__ = ["FitProblem", "fit_head"]
