# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads whose truth is known, fitted to what a dense predictor would say of them.

Random heads, expressions, gazes, lenses and poses are rendered to uv and normal maps and fitted
again: from exact cues, then from cues with noise, 8 bits, a third of the face hidden and outliers,
then with errors that are smooth over the face as a network's are. Errors are millimetres over the
face's vertices (``in place``: as they lie in the head frame; ``fitted``: after the similarity that
fits them best, since one photo does not show how large a head is; ``seen``: the same of the
vertices that the cues show) and degrees of pose.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from benchmarks._synthetic import Errors, draw_person, errors, flame_sized_head, seen_vertices
from core.cues.rendered_cues import Spoiling, spoilt
from core.errors import FitError
from core.fitting import FitProblem, fit_head
from core.heads import HeadModel, load_open_head

#: A fit that is off by more than this where the cues show the face has gone astray (a mean face
#: is off by 4 to 6 mm).
ASTRAY_MM = 3.0
NOISE = {"uv_noise": 0.003, "normal_noise": 0.1, "bits": 8, "occluded": 0.3, "outliers": 0.05}
CASES: dict[str, tuple[Spoiling | None, bool]] = {
    "exact": (None, True),
    "exact, lens unknown": (None, False),
    "noise, 8 bit, 30 % hidden, 5 % wrong": (Spoiling(**NOISE), True),
    "the same and smooth errors": (Spoiling(**NOISE, uv_drift=0.002, normal_drift=0.05), True),
}


def run(head: HeadModel, case: str, heads: int) -> tuple[list[Errors], int, list[float]]:
    """Errors of the fits, how many settled, and seconds of processor time for each."""
    how, known = CASES[case]
    found, settled, seconds = [], 0, []
    for seed in range(heads):
        rng = np.random.default_rng(seed)
        person = draw_person(head, rng)
        cues = exact = person.cues(head)
        if how is not None:
            cues = spoilt(cues, how, rng)
        started = time.process_time()
        try:
            fit = fit_head(
                FitProblem(
                    head, [cues], focal=[person.camera.focal if known else None], identity_limit=300
                )
            )
        except FitError as error:
            print(f"  {case}, head {seed}: refused: {error}")
            continue
        seconds.append(time.process_time() - started)
        settled += fit.report["solver"]["converged"]
        found.append(errors(head, person, fit, seen_vertices(head, exact, cues)))
    return found, settled, seconds


def table(name: str, found: list[Errors], settled: int, seconds: list[float], heads: int) -> str:
    """One row."""

    def cell(values: list[float]) -> str:
        return f"{np.median(values):7.3f} {np.max(values):7.3f}"

    astray = sum(e.seen_median > ASTRAY_MM for e in found) + heads - len(found)
    columns = ("median", "p95", "fitted_median", "fitted_p95", "seen_median", "seen_p95", "pose")
    cells = " |".join(cell([getattr(e, c) for e in found]) for c in columns)
    return (
        f"{name:38}|{cells} | {settled:3d}/{heads} settled, {astray} astray | "
        f"{np.median(seconds):5.2f} s"
    )


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fit_recovery", description=__doc__)
    parser.add_argument("--heads", type=int, default=100)
    options = parser.parse_args()
    print(
        "Each pair of figures: the middle head's, the worst head's. Median and 95 % quantile over\n"
        "the face's vertices in mm, in place, fitted and seen; pose in degrees; processor time."
    )
    print(
        f"{'':38}|"
        + "".join(
            f"{name + ': median':>16} |{'95 %':>16} |" for name in ("in place", "fitted", "seen")
        )
        + f"{'pose':>16} |"
    )
    for head in (load_open_head(), flame_sized_head()):
        count = f"{head.identity_count} + {head.expression_count} unknowns"
        print(f"{head.name}: {head.vertex_count} vertices, {count}, {options.heads} heads")
        for case in CASES:
            print(table(case, *run(head, case, options.heads), options.heads), flush=True)


if __name__ == "__main__":
    main()
