# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a person on a mesh, as the command line and the worker's job write them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..files.png import encode_png
from ..reconstruct.outputs import Writer, write_together
from .person_file import save_person
from .send import Sent

PROFILE, PERSON, SKIN = "profile.npz", "person.npz", "skin.png"


def write_sent(
    done: Sent,
    out: Path,
    more: dict[str, bytes] | None = None,
    before_naming: Callable[[], None] = lambda: None,
) -> None:
    """profile.npz, person.npz, skin.png if there is one, and ``more`` by name; all or nothing.

    Raises OutputError.
    """
    contents = dict(more or {})
    if done.skin is not None:
        contents[SKIN] = encode_png(done.skin)
    writers: dict[Path, Writer] = {
        out / PROFILE: done.profile.save,
        out / PERSON: lambda path: save_person(done.person, path),
    }
    for name, data in contents.items():
        writers[out / name] = _bytes(data)
    write_together(writers, before_naming=before_naming)


def _bytes(data: bytes) -> Writer:
    return lambda path: path.write_bytes(data)
