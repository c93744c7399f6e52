# SPDX-License-Identifier: GPL-3.0-or-later
"""The rig's certificate over random people, on the open head and on a FLAME-shaped one.

    python -m benchmarks.rig [--people 20] [--reference ict.npz]

FLAME itself may not be shipped: the second head has its format and joints and comes through the
same import. The last rows say how long a rig takes to build. --reference also measures ICT
FaceKit's shapes: an .npz that holds ``vertices`` (V, 3) in metres in the head frame, ``triangles``
(T, 3), ``parts`` (T,) names as the open head's, ``regions`` (R, V) with ``region_names``,
``landmark_vertices`` and ``landmark_barycentric`` (478, 3), ``mirror`` (V,) and ``shapes``
(52, V, 3) in the order of ARKIT_NAMES.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from core.heads import HeadModel, load_open_head
from core.heads.arkit import ARKIT_NAMES, PHOTO_RESIDUAL
from core.heads.flame import load_flame
from core.heads.flame_import import import_flame
from core.rig.rig_arrays import RigArrays
from core.rig.rig_check import LIMITS, Finding, RigCheck, check_rig
from core.rig.solve_keys import key_solver
from tests.support.flame_like import flame_like
from tests.support.rigs import rigged_person


@dataclass
class Row:
    """What was found of one head's people."""

    title: str
    certificates: list[RigCheck] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def worst(self, check: str) -> Finding | None:
        """Over all people."""
        found = [w for c in self.certificates if (w := c.worst(check)) is not None]
        return min(found, key=lambda f: LIMITS[check].margin(f.value), default=None)


def people(title: str, head: HeadModel, count: int, seed: int) -> Row:
    """The head's template, and random identities at one standard deviation a component."""
    rng = np.random.default_rng(seed)
    row = Row(title)
    for i in range(count):
        identity = rng.normal(size=head.identity_count) * (i > 0)
        started = time.perf_counter()
        rigged = rigged_person(head, identity)
        row.seconds.append(time.perf_counter() - started)
        row.certificates.append(check_rig(RigArrays.of(rigged)))
    return row


def reference(path: Path) -> Row:
    """The known-good rig as it is: no bones, nothing solved."""
    with np.load(path, allow_pickle=False) as z:
        count = len(z["vertices"])
        rig = RigArrays(
            basis=z["vertices"].astype(float),
            triangles=z["triangles"],
            parts=z["parts"],
            key_names=(*ARKIT_NAMES, PHOTO_RESIDUAL),
            deltas=np.concatenate([z["shapes"].astype(float), np.zeros((1, count, 3))]),
            correctives=np.zeros((0, 3), np.int32),
            joint_names=(),
            joints=np.zeros((0, 3)),
            weights=np.ones((count, 1)),
            regions=dict(zip(z["region_names"].tolist(), z["regions"], strict=True)),
            mirror=z["mirror"],
            landmark_vertices=z["landmark_vertices"],
            landmark_barycentric=z["landmark_barycentric"],
        )
    return Row("ICT FaceKit", [check_rig(rig)])


def show(rows: list[Row]) -> None:
    """A table in Markdown."""
    print("| check | limit | " + " | ".join(r.title for r in rows) + " |")
    print("|---" * (2 + len(rows)) + "|")
    for name, limit in LIMITS.items():
        ends = [f"at least {limit.least:g}"] if np.isfinite(limit.least) else []
        ends += [f"at most {limit.most:g}"] if np.isfinite(limit.most) else []
        cells = []
        for row in rows:
            worst = row.worst(name)
            failed = sum(f.check == name for c in row.certificates for f in c.failures)
            note = f", **{failed} beyond**" if failed else ""
            value = "-" if worst is None else f"{worst.value:.3g} ({worst.subject}){note}"
            cells.append(value.replace("vertex", "vertex "))
        print(f"| {name}: {limit.what} ({limit.unit}) | {', '.join(ends)} | {' | '.join(cells)} |")
    passed = [f"{sum(c.passed for c in r.certificates)} of {len(r.certificates)}" for r in rows]
    print("| passed | | " + " | ".join(passed) + " |")
    times = [f"{1e3 * np.median(r.seconds):.0f} ms" if r.seconds else "-" for r in rows]
    print("| median time to build a rig | | " + " | ".join(times) + " |")


def main() -> None:
    """Prints everything."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rig", description=__doc__)
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--seed", type=int, default=2024)
    parser.add_argument("--reference", type=Path)
    options = parser.parse_args()
    rows = [] if options.reference is None else [reference(options.reference)]
    head = load_open_head()
    started = time.perf_counter()
    key_solver(head)
    first = time.perf_counter() - started
    rows.append(people("open head", head, options.people, options.seed))
    with tempfile.TemporaryDirectory() as folder:
        source = flame_like(head).write(Path(folder) / "like.pkl")
        like = load_flame(import_flame(source, Path(folder) / "models")).with_sliders()
        rows.append(people("FLAME-shaped", like, options.people, options.seed))
    show(rows)
    print(f"Once for a head, before its first rig: {1e3 * first:.0f} ms.")


if __name__ == "__main__":
    main()
