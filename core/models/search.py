# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a file, a folder or a zip may be a FLAME model or a Pixel3DMM checkpoint.

A zip is unpacked file by file under new names into a folder of ours, so that no path inside it
decides where anything is written; links are left out.
"""

from __future__ import annotations

import shutil
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from ..errors import ModelFileError
from ..files.atomic_write import require_room
from ..files.npz import DAMAGE
from .folder import is_checkpoint

KINDS = (".ckpt", ".pkl", ".npz", ".tar")
#: What a FLAME head or a neural head is imported with, if it lies beside it.
BESIDE = ("head_template.obj", "anchors_65.npy", "anchors_39.npy", "configs.yaml")
#: A folder that holds more files than this was chosen by mistake.
MOST_FILES = 20_000
#: The largest checkpoint with its optimiser's state has 2.2 GB; what says it is larger is no model.
LARGEST = 4 << 30


@contextmanager
def candidates(source: Path, scratch: Path) -> Iterator[list[Path]]:
    """Files that may be models, in the order of their names. ``scratch``: an empty folder.

    Raises ModelFileError with one sentence if there is none.
    """
    if source.is_dir():
        found = _in_folder(source)
        if not found:
            raise ModelFileError(
                f"There is no .ckpt, .tar, .pkl or .npz file in {source.name}: choose the folder "
                "that has the model's files."
            )
        yield found
    elif not source.is_file():
        raise ModelFileError(f"There is no file {source}: choose a model's file or folder.")
    elif source.suffix.lower() == ".zip" and not is_checkpoint(source):
        found = _unpacked(source, scratch)
        if not found:
            raise ModelFileError(f"There is no .ckpt, .tar, .pkl or .npz file in {source.name}.")
        try:
            yield found
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    else:
        yield [source]


def _in_folder(folder: Path) -> list[Path]:
    found = []
    for count, path in enumerate(sorted(folder.rglob("*"))):
        if count > MOST_FILES:
            raise ModelFileError(
                f"{folder.name} holds more than {MOST_FILES} files: choose a smaller folder."
            )
        if path.suffix.lower() in KINDS and path.is_file():
            found.append(path)
    return found


def _unpacked(source: Path, scratch: Path) -> list[Path]:
    found = []
    try:
        with zipfile.ZipFile(source) as archive:
            members = [m for m in archive.infolist() if _wanted(m)]
            size = sum(m.file_size for m in members)
            if size > LARGEST:
                raise ModelFileError(f"{source.name} unpacks to more than any model has: refused.")
            require_room(scratch, size, "the unpacked models")
            for number, member in enumerate(members):
                name = _place(member).name
                # Beside its template, apart from everything else of the same name.
                folder = scratch / str(_folder_number(members, number))
                folder.mkdir(exist_ok=True)
                with archive.open(member) as stream, (folder / name).open("wb") as out:
                    _copy(stream, out, member.file_size, source.name)
                if Path(name).suffix.lower() in KINDS:
                    found.append(folder / name)
    except OSError as error:  # a name that this system cannot write, or no room left
        raise ModelFileError(
            f"{source.name} cannot be unpacked ({error.strerror or error}): unpack it yourself "
            "and choose the folder."
        ) from error
    except DAMAGE as error:
        raise ModelFileError(
            f"{source.name} is damaged or protected by a password: fetch it again."
        ) from error
    return found


def _wanted(member: zipfile.ZipInfo) -> bool:
    name = _place(member).name
    regular = not member.is_dir() and not stat.S_ISLNK(member.external_attr >> 16)
    return regular and (Path(name).suffix.lower() in KINDS or name in BESIDE)


def _folder_number(members: list[zipfile.ZipInfo], number: int) -> int:
    """The first member that lies in the same folder of the zip."""
    parent = _place(members[number]).parent
    return next(i for i, m in enumerate(members) if _place(m).parent == parent)


def _place(member: zipfile.ZipInfo) -> PurePosixPath:
    """Where it says it lies; some programs write Windows' separators."""
    return PurePosixPath(member.filename.replace("\\", "/"))


def _copy(stream: IO[bytes], out: IO[bytes], size: int, name: str) -> None:
    """No more than the zip said: a bomb says little and unpacks to much."""
    left = size
    while chunk := stream.read(min(1 << 20, left + 1)):
        left -= len(chunk)
        if left < 0:
            raise ModelFileError(f"{name} unpacks to more than it says: refused.")
        out.write(chunk)
