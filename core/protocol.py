# SPDX-License-Identifier: GPL-3.0-or-later
"""How the worker and whoever started it talk: one JSON object a line, UTF-8, on pipes.

Both sides speak through :func:`encode` and :class:`FrameDecoder`. The worker reads its stdin
and writes what was stdout; its own stdout is turned to stderr, so that a stray print cannot
break a frame. stderr is the log and must be drained.

Every message has a ``type``; unknown fields and unknown types are ignored. Paths are absolute.

=========  ===========  ==========================================================================
type       from         fields
=========  ===========  ==========================================================================
hello      worker       protocol (int), version (str), pid (int): the first message, once
hello      parent       protocol: optional; the worker ends with an error if it speaks another
job        parent       id (str, unique), kind (below), params (object, below)
progress   worker       id, stage (str, words for an artist), fraction (0..1 of the whole job)
result     worker       id, and the fields below; the last message of a job
error      worker       id (None: no job in particular), code, message (one sentence for a person);
                        the last message of a job. code is that of core.errors, or "cancelled",
                        "memory" or "internal" (the log has the traceback)
cancel     parent       id: answered by error "cancelled", or by result if it came too late
heartbeat  worker       each second while it lives, also during a job
bye        parent       finish: the running job is cancelled, queued ones are dropped
bye        worker       the last message before it exits by itself
=========  ===========  ==========================================================================

The worker stays and serves jobs one after the other, in the order they came; networks and head
models stay loaded. It ends at "bye", when its stdin is closed (so it never outlives its parent),
and at SIGTERM. SIGINT (CTRL_BREAK on Windows) cancels the running job; an idle worker stays.

``reconstruct``: params {"photos": [.npz of core.photos.photo.Photo.save], "options": {fields of
core.pipeline.Options, all optional}, "out": an existing folder}. result {"heads": [.npz of
core.rigged_head.RiggedHead, one a photo, in the photos' order], "seconds": float,
"warnings": [sentences]}. Files appear in "out" under their final names only when they are
complete; a job that did not end in a result leaves none.

``person_files``: all files of one person from picture files, see :mod:`core.jobs.person_files`.

``warm``: loads what a first job would have to load. params and result have no fields.

``refit``: a head's fit goes on under pins or with further photos, see :mod:`core.jobs.refit`.

``look``: finds the faces of one photo and makes no head, see :mod:`core.jobs.look`.

``install_runtime``, ``remove_runtime``, ``check_python``, ``import_models``: the neural tier is
set up, see :mod:`core.jobs.setup`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from .errors import WorkerError

PROTOCOL_VERSION = 1

#: Bytes of the longest line, its newline included. A peer that sends more is broken.
MAX_LINE = 1 << 21

HEARTBEAT_SECONDS = 1.0

Message = dict[str, Any]


def message(type_: str, **fields: object) -> Message:
    """A message of a type of the table above."""
    return {"type": type_, **fields}


def encode(msg: Mapping[str, Any]) -> bytes:
    """One line. Raises WorkerError if it is too long or no JSON (nan and inf are none)."""
    try:
        line = json.dumps(msg, allow_nan=False, separators=(",", ":")).encode("ascii") + b"\n"
    except (TypeError, ValueError, RecursionError) as error:
        raise WorkerError(f"A message cannot be put on the wire: {error}.") from error
    if len(line) > MAX_LINE:
        raise WorkerError(f"A message of {len(line)} bytes is longer than the line allows.")
    return line


class FrameDecoder:
    """Bytes in any portions to messages. Holds at most one unfinished line."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """The messages that ``data`` completes.

        Raises WorkerError for what is no message; after that the peer is to be given up.
        """
        *lines, rest = data.split(b"\n")
        if lines:
            lines[0] = bytes(self._rest) + lines[0]
            self._rest.clear()
        self._rest += rest
        if len(self._rest) >= MAX_LINE or any(len(line) >= MAX_LINE for line in lines):
            raise WorkerError(f"The other process sent a line of more than {MAX_LINE} bytes.")
        return [_decode(line) for line in lines if line.strip()]

    @property
    def unfinished(self) -> bool:
        """True if the peer, should it have ended, stopped in the middle of a line."""
        return bool(self._rest)


def _decode(line: bytes) -> Message:
    try:
        value = json.loads(line.decode("utf-8"), parse_constant=_refuse_constant)
    # RecursionError: brackets nested beyond the parser's depth.
    except (ValueError, RecursionError) as error:
        raise WorkerError("The other process sent a line that is no message.") from error
    if not isinstance(value, dict) or not isinstance(value.get("type"), str):
        raise WorkerError("The other process sent a line that is no message.")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def check_hello(msg: Mapping[str, Any]) -> None:
    """Raises WorkerError unless ``msg`` is a hello of our protocol."""
    if msg.get("type") != "hello":
        raise WorkerError("The other process did not introduce itself with a hello.")
    if msg.get("protocol") != PROTOCOL_VERSION:
        raise WorkerError(
            f"The worker process speaks protocol {msg.get('protocol')!r} and not "
            f"{PROTOCOL_VERSION}: restart Blender so that both sides are of one version."
        )


#: For the environment of a worker without torch. A second thread of OpenBLAS takes a core and saves
#: no time on matrices of a face's size. glibc's malloc keeps what threads gave back, a third of the
#: worker's memory: so told it keeps one pool, and gives large arrays back to the system. Other
#: systems ignore that; torch is a fifth slower by it.
WORKER_VARIABLES = {
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "4000000",
    "MALLOC_TRIM_THRESHOLD_": "64000000",
}


def worker_command(python: str, *, isolated: bool = True) -> list[str]:
    """The command line that starts the worker with an interpreter that has numpy.

    The interpreter runs isolated (no environment variables, no user site, no current folder),
    and is told where this package lies, whatever the package is called in this process. Where it
    is not isolated it finds the packages that this process finds, but for a current folder.
    """
    package = Path(__file__).resolve().parent
    bootstrap = (
        "import importlib, sys; sys.path.insert(0, sys.argv[1]); "
        "sys.exit(importlib.import_module(sys.argv[2] + '.worker').main())"
    )
    return [python, "-I" if isolated else "-P", "-c", bootstrap, str(package.parent), package.name]
