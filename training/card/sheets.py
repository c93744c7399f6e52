# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of a run: what it learns from, and how its losses fall."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

from .draw import Batch

_ACROSS, _ROWS = 8, 8
_WIDE, _HIGH, _BORDER = 900, 360, 50


def sheet(batch: Batch, out: Path) -> None:
    """The first pictures of a batch, side by side."""
    images = (batch.image[: _ACROSS * _ROWS].permute(0, 2, 3, 1).cpu().numpy() * 255).round()
    images = images.astype(np.uint8)
    across = min(_ACROSS, len(images))
    rows = [images[i : i + across] for i in range(0, len(images) // across * across, across)]
    whole = np.concatenate([np.concatenate(list(row), axis=1) for row in rows], axis=0)
    cv2.imwrite(str(out), whole[..., ::-1])


def curves(log: Path, out: Path) -> None:
    """Each loss of a run's log over its batches, each on a scale of its own, smoothed."""
    rows = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    names = [n for n in rows[0] if n not in ("drawn", "steps", "seconds")]
    picture = np.full((_HIGH * len(names), _WIDE, 3), 255, np.uint8)
    for k, name in enumerate(names):
        values = np.array([row[name] for row in rows])
        width = max(1, len(values) // 100)
        smooth = np.convolve(np.pad(values, (width - 1, 0), mode="edge"), np.ones(width) / width)
        smooth = smooth[width - 1 : width - 1 + len(values)]
        low, high = float(smooth.min()), float(smooth.max())
        x = np.linspace(_BORDER, _WIDE - 10, len(values))
        y = (k + 1) * _HIGH - 20 - (smooth - low) / max(high - low, 1e-9) * (_HIGH - 60)
        line = np.stack([x, y], axis=1).round().astype(np.int32)
        cv2.polylines(picture, [line], False, (60, 60, 200), 1, cv2.LINE_AA)
        label = f"{name}: {values[0]:.4g} to {smooth[-1]:.4g}, least {low:.4g}"
        cv2.putText(
            picture, label, (10, k * _HIGH + 24), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1
        )
    cv2.imwrite(str(out), picture)
