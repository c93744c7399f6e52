# SPDX-License-Identifier: GPL-3.0-or-later
"""Noses, chins and eyes of fits to rendered people, against the truth.

People are path-traced photos of the head's own population that nothing was calibrated on, one
photo each. Measures are taken on the face at rest after the similarity that brings the fit onto the
truth, since one photo does not show how large a head is. Bias is the mean error in standard
deviations of the true people; kept: the slope of the fitted measure on the true one, so that 1 says
that differences between people are all there and 0 that everybody gets the same. The opening of the
eyes is taken of the face in the photo, in percent of the eye's width.

    python -m tools.calibration render --count 200 --seed 9 --out out/profile    (needs bpy)
    python3 build.py bench profile
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.cues.mediapipe import MediaPipeFace
from core.cues.mediapipe_cues import cues_from_face
from core.errors import FitError
from core.fitting import fit_head
from core.fitting.pose import similarity
from core.heads import HeadModel, load_open_head
from tools.calibration.samples import SIZE
from tools.calibration.solve import load_samples

Array = NDArray[np.float64]

ROOT = Path(__file__).resolve().parents[1]
NASION, TIP, SUBNASALE, CHIN, BROW = 168, 4, 2, 199, 9
#: Lid top and bottom, outer and inner corner, right eye and left.
EYES = ((159, 145, 33, 133), (386, 374, 263, 362))
MEASURES = ("nose length, mm", "nose depth, mm", "nose tip angle, degrees", "chin prominence, mm",
            "forehead slope, mm")  # fmt: skip


def measures(head: HeadModel, neutral: Array) -> Array:
    """(5,) of MEASURES, of a face at rest (V, 3), metres."""
    at = head.landmarks(neutral, np.array([NASION, TIP, SUBNASALE, CHIN, BROW], np.int32))
    nasion, tip, below, chin, brow = at
    length = np.linalg.norm(tip - nasion)
    # Of the tip from the foot of the nose: up is positive, a hooked nose points down.
    rise = np.degrees(np.arctan2(tip[1] - below[1], tip[2] - below[2]))
    # In front of the upright through the foot of the nose, as an orthodontist has it.
    return np.array(
        [1e3 * length, 1e3 * (tip[2] - below[2]), rise, 1e3 * (chin[2] - below[2]),
         1e3 * (brow[2] - nasion[2])]
    )  # fmt: skip


def openings(points: Array) -> Array:
    """(2,) percent of the eyes' width, of landmarks (478, 2..3)."""
    return np.array(
        [
            100 * np.linalg.norm(points[t] - points[b]) / np.linalg.norm(points[o] - points[i])
            for t, b, o, i in EYES
        ]
    )


def compared(head: HeadModel, folder: Path) -> tuple[Array, Array, Array, Array]:
    """True and fitted measures (n, 5), and true and fitted openings (n, 2)."""
    samples, rows = load_samples(folder), []
    face = head.regions["face"]
    for i, identity in enumerate(samples["identity"]):
        found = MediaPipeFace(
            box=np.array([0.0, 0.0, SIZE, SIZE]),
            score=1.0,
            landmarks=samples["landmarks"][i],
            presence=float(samples["presence"][i]),
            spread=samples["spread"][i],
            roll_degrees=0.0,
        )
        try:
            fit = fit_head(head, [cues_from_face(found, SIZE, SIZE)], uncertainty=False)
        except FitError as error:
            print(f"photo {i}: {error}")
            continue
        true, ours = head.neutral(identity), fit.photos[0].neutral
        scale, turn, shift = similarity(ours[face], true[face], np.ones(face.sum()))
        placed = scale * ours @ turn.T + shift
        shown = head.pose(identity, samples["expression"][i])
        rows.append(
            (measures(head, true), measures(head, placed), openings(head.landmarks(shown)),
             openings(head.landmarks(fit.photos[0].vertices)))
        )  # fmt: skip
    return tuple(np.array(column) for column in zip(*rows, strict=True))


def main() -> int:
    """Returns 2 where there are no photos."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile", description=__doc__)
    parser.add_argument("--folder", type=Path, default=ROOT / "out" / "profile")
    options = parser.parse_args()
    if not sorted(options.folder.glob("samples_*.npz")):
        print(f"There are no photos in {options.folder}: render them first, as --help says.")
        return 2
    true, ours, opening, fitted = compared(load_open_head(), options.folder)
    print(f"{len(true)} people, one photo each")
    print(f"{'':28}{'true':>8}{'spread':>8}{'bias':>8}{'in sigma':>10}{'kept':>7}")
    for k, name in enumerate(MEASURES):
        row(name, true[:, k], ours[:, k])
    lids, seen = opening.ravel(), fitted.ravel()
    for name, of in {
        "eye opening, all, %": lids > -1,
        "  nearly closed (< 12)": lids < 12,
        "  narrow (12 to 25)": (lids >= 12) & (lids < 25),
        "  usual (25 to 40)": (lids >= 25) & (lids < 40),
        "  wide (> 40)": lids >= 40,
    }.items():
        if of.sum() > 2:
            row(f"{name}, {of.sum()}", lids[of], seen[of])
    return 0


def row(name: str, true: Array, ours: Array) -> None:
    """Prints one line."""
    spread, bias = true.std(), (ours - true).mean()
    kept = np.polyfit(true, ours, 1)[0]
    print(f"{name:28}{true.mean():8.1f}{spread:8.2f}{bias:8.2f}{bias / spread:10.2f}{kept:7.2f}")


if __name__ == "__main__":
    sys.exit(main())
