# SPDX-License-Identifier: GPL-3.0-or-later
"""A step of a drag in Correct Fit: its time beside the exact fit's in the same run, and how far the
two are apart.

Each handle is dragged along a line in steps, each from where the one before it ended, as the mouse
does it. A step is all that core computes for it: the solve, the surface, what is seen of the wire,
the motion of the scene's head, and what lies under the mouse. The exact fit is what the worker
makes of the last pin, all shape keys with it; each runs in one thread of the linear algebra, as in
the worker. The bars are 60 ms a step and 150 ms for the exact fit, on two cores. Between them
numpy multiplies two square matrices of SIDE: on a machine that others use as well, and among
machines, times compare as multiples of that.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from core.options import Options
from core.photos.photo import load_photo
from core.pipeline import reconstruct, rig_heads
from core.progress import silent
from core.protocol import WORKER_VARIABLES
from core.reconstruct.live import live_fit
from core.reconstruct.refit import refit

ROOT = Path(__file__).resolve().parents[1]
#: Handle -> by how many thousandths of the face's height it is dragged.
DRAGS = {
    "Right mouth corner": (-40, 15),
    "Nose tip": (20, 10),
    "Left jaw angle": (40, 0),
    "Left upper lid": (0, -12),
    "Right ear, back": (-40, 0),
    "Hairline, middle": (0, 30),
    "Skull, top": (0, -60),
}
STEPS = 10
#: Rows of the matrices whose product is the measure.
SIDE = 700


def timed(call: Callable[[], Any]) -> tuple[float, float, Any]:
    """Milliseconds of the clock and of the processor, and the result."""
    wall, processor = time.perf_counter(), time.process_time()
    result = call()
    return (
        1e3 * (time.perf_counter() - wall),
        1e3 * (time.process_time() - processor),
        result,
    )


def row(name: str, found: list[tuple[float, float]], bar: str = "") -> None:
    """Best, median, 95th percentile by the clock, and the median of the processor's time."""
    wall, processor = (np.array(part) for part in zip(*found, strict=True))
    figures = (wall.min(), np.median(wall), np.percentile(wall, 95), np.median(processor))
    print(f"{name:<34}" + "".join(f"{f:9.1f}" for f in figures) + f"{bar:>8}")


def main() -> None:
    """Prints everything."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drag", description=__doc__)
    parser.add_argument("photo", type=Path, nargs="?", default=ROOT / "examples" / "astronaut.jpg")
    options = parser.parse_args()
    worker = {**os.environ, **WORKER_VARIABLES}
    if worker != dict(os.environ):  # which numpy reads when it is loaded
        command = [sys.executable, "-m", "benchmarks.drag", *sys.argv[1:]]
        subprocess.run(command, env=worker, check=True)
        return
    photo = load_photo(options.photo)
    head = rig_heads([photo], reconstruct([photo]), Options())[0]
    told = head.continuation_json
    prepared = [timed(lambda: live_fit(told, 0)) for _ in range(4)]
    live = prepared[-1][2]
    rest = live.solve([])
    size = float(np.ptp(head.landmarks_fit[:, 1]))
    refit(told, [], before=head, progress=silent)  # loads what every first fit loads
    steps, exact, apart, missed, measure = [], [], [], [], []
    square = np.random.default_rng(0).random((SIDE, SIDE))
    for name, by in DRAGS.items():
        handle = next(h for h in live.surface.handles if h.name == name)
        start = live.surface.pin_of(handle, 0)
        x, y = live.place_of(start, rest)
        pose, pin = rest, start
        for k in range(1, STEPS + 1):
            dx, dy = (1e-3 * size * d * k / STEPS for d in by)
            pin = replace(start, x=float(x + dx), y=float(y + dy))

            def step(pin: Any = pin, before: Any = pose) -> Any:
                now = live.solve([pin], before.state)
                live.wire(now)
                live.motion(rest, now)
                live.grip(now, np.array([pin.x, pin.y]), 5.0)
                return now

            wall, processor, pose = timed(step)
            steps.append((wall, processor))
        wall, processor, done = timed(lambda: refit(told, [pin], before=head, progress=silent))  # noqa: B023
        exact.append((wall, processor))
        measure += [timed(lambda: square @ square)[:2] for _ in range(3)]
        seen = done.after.camera.project(done.after.posed.astype(float))[: live.surface.count]
        off = np.linalg.norm(pose.pixels - seen, axis=1) / size
        moved = np.linalg.norm(pose.pixels - rest.pixels, axis=1).max() / size
        apart.append((np.median(off), off.max(), moved))
        missed.append(np.linalg.norm(live.place_of(pin, pose) - (pin.x, pin.y)) / size)
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    print(f"{os.cpu_count()} cores, load {load} (a load above the cores lengthens times)")
    print(f"{'milliseconds':<34}{'best':>9}{'median':>9}{'95 %':>9}{'cpu':>9}{'bar':>8}")
    row("a step of a drag", steps, "60")
    row("the exact fit with its keys", exact, "150")
    row("after it, what follows the mouse", [p[:2] for p in prepared[1:]])
    row(f"a product of matrices of {SIDE}", measure)
    step, fit, unit = (np.median([t[1] for t in found]) for found in (steps, exact, measure))
    print(f"processor time: a step is {step / unit:.2f} products, the exact fit {fit / unit:.2f},")
    print(f"which is {fit / step:.1f} steps")
    print(f"\n{'thousandths of the face':<34}{'moved':>9}{'median':>9}{'most':>9}{'missed':>9}")
    for name, (median, most, moved), miss in zip(DRAGS, apart, missed, strict=True):
        print(f"{name:<34}" + "".join(f"{1e3 * f:9.2f}" for f in (moved, median, most, miss)))


if __name__ == "__main__":
    main()
