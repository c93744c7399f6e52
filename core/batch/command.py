# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m core batch``: its arguments, and how a run begins and ends."""

from __future__ import annotations

import argparse
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

from ..arguments import add_options, options_of
from ..console import Console
from ..errors import PersonError
from ..protocol import WORKER_VARIABLES, worker_command
from ..reconstruct.outputs import make_folder
from .blender import Export, blender_command, exports_of
from .crew import Crew
from .ledger import Ledger, Record
from .machine import worker_count
from .plan import EACH, FOLDERS, NAME, Plan, plan_people
from .progress import BatchProgress
from .run import BatchRun, Crews
from .sheet import SHEET, write_sheets

#: Workers for which one Blender exports.
_PER_BLENDER = 4
LOGS = ".logs"


def add_batch(verb: argparse.ArgumentParser) -> None:
    """The verb's own arguments."""
    verb.add_argument(
        "source", type=Path, metavar="FOLDER_OR_LIST", help="photos, or a .txt or .csv of them"
    )
    verb.add_argument("--out", required=True, type=Path, metavar="DIR", help="one folder a person")
    verb.add_argument(
        "--people",
        default=FOLDERS,
        metavar="HOW",
        help=f"who is one person: {FOLDERS} (all photos of a sub-folder), {EACH} (photo), or a "
        f"pattern of file names such as {NAME}_*",
    )
    verb.add_argument(
        "--workers", type=_count, metavar="N", help="default: what cores and memory allow"
    )
    verb.add_argument(
        "--hang-after", type=_seconds, default=300.0, metavar="SECONDS", help="for one photo"
    )
    verb.add_argument(
        "--shard", type=_shard, metavar="I/N", help="the part of machine I of N, from 1"
    )
    verb.add_argument(
        "--allow-failures", action="store_true", help="exit code 0 also where photos have no head"
    )
    verb.add_argument(
        "--blender", metavar="PROGRAM", help="Blender, or a Python with bpy, for --export"
    )
    verb.add_argument(
        "--export", type=str, metavar="WHAT", help="fbx,glb,usd,blend or unreal,unity,godot,vrm"
    )
    add_options(verb)


def batch_command(args: argparse.Namespace, console: Console) -> int:
    """Runs the verb; returns the exit code. Raises PersonError, KeyboardInterrupt."""
    options = options_of(args)
    exports = exports_of(args.export) if args.export else ()
    if exports and not args.blender:
        raise PersonError("Exports are made by Blender: say where it is with --blender.")
    plan = plan_people(args.source, args.people, out=args.out)
    make_folder(args.out)
    if args.shard is not None:
        plan = plan.shard(*args.shard)
    for note in plan.notes:
        console.say(f"Note: {note}")
    ledger = Ledger(args.out, args.shard)
    neural = options.predictor == "pixel3dmm"
    count = worker_count(
        max(len(plan.people), 1), 1 if neural and not args.workers else args.workers
    )
    progress = BatchProgress(console, plan.photo_count)
    console.event("plan", people=len(plan.people), photos=plan.photo_count, workers=count)
    with _terminated_is_interrupted(), ExitStack() as stack:
        command = worker_command(sys.executable, isolated=False)
        variables = {"OPENBLAS_NUM_THREADS": "1"} if neural else WORKER_VARIABLES
        logs = args.out / LOGS
        shard = "" if args.shard is None else f"{args.shard[0]}-of-{args.shard[1]}-"
        batch_crews = Crews(
            Crew(command, count, logs, variables, name=f"{shard}worker"),
            _blenders(args.blender, exports, count, logs, f"{shard}blender"),
        )
        batch = BatchRun(
            plan,
            args.out,
            options,
            ledger,
            batch_crews,
            progress,
            exports=exports,
            seconds=args.hang_after,
        )
        # Left from the last to the first: claims are given back when no worker is left.
        stack.callback(batch.release)
        stack.callback(batch_crews.close)
        stack.callback(_write_sheets, args, plan, batch, ledger)
        batch.run()
    return _ended(args, progress, console)


def _ended(args: argparse.Namespace, progress: BatchProgress, console: Console) -> int:
    made, failed = progress.made + progress.found_done, progress.failures
    console.event("finished", done=made, failed=failed, photos_per_minute=round(progress.rate, 2))
    sheet = "" if args.shard is not None else f": see {args.out / SHEET}"
    again = f", {failed} photos without one" if failed else ""
    if not console.as_json:
        console.say(f"{made} heads{again}, {progress.rate:.1f} photos a minute{sheet}.")
    return 2 if failed and not args.allow_failures else 0


def _blenders(
    program: str | None, exports: tuple[Export, ...], count: int, logs: Path, name: str
) -> Crew | None:
    if not exports or program is None:
        return None
    blenders = (count + _PER_BLENDER - 1) // _PER_BLENDER
    # A scene's leavings grow: 50 heads, then a new Blender.
    return Crew(blender_command(program), blenders, logs, {}, name=name, recycle_tasks=50)


def _write_sheets(args: argparse.Namespace, plan: Plan, batch: BatchRun, ledger: Ledger) -> None:
    """Also of a run that was interrupted. A shard leaves it to the run without one that gathers."""
    if args.shard is not None:
        return
    ledger.refresh()
    records: list[Record] = []
    for key in batch.all_keys():
        records += ledger.records(key) or []
    write_sheets(args.out, records)


@contextmanager
def _terminated_is_interrupted() -> Iterator[None]:
    """A farm that ends a task does so by SIGTERM: files stay whole as after a Ctrl-C."""

    def on_terminate(signum: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, on_terminate)
    except ValueError:  # not the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _count(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 1024:
        raise argparse.ArgumentTypeError("must be a number from 1")
    return int(text)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError("must be seconds, above zero")
    return value


def _shard(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
    index, count = (int(n) for n in found.groups()) if found else (0, 0)
    if not 1 <= index <= count:
        raise argparse.ArgumentTypeError("must be I/N, such as 2/8")
    return index, count
