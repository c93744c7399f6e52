# SPDX-License-Identifier: GPL-3.0-or-later
"""One run over a plan: claims each person, has a worker make the heads, keeps the ledger.

Several runs over one folder share the work: a person is claimed by a lock that ends with the
process that holds it. A run that is killed repeats, when it is started again, what its workers
were at, and no more.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import OutputError, PhotoError
from ..files.atomic_write import exclusive
from ..options import Options
from ..photos.photo import read_photo_file
from .blender import Export
from .crew import CRASHED, HUNG, Crew, Outcome, Task
from .ledger import DONE, FAILED, Ledger, Record, person_key, recipe_hash
from .machine import has_room
from .plan import PersonPhotos, Plan
from .progress import BatchProgress

#: How often a person is tried whose worker crashed, hung or failed inside.
TRIES = 2
REPEATED = frozenset({CRASHED, HUNG, "internal", "memory", "worker"})
#: Files that a worker was writing aside when it was killed: core.reconstruct.outputs.
_ASIDE = re.compile(r"\..+-[0-9a-f]{8}\.\w+")
CLAIMS = ".claims"
_BUSY = "Another run is at it."
EXPORT_SECONDS = 600.0


@dataclass
class _Work:
    """A person under way."""

    person: PersonPhotos
    key: str
    hashes: list[str]
    tries: int = 0
    records: list[Record] = field(default_factory=list)
    exporting: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Crews:
    """heads: workers; exports: Blenders, None where nothing is exported."""

    heads: Crew
    exports: Crew | None = None

    def close(self) -> None:
        """No process is left."""
        self.heads.close()
        if self.exports is not None:
            self.exports.close()


class BatchRun:
    """``run()`` until everybody is done or has failed. An interrupt may come at any moment."""

    def __init__(
        self,
        plan: Plan,
        out: Path,
        options: Options,
        ledger: Ledger,
        crews: Crews,
        progress: BatchProgress,
        *,
        exports: Sequence[Export] = (),
        seconds: float = 300.0,
        room: Callable[[Path], bool] = has_room,
        pause: float = 2.0,
    ) -> None:
        """seconds: from when a photo counts as hanging. room: whether the disk has some; pause:
        seconds between two looks at that, and at what another run is at.
        """
        self._out, self._options, self._ledger = out, options, ledger
        self._crews, self._progress = crews, progress
        self._exports, self._seconds = tuple(exports), seconds
        self._room, self._pause = room, pause
        self._recipes = {s: recipe_hash(replace(options, same_person=s)) for s in (False, True)}
        self._waiting = deque(plan.people)
        self._elsewhere: deque[PersonPhotos] = deque()
        self._repeats: deque[_Work] = deque()
        self._to_export: deque[_Work] = deque()
        self._claims: dict[str, ExitStack] = {}
        self._keys: dict[str, str] = {}

    def run(self) -> None:
        """Raises PersonError where the whole run cannot go on, KeyboardInterrupt if one comes."""
        while self._advance():
            pass

    def release(self) -> None:
        """Whoever was claimed may be taken by another run: to be called when the workers ended."""
        for claim in self._claims.values():
            claim.close()

    def all_keys(self) -> list[str]:
        """The ledger's keys of those that were looked at so far, in the order of their names."""
        return [self._keys[name] for name in sorted(self._keys)]

    def _advance(self) -> bool:
        """False when there is nothing left."""
        self._fill()
        heads, exports = self._crews.heads, self._crews.exports
        if heads.busy or (exports is not None and exports.busy):
            outcomes = heads.outcomes(0.2 if heads.busy else 0.0)
            if exports is not None:
                outcomes += exports.outcomes(0.0 if heads.busy else 0.2)
            for outcome in outcomes:
                self._take(outcome)
            self._progress.tick()
            return True
        if self._elsewhere:
            # All that is left is another run's, which may be killed before it is done.
            time.sleep(self._pause)
            self._waiting, self._elsewhere = self._elsewhere, self._waiting
            return True
        return bool(self._waiting or self._repeats or self._to_export)

    def _fill(self) -> None:
        heads, exports = self._crews.heads, self._crews.exports
        while exports is not None and self._to_export and exports.idle:
            self._give_export(exports, self._to_export.popleft())
        while heads.idle and (self._repeats or self._waiting):
            if self._repeats:
                self._give(self._repeats.popleft())
                continue
            self._claim(self._waiting.popleft())

    # One person.

    def _claim(self, person: PersonPhotos) -> None:
        """Has them made, unless they are done, or another run is at it."""
        claim = ExitStack()
        name = hashlib.sha256(person.name.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        try:
            claim.enter_context(exclusive(self._out / CLAIMS / name, _BUSY))
        except OutputError as error:
            if str(error) == _BUSY:
                self._elsewhere.append(person)
            elif self._room(self._out):
                raise
            else:
                self._waiting.appendleft(person)
                self._wait_for_room()
            return
        self._claims[person.name] = claim
        for folder in person.folders:
            _remove_aside(self._out / folder)
        self._begin(person)

    def _unclaim(self, person: PersonPhotos) -> None:
        self._claims.pop(person.name).close()

    def _begin(self, person: PersonPhotos) -> None:
        """What is to be done for somebody who was claimed, as the ledger has it now."""
        self._ledger.refresh()
        unreadable: PhotoError | None = None
        try:
            hashes = [hashlib.sha256(read_photo_file(p)).hexdigest() for p in person.photos]
            key = person_key(hashes, self._recipes[len(person.photos) > 1])
        except PhotoError as error:
            hashes, unreadable = [""] * len(person.photos), error
            key = person_key([str(path) for path in person.photos], "unreadable")
        folders = [folder.as_posix() for folder in person.folders]
        work = _Work(person, key, hashes)
        self._keys[person.name] = key
        if self._ledger.failed_meanwhile(key):
            self._progress.skipped(person, failed=True)
            self._unclaim(person)
        elif unreadable is not None:
            self._fail(work, unreadable.code, str(unreadable))
        elif self._ledger.is_done(key, folders, [e.file for e in self._exports]):
            self._progress.skipped(person, failed=False)
            self._unclaim(person)
        elif self._exports and self._ledger.is_done(key, folders):
            work.records = [dict(record) for record in self._ledger.records(key) or ()]
            self._export_later(work)
        else:
            self._give(work)

    def _give(self, work: _Work) -> None:
        person = work.person
        work.tries += 1
        several = len(person.photos) > 1
        params = {
            "photos": [str(path.absolute()) for path in person.photos],
            "folders": [str((self._out / folder).absolute()) for folder in person.folders],
            "options": asdict(replace(self._options, same_person=several)),
            "contact": True,
        }
        self._progress.begun(person, work.tries)
        seconds = self._seconds * len(person.photos)
        self._crews.heads.give(Task(work, "person_files", params, seconds))

    def _take(self, outcome: Outcome) -> None:
        work = outcome.task.id
        if isinstance(work, tuple):
            self._take_export(work[0], work[1], outcome)
            return
        if outcome.result is not None:
            self._take_heads(work, outcome.result)
            return
        for folder in work.person.folders:
            _remove_aside(self._out / folder)
        if outcome.code == "output" and not self._room(self._out):
            self._wait_for_room()
            work.tries -= 1
            self._repeats.append(work)
        elif outcome.code in REPEATED and work.tries < TRIES:
            self._progress.repeated(work.person, outcome.sentence)
            self._repeats.append(work)
        else:
            self._fail(work, outcome.code, outcome.sentence)

    def _take_heads(self, work: _Work, result: dict[str, Any]) -> None:
        work.records = [
            {
                **self._record(work, i),
                "status": DONE,
                "folder": folder.as_posix(),
                "percent": photo["percent"],
                "focal_mm": photo["focal_mm"],
                "uncertainty_mm": photo["uncertainty_mm"],
                "warnings": result["warnings"],
                "seconds": round(result["seconds"] / len(work.person.photos), 3),
                "exports": [],
            }
            for i, (folder, photo) in enumerate(
                zip(work.person.folders, result["photos"], strict=True)
            )
        ]
        self._ledger.append(work.records, self._wait_for_room)
        if self._exports:
            self._export_later(work)
        else:
            self._finish(work)

    def _record(self, work: _Work, index: int) -> Record:
        return {
            "key": work.key,
            "person": work.person.name,
            "photo": str(work.person.photos[index]),
            "sha256": work.hashes[index],
            "version": __version__,
            "tries": work.tries,
        }

    def _finish(self, work: _Work) -> None:
        self._unclaim(work.person)
        self._progress.done(work.person, work.records)

    def _fail(self, work: _Work, code: str, sentence: str) -> None:
        records = [
            {**self._record(work, i), "status": FAILED, "code": code, "message": sentence}
            for i in range(len(work.person.photos))
        ]
        self._ledger.append(records, self._wait_for_room)
        self._unclaim(work.person)
        self._progress.failed(work.person, records)

    # Exports.

    def _export_later(self, work: _Work) -> None:
        work.exporting = list(range(len(work.person.photos)))
        work.tries = 0
        self._to_export.append(work)

    def _give_export(self, crew: Crew, work: _Work) -> None:
        """The first of the photos that are not exported yet; the others follow one by one."""
        index = work.exporting[0]
        folder = (self._out / work.person.folders[index]).absolute()
        params = {
            "head": str(folder / "head.npz"),
            "photo": str(work.person.photos[index].absolute()),
            "files": [[str(folder / e.file), e.preset] for e in self._exports],
        }
        work.tries += 1
        crew.give(Task((work, index), "export", params, EXPORT_SECONDS * len(self._exports)))

    def _take_export(self, work: _Work, index: int, outcome: Outcome) -> None:
        if outcome.result is None:
            if outcome.code == "output" and not self._room(self._out):
                self._wait_for_room()
                work.tries -= 1
            elif outcome.code not in REPEATED or work.tries >= TRIES:
                self._fail(work, outcome.code, f"Export: {outcome.sentence}")
                return
            self._to_export.append(work)
            return
        record = work.records[index]
        record["exports"] = [e.file for e in self._exports]
        record["warnings"] = [*record["warnings"], *outcome.result.get("notes", ())]
        work.exporting.remove(index)
        work.tries = 0
        if work.exporting:
            self._to_export.append(work)
        else:
            self._ledger.append(work.records, self._wait_for_room)
            self._finish(work)

    def _wait_for_room(self) -> None:
        """Says so, and waits until the disk has room; an interrupt ends it."""
        self._progress.waits_for_room(self._out)
        while not self._room(self._out):
            time.sleep(self._pause)
        self._progress.has_room(self._out)


def _remove_aside(folder: Path) -> None:
    """What a killed worker left half written. Only for whoever holds the claim."""
    try:
        leftovers = [path for path in folder.iterdir() if _ASIDE.fullmatch(path.name)]
    except OSError:
        return
    for path in leftovers:
        path.unlink(missing_ok=True)
