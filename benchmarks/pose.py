# SPDX-License-Identifier: GPL-3.0-or-later
"""Head pose of the embedded pipeline against the cameras of a bench folder, in degrees.

Runs ``python -m core reconstruct`` over the public items. Three figures an item:

* ``camera``: our camera's rotation against the bench's. Heads are scanned held a little up or
  down, which is counted here as our error.
* ``between``: the same after the rotation that is common to a subject's photos is taken away; for
  subjects with more than one.
* ``face``: the turn that brings our seven points in the camera frame nearest to the true ones,
  whatever the head frames are; seven points of a face that is not the true one turn by themselves.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy import ROOT, reconstruct
from core.fitting.pose import similarity
from core.geometry.rotation import angle_between, nearest_rotation

Array = NDArray[np.float64]

#: The bench's names of the points of ``lm7.json``, in its order.
SEVEN = ("ro", "ri", "li", "lo", "sn", "mr", "ml")


def read(path: Path) -> Any:
    """A JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def compare(bench: Path, out: Path, items: list[str]) -> dict[str, dict[str, float]]:
    """{item: figures}, of the items that were reconstructed."""
    found: dict[str, dict[str, float]] = {}
    turns: dict[str, dict[str, Array]] = defaultdict(dict)
    for item in items:
        if not (out / item / "camera.json").is_file():
            continue
        true = read(bench / "public" / item / "camera.json")
        ours = np.array(read(out / item / "camera.json")["R"])
        theirs = np.array(true["R_world2cam"])
        marks = read(bench / "public" / "subjects" / true["subject"] / "landmarks.json")
        points = np.array([marks["landmarks"][name] for name in SEVEN])
        in_camera = points @ theirs.T + np.array(true["t_world2cam"])
        seven = np.array(read(out / item / "lm7.json"))
        _, turn, _ = similarity(seven, in_camera, np.ones(len(seven)))
        found[item] = {
            "camera": angle_between(ours, theirs),
            "face": angle_between(turn, np.eye(3)),
            "yaw": float(true["yaw"]),
            "pitch": float(true["pitch"]),
        }
        turns[true["subject"]][item] = theirs.T @ ours
    for photos in turns.values():
        if len(photos) > 1:
            common = nearest_rotation(np.sum(list(photos.values()), axis=0))
            for item, turn in photos.items():
                found[item]["between"] = angle_between(turn, common)
    return found


def report(found: dict[str, dict[str, float]]) -> None:
    """Prints items, then means by group."""
    names = ("camera", "between", "face")
    print(f"{'item':10}{'yaw':>7}{'pitch':>7}" + "".join(f"{name:>10}" for name in names))
    groups: dict[str, list[dict[str, float]]] = defaultdict(list)
    for item, row in found.items():
        groups[item.split("_")[0]].append(row)
        cells = "".join(f"{row[name]:10.2f}" if name in row else f"{'-':>10}" for name in names)
        print(f"{item:10}{row['yaw']:7.1f}{row['pitch']:7.1f}{cells}")
    for group, rows in groups.items():
        means = [[r[name] for r in rows if name in r] for name in names]
        cells = "".join(f"{np.mean(m):10.2f}" if m else f"{'-':>10}" for m in means)
        print(f"{group + ', mean':24}{cells}")


def main() -> int:
    """Returns 0 if every item was reconstructed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pose", description=__doc__)
    parser.add_argument("--bench", type=Path, default=ROOT.parent / "shared" / "bench")
    options = parser.parse_args()
    bench = options.bench.resolve()
    if not (bench / "public").is_dir():
        print(f"There is no bench at {options.bench}: pass its folder with --bench.")
        return 2
    with tempfile.TemporaryDirectory() as scratch:
        items = reconstruct(bench, Path(scratch))
        found = compare(bench, Path(scratch), items)
    report(found)
    missing = [item for item in items if item not in found]
    if missing:
        print(f"No reconstruction of: {', '.join(missing)}")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
