# SPDX-License-Identifier: GPL-3.0-or-later
"""The pipeline as a command: ``python -m core reconstruct PHOTO... --out DIR``, and
``python -m core import FILE... --models DIR`` for FLAME models and Pixel3DMM's checkpoints, and
``python -m core check-rig HEAD.npz`` for what the keys and bones of a head do, and
``python -m core track VIDEO --head HEAD.npz --out DIR`` for a clip's face as curves.

Exit code 0; 2 with one sentence for what the person can mend; 1 for a defect of ours; 130 when
interrupted. Progress goes to stderr, one summary line a photo to stdout.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from . import __version__
from .errors import PersonError
from .models.folder import import_file
from .options import OPEN_HEAD, PREDICTORS, TEXTURES, Options
from .photos.photo import Photo, load_photo
from .pipeline import reconstruct, rig_heads
from .progress import OPENING, RIGGING, WRITING, Progress, part
from .reconstruct.outputs import make_folder, write_photo
from .reconstruct.report import Stopwatch
from .reconstruct.resources import load_head
from .reconstruction import Reconstruction
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
    try:
        verbs = {
            "import": _import,
            "check-rig": _check_rig,
            "reconstruct": _reconstruct,
            "track": _track,
        }
        return verbs[args.verb](args)
    except KeyboardInterrupt:
        _say("Cancelled.")
        return 130
    except PersonError as error:
        _explain(str(error), args.verbose)
        return 2
    except MemoryError:
        _explain(OUT_OF_MEMORY, args.verbose)
        return 2
    except Exception as error:
        hint = "" if args.verbose else "; run again with --verbose for the details"
        kind = type(error).__name__
        _explain(f"Something went wrong inside Pixel3DMM: {kind}{hint}.", args.verbose)
        return 1


def _reconstruct(args: argparse.Namespace) -> int:
    options = Options(
        predictor=args.predictor,
        head=args.head,
        models=None if args.models is None else str(args.models),
        face=args.face,
        box=args.box,
        focal_35mm=args.focal_mm,
        same_person=args.same_person,
        own_components=args.own_components,
        texture=args.texture,
    )
    make_folder(args.out)
    folders = _folders(args.out, args.photos)
    if args.same_person:
        _one_person(args.photos, folders, options, _Terminal())
        return 0
    failed = 0
    for path, folder in zip(args.photos, folders, strict=True):
        try:
            _one_person([path], [folder], options, _Terminal())
        except PersonError as error:
            failed += 1
            _explain_file(path, error, args.verbose)
    return 2 if failed else 0


def _import(args: argparse.Namespace) -> int:
    make_folder(args.models)
    failed = 0
    for path in args.files:
        try:
            made = import_file(path, args.models, _Terminal())
        except PersonError as error:
            failed += 1
            _explain_file(path, error, args.verbose)
            continue
        commercial = {True: "yes", False: "no", None: "unknown"}[made.commercial]
        terms = f"{made.spdx}, commercial use: {commercial}"
        print(f"{path.name}: {made.title} ({terms}) -> {made.path}")
        for note in made.notes:
            _say(f"Note: {note}")
    return 2 if failed else 0


def _check_rig(args: argparse.Namespace) -> int:
    out = args.head.parent if args.out is None else args.out
    make_folder(out)
    check = check_file(args.head, out)
    print("\n".join(summary(check)))
    if check.passed:
        return 0
    count = len(check.failures)
    _say(f"{args.head.name} fails in {count} figures: see {args.head.stem}.rig.png in {out}.")
    return 2


def _track(args: argparse.Namespace) -> int:
    return track_command(args, _Terminal, _say)


def _one_person(
    paths: list[Path], folders: list[Path], options: Options, progress: Progress
) -> None:
    watch = Stopwatch()
    with watch.stage(OPENING):
        photos = [load_photo(path) for path in paths]
    people = reconstruct(photos, options, progress=part(progress, 0.0, 0.8))
    with watch.stage(RIGGING):
        heads = rig_heads(photos, people, options, progress=part(progress, 0.8, 0.9))
    model = load_head(options.head)
    fits = [(person, i) for person in people for i in range(len(person.photos))]
    done = list(zip(photos, folders, fits, heads, strict=True))
    for k, (photo, folder, (person, i), rigged) in enumerate(done):
        progress(WRITING, 0.9 + 0.1 * k / len(done))
        seconds = {**person.report["seconds"], **watch.seconds}
        write_photo(folder, photo, model, person, i, rigged, seconds)
        print(_summary(photo, person, i, seconds, folder))
    progress(WRITING, 1.0)
    for sentence in dict.fromkeys(s for person in people for s in person.warnings):
        _say(f"Note: {sentence}")


def _summary(
    photo: Photo,
    person: Reconstruction,
    index: int,
    seconds: dict[str, float],
    folder: Path,
) -> str:
    fit = person.photos[index]
    error = fit.report["reprojection_percent_of_eye_distance"]
    return (
        f"{photo.name}: landmarks within {error:.1f} % of the eye distance, "
        f"focal length {fit.camera.focal_35mm:.0f} mm ({fit.report['focal_source']}), "
        f"{_by_network(person)}"
        f"{sum(seconds.values()):.2f} s -> {folder}"
    )


def _by_network(person: Reconstruction) -> str:
    """What the shape network gave beside the landmarks, as part of the summary."""
    said = person.report.get("shape_network")
    if said is None:
        return ""
    sure, unsure = person.report["face_uncertainty_mm"], said["face_uncertainty_without_mm"]
    return (
        f"face moved {said['moved_mm']:.1f} mm by the shape network, "
        f"uncertainty {sure:.1f} mm instead of {unsure:.1f}, "
    )


def _folders(out: Path, photos: Sequence[Path]) -> list[Path]:
    """A folder for each photo by its stem; of those that would share one, later ones count up."""
    taken: set[str] = set()
    folders = []
    for path in photos:
        name, n = path.stem, 1
        while name.casefold() in taken:
            n += 1
            name = f"{path.stem}-{n}"
        if n > 1:
            _say(f"Another photo is called {path.stem}: the results of {path} go to {name}.")
        taken.add(name.casefold())
        folders.append(out / name)
    return folders


class _Terminal:
    """Progress on stderr: one line that changes, or a line a stage where it is not a terminal."""

    def __init__(self) -> None:
        self._stage = ""

    def __call__(self, stage: str, fraction: float) -> None:
        if sys.stderr.isatty():
            end = "\n" if fraction >= 1.0 else ""
            print(f"\r{fraction:4.0%}  {stage:<24}", end=end, file=sys.stderr, flush=True)
        elif stage != self._stage:
            _say(f"{fraction:4.0%}  {stage}")
        self._stage = stage


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def _explain(sentence: str, verbose: bool) -> None:
    """For an error: the sentence, and the traceback for those who asked for it."""
    if verbose:
        traceback.print_exc()
    _say(sentence)


def _explain_file(path: Path, error: PersonError, verbose: bool) -> None:
    """For one file of several: its name is said if the sentence does not say it."""
    sentence = str(error)
    _explain(sentence if path.name in sentence else f"{path.name}: {sentence}", verbose)


def _box(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError("must be x0,y0,x1,y1 in pixels") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m core", description="One photo, a rigged head.")
    parser.add_argument("--version", action="version", version=__version__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verb = verbs.add_parser("reconstruct", help="fit a head to each photo and write it")
    verb.add_argument("photos", nargs="+", type=Path, metavar="PHOTO")
    verb.add_argument("--out", required=True, type=Path, metavar="DIR", help="one folder a photo")
    verb.add_argument(
        "--same-person", action="store_true", help="all photos show one person: one identity"
    )
    verb.add_argument(
        "--face", type=int, help="which of several faces: 0 is the largest that is sure"
    )
    verb.add_argument("--box", type=_box, metavar="X0,Y0,X1,Y1", help="pixels around the face")
    verb.add_argument("--focal-mm", type=float, help="focal length, 35 mm equivalent")
    verb.add_argument("--predictor", choices=PREDICTORS, default=PREDICTORS[0])
    verb.add_argument(
        "--head", default=OPEN_HEAD, metavar="HEAD", help=f"{OPEN_HEAD} or an imported FLAME .npz"
    )
    verb.add_argument(
        "--own-components", action="store_true", help="FLAME's own expression keys too"
    )
    verb.add_argument(
        "--texture", choices=TEXTURES, default="auto", help="size of the skin's texture"
    )
    verb.add_argument("--models", type=Path, metavar="DIR", help="where imported models are")
    verb.add_argument("--verbose", action="store_true", help="tracebacks of errors")
    verb = verbs.add_parser("import", help="bring FLAME models and Pixel3DMM checkpoints")
    verb.add_argument("files", nargs="+", type=Path, metavar="FILE")
    verb.add_argument("--models", required=True, type=Path, metavar="DIR", help="goes in here")
    verb.add_argument("--verbose", action="store_true", help="tracebacks of errors")
    verb = verbs.add_parser("check-rig", help="what the keys and bones of a head.npz do")
    verb.add_argument("head", type=Path, metavar="HEAD.npz")
    verb.add_argument(
        "--out", type=Path, metavar="DIR", help="for the report and its picture (default: beside)"
    )
    verb.add_argument("--verbose", action="store_true", help="tracebacks of errors")
    add_arguments(verbs.add_parser("track", help="a clip's face as ARKit curves and head pose"))
    return parser


if __name__ == "__main__":
    sys.exit(main())
