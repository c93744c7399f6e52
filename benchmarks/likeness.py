# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the expected error of a head is honest: how many vertices lie within their 95 % bound.

Runs the whole pipeline over the public items of a bench folder, lays each head on the ground truth
as the bench's own evaluate.py does, and counts the vertices of the skin, among those whose nearest
true point is in the bench's face region and not on the edge of a scan (beyond which nobody knows
the truth), that lie nearer to the true surface than their bound.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy import folders, reconstruct, reconstruct_together
from core.rig.rig_arrays import RigArrays
from core.rigged_head import SOURCES, RiggedHead

Array = NDArray[np.float64]

#: Of vertices within the bound, in percent: what counts as honest.
HONEST = (80.0, 97.0)


def evaluator(bench: Path) -> ModuleType:
    """The bench's own evaluate.py as a module."""
    spec = importlib.util.spec_from_file_location("bench_evaluate", bench / "evaluate.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def compared(
    evaluate: ModuleType, bench: Path, item: str, out: Path
) -> tuple[Array, Array, NDArray[np.int8]]:
    """Of each vertex that counts: distance to the true surface and bound, mm, and source."""
    folder = bench / "public" / item
    vertices, faces = evaluate.load_mesh(str(out / item / "mesh.ply"))
    seven = json.loads((out / item / "lm7.json").read_text())
    placed = evaluate.evaluate(evaluate.load_item(str(folder)), vertices, faces, seven)["_X"]
    subject = bench / "public" / "subjects" / json.loads((folder / "camera.json").read_text())[
        "subject"
    ]  # fmt: skip
    truth = evaluate.Surface(*evaluate.load_mesh(str(subject / "gt_world.ply")))
    distance, _, triangle, weights = truth.closest(placed)
    region = np.load(subject / "face_mask.npy", allow_pickle=False)
    in_region = region[truth.F[triangle]].all(axis=1)
    head = RiggedHead.load(out / item / "head.npz")
    counts = in_region & ~truth.on_border(triangle, weights) & RigArrays.of(head).outer
    bound = head.likeness_bound.astype(float)
    return 1e3 * distance[counts], 1e3 * bound[counts], head.likeness_source[counts]


def report(name: str, rows: list[tuple[Array, Array, NDArray[np.int8]]]) -> float:
    """Prints one line; returns the percentage within the bound."""
    distance, bound, source = (np.concatenate(part) for part in zip(*rows, strict=True))
    inside = 100 * float((distance <= bound).mean())
    cells = []
    for k, word in enumerate(SOURCES):
        of = source == k
        share = f"{100 * (distance <= bound)[of].mean():5.1f}" if of.any() else "    -"
        cells.append(f"{word} {share} % of {of.sum():5d}")
    print(
        f"{name:18}{inside:6.1f} % within | bound {np.median(bound):4.1f} mm, "
        f"95 of 100 within {np.quantile(distance, 0.95):4.1f} mm | {', '.join(cells)}"
    )
    return inside


def measure(evaluate: ModuleType, bench: Path, out: Path, items: list[str]) -> bool:
    """Prints a line an item, a group and for all; True if the last one is honest."""
    rows = {item: compared(evaluate, bench, item, out) for item in items}
    groups = defaultdict(list)
    for item, row in rows.items():
        report(item, [row])
        groups[item.split("_")[0]].append(row)
    for group, some in groups.items():
        report(f"all of {group}", some)
    inside = report("all", list(rows.values()))
    return HONEST[0] <= inside <= HONEST[1]


def main() -> int:
    """Returns 0 if the bound is honest, over all items and over all photos taken together."""
    bench, kept = folders("likeness", __doc__)
    if bench is None:
        return 2
    evaluate = evaluator(bench)
    with tempfile.TemporaryDirectory() as scratch:
        out = (kept or Path(scratch)).resolve()
        print("One photo each:")
        honest = measure(evaluate, bench, out, reconstruct(bench, out))
        print("\nAll photos of a person together:")
        together = out / "together"
        honest &= measure(evaluate, bench, together, reconstruct_together(bench, together))
    print(f"\nHonest means {HONEST[0]:.0f} to {HONEST[1]:.0f} %.")
    return 0 if honest else 1


if __name__ == "__main__":
    sys.exit(main())
