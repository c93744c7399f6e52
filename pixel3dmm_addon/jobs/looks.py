# SPDX-License-Identifier: GPL-3.0-or-later
"""A look at the chosen photo before any head is made: its faces, and advice on each.

Started when a person chooses a photo, never by a file that is opened. Nothing of it is saved.
The panel asks :func:`of` at every redraw; an app timer takes the steps.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ...core.errors import Cancelled, PersonError
from .. import redraw
from ..photos import thumbnails
from ..photos.loading import loading
from . import session
from .job import SEE_LOG
from .scratch import PrivateFolder

TICK = 0.05


@dataclass
class Look:
    """faces: advice on each, the largest first; remarks: on each, what will do and could be better;
    advice: on the photo as a whole; picture: icon of the photo with numbered boxes, 0 without a
    window; error: a sentence if nothing came of it.
    """

    path: Path
    stamp: float
    done: bool = False
    faces: list[list[str]] = field(default_factory=list)
    remarks: list[list[str]] = field(default_factory=list)
    advice: list[str] = field(default_factory=list)
    picture: int = 0
    error: str = ""

    def of_face(self, face: int) -> list[str]:
        """What is known of one face, -1 for the largest, and of the photo."""
        number = max(face, 0)
        return [*self.advice, *(self.faces[number] if number < len(self.faces) else ())]

    def remarks_on(self, face: int) -> list[str]:
        """What of one face will do and could be better, -1 for the largest."""
        number = max(face, 0)
        return self.remarks[number] if number < len(self.remarks) else []


_look: Look | None = None
_steps: Generator[None, None, None] | None = None


def of(path: Path) -> Look | None:
    """What is known of this photo; None before a look at it, or if the file changed since."""
    if _look is None or _look.path != path or _look.stamp != _stamp(path):
        return None
    return _look


def begin(path: Path) -> None:
    """Looks at a photo, in steps of a timer; a look at another photo ends."""
    global _look, _steps
    close()
    if not path.is_file():
        return
    _look = Look(path, _stamp(path))
    _steps = _take(_look, 0.0)
    # Persistent: a timer that dies with a file would leave the job behind.
    bpy.app.timers.register(_tick, first_interval=TICK, persistent=True)


def now(path: Path) -> Look:
    """Looks at a photo and waits for it: for scripts."""
    global _look
    close()
    look = Look(path, _stamp(path))
    for _ in _take(look, TICK):
        pass
    _look = look
    return look


def close() -> None:
    """Ends a look that is under way."""
    global _steps
    steps, _steps = _steps, None
    if steps is not None:
        steps.close()
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)


def _tick() -> float | None:
    if _steps is None:
        return None
    for _ in _steps:
        return TICK
    redraw.redraw_status(bpy.context)
    return None


def _take(look: Look, wait: float) -> Generator[None, None, None]:
    """The steps. What goes wrong is the look's error: nothing depends on it."""
    try:
        with PrivateFolder() as scratch:
            photo = scratch.path / "photo.npz"
            yield from loading(look.path, photo)
            job = session.jobs().start("look", {"photo": str(photo), "out": str(scratch.path)})
            scratch.used_by(job)
            result = yield from _result(job.events(wait))
            picture = np.load(scratch.path / "faces.npy", allow_pickle=False)
        look.faces = [[str(s) for s in face["advice"]] for face in result["faces"]]
        look.remarks = [[str(s) for s in face["remarks"]] for face in result["faces"]]
        look.advice = [str(s) for s in result["advice"]]
        if len(look.faces) > 1:
            look.picture = thumbnails.picture(f"{look.path}|{look.stamp}|faces", picture)
    except Cancelled:
        look.error = "The look at the photo was cancelled: check the photo again."
    except PersonError as error:
        look.error = str(error)
    except OSError as error:
        look.error = f"The photo cannot be handed on ({error.strerror or error})."
    except (LookupError, TypeError, ValueError, EOFError):
        look.error = f"The photo could not be looked at: {SEE_LOG}"
    look.done = True


def _result(
    events: Generator[object, None, dict[str, Any]],
) -> Generator[None, None, dict[str, Any]]:
    try:
        while True:
            next(events)
            yield
    except StopIteration as end:
        result: dict[str, Any] = end.value
        return result
    finally:
        events.close()


def _stamp(path: Path) -> float:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return -1
