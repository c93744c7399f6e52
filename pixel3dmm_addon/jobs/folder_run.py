# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder of people becomes heads, several at once, by the crew of core.batch.

Photos are decoded by Blender, one after the other; workers make the heads of several people
meanwhile. Where each is to be a .blend file, a Blender in the background writes it. The scene is
not touched: who runs this takes finished people from ``made``.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy

from ...core import protocol
from ...core.batch.blender import blender_command
from ...core.batch.crew import Crew, Outcome, Task
from ...core.batch.machine import worker_count
from ...core.batch.plan import Plan
from ...core.batch.run import REPEATED, TRIES
from ...core.errors import Cancelled, PersonError
from ...core.rigged_head import RiggedHead
from .. import installed, neural_runtime, paths
from ..photos.loading import LoadedPhoto, loading
from .job import Progress
from .process import find_python
from .run import Run, read_head, result_path, warnings_of
from .scratch import PrivateFolder

#: States of a row, as the panel shows them.
WAITING, AT_WORK, MADE, FAILED, LEFT_OUT = "Waiting", "At work", "Made", "Failed", "Left out"
MAKING = "Making heads"
#: Seconds from when a photo, or a .blend file, counts as hanging.
_PHOTO_SECONDS, _BLEND_SECONDS = 300.0, 300.0


@dataclass
class Row:
    """One person. message: a sentence, where there is something to say."""

    name: str
    photos: tuple[Path, ...]
    state: str = WAITING
    message: str = ""
    tries: int = 0
    loaded: list[LoadedPhoto] = field(default_factory=list, repr=False)


@dataclass(frozen=True)
class Made:
    """A person whose head is ready for the scene."""

    row: Row
    rigged: RiggedHead
    loaded: LoadedPhoto
    warnings: tuple[str, ...]


#: Of the last run, for the panel.
rows: list[Row] = []


class FolderRun(Run[int]):
    """Its outcome is how many heads were made. ``finish_early`` keeps those and leaves the rest."""

    def __init__(
        self, folder: Path, options: dict[str, Any], plan: Plan, blends: Path | None = None
    ) -> None:
        """options: fields of core.options.Options. blends: a folder for a .blend file each; without
        one the heads come out of ``made``.
        """
        super().__init__(folder, options)
        self.rows = [Row(person.name, person.photos) for person in plan.people]
        rows[:] = self.rows
        self.made: deque[Made] = deque()
        self._waiting = deque(self.rows)
        self._blends, self._early = blends, False
        self._to_blend: deque[tuple[Row, Path]] = deque()

    @property
    def settled(self) -> int:
        """People about whom nothing more is to be done."""
        return sum(row.state in (MADE, FAILED, LEFT_OUT) for row in self.rows)

    def finish_early(self) -> None:
        """Nothing more is begun, and what is under way is given up."""
        self._early = True

    def steps(self, wait: float = 0.0) -> Generator[Progress | None, None, int]:
        """As StepwiseWork.steps."""
        with PrivateFolder() as scratch:
            heads = self._heads_crew()
            blends = self._blends_crew()
            try:
                while not self._early and self.settled < len(self.rows):
                    yield from self._fill(heads, blends, scratch.path, wait)
                    for outcome in heads.outcomes(wait):
                        yield from self._take(outcome, scratch.path, wait)
                    for outcome in blends.outcomes(0.0) if blends is not None else ():
                        self._take_blend(outcome)
                    yield Progress(MAKING, self.settled / max(len(self.rows), 1))
                    if self.cancelled:
                        raise Cancelled
            finally:
                for row in self.rows:
                    if row.state in (WAITING, AT_WORK):
                        row.state = LEFT_OUT
                    row.loaded.clear()
                heads.close(0.2)
                if blends is not None:
                    blends.close(0.2)
        return sum(row.state == MADE for row in self.rows)

    def _heads_crew(self) -> Crew:
        logs = paths.log_file().parent
        if self.options.get("predictor") == installed.PIXEL3DMM:
            command = protocol.worker_command(neural_runtime.neural_command_python())
            return Crew(command, 1, logs, {}, name="folder-worker")
        command = protocol.worker_command(find_python())
        count = worker_count(max(len(self.rows), 1))
        return Crew(command, count, logs, protocol.WORKER_VARIABLES, name="folder-worker")

    def _blends_crew(self) -> Crew | None:
        if self._blends is None:
            return None
        # The module bpy has no program of its own: its Python is one.
        command = blender_command(bpy.app.binary_path or sys.executable)
        return Crew(command, 1, paths.log_file().parent, {}, name="folder-blender")

    def _fill(
        self, heads: Crew, blends: Crew | None, scratch: Path, wait: float
    ) -> Generator[Progress | None, None, None]:
        while blends is not None and self._to_blend and blends.idle:
            assert self._blends is not None
            row, head = self._to_blend.popleft()
            file = self._blends / f"{row.name}.blend"
            params = {"head": str(head), "photo": str(row.photos[0]), "files": [[str(file), None]]}
            row.tries += 1
            blends.give(Task((row, head), "export", params, _BLEND_SECONDS))
        while heads.idle and self._waiting:
            row = self._waiting.popleft()
            row.state = AT_WORK
            yield Progress(MAKING, self.settled / max(len(self.rows), 1))
            try:
                params = yield from self._handed_on(row, scratch, wait)
            except (PersonError, OSError) as error:
                self._fail(row, str(error))
                continue
            row.tries += 1
            heads.give(Task(row, "reconstruct", params, _PHOTO_SECONDS * len(row.photos)))

    def _handed_on(
        self, row: Row, scratch: Path, wait: float
    ) -> Generator[None, None, dict[str, Any]]:
        """The job's parameters, with the photos decoded into files."""
        folder = scratch / str(self.rows.index(row))
        out = folder / "out"
        out.mkdir(parents=True, exist_ok=True)
        files = []
        row.loaded.clear()
        for i, photo in enumerate(row.photos):
            file = folder / f"photo-{i}.npz"
            loaded = yield from self._photo(loading(photo, file), wait)
            files.append(str(file))
            # A .blend is made by another Blender, and of several photos the first is shown.
            if self._blends is None and i == 0:
                row.loaded.append(loaded)
        options = {**self.options, "same_person": len(files) > 1}
        return {"photos": files, "options": options, "out": str(out)}

    def _take(
        self, outcome: Outcome, scratch: Path, wait: float
    ) -> Generator[Progress | None, None, None]:
        row: Row = outcome.task.id
        folder = scratch / str(self.rows.index(row))
        for file in folder.glob("photo-*.npz"):
            file.unlink(missing_ok=True)
        if outcome.result is None:
            if outcome.code in REPEATED and row.tries < TRIES:
                self._waiting.append(row)
            else:
                self._fail(row, outcome.sentence)
            return
        head = result_path(outcome.result, "heads", folder / "out")
        row.message = " ".join(warnings_of(outcome.result))
        if self._blends is not None:
            row.tries = 0
            self._to_blend.append((row, head))
            return
        try:
            rigged = yield from read_head(head, wait)
        except PersonError as error:
            self._fail(row, str(error))
            return
        for file in (folder / "out").glob("*"):
            file.unlink(missing_ok=True)
        row.state = MADE
        self.made.append(Made(row, rigged, row.loaded.pop(), warnings_of(outcome.result)))

    def _take_blend(self, outcome: Outcome) -> None:
        row, head = outcome.task.id
        if outcome.result is not None:
            row.state = MADE
            os.unlink(head)
        elif outcome.code in REPEATED and row.tries < TRIES:
            self._to_blend.append((row, head))
        else:
            self._fail(row, outcome.sentence)

    def _fail(self, row: Row, sentence: str) -> None:
        row.state, row.message = FAILED, sentence
        row.loaded.clear()
