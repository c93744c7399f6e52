# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's job "warm": loads what every first reconstruction loads, so that it need not wait.

No parameters, no result; raises what that reconstruction would raise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..fitting.landmark_model import load_landmark_model
from ..options import OPEN_HEAD
from ..progress import LOADING, Progress
from ..reconstruct.resources import load_head, load_mediapipe
from ..rig.solve_keys import key_solver
from .parameters import Parameters


def warm_job(
    params: Parameters, progress: Progress, before_naming: Callable[[], None]
) -> dict[str, Any]:
    """The result's fields, none."""
    progress(LOADING, 0.0)
    load_mediapipe()
    progress(LOADING, 0.5)
    head = load_head(OPEN_HEAD)
    load_landmark_model()
    progress(LOADING, 0.8)
    key_solver(head)
    progress(LOADING, 1.0)
    return {}
