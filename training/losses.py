# SPDX-License-Identifier: GPL-3.0-or-later
"""Negative log likelihoods of the truth under what the network says, and errors in plain units."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, normalize

from core.cues.dense_output import FLOW, FLOW_SCALE, FLOW_UNIT, NORMAL, NORMAL_SCALE, SKIN

#: Bounds of a log scale within which it is believed in training.
_LOG_SCALE = (-5.0, 2.0)


def losses(output: Tensor, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Means over the cells that count; output (n, OUTPUTS, h, w).

    batch: flow (n, 2, h, w), nan where unknown; normal and true_normal (n, 3, h, w); skin and
    mask (n, h, w). The density of an error of length r is exp(-r / b) / (2 pi b^2).
    """
    skin = batch["skin"] > 0.5
    flow_known = skin & torch.isfinite(batch["flow"][:, 0])
    said = normalize(batch["normal"] + output[:, NORMAL], dim=1)
    chord = _length(said - batch["true_normal"])
    target = torch.nan_to_num(batch["flow"]) / FLOW_UNIT
    stray = _length(output[:, FLOW] - target)
    return {
        "normal": _laplace(chord, output[:, NORMAL_SCALE], skin),
        "flow": _laplace(stray, output[:, FLOW_SCALE], flow_known),
        "skin": binary_cross_entropy_with_logits(output[:, SKIN], skin.float()),
    }


def errors(output: Tensor, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Sums over the cells of the face that count, to be divided by ``cells``: degrees of the
    normals and cells of the flow, of the network and of the fit itself.
    """
    cells = (batch["skin"] > 0.5) & (batch["mask"] > 0.5) & torch.isfinite(batch["flow"][:, 0])
    said = normalize(batch["normal"] + output[:, NORMAL], dim=1)
    flow = torch.nan_to_num(batch["flow"])
    agreed = (output[:, SKIN] > 0) == (batch["skin"] > 0.5)
    return {
        "normal": _degrees(said, batch["true_normal"])[cells].sum(),
        "normal_fit": _degrees(batch["normal"], batch["true_normal"])[cells].sum(),
        "flow": _length(output[:, FLOW] * FLOW_UNIT - flow)[cells].sum(),
        "flow_fit": _length(flow)[cells].sum(),
        "skin": agreed.float().mean() * cells.sum(),
        "cells": cells.sum(),
    }


def _laplace(length: Tensor, log_scale: Tensor, where: Tensor) -> Tensor:
    s = log_scale[where].clamp(*_LOG_SCALE)
    return (length[where] * torch.exp(-s) + 2 * s).mean()


def _length(v: Tensor) -> Tensor:
    return torch.sqrt((v * v).sum(dim=1) + 1e-8)


def _degrees(a: Tensor, b: Tensor) -> Tensor:
    return torch.rad2deg(2 * torch.asin((_length(a - b) / 2).clamp(max=1)))
