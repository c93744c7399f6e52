# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done, in results*.jsonl: an object a line, only ever appended, the last of a key counts.

A key is the content of a person's photos, the recipe, and the version: whoever changes any of them
gets a new head, and whoever renames a photo does not. Lines that a crash or a full disk cut off are
passed over. Each shard of a farm has a file of its own, since network drives do not append lines
of several machines whole; every run reads all of them.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import OutputError
from ..options import NEURAL_HEAD, OPEN_HEAD, Options

DONE, FAILED = "done", "failed"
#: Of a full disk, and of a full share of one.
NO_ROOM = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))

_APPEND = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)

Record = dict[str, Any]


def recipe_hash(options: Options) -> str:
    """Of all that makes a head besides its photos. Raises OutputError if a model cannot be read."""
    recipe: dict[str, Any] = {"version": __version__, **options.for_recipe()}
    try:
        if options.head == NEURAL_HEAD and options.models:
            # Its description names the checkpoint that it was made from.
            made = Path(options.models) / "nphm.json"
            recipe["nphm"] = hashlib.sha256(made.read_bytes()).hexdigest() if made.exists() else ""
        elif options.head != OPEN_HEAD:
            recipe["head"] = hashlib.sha256(Path(options.head).read_bytes()).hexdigest()
        if options.head_mesh is not None:
            profile = Path(options.head_mesh)
            recipe["head_mesh"] = hashlib.sha256(profile.read_bytes()).hexdigest()
        if options.predictor == "pixel3dmm" and options.models:
            files = sorted(Path(options.models).glob("*"))
            recipe["models"] = [(f.name, f.stat().st_size) for f in files if f.is_file()]
    except OSError as error:
        name = options.head if options.head_mesh is None else options.head_mesh
        raise OutputError(f"{name} cannot be read ({error.strerror}): check it.") from error
    return _hash(recipe)


def person_key(photo_hashes: Sequence[str], recipe: str) -> str:
    """Of one person's work."""
    return _hash({"photos": list(photo_hashes), "recipe": recipe})


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


class Ledger:
    """All of a folder's results*.jsonl, and the one of them that this run appends to."""

    def __init__(self, out: Path, shard: tuple[int, int] | None = None) -> None:
        name = "results.jsonl" if shard is None else f"results-{shard[0]}-of-{shard[1]}.jsonl"
        self._out, self._own = out, out / name
        self._read_to: dict[Path, int] = {}
        self._by_key: dict[str, list[Record]] = {}
        #: Keys that were settled by anybody since this run began.
        self._fresh: set[str] = set()
        self.refresh()
        self._fresh.clear()

    def refresh(self) -> None:
        """Takes in what other runs have appended. Raises OutputError."""
        try:
            for path in sorted(self._out.glob("results*.jsonl")):
                self._take_in(path)
        except OSError as error:
            raise OutputError(
                f"The results in {self._out} cannot be read ({error.strerror}): check the folder."
            ) from error

    def _take_in(self, path: Path) -> None:
        start = self._read_to.get(path, 0)
        with path.open("rb") as file:
            file.seek(start)
            for line in file:
                if not line.endswith(b"\n"):
                    break  # being written, or cut off: whoever appends next ends it
                start += len(line)
                self._add(line)
        self._read_to[path] = start

    def _add(self, line: bytes) -> None:
        try:
            records = json.loads(line)["photos"]
            key = records[0]["key"]
            kind = records[0]["status"]
        except (ValueError, LookupError, TypeError, RecursionError):
            return
        if isinstance(key, str) and kind in (DONE, FAILED):
            self._by_key[key] = records
            self._fresh.add(key)

    def records(self, key: str) -> list[Record] | None:
        """The last word on it, one record a photo."""
        return self._by_key.get(key)

    def is_done(self, key: str, folders: Sequence[str], exports: Sequence[str] = ()) -> bool:
        """True if the heads, and the exported files, lie where this plan wants them."""
        records = self._by_key.get(key)
        if records is None or len(records) != len(folders) or records[0]["status"] != DONE:
            return False
        for record, folder in zip(records, folders, strict=True):
            if record.get("folder") != folder or not set(exports) <= set(record.get("exports", ())):
                return False
            names = ("head.npz", "report.json", "contact.jpg", *exports)
            if not all((self._out / folder / name).is_file() for name in names):
                return False
        return True

    def failed_meanwhile(self, key: str) -> bool:
        """True if another run has tried it, since this one began, and did not succeed."""
        records = self._by_key.get(key)
        return key in self._fresh and records is not None and records[0]["status"] == FAILED

    def append(self, records: list[Record], wait_for_room: Callable[[], None]) -> None:
        """One person's records as one line, whole or to be passed over. Raises OutputError for
        anything but a full disk, which ``wait_for_room`` waits out.
        """
        data = json.dumps({"photos": records}, separators=(",", ":")).encode("ascii") + b"\n"
        while True:
            try:
                handle = os.open(self._own, _APPEND, 0o644)
                try:
                    begun = os.fstat(handle).st_size > 0
                    if begun:
                        os.lseek(handle, -1, os.SEEK_END)
                        begun = os.read(handle, 1) != b"\n"
                    whole = (b"\n" if begun else b"") + data
                    if os.write(handle, whole) == len(whole):
                        os.fsync(handle)
                        break
                finally:
                    os.close(handle)
            except OSError as error:
                if error.errno not in NO_ROOM:
                    raise OutputError(
                        f"{self._own} cannot be written ({error.strerror}): choose another folder."
                    ) from error
            wait_for_room()
        self._take_in(self._own)
