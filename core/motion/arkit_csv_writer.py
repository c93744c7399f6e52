# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a face's motion as a recording of Live Link Face, the inverse of arkit_csv.

Angles are as Unreal counts them: yaw and roll positive to the subject's right, pitch positive
upward, radians. A rotation is taken apart as ``arkit_csv.rotations`` puts it together: turned to
the left, after a nod, after a tilt.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..heads.arkit import ARKIT_NAMES
from . import FaceMotion

Array = NDArray[np.float64]

_TRACKS = (("Head", "head"), ("LeftEye", "eye_l"), ("RightEye", "eye_r"))
_KINDS = ("Yaw", "Pitch", "Roll")


def write_arkit_csv(path: Path, motion: FaceMotion, *, rate: float) -> None:
    """One line a moment; timecodes count frames of ``rate`` a second, rounded. Raises OSError."""
    columns = [n[0].upper() + n[1:] for n in ARKIT_NAMES]
    columns += [f"{part}{kind}" for part, _ in _TRACKS for kind in _KINDS]
    at = {name: i for i, name in enumerate(motion.names)}
    count = len(motion.times)
    values = np.zeros((count, len(ARKIT_NAMES)))
    for k, name in enumerate(ARKIT_NAMES):
        if name in at:
            values[:, k] = motion.values[:, at[name]]
    still = np.zeros((count, 3))
    angles = [
        angles_of(motion.turns[track]) if track in motion.turns else still for _, track in _TRACKS
    ]
    table = np.concatenate([values, *angles], axis=1)
    base = max(round(rate), 1)
    with Path(path).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["Timecode", "BlendShapeCount", *columns])
        for seconds, row in zip(motion.times, table, strict=True):
            cells = [f"{x:.10g}" for x in row.round(9)]
            writer.writerow([timecode(float(seconds), base), len(columns), *cells])


def timecode(seconds: float, base: int) -> str:
    """HH:MM:SS:FF.mmm with ``base`` frames a second and thousandths of a frame."""
    thousandths = round(seconds * base * 1000)
    frames, rest = divmod(thousandths, 1000)
    whole, frame = divmod(frames, base)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}:{frame:02d}.{rest:03d}"


def angles_of(turns: Array) -> Array:
    """(F, 3, 3) rotations in the head frame -> (F, 3) yaw, pitch, roll of the recording."""
    # turns = Ry(left) Rx(-up) Rz(-tilt); the third column is where the face looks.
    x, y, z = turns[:, 0, 2], turns[:, 1, 2], turns[:, 2, 2]
    left, up = np.arctan2(x, z), np.arcsin(np.clip(y, -1.0, 1.0))
    tilt = -np.arctan2(turns[:, 1, 0], turns[:, 1, 1])
    return np.stack([-left, up, -tilt], axis=1)
