# SPDX-License-Identifier: GPL-3.0-or-later
"""Which photos show whom, and where each one's files go: from a folder, a list, or a table.

A folder is searched with all that is below it. Its photos are grouped by ``people``:

* ``folders``: all photos of one sub-folder are one person; those right in the folder one each;
* ``each``: every photo is a person of its own;
* a pattern of file names such as ``{person}_*``: what stands at {person} names the person, ``*`` is
  anything; a photo whose name does not fit is a person of its own, and that is said.

A .txt has a path a line, grouped alike. A .csv has a header with ``photo``, and ``person`` where
several photos show one; paths start at the file's own folder.
"""

from __future__ import annotations

import csv
import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from ..errors import PersonError

FOLDERS, EACH, NAME = "folders", "each", "{person}"
SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".png", ".tif", ".tiff", ".webp", ".bmp"},
)
#: Bytes of a list or table; a hundred thousand paths.
_LONGEST_LIST = 50_000_000
#: Characters that no system allows in a folder's name, or that mean something in a path.
_UNSAFE = re.compile(r'[<>:"/\\|?*\x00-\x1f]')


@dataclass(frozen=True)
class PersonPhotos:
    """One person: photos, and as many folders below the results' in the photos' order.

    name: unique in the plan, and a folder's name.
    """

    name: str
    photos: tuple[Path, ...]
    folders: tuple[PurePath, ...]


@dataclass(frozen=True)
class Plan:
    """Everybody, in the order of their names, and sentences on what was left out or guessed."""

    people: tuple[PersonPhotos, ...]
    notes: tuple[str, ...] = ()

    @property
    def photo_count(self) -> int:
        """Of all people together."""
        return sum(len(person.photos) for person in self.people)

    def shard(self, index: int, count: int) -> Plan:
        """The part of machine ``index`` (from 1) of ``count``; the parts share nothing and are the
        same on every machine, also when photos were added meanwhile.
        """
        mine = [p for p in self.people if _number(p.name) % count == index - 1]
        return Plan(tuple(mine), self.notes)


def plan_people(source: Path, people: str = FOLDERS, *, out: Path | None = None) -> Plan:
    """Who is in ``source``, a folder, .txt or .csv. out: a folder that is not searched, since the
    results may lie below the photos. Raises PersonError.
    """
    if people not in (FOLDERS, EACH) and people.count(NAME) != 1:
        raise PersonError(
            f"People are grouped by {FOLDERS}, by {EACH} photo, or by a pattern with {NAME} in it "
            f"such as {NAME}_*: {people!r} is neither."
        )
    notes: list[str] = []
    if source.suffix.lower() == ".csv" and not source.is_dir():
        groups = _from_table(source)
    else:
        base, photos = _from_folder(source, out) if source.is_dir() else _from_list(source)
        groups, notes = _grouped(base, photos, people)
    if not groups:
        raise PersonError(f"There is no photo in {source}: JPEG, PNG, TIFF, WebP and BMP are read.")
    return Plan(_with_folders(groups), tuple(notes))


def unique_names(names: Sequence[str]) -> list[str]:
    """The names, later ones of the same name counting up; a and A are one folder on some disks."""
    taken: set[str] = set()
    out = []
    for wanted in names:
        name, n = wanted, 1
        while name.casefold() in taken:
            n += 1
            name = f"{wanted}-{n}"
        taken.add(name.casefold())
        out.append(name)
    return out


def _with_folders(groups: list[tuple[str, list[Path]]]) -> tuple[PersonPhotos, ...]:
    names = unique_names([_folder_name(name) for name, _ in groups])
    people = []
    for name, (_, photos) in zip(names, groups, strict=True):
        if len(photos) == 1:
            folders = [PurePath(name)]
        else:
            stems = unique_names([_folder_name(path.stem) for path in photos])
            folders = [PurePath(name, stem) for stem in stems]
        people.append(PersonPhotos(name, tuple(photos), tuple(folders)))
    return tuple(people)


def _folder_name(name: str) -> str:
    """A name that every system takes."""
    return _UNSAFE.sub("-", name).strip(". ")[:120] or "person"


def _grouped(
    base: Path, photos: list[Path], people: str
) -> tuple[list[tuple[str, list[Path]]], list[str]]:
    pattern = None if people in (FOLDERS, EACH) else _pattern(people)
    groups: dict[tuple[str, str], list[Path]] = {}
    unlike = 0
    for path in photos:
        above = path.relative_to(base).parent if path.is_relative_to(base) else Path()
        key = ("photo", str(path))
        if pattern is not None:
            found = pattern.fullmatch(path.name) or pattern.fullmatch(path.stem)
            unlike += found is None
            if found is not None:
                key = ("person", str(above / found["person"]))
        elif people == FOLDERS and above != Path():
            key = ("person", str(above))
        groups.setdefault(key, []).append(path)
    named = [(n if kind == "person" else g[0].stem, g) for (kind, n), g in groups.items()]
    notes = []
    if unlike:
        notes.append(
            f"{unlike} of {len(photos)} names do not fit {people}: each of these photos is a "
            "person of its own."
        )
    return sorted(named, key=lambda group: (group[0].casefold(), str(group[1][0]))), notes


def _pattern(people: str) -> re.Pattern[str]:
    """The person's name is as short as the rest of the pattern lets it be."""
    parts = re.split(r"(\{person\}|\*|\?)", people)
    special = {NAME: "(?P<person>.+?)", "*": ".*", "?": "."}
    return re.compile("".join(special.get(p, re.escape(p)) for p in parts), re.IGNORECASE)


def _from_folder(folder: Path, out: Path | None) -> tuple[Path, list[Path]]:
    folder = folder.resolve()
    skipped = None if out is None else out.resolve()
    photos = []
    for where, below, names in os.walk(folder):
        if skipped is not None and skipped != folder:
            below[:] = [name for name in below if Path(where, name) != skipped]
        below[:] = sorted(name for name in below if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES:
                photos.append(Path(where, name))
    return folder, photos


def _from_list(path: Path) -> tuple[Path, list[Path]]:
    base = path.resolve().parent
    lines = (line.strip() for line in _text(path).splitlines())
    photos = [base / line for line in lines if line and not line.startswith("#")]
    return base, list(dict.fromkeys(photos))


def _from_table(path: Path) -> list[tuple[str, list[Path]]]:
    base = path.resolve().parent
    rows = csv.DictReader(_text(path).splitlines())
    if "photo" not in (rows.fieldnames or ()):
        raise PersonError(f"{path.name} has no column photo: name it in the first line.")
    groups: dict[tuple[str, str], list[Path]] = {}
    for row in rows:
        photo, person = ((row.get(name) or "").strip() for name in ("photo", "person"))
        if photo:
            key = ("person", person) if person else ("photo", photo)
            groups.setdefault(key, []).append(base / photo)
    return [(n if kind == "person" else Path(n).stem, g) for (kind, n), g in groups.items()]


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _LONGEST_LIST:
            raise PersonError(f"{path.name} is too long for a list of photos: split it.")
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise PersonError(f"{path} does not exist: check the path.") from None
    except UnicodeDecodeError:
        raise PersonError(
            f"{path.name} is no list of photos: use a folder, a .txt with a path a line, or a .csv "
            "with a column photo."
        ) from None
    except OSError as error:
        raise PersonError(f"{path} cannot be read ({error.strerror}): check it.") from error
    if "\0" in text:
        raise PersonError(f"{path.name} is no list of photos: it holds null characters.")
    return text


def _number(name: str) -> int:
    """The same on every machine."""
    return int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:8], "big")
