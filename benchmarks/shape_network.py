# SPDX-License-Identifier: GPL-3.0-or-later
"""What the shape network gives on heads with ground truth, and what it takes.

Runs ``python -m core reconstruct`` over the public items of a bench folder with landmarks alone and
with the network, one photo each and all photos of a person together, scores the meshes with the
bench's own evaluate.py and prints medians, normals and landmarks by group; then the time that the
network takes on one thread, and what it adds to the peak of memory.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.accuracy import ROOT, by_group, folders, reconstruct, reconstruct_together, score

PREDICTORS = {"landmarks": "landmarks", "mediapipe": "and network"}
_COST = """
import resource, time, numpy as np
from core.cues.shape_network import SIZE, ShapeNetwork
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
colors = np.random.default_rng(0).uniform(0, 255, (SIZE, SIZE, 3)).astype(np.float32)
before, start = peak(), time.perf_counter()
network = ShapeNetwork()
loaded = time.perf_counter() - start
seconds = []
for _ in range(7):
    start = time.perf_counter()
    network.posterior(colors, 0.0)
    seconds.append(time.perf_counter() - start)
print(f"loaded in {loaded:.2f} s, a face in {min(seconds):.2f} s, {peak() - before:.0f} MB more")
"""


def table(rows: dict[str, dict[str, dict[str, float]]]) -> None:
    """Median mm, degrees and landmarks mm by group, a line a predictor."""
    groups = sorted({group for by in rows.values() for group in by})
    print(f"{'':14}" + "".join(f"{group:>22}" for group in groups))
    for name, by in rows.items():
        cells = [
            f"{by[g]['median']:.2f}, {by[g]['ang_mean']:.1f}, {by[g]['lm7_mm']:.1f}" for g in groups
        ]
        print(f"{name:14}" + "".join(f"{cell:>22}" for cell in cells))


def compared(scores: dict[str, dict[str, dict[str, float] | None]]) -> str:
    """How many photos the network brings nearer, and by how much."""
    before, after = scores.values()
    change = [
        after[item]["median"] - row["median"]
        for item, row in before.items()
        if row and after.get(item)
    ]
    nearer = sum(c < 0 for c in change)
    return (
        f"nearer on {nearer} of {len(change)} photos, by {-np.mean(change):.3f} mm in the mean; "
        f"at worst {max(change):.2f} mm farther"
    )


def main() -> int:
    """Returns 0 if all was scored."""
    bench, kept = folders("shape_network", __doc__)
    if bench is None:
        return 2
    ok = True
    with tempfile.TemporaryDirectory() as scratch:
        out = (kept or Path(scratch)).resolve()
        for title, make in (("One photo", reconstruct), ("All of a person", reconstruct_together)):
            scores = {}
            for predictor, name in PREDICTORS.items():
                folder = out / make.__name__ / predictor
                made = make(bench, folder, "--predictor", predictor, "--texture", "off")
                scores[name] = score(bench, folder)
                ok &= all(scores[name].get(item) for item in made)
            print(f"\n{title}: median mm, normals degrees, landmarks mm")
            table({name: by_group(s) for name, s in scores.items()})
            print(compared(scores), flush=True)
    one = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    cost = [sys.executable, "-c", _COST]
    done = subprocess.run(cost, cwd=ROOT, env=one, capture_output=True, text=True, check=True)
    print(f"\nThe network: {done.stdout.strip()}")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
