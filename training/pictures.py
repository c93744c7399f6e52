# SPDX-License-Identifier: GPL-3.0-or-later
"""Sheets of examples and curves of a run, as PNG."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from core.cues.dense_input import SIZE

from .shards import load, shards

Array = NDArray[np.float64]
Image = NDArray[np.uint8]

_COLORS = ((200, 60, 40), (40, 110, 210), (50, 150, 60), (150, 60, 160))


def sheet(folder: Path, out: Path, seed: int, rows: int = 12) -> None:
    """A row an example: its looks, the fit's and the true normals, four times their difference,
    the flow (grey is none, red to the right, green down), bare skin of the first look.
    """
    (path, *_) = [p for p in shards(folder) if p.name.startswith(f"examples-{seed}-")]
    a = load(path)
    strips = []
    for i in range(min(rows, len(a["mask"]))):
        fitted, true = (a[name][i].astype(float) for name in ("normal", "true_normal"))
        both = a["mask"][i][..., None] * (np.abs(true).sum(axis=-1, keepdims=True) > 0)
        flow = np.nan_to_num(a["flow"][i].astype(float))
        strips.append(
            [
                *a["colors"][i],
                normal_colors(fitted),
                normal_colors(true),
                _enlarged(128 + 4 * 127 * both * (true - fitted)),
                _enlarged(np.dstack([128 + 25 * flow, np.full(flow.shape[:2], 128.0)])),
                _enlarged(np.repeat(255.0 * a["skin"][i, 0][..., None], 3, axis=2)),
            ]
        )
    write(out, np.concatenate([np.concatenate(strip, axis=1) for strip in strips]))


def normal_colors(normal: Array) -> Image:
    """Normals (h, w, 3) of the crop's frame as colours, as artists are used to see them."""
    seen = np.abs(normal).sum(axis=-1, keepdims=True) > 0
    return _enlarged(np.where(seen, 127.5 + 127.5 * normal * [1, -1, -1], 128))


def _enlarged(values: Array) -> Image:
    picture = np.clip(values, 0, 255).astype(np.uint8)
    return cv2.resize(picture, (SIZE, SIZE), interpolation=cv2.INTER_NEAREST)


def write(out: Path, picture: Image) -> None:
    """RGB (h, w, 3) to a PNG."""
    done, data = cv2.imencode(".png", picture[..., ::-1])
    assert done
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(data.tobytes())


def curves(run: Path, out: Path) -> None:
    """Losses in training, and errors on held-out examples beside those of the fit itself."""
    text = (run / "log.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in text.splitlines()]
    shown = (
        ("loss of the normals", ("train_normal", "held_out_normal")),
        ("loss of the flow", ("train_flow", "held_out_flow")),
        ("normals, degrees, held out", ("error_normal", "error_normal_fit")),
        ("flow, cells, held out", ("error_flow", "error_flow_fit")),
    )
    panels = [_panel(rows, title, names) for title, names in shown]
    write(out, np.concatenate([np.concatenate(panels[:2], 1), np.concatenate(panels[2:], 1)]))


def _panel(
    rows: Sequence[dict[str, float]], title: str, names: tuple[str, ...], size: tuple = (330, 520)
) -> Image:
    height, width = size
    left, top, right, bottom = 60, 40, width - 15, height - 35
    picture = np.full((height, width, 3), 255, np.uint8)
    lines = {n: np.array([(r["step"], r[n]) for r in rows if n in r], float) for n in names}
    every = np.concatenate([line for line in lines.values() if len(line)])
    x0, x1 = 0.0, every[:, 0].max()
    # The first steps would flatten all that follows.
    late = every[every[:, 0] >= 0.05 * x1]
    y0, y1 = late[:, 1].min(), late[:, 1].max()
    margin = 0.05 * max(y1 - y0, 1e-6)
    y0, y1 = y0 - margin, y1 + margin

    def at(x: float, y: float) -> tuple[int, int]:
        return (
            round(left + (right - left) * (x - x0) / max(x1 - x0, 1e-9)),
            round(bottom - (bottom - top) * (np.clip(y, y0, y1) - y0) / (y1 - y0)),
        )

    def say(text: str, place: tuple[int, int], color: tuple = (0, 0, 0)) -> None:
        cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, color, 1, cv2.LINE_AA)

    for share in np.linspace(0, 1, 5):
        y, x = y0 + share * (y1 - y0), x0 + share * (x1 - x0)
        cv2.line(picture, at(x0, y), at(x1, y), (225, 225, 225), 1)
        say(f"{y:.2f}", (8, at(x0, y)[1] + 4))
        say(f"{x:.0f}", (at(x, y0)[0] - 12, bottom + 18))
    for k, (name, line) in enumerate(lines.items()):
        points = np.array([at(*p) for p in line], np.int32)
        cv2.polylines(picture, [points], False, _COLORS[k], 2, cv2.LINE_AA)
        say(name, (right - 170, top + 16 + 16 * k), _COLORS[k])
    say(title, (left, 22))
    return picture
