# SPDX-License-Identifier: GPL-3.0-or-later
"""How deep eyes come through their lids: 52 keys, gazes with and without their turn, 21 people.

    python -m benchmarks.eyes [--people 21]

Both ways: the ball out of the lids, and the lids' outer skin into the ball (tests/core/measures.py
says how). Then the line of tears between them: whether a gap opens or it sinks (measures.py).
"""

from __future__ import annotations

import argparse

from core.heads import load_open_head
from tests.support import eyes as measures


def main() -> None:
    """Prints the poses, how many are beyond the limit, and the worst."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.eyes", description=__doc__)
    parser.add_argument("--people", type=int, default=21)
    count = parser.parse_args().people
    head = load_open_head()
    eyes = [measures.Eye(head, side) for side in "lr"]
    strips = measures.strips_of(head)
    found: dict[tuple[int, str, int], float] = {}
    wet: dict[tuple[int, str, int], tuple[float, float, float]] = {}
    for person, identity in enumerate(measures.people(head, count)):
        found |= measures.depths(head, eyes, person, identity)
        wet |= measures.heights(head, eyes, strips, person, identity)
    beyond = sum(depth > measures.ALLOWED for depth in found.values())
    (person, pose, _), depth = max(found.items(), key=lambda row: row[1])
    print(f"{len(found)} eyes looked at, {beyond} deeper than {1e3 * measures.ALLOWED:g} mm")
    print(f"deepest: {1e3 * depth:.2f} mm, person {person}, {pose}")
    wrong = sum(measures.is_wrong(*row) for row in wet.values())
    edge, low, high = (f([row[i] for row in wet.values()]) for i, f in enumerate((max, min, max)))
    print(f"{len(wet)} lines of tears looked at, {wrong} with a gap, sunk or far off")
    print(
        f"ends at {1e3 * edge:.2f} mm, surface {1e3 * low:.2f} to {1e3 * high:.2f} mm of the ball"
    )


if __name__ == "__main__":
    main()
