# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the bones of a head end."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..heads.model import HeadModel

Array = NDArray[np.float64]


def joint_tails(head: HeadModel, neutral: Array, joints: Array) -> Array:
    """Where each bone ends (J, 3), so that it reads: the neck ends at the head, the jaw at the
    chin, an eye in front of its pupil, the head at the crown.
    """
    tails = joints + np.array([0.0, 0.03, 0.0])
    at = {name: i for i, name in enumerate(head.joint_names)}
    for name, child in (("root", "neck"), ("neck", "head")):
        if (
            name in at
            and child in at
            and np.ptp([joints[at[name]], joints[at[child]]], axis=0).any()
        ):
            tails[at[name]] = joints[at[child]]
    crown = np.array([0.0, neutral[:, 1].max(), 0.0])
    top = "head" if "head" in at else "neck"
    if top in at:
        tails[at[top]] = [joints[at[top]][0], crown[1], joints[at[top]][2]]
    if "jaw" in at:
        tails[at["jaw"]] = head.landmarks(neutral, np.array([152], dtype=np.int32))[0]
    for eye in ("eye_l", "eye_r"):
        if eye in at:
            tails[at[eye]] = joints[at[eye]] + np.array([0.0, 0.0, 0.03])
    return tails
