# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the embedded landmarks of the rendered heads truly were, for the embedding of today."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.heads import HeadModel

Array = NDArray[np.float64]

#: Landmarks on the skin; those after them lie on the irises and turn with the gaze.
SKIN_POINTS = 468


def posed_vertices(head: HeadModel, samples: dict[str, Array]) -> Array:
    """(N, V, 3) float32, head frame: the skin as it was rendered, the eyeballs unturned."""
    still = np.zeros((len(head.joint_names), 3))
    out = np.empty((len(samples["R"]), head.vertex_count, 3), np.float32)
    for i, (identity, expression) in enumerate(
        zip(samples["identity"], samples["expression"], strict=True)
    ):
        out[i] = head.pose(identity, expression, still, correctives=False)
    return out


def true_points(head: HeadModel, samples: dict[str, Array], vertices: Array) -> Array:
    """(N, 478, 3) in the camera frame; the irises' as they were recorded."""
    out = samples["true"].copy()
    for i, (r, t) in enumerate(zip(samples["R"], samples["t"], strict=True)):
        points = head.landmarks(vertices[i].astype(float))[:SKIN_POINTS]
        out[i, :SKIN_POINTS] = points @ r.T + t
    return out
