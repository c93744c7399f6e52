# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes what tracking yields: curves.csv, pose.csv, report.json, a Live Link Face recording, and
track.npz for the add-on.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np

from ..errors import OutputError, VideoError
from ..files.npz import read_npz
from ..heads.arkit import ARKIT_NAMES
from ..motion.arkit_csv_writer import write_arkit_csv
from .performance import Performance
from .visemes import VISEME_NAMES, visemes

POSE_COLUMNS = ("r00", "r01", "r02", "r10", "r11", "r12", "r20", "r21", "r22", "tx", "ty", "tz")
_MOST_BYTES = 1 << 30


def write_performance(folder: Path, done: Performance, *, with_visemes: bool = False) -> None:
    """All files into a folder that exists, visemes.csv on request. Raises OutputError."""
    try:
        values = [[f, *v] for f, v in zip(done.frames, done.values.round(6), strict=True)]
        _table(folder / "curves.csv", ["frame", *ARKIT_NAMES], values)
        if with_visemes:
            shares = visemes(done.values).round(6)
            shown = [[f, *v] for f, v in zip(done.frames, shares, strict=True)]
            _table(folder / "visemes.csv", ["frame", *VISEME_NAMES], shown)
        poses = np.concatenate([done.R.reshape(-1, 9), done.t], axis=1).round(9)
        rows = [[f, *p] for f, p in zip(done.frames, poses, strict=True)]
        _table(folder / "pose.csv", ["frame", *POSE_COLUMNS], rows)
        write_arkit_csv(folder / "live_link_face.csv", done.motion(), rate=done.report["rate"])
        (folder / "report.json").write_text(json.dumps(done.report, indent=1), encoding="utf-8")
    except OSError as error:
        raise OutputError(
            f"The folder {folder} cannot be written ({error.strerror}): choose another one."
        ) from error


def _table(path: Path, header: list[str], rows: list[list[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def save_performance(path: Path, done: Performance) -> None:
    """As .npz, for :func:`load_performance`. Raises OSError."""
    with Path(path).open("wb") as file:
        np.savez(
            file,
            frames=done.frames,
            times=done.times,
            values=done.values,
            R=done.R,
            t=done.t,
            eyes=done.eyes,
            confidence=done.confidence,
            shots=np.array(done.shots, dtype=np.intp),
            camera=np.array([done.focal, done.width, done.height]),
            report=np.array(json.dumps(done.report)),
        )


def load_performance(path: Path) -> Performance:
    """Inverse of :func:`save_performance`. Raises VideoError for a file that is none."""
    try:
        z = read_npz(Path(path), _MOST_BYTES)
        focal, width, height = (float(x) for x in z["camera"])
        count = len(z["frames"])
        shapes = {
            "times": (count,), "values": (count, len(ARKIT_NAMES)), "R": (count, 3, 3),
            "t": (count, 3), "eyes": (count, 2, 3, 3), "confidence": (count,),
        }  # fmt: skip
        for name, shape in shapes.items():
            if z[name].shape != shape or not np.isfinite(z[name]).all():
                raise ValueError(name)
        return Performance(
            frames=z["frames"].astype(np.intp),
            shots=tuple(int(s) for s in z["shots"]),
            focal=focal,
            width=int(width),
            height=int(height),
            report=json.loads(str(z["report"])),
            **{name: z[name].astype(np.float64) for name in shapes},
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise VideoError(
            f"The track in {Path(path).name} is damaged: track the clip again."
        ) from error
