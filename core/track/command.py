# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m core track``: its arguments, and what it writes and says."""

from __future__ import annotations

import argparse
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from ..arguments import add_face
from ..progress import Progress
from ..reconstruct.outputs import make_folder, write_together
from .files import write_performance
from .track_clip import head_of_clip, load_tracked_head, track_clip
from .tracker import TrackOptions
from .video import open_clip


def track_command(
    args: argparse.Namespace, terminal: Callable[[], Progress], say: Callable[[str], None]
) -> int:
    """Runs the verb; returns the exit code. terminal makes a progress, say prints a line for
    people. Raises PersonError.
    """
    clip = open_clip(args.video, args.fps)
    options = TrackOptions(
        first=args.first,
        last=args.last,
        face=args.face,
        rest=args.rest,
        smooth_face=args.smooth_face,
        smooth_head=args.smooth_head,
        contacts=not args.no_contacts,
        mirror=not args.fast,
    )
    given = None if args.head is None else load_tracked_head(args.head)
    make_folder(args.out)
    if given is None:
        given = head_of_clip(clip, args.focal_mm, progress=terminal())
        write_together({args.out / "head.npz": given.save}, before_naming=lambda: None)
    with _stop_asked() as stop:
        done = track_clip(
            clip,
            given.continuation_json,
            options,
            focal_35mm=args.focal_mm,
            progress=terminal(),
            stop=stop,
        )
    done = done.adjusted(dict(args.gain), args.mute)
    write_performance(args.out, done, with_visemes=args.visemes)
    report = done.report
    say(
        f"{clip.name}: a face in {report['frames_with_a_face']} of {report['frames']} frames, "
        f"{report['frames_per_second']:.1f} frames a second -> {args.out}"
    )
    for sentence in report["warnings"]:
        say(f"Note: {sentence}")
    return 0


@contextmanager
def _stop_asked() -> Iterator[Callable[[], bool]]:
    """Says whether an interrupt came, which ends the reading; the next one ends the program."""
    asked = threading.Event()

    def on_interrupt(signum: int, frame: FrameType | None) -> None:
        asked.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return
    before = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, before)


def _gain(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError:
        raise argparse.ArgumentTypeError("must be SLIDER=NUMBER, as jawOpen=1.2") from None


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """The verb's."""
    verb.add_argument("video", type=Path, metavar="VIDEO", help="a movie, or numbered pictures")
    verb.add_argument("--out", required=True, type=Path, metavar="DIR", help="for the curves")
    verb.add_argument(
        "--head", type=Path, metavar="HEAD.npz", help="the person (default: from the clip itself)"
    )
    verb.add_argument("--first", type=int, default=0, help="first frame, counted from 0")
    verb.add_argument("--last", type=int, help="last frame")
    add_face(verb)
    verb.add_argument("--rest", type=int, help="a frame in which the face is at rest")
    verb.add_argument("--focal-mm", type=float, help="focal length, 35 mm equivalent")
    verb.add_argument("--fps", type=float, help="frames a second of pictures")
    verb.add_argument("--smooth-face", type=float, default=1.0, help="0 none, 1 usual, to 10")
    verb.add_argument("--smooth-head", type=float, default=1.0, help="0 none, 1 usual, to 10")
    verb.add_argument("--no-contacts", action="store_true", help="leave lids and lips as fitted")
    verb.add_argument("--visemes", action="store_true", help="write the 15 mouth shapes of speech")
    verb.add_argument("--fast", action="store_true", help="without each frame's mirror image")
    verb.add_argument("--gain", type=_gain, action="append", default=[], metavar="SLIDER=NUMBER")
    verb.add_argument("--mute", action="append", default=[], metavar="SLIDER")
