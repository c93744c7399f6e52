# SPDX-License-Identifier: GPL-3.0-or-later
"""One child process: its command line, environment, pipes, log and end. Knows no bpy.

Whoever asks is never blocked by the child, be it silent, chatty, stopped or deaf: daemon threads
feed its stdin, read its pipes and collect it, and touch nothing but two queues and a log file. What
they hold of it is bounded, however much it says.
"""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...core import protocol
from ...core.errors import WorkerError
from ...core.jobs.diagnostics import masked, user_name

LOG = logging.getLogger("pixel3dmm")

#: More threads than this only wait for each other in matrices of the size of a face.
MAX_THREADS = 4

_LOG_BYTES = 1_000_000
#: Bytes of a longer line of the log are a line of their own, so that none has to be held whole.
_LOG_LINE = 1 << 14
_READ_BYTES = 1 << 16
#: Whose names are kept out of the log.
_WHOSE = (str(Path.home()), user_name())
#: Messages that wait to be taken in; a child that says more waits as well.
_MOST_WAITING = 256
#: Seconds that the pipes of a child that ended may take to end, too: a child of its own that lives
#: on holds them open.
_LAST_WORDS = 1.0


if sys.platform == "win32":
    _INTERRUPT = signal.CTRL_BREAK_EVENT
else:
    _INTERRUPT = signal.SIGINT


def find_python() -> str:
    """The interpreter to run the worker with: the one that Blender itself brought.

    ``sys.executable`` is that interpreter in Blender and in the bpy module. Where a build of
    Blender names its own binary there, the interpreter is looked for beneath ``sys.prefix``.
    Raises WorkerError if there is none.
    """
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    names = ("python.exe",) if sys.platform == "win32" else (version, "python3", "python")
    candidates = [Path(sys.executable)] if sys.executable else []
    for prefix in dict.fromkeys((sys.prefix, sys.exec_prefix, sys.base_prefix)):
        candidates += [Path(prefix, folder, name) for folder in ("bin", "") for name in names]
    for path in candidates:
        if path.name.lower().startswith("python") and path.is_file():
            return str(path)
    raise WorkerError(
        f"Blender's Python interpreter was not found under {sys.prefix}: "
        "install Blender from blender.org or from your system's packages."
    )


def clean_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """The child's environment: ours without what would lead another Python astray, and variables
    that are not set otherwise.
    """
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    env["PYTHONNOUSERSITE"] = "1"
    env = {**variables, **env}
    threads = str(min(os.cpu_count() or 1, MAX_THREADS))
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        env.setdefault(name, threads)
    return env


class WorkerProcess:
    """A started worker. Construction raises WorkerError if it cannot be started at all."""

    def __init__(
        self, command: Sequence[str], log_path: Path, variables: Mapping[str, str]
    ) -> None:
        self._messages: queue.Queue[protocol.Message | WorkerError] = queue.Queue(_MOST_WAITING)
        self._outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        #: When the child was last heard of, by time.monotonic().
        self.heard = time.monotonic()
        self._deaf_since = self._ended_at = float("inf")
        self._all_read, self._ended = threading.Event(), threading.Event()
        self._given_up = threading.Event()
        self._log = _open_log(log_path)
        self._log_lock = threading.Lock()
        self._log_open = True
        flags = 0
        if sys.platform == "win32":
            flags = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
        try:
            self._popen = subprocess.Popen(
                list(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=clean_environment(variables),
                creationflags=flags,
                # A Ctrl-C in the terminal that Blender was started from is not the worker's.
                start_new_session=sys.platform != "win32",
            )
        except OSError as error:
            self._log.close()
            raise WorkerError(
                f"The reconstruction process cannot be started: {error.strerror or error}."
            ) from error
        for target in (self._feed, self._read_messages, self._drain_log, self._collect):
            threading.Thread(target=target, daemon=True, name="pixel3dmm-pipe").start()

    @property
    def pid(self) -> int:
        """Process id."""
        return self._popen.pid

    @property
    def exit_code(self) -> int | None:
        """None while the process lives; negative numbers are signals."""
        return self._popen.returncode

    @property
    def gone(self) -> bool:
        """True when the process has ended and all that it said was taken in."""
        over = self._all_read.is_set() or time.monotonic() - self._ended_at > _LAST_WORDS
        return self._ended.is_set() and over and self._messages.empty()

    @property
    def deaf(self) -> bool:
        """True for a process that lives and has closed its stdin."""
        return not self._ended.is_set() and time.monotonic() - self._deaf_since > _LAST_WORDS

    def send(self, msg: protocol.Message) -> None:
        """Hands a message on and waits for nothing.

        Raises WorkerError if it is none, or the process is known to listen no longer.
        """
        frame = protocol.encode(msg)
        if self._ended.is_set() or self._deaf_since < float("inf"):
            raise WorkerError("The reconstruction process no longer listens.")
        self._outbox.put(frame)

    def messages(self, wait: float = 0.0) -> Iterator[protocol.Message]:
        """What has come since, but no heartbeats, and not more than can wait at once; waits up to
        ``wait`` seconds for the first message.

        Raises WorkerError for a broken frame. Ends quietly when the process has ended.
        """
        for _ in range(_MOST_WAITING):
            try:
                item = self._messages.get(timeout=wait) if wait else self._messages.get_nowait()
            except queue.Empty:
                return
            wait = 0.0
            if isinstance(item, WorkerError):
                raise item
            yield item

    def interrupt(self) -> None:
        """Ctrl-C, or what Windows has for it; a process that cannot be reached stays as it is."""
        try:
            self._popen.send_signal(_INTERRUPT)
        except OSError:
            # Windows cannot reach a process without a shared console: the kill comes next.
            self._write_log("interrupt did not reach the process")

    def kill(self) -> None:
        """Ends the process at once; its end is waited for by a thread of ours."""
        self._given_up.set()
        self._popen.kill()
        self._outbox.put(None)

    def close(self, patience: float = 2.0) -> None:
        """Asks the process to end, closes its stdin, and kills it after ``patience`` seconds."""
        self._outbox.put(protocol.encode(protocol.message("bye")))
        self._outbox.put(None)
        self._given_up.set()
        if not self._ended.wait(patience):
            self.kill()
            self._ended.wait(patience)

    def _feed(self) -> None:
        stream: Any = self._popen.stdin
        try:
            while (frame := self._outbox.get()) is not None:
                stream.write(frame)
                stream.flush()
        except OSError:
            self._deaf_since = time.monotonic()
        try:
            stream.close()
        except OSError:
            self._write_log("the pipe to the process was broken")

    def _read_messages(self) -> None:
        stream: Any = self._popen.stdout
        decoder = protocol.FrameDecoder()
        try:
            while data := stream.read1(_READ_BYTES):
                self.heard = time.monotonic()
                for msg in decoder.feed(data):
                    if msg["type"] != "heartbeat":
                        self._deliver(msg)
        except WorkerError as error:
            self._deliver(error)
        finally:
            self._all_read.set()
            stream.close()

    def _deliver(self, item: protocol.Message | WorkerError) -> None:
        while not self._given_up.is_set():
            try:
                return self._messages.put(item, timeout=0.5)
            except queue.Full:
                continue

    def _drain_log(self) -> None:
        stream: Any = self._popen.stderr
        while line := stream.readline(_LOG_LINE):
            self._write_log(line.decode("utf-8", "replace").rstrip())
        stream.close()
        with self._log_lock:
            self._log_open = False
            self._log.close()

    def _collect(self) -> None:
        self._popen.wait()
        self._ended_at = time.monotonic()
        self._ended.set()

    def _write_log(self, text: str) -> None:
        text = masked(text, *_WHOSE)
        record = logging.LogRecord("worker", logging.INFO, "", 0, text, None, None)
        with self._log_lock:
            # A handler that was closed would open its file again.
            if self._log_open:
                self._log.handle(record)


def _open_log(path: Path) -> logging.Handler:
    """Two files of at most a megabyte; where they cannot be written, nothing: a head is worth more
    than its log.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = logging.handlers.RotatingFileHandler(
            path, maxBytes=_LOG_BYTES, backupCount=1, encoding="utf-8", delay=False
        )
    except OSError as error:
        LOG.warning("No log: %s cannot be written (%s)", path, error.strerror or error)
        return logging.NullHandler()
    with contextlib.suppress(OSError):  # a drive that knows no permissions
        path.chmod(0o600)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    handler.rotator = _rotate
    return handler


def _rotate(source: str, target: str) -> None:
    """Windows does not let a file be renamed that another Blender writes to: it then grows on."""
    with contextlib.suppress(PermissionError):
        os.replace(source, target)
