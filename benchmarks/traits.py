# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a change of a named trait takes: the person at rest, all their keys, the bones.

Blender's process does this between two redraws while a slider is dragged, so it has to stay
under 100 ms; writing the keys into the mesh comes on top (some 7 ms).
"""

from __future__ import annotations

import time

import numpy as np

from core.heads.open_head import load_open_head
from core.rig.traits import NAMES, bones_of, change_of


def main() -> None:
    """Prints the first change, which loads, and what each further one takes."""
    head = load_open_head()
    basis = head.neutral(np.random.default_rng(0).normal(scale=0.6, size=20))
    values: dict[str, float] = {}
    wall, own = [], []
    for name in NAMES:
        wanted = {**values, name: 0.3}
        started, busy = time.perf_counter(), time.process_time()
        change = change_of(basis, values, wanted)
        # As a mesh keeps it.
        basis = (basis + change.basis).astype(np.float32)
        bones_of(basis, values, wanted)
        wall.append(time.perf_counter() - started)
        own.append(time.process_time() - busy)
        values = wanted
    print(f"first change, with loading: {1e3 * wall[0]:.0f} ms")
    for title, seconds in (("on the clock", wall[1:]), ("processor time", own[1:])):
        median, worst = 1e3 * np.median(seconds), 1e3 * max(seconds)
        print(f"further changes, {title}: median {median:.0f} ms, longest {worst:.0f} ms")


if __name__ == "__main__":
    main()
