# SPDX-License-Identifier: GPL-3.0-or-later
"""Time and final energy of the fit against Adam, in one run, on one energy, one machine.

Adam follows the published schedule of Pixel3DMM's tracker: 500 steps of pose and lens, then 200
(its default) or 800 (its advice for one image) of everything, with its rates; from a face seen from
the front, as there. It gets the energy of our last round, its exact gradients (numpy, the same code
as ours) and the surface points that the pixels show; neither its matching, its images nor its
compiler's warm-up is charged. ``seen anew``: with the mesh drawn again in every step to see what
hides itself, as the published energy does. Ours is everything from maps to unknowns. Both run as
the worker does, in one thread of the linear algebra.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._synthetic import Person, draw_camera, draw_person, flame_sized_head
from core.cues.rendered_cues import Spoiling, rendered_cues, spoilt
from core.cues.screen_cues import ScreenCues
from core.fitting.dense_stage import DensePhoto
from core.fitting.fit import solve_head
from core.fitting.problem import FitProblem, Solved
from core.fitting.solver import Problem
from core.fitting.state import FOCAL, GAZE, SHIFT, TURN, Layout, State
from core.heads import HeadModel, load_open_head
from core.protocol import WORKER_VARIABLES

Array = NDArray[np.float64]

SPOILING = Spoiling(uv_noise=0.003, normal_noise=0.1, bits=8, occluded=0.3, outliers=0.05)
POSE_STEPS, FIT_STEPS = 500, (200, 800)
#: Rates of the published tracker: shape, expression, eyes, turn, shift; and in its first stage
#: turn, shift and focal length, there 0.02 at a focal length of 3.9 image sides.
SHAPE, EXPRESSION, EYES, TURNING, SHIFTING = 0.002, 0.005, 0.005, 0.005, 0.001
LENS = 0.02 / 3.90625


@dataclass
class Clock:
    """Wall and processor seconds of calls."""

    wall: float = 0.0
    processor: float = 0.0

    def run(self, call: Callable[[], Any]) -> Any:
        """The call's result; its time is added."""
        wall, processor = time.perf_counter(), time.process_time()
        result = call()
        self.wall += time.perf_counter() - wall
        self.processor += time.process_time() - processor
        return result


def ours(head: HeadModel, cues: list[ScreenCues], focal: list[float | None]) -> Solved:
    """The fit, without the figures and meshes that are made of it."""
    return solve_head(FitProblem(head, cues, focal, identity_limit=300))


def rates(layout: Layout, *, pose_only: bool) -> Array:
    """(size,) Adam's rate of each unknown of one photo."""
    out = np.zeros(layout.size)
    photo = out[layout.identity_count :]
    photo[TURN], photo[SHIFT] = TURNING, SHIFTING
    if pose_only:
        photo[FOCAL] = LENS
        return out
    out[: layout.identity_count] = SHAPE
    photo[GAZE] = EYES
    out[layout.expression_columns(0)] = EXPRESSION
    return out


def adam(
    problem: Problem,
    state: State,
    rate: Array,
    steps: int,
    *,
    decay: bool,
    each: Callable[[State], Any],
) -> State:
    """Kingma and Ba, "Adam", 2015, with its default moments; a tenth of the rate in the last
    quarter if ``decay``. ``each`` is called with every state.
    """
    rate = np.where(problem.free, rate, 0.0)
    first, second = np.zeros_like(rate), np.zeros_like(rate)
    for k in range(1, steps + 1):
        each(state)
        gradient, _ = problem.gradient(state)
        first += 0.1 * (gradient - first)
        second += 0.001 * (gradient**2 - second)
        size = rate * (0.1 if decay and k > 0.75 * steps else 1.0)
        move = -size * (first / (1 - 0.9**k)) / (np.sqrt(second / (1 - 0.999**k)) + 1e-8)
        state = problem.layout.moved(state, move, problem.upper, problem.lower)
    return state


def frontal(state: State, focal: float) -> State:
    """A head at rest that looks at the camera, as far away and where in the photo as it is."""
    photo = state.photos[0]
    middle = np.array([0.0, -0.01, 0.06])
    r = np.diag([1.0, -1.0, -1.0])
    place = photo.R @ middle + photo.t
    rest = replace(
        photo,
        R=r,
        t=place - r @ middle,
        log_focal=float(np.log(focal)),
        gaze=np.full(4, 0.01),
        expression=np.zeros_like(photo.expression),
    )
    return State(np.zeros_like(state.identity), (rest,))


def race(head: HeadModel, seed: int) -> None:
    """Prints one head's row."""
    rng = np.random.default_rng(seed)
    person = draw_person(head, rng)
    focal = person.camera.focal
    cues = spoilt(person.cues(head), SPOILING, rng)
    ours(head, [cues], [focal])
    mine, solved = min(
        (timed(lambda: ours(head, [cues], [focal])) for _ in range(5)),
        key=lambda pair: pair[0].wall,
    )
    problem, target = solved.problem, solved.problem.cost(solved.state)
    seen = DensePhoto(head, problem.layout, 0, cues)
    block = next(b for b in problem.blocks if b.name == "dense")

    def nothing(state: State) -> None:
        """The energy's own visibility stays."""

    def looked(state: State) -> None:
        """What hides itself, from the mesh as it stands."""
        seen.visible(block.positions(state), state.photos[0])

    for name, each in (("", nothing), ("seen anew", looked)):
        theirs = Clock()
        start = frontal(solved.state, focal)
        state = theirs.run(
            lambda: adam(
                problem,
                start,  # noqa: B023
                rates(problem.layout, pose_only=True),
                POSE_STEPS,
                decay=True,
                each=each,  # noqa: B023
            )
        )
        done = 0
        for steps in FIT_STEPS:
            state = theirs.run(
                lambda: adam(
                    problem,
                    state,  # noqa: B023
                    rates(problem.layout, pose_only=False),
                    steps - done,  # noqa: B023
                    decay=False,
                    each=each,  # noqa: B023
                )
            )
            done = steps
            cost = problem.cost(state)
            share = f"{theirs.wall / mine.wall:5.0f} (cpu {theirs.processor / mine.processor:4.0f})"
            print(
                f"{head.name:12}{seed:3d}  ours {shown(mine)} | Adam {POSE_STEPS}+{steps:3d} "
                f"{name:9} {shown(theirs)} | times {share} | energy {cost / target:.4f}",
                flush=True,
            )


def shown(clock: Clock) -> str:
    """Wall and processor seconds."""
    return f"{clock.wall:7.3f} s ({clock.processor:7.3f} cpu)"


def timed(call: Callable[[], Any]) -> tuple[Clock, Any]:
    """A call's time and result."""
    clock = Clock()
    return clock, clock.run(call)


def best(call: Callable[[], Any], repeats: int = 3) -> Clock:
    """The quickest of some calls."""
    return min((timed(call)[0] for _ in range(repeats)), key=lambda clock: clock.wall)


def by_photos(head: HeadModel) -> None:
    """Prints the time against the number of photos of one person."""
    rng = np.random.default_rng(0)
    person = draw_person(head, rng)
    views: list[Person] = []
    for _ in range(16):
        views.append(replace(person, camera=draw_camera(rng, 60.0)))
    cues = [spoilt(v.cues(head), SPOILING, rng) for v in views]
    focal: list[float | None] = [v.camera.focal for v in views]
    for count in (1, 2, 4, 8, 16):
        clock = best(lambda: ours(head, cues[:count], focal[:count]))  # noqa: B023
        print(f"{head.name:12}{count:3d} photos {shown(clock)}")


def by_pixels(head: HeadModel) -> None:
    """Prints the time against the size of the maps."""
    rng = np.random.default_rng(0)
    person = draw_person(head, rng)
    for size in (64, 128, 256, 512, 1024):
        exact = rendered_cues(
            head, person.identity, person.expression, person.rotations, person.camera, size=size
        )
        cues = spoilt(exact, SPOILING, rng)
        clock = best(lambda: ours(head, [cues], [person.camera.focal]))  # noqa: B023
        print(f"{head.name:12}{size:5d} pixels {shown(clock)}")


def main() -> None:
    """Prints everything."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fit_speed", description=__doc__)
    parser.add_argument("--heads", type=int, default=3)
    options = parser.parse_args()
    worker = {**os.environ, **WORKER_VARIABLES}
    if worker != dict(os.environ):  # which numpy reads when it is loaded
        command = [sys.executable, "-m", "benchmarks.fit_speed", *sys.argv[1:]]
        subprocess.run(command, env=worker, check=True)
        return
    load = ", ".join(f"{x:.1f}" for x in os.getloadavg())
    print(f"{os.cpu_count()} cores, load {load} (a load above the cores lengthens wall time)")
    for head in (load_open_head(), flame_sized_head()):
        unknowns = head.identity_count + head.expression_count
        print(f"{head.name}: {head.vertex_count} vertices, {unknowns} shape unknowns")
        for seed in range(options.heads):
            race(head, seed)
        by_photos(head)
        by_pixels(head)


if __name__ == "__main__":
    main()
