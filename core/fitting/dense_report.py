# SPDX-License-Identifier: GPL-3.0-or-later
"""How well a fitted head explains a photo's dense cues, as figures."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FitError
from .dense_block import DenseBlock
from .dense_stage import OUTLYING, DensePhoto, typical
from .state import State

Array = NDArray[np.float64]

#: Share of the face's size in the photo by which a pixel may be off in the end to count as
#: explained, and share of the pixels that must be.
WORST_RESIDUAL, LEAST_EXPLAINED = 0.04, 0.3


def dense_report(photo: DensePhoto, block: DenseBlock, state: State) -> dict[str, Any]:
    """Figures of one photo's dense cues; raises FitError if the head does not explain them.

    hidden_share is that of the face's vertices which no pixel that agrees with the fit shows,
    turned away or covered.
    """
    off, turned = residual_sizes(block, state)
    assert photo.cues.confidence is not None
    trusted = np.nan_to_num(photo.cues.confidence) > 0
    out: dict[str, Any] = {"valid_pixel_share": float(trusted.mean())}
    agreeing = None
    if off is not None:
        low, high = np.quantile(photo.samples.pixel, [0.05, 0.95], axis=0)
        explained = off <= WORST_RESIDUAL * float((high - low).max())
        if not explained.mean() >= LEAST_EXPLAINED:
            raise FitError(
                "The head cannot explain what was seen in the photo: choose a photo in which the "
                "face is clearer."
            )
        agreeing = _agreeing(off)
        out["uv_residual_px"] = {
            "mean": float(off[agreeing].mean()),
            "median": float(np.median(off[agreeing])),
        }
        out["outlying_pixel_share"] = float(1 - agreeing.mean())
    if turned is not None:
        near = _agreeing(turned)
        out["normal_residual_degrees"] = float(np.rad2deg(np.median(turned[near])))
        agreeing = near if agreeing is None else agreeing
    mixing = (block.uv or block.normal).mixing  # type: ignore[union-attr]
    shown = np.zeros(photo.head.vertex_count, bool)
    shown[block.surface.vertices[mixing.corners[:, agreeing]]] = True
    face = photo.head.regions.get("face", np.ones(len(shown), bool))
    out["hidden_share"] = float(1 - shown[face].mean())
    return out


def _agreeing(lengths: Array) -> NDArray[np.bool_]:
    """Which residuals (m,) are no outliers."""
    return lengths <= max(OUTLYING * typical(lengths), 1e-9)


def residual_sizes(block: DenseBlock, state: State) -> tuple[Array | None, Array | None]:
    """Length (m,) of each pixel's residual in pixels of the photo, and (m,) of its normal's in
    radians; None where the cues have none.
    """
    off = turned = None
    if block.uv is not None:
        r = block.uv.residuals(block.in_camera(state), state.photos[block.photo])
        off = np.sqrt((r * r).sum(axis=0))
    if block.normal is not None:
        r = block.normal.residuals(block.surface, block.positions(state))
        turned = np.sqrt((r * r).sum(axis=0))
    return off, turned
