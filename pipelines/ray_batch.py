# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads of a folder of people on a Ray cluster: one actor a core, each with a warm worker process.

``python pipelines/ray_batch.py PHOTOS --out DIR [--address auto] [--actors N]``, on machines that
see both folders under the same paths and have Ray, numpy and OpenCV. Ray shares people out and
starts actors anew that a lost machine took with it; what is done, and what counts as done, is the
ledger's business as of ``python -m core batch``, which writes the contact sheet at the end and
makes up for whatever was left. Options that are not Ray's go to it unchanged.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections import deque
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from core.batch.plan import FOLDERS, plan_people  # noqa: E402
from core.console import Console  # noqa: E402
from core.errors import PersonError  # noqa: E402

#: How often an actor is started anew, and how often a part of the people is given again.
RESTARTS, RETRIES = 20, 3
#: Parts for each actor, so that the last of them do not wait for one.
PARTS_PER_ACTOR = 4


class Batcher:
    """An actor: runs parts of a batch on its machine, one core each."""

    def __init__(self, root: str, arguments: list[str]) -> None:
        self._root, self._arguments = root, arguments

    def make(self, index: int, count: int) -> int:
        """Part ``index`` of ``count``, from 1; the exit code. What is done already is skipped."""
        command = [sys.executable, "-m", "core", "batch", *self._arguments]
        done = subprocess.run(
            [*command, "--shard", f"{index}/{count}", "--workers", "1", "--allow-failures"],
            cwd=self._root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        return done.returncode


def share_out(ray: Any, arguments: list[str], actors: int, parts: int) -> list[int]:
    """Numbers of the parts that no actor could make. An actor whose process dies, or whose machine
    does, gets its part back when Ray has started it anew.
    """
    kind = ray.remote(num_cpus=1, max_restarts=RESTARTS, max_task_retries=RETRIES)(Batcher)
    crew = [kind.remote(str(ROOT), arguments) for _ in range(actors)]
    waiting = deque(range(1, parts + 1))
    under_way: dict[Any, tuple[Any, int]] = {}
    lost = []
    while waiting or under_way:
        busy = [actor for actor, _ in under_way.values()]
        for actor in crew:
            if waiting and actor not in busy:
                part = waiting.popleft()
                under_way[actor.make.remote(part, parts)] = (actor, part)
        [ready], _ = ray.wait(list(under_way), num_returns=1)
        _, part = under_way.pop(ready)
        try:
            if ray.get(ready) != 0:
                lost.append(part)
        except ray.exceptions.RayError:
            lost.append(part)
    return lost


def main() -> int:
    """Returns the exit code of the batch that gathers."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("source", type=Path, metavar="PHOTOS")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR")
    parser.add_argument("--people", default=FOLDERS)
    parser.add_argument("--address", help="of a cluster, such as auto; default: this machine")
    parser.add_argument("--actors", type=int, help="default: one a core of the cluster")
    args, others = parser.parse_known_args()
    console = Console()
    try:
        import ray
    except ImportError:
        console.explain("Ray is not installed: run python -m pip install ray.")
        return 2
    source, out = args.source.resolve(), args.out.resolve()
    try:
        people = len(plan_people(source, args.people, out=out).people)
    except PersonError as error:
        console.explain(str(error))
        return 2
    ray.init(address=args.address, log_to_driver=False, include_dashboard=False)
    try:
        actors = min(args.actors or max(int(ray.cluster_resources().get("CPU", 1)), 1), people)
        arguments = [str(source), "--out", str(out), "--people", args.people, *others]
        lost = share_out(ray, arguments, actors, min(PARTS_PER_ACTOR * actors, people))
    finally:
        ray.shutdown()
    if lost:
        console.say(f"{len(lost)} parts were lost on the cluster and are made here.")
    command = [sys.executable, "-m", "core", "batch", *arguments]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
