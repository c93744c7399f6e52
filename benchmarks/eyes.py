# SPDX-License-Identifier: GPL-3.0-or-later
"""How deep eyes come through their lids: 52 keys, gazes with and without their turn, 21 people.

    python -m benchmarks.eyes [--people 21]

Both ways: the ball out of the lids, and the lids' outer skin into the ball (tests/core/test_eyes.py
says how).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "core"))

import test_eyes

from core.heads import load_open_head


def main() -> None:
    """Prints the poses, how many are beyond the limit, and the worst."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.eyes", description=__doc__)
    parser.add_argument("--people", type=int, default=21)
    count = parser.parse_args().people
    head = load_open_head()
    eyes = [test_eyes.Eye(head, side) for side in "lr"]
    found: dict[tuple[int, str, int], float] = {}
    for person, identity in enumerate(test_eyes.people(head, count)):
        found |= test_eyes.depths(head, eyes, person, identity)
    beyond = sum(depth > test_eyes.ALLOWED for depth in found.values())
    (person, pose, _), depth = max(found.items(), key=lambda row: row[1])
    print(f"{len(found)} eyes looked at, {beyond} deeper than {1e3 * test_eyes.ALLOWED:g} mm")
    print(f"deepest: {1e3 * depth:.2f} mm, person {person}, {pose}")


if __name__ == "__main__":
    main()
