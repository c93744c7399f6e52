# SPDX-License-Identifier: GPL-3.0-or-later
"""One input through one target, watched: nothing may be started, connected or written elsewhere."""

from __future__ import annotations

import os
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fuzz_targets import Target

CORPUS = Path(__file__).resolve().parent / "corpus"

#: What no reader of a file has any business with.
_FORBIDDEN = ("os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "subprocess.",
              "socket.", "ctypes.", "pickle.find_class", "shutil.chown", "os.chmod", "os.symlink",
              "os.link", "winreg.", "webbrowser.")  # fmt: skip
_folder: Path | None = None
_broken: list[str] = []
_hooked = False


def _watch(event: str, args: tuple[Any, ...]) -> None:
    if _folder is None:
        return
    if event.startswith(_FORBIDDEN):
        _broken.append(f"{event} {args!r}")
    elif event == "open" and isinstance(args[0], str | bytes) and args[2] is not None:
        writes = args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        path = Path(os.fsdecode(args[0]))
        if writes and not path.is_relative_to(_folder) and path.suffix != ".pyc":
            _broken.append(f"writes {path}")


def run(target: Target, data: bytes) -> None:
    """Raises whatever the target raises, and AssertionError for what a reader must not do."""
    global _folder, _hooked
    if not _hooked:
        sys.addaudithook(_watch)
        _hooked = True
    folder = Path(tempfile.mkdtemp(prefix="fuzz-", dir=_memory()))
    _broken.clear()
    _folder = folder
    try:
        target.run(data, folder)
    finally:
        _folder = None
        shutil.rmtree(folder)
    assert not _broken, _broken


def _memory() -> str | None:
    """A folder that is no disk, where there is one."""
    shared = os.path.join(os.sep, "dev", "shm")
    return shared if os.path.isdir(shared) else None


def kept(target: Target) -> list[Path]:
    """Inputs that broke a promise once."""
    return sorted((CORPUS / target.name).glob("*"))


def mutations(target: Target, seed: int = 0) -> Iterator[bytes]:
    """Seeds and kept inputs, then changes of them without end: bytes changed, cut, doubled, joined.

    No coverage guides it; the same every time.
    """
    rng = random.Random(f"{target.name} {seed}")
    pool = target.seeds() + [path.read_bytes() for path in kept(target)]
    yield from pool
    special = (b"\0", b"\xff", b"\x7f", b"\x80", b"\xff\xff\xff\xff", b"\0\0\0\0", b"9" * 40, b"-1")
    while True:
        data = bytearray(rng.choice(pool))
        for _ in range(1 + int(rng.expovariate(0.5))):
            at = rng.randrange(len(data) + 1)
            action = rng.randrange(6)
            if action == 0 and at < len(data):
                data[at] = rng.randrange(256)
            elif action == 1 and at < len(data):
                data[at] ^= 1 << rng.randrange(8)
            elif action == 2:
                piece = rng.choice(special)
                data[at : at + len(piece)] = piece
            elif action == 3:
                del data[at : at + rng.choice((1, 2, 4, 16, 200))]
            elif action == 4:
                data[at:at] = rng.randbytes(rng.choice((1, 2, 8, 32)))
            else:
                other = rng.choice(pool)
                start = rng.randrange(len(other) + 1)
                data[at:at] = other[start : start + rng.randrange(64)]
        yield bytes(data[: target.longest])
