# SPDX-License-Identifier: GPL-3.0-or-later
"""Arguments that commands share: each is called the same, and means the same, wherever it is."""

from __future__ import annotations

import argparse
from pathlib import Path

from .options import HAIRS, NEURAL_HEAD, OPEN_HEAD, PREDICTORS, TEXTURES, Options

#: At the end of every command's help.
EXIT_CODES = (
    "Exit code 0: all is done. 2: something that you can mend, said in one sentence. "
    "1: a defect of Pixel3DMM. 130: interrupted."
)


def face_number(text: str) -> int:
    """What a person counts from 1, as the panel draws it on the photo, to Options.face."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 (the largest that is sure), 2, 3 and so on")
    return number - 1


def add_face(verb: argparse.ArgumentParser) -> None:
    """--face."""
    verb.add_argument(
        "--face",
        type=face_number,
        metavar="NUMBER",
        help="which of several faces: 1 is the largest that is sure",
    )


def add_options(verb: argparse.ArgumentParser) -> None:
    """Those of Options that hold for any number of photos."""
    add_face(verb)
    verb.add_argument("--focal-mm", type=float, help="focal length, 35 mm equivalent")
    verb.add_argument("--predictor", choices=PREDICTORS, default=PREDICTORS[0])
    verb.add_argument(
        "--head",
        default=OPEN_HEAD,
        metavar="HEAD",
        help=f"{OPEN_HEAD}, {NEURAL_HEAD} (with imported NPHM weights), or an imported FLAME .npz",
    )
    verb.add_argument(
        "--own-components", action="store_true", help="FLAME's own expression keys too"
    )
    verb.add_argument(
        "--texture", choices=TEXTURES, default="auto", help="size of the skin's texture"
    )
    verb.add_argument("--hair", choices=HAIRS, default=HAIRS[0], help="the photo's, or a style")
    verb.add_argument(
        "--head-mesh",
        type=Path,
        metavar="PROFILE",
        help="profile.npz of a mesh of your own, which the person is put on",
    )
    verb.add_argument("--models", type=Path, metavar="DIR", help="where imported models are")


def options_of(args: argparse.Namespace) -> Options:
    """What add_options read. Raises PersonError."""
    return Options(
        predictor=args.predictor,
        head=args.head,
        models=None if args.models is None else str(args.models),
        face=args.face,
        focal_35mm=args.focal_mm,
        own_components=args.own_components,
        texture=args.texture,
        hair=args.hair,
        head_mesh=None if args.head_mesh is None else str(args.head_mesh),
    )


def add_voice(verb: argparse.ArgumentParser) -> None:
    """How it speaks."""
    verb.add_argument("--json", action="store_true", help="progress for programs, on stdout")
    verb.add_argument("--verbose", action="store_true", help="tracebacks of errors")
