# SPDX-License-Identifier: GPL-3.0-or-later
"""The pipeline as a command: ``python -m core reconstruct PHOTO... --out DIR``, and
``python -m core batch FOLDER --out DIR`` for crowds, and
``python -m core import FILE... --models DIR`` for FLAME models and Pixel3DMM's checkpoints, and
``python -m core check-rig HEAD.npz`` for what the keys and bones of a head do, and
``python -m core track VIDEO --head HEAD.npz --out DIR`` for a clip's face as curves, and
``python -m core conform MESH --head HEAD.npz --out DIR`` for a person on another mesh, and
``python -m core wrap MESH --out DIR`` for a sculpted head as a person of ours.

Exit code 0; 2 with one sentence for what the person can mend; 1 for a defect of ours; 130 when
interrupted. Progress goes to stderr, one summary line a photo to stdout; with --json all goes to
stdout, an object a line.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from . import __version__, one_thread  # noqa: F401 - before anything that imports numpy
from .arguments import EXIT_CODES, add_options, add_voice, options_of
from .batch.command import add_batch, batch_command
from .batch.plan import unique_names
from .conform.command import (
    add_conform_arguments,
    add_wrap_arguments,
    conform_command,
    wrap_command,
)
from .console import Console
from .errors import PersonError
from .jobs.person_files import write_person
from .models.folder import import_file
from .options import Options
from .reconstruct.outputs import make_folder
from .rig.rig_check_files import check_file, summary
from .track.command import add_arguments, track_command
from .worker import OUT_OF_MEMORY


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    args = _parser().parse_args(arguments)
    # A name that the terminal cannot show is no reason to fail.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    console = Console(args.json)
    try:
        verbs = {
            "batch": batch_command,
            "import": _import,
            "check-rig": _check_rig,
            "reconstruct": _reconstruct,
            "track": _track,
            "conform": _conform,
            "wrap": _wrap,
        }
        return verbs[args.verb](args, console)
    except KeyboardInterrupt:
        console.explain("Cancelled.")
        return 130
    except PersonError as error:
        _explain(console, str(error), args.verbose)
        return 2
    except MemoryError:
        _explain(console, OUT_OF_MEMORY, args.verbose)
        return 2
    except Exception as error:
        hint = "" if args.verbose else "; run again with --verbose for the details"
        kind = type(error).__name__
        sentence = f"Something went wrong inside Pixel3DMM: {kind}{hint}."
        _explain(console, sentence, args.verbose)
        return 1


def _reconstruct(args: argparse.Namespace, console: Console) -> int:
    options = replace(options_of(args), box=args.box, same_person=args.same_person)
    make_folder(args.out)
    folders = _folders(args.out, args.photos, console)
    if args.same_person:
        _one_person(args.photos, folders, options, console)
        return 0
    failed = 0
    for path, folder in zip(args.photos, folders, strict=True):
        try:
            _one_person([path], [folder], options, console)
        except PersonError as error:
            failed += 1
            _explain_file(console, path, error, args.verbose)
    return 2 if failed else 0


def _import(args: argparse.Namespace, console: Console) -> int:
    make_folder(args.models)
    failed = 0
    for path in args.files:
        try:
            made = import_file(path, args.models, console.progress())
        except PersonError as error:
            failed += 1
            _explain_file(console, path, error, args.verbose)
            continue
        commercial = {True: "yes", False: "no", None: "unknown"}[made.commercial]
        terms = f"{made.spdx}, commercial use: {commercial}"
        line = f"{path.name}: {made.title} ({terms}) -> {made.path}"
        console.summary(line, name=path.name, path=str(made.path), spdx=made.spdx)
        for note in made.notes:
            console.say(f"Note: {note}")
    return 2 if failed else 0


def _check_rig(args: argparse.Namespace, console: Console) -> int:
    out = args.head.parent if args.out is None else args.out
    make_folder(out)
    check = check_file(args.head, out)
    console.summary("\n".join(summary(check)), name=args.head.name, passed=check.passed)
    if check.passed:
        return 0
    count = len(check.failures)
    picture = f"{args.head.stem}.rig.png in {out}"
    console.explain(f"{args.head.name} fails in {count} figures: see {picture}.")
    return 2


def _track(args: argparse.Namespace, console: Console) -> int:
    return track_command(args, console.progress, console.say)


def _conform(args: argparse.Namespace, console: Console) -> int:
    return conform_command(args, console.progress, console.say)


def _wrap(args: argparse.Namespace, console: Console) -> int:
    return wrap_command(args, console.progress, console.say)


def _one_person(paths: list[Path], folders: list[Path], options: Options, console: Console) -> None:
    done = write_person(paths, folders, options, console.progress())
    for photo in done.photos:
        console.summary(photo.summary, **asdict(photo))
    for sentence in done.warnings:
        console.say(f"Note: {sentence}")


def _folders(out: Path, photos: Sequence[Path], console: Console) -> list[Path]:
    """A folder for each photo by its stem; of those that would share one, later ones count up."""
    names = unique_names([path.stem for path in photos])
    for path, name in zip(photos, names, strict=True):
        if name != path.stem:
            console.say(f"Another photo is called {path.stem}: the results of {path} go to {name}.")
    return [out / name for name in names]


def _explain(console: Console, sentence: str, verbose: bool) -> None:
    """For an error: the sentence, and the traceback for those who asked for it."""
    if verbose:
        traceback.print_exc()
    console.explain(sentence)


def _explain_file(console: Console, path: Path, error: PersonError, verbose: bool) -> None:
    """For one file of several: its name is said if the sentence does not say it."""
    sentence = str(error)
    named = sentence if path.name in sentence else f"{path.name}: {sentence}"
    _explain(console, named, verbose)


def _box(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError("must be x0,y0,x1,y1 in pixels") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m core", description="One photo, a rigged head.", epilog=EXIT_CODES
    )
    parser.add_argument("--version", action="version", version=__version__)
    verbs = parser.add_subparsers(dest="verb", required=True)

    def verb_named(name: str, help_: str) -> argparse.ArgumentParser:
        verb = verbs.add_parser(name, help=help_, epilog=EXIT_CODES)
        add_voice(verb)
        return verb

    verb = verb_named("reconstruct", "fit a head to each photo and write it")
    verb.add_argument("photos", nargs="+", type=Path, metavar="PHOTO")
    verb.add_argument("--out", required=True, type=Path, metavar="DIR", help="one folder a photo")
    verb.add_argument(
        "--same-person", action="store_true", help="all photos show one person: one identity"
    )
    verb.add_argument("--box", type=_box, metavar="X0,Y0,X1,Y1", help="pixels around the face")
    add_options(verb)
    add_batch(verb_named("batch", "fit heads to a folder of people, resume where it stopped"))
    verb = verb_named("import", "bring FLAME models and Pixel3DMM checkpoints")
    verb.add_argument("files", nargs="+", type=Path, metavar="FILE")
    verb.add_argument("--models", required=True, type=Path, metavar="DIR", help="goes in here")
    verb = verb_named("check-rig", "what the keys and bones of a head.npz do")
    verb.add_argument("head", type=Path, metavar="HEAD.npz")
    verb.add_argument(
        "--out", type=Path, metavar="DIR", help="for the report and its picture (default: beside)"
    )
    add_arguments(verb_named("track", "a clip's face as ARKit curves and head pose"))
    add_conform_arguments(verb_named("conform", "a person on a mesh of your own"))
    add_wrap_arguments(verb_named("wrap", "a sculpted or scanned head as a person"))
    return parser


if __name__ == "__main__":
    sys.exit(main())
