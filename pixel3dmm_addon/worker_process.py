# SPDX-License-Identifier: GPL-3.0-or-later
"""One child process: its command line, environment, pipes, log and end. Knows no bpy.

Two daemon threads read the pipes and touch nothing but a queue and a log file, so that neither
a silent nor a chatty child can block whoever asks.
"""

from __future__ import annotations

import logging
import logging.handlers
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..core import protocol
from ..core.errors import WorkerError

#: More threads than this only wait for each other in matrices of the size of a face.
MAX_THREADS = 4

_LOG_BYTES = 1_000_000


def find_python() -> str:
    """The interpreter to run the worker with: the one that Blender itself brought.

    ``sys.executable`` is that interpreter in Blender and in the bpy module. Where a build of
    Blender names its own binary there, the interpreter is looked for beneath ``sys.prefix``.
    Raises WorkerError if there is none.
    """
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    names = ("python.exe",) if os.name == "nt" else (version, "python3", "python")
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


def clean_environment() -> dict[str, str]:
    """The child's environment: ours without what would lead another Python astray."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    env["PYTHONNOUSERSITE"] = "1"
    threads = str(min(os.cpu_count() or 1, MAX_THREADS))
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        env.setdefault(name, threads)
    return env


class WorkerProcess:
    """A started worker. Construction raises WorkerError if it cannot be started at all."""

    def __init__(self, command: Sequence[str], log_path: Path) -> None:
        self._messages: queue.SimpleQueue[protocol.Message | WorkerError | None]
        self._messages = queue.SimpleQueue()
        #: When the child was last heard of, by time.monotonic().
        self.heard = time.monotonic()
        self._log = _open_log(log_path)
        flags = 0
        if os.name == "nt":
            flags = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
        try:
            self._popen = subprocess.Popen(
                list(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=clean_environment(),
                creationflags=flags,
                # A Ctrl-C in the terminal that Blender was started from is not the worker's.
                start_new_session=os.name != "nt",
            )
        except OSError as error:
            self._log.close()
            raise WorkerError(
                f"The reconstruction process cannot be started: {error.strerror or error}."
            ) from error
        for target in (self._read_messages, self._drain_log):
            threading.Thread(target=target, daemon=True, name="pixel3dmm-pipe").start()

    @property
    def pid(self) -> int:
        """Process id."""
        return self._popen.pid

    @property
    def exit_code(self) -> int | None:
        """None while the process lives; negative numbers are signals."""
        return self._popen.poll()

    def send(self, msg: protocol.Message) -> None:
        """Raises WorkerError if the process no longer listens."""
        assert self._popen.stdin is not None
        try:
            self._popen.stdin.write(protocol.encode(msg))
            self._popen.stdin.flush()
        except (OSError, ValueError) as error:  # ValueError: our end is closed already
            raise WorkerError("The reconstruction process no longer listens.") from error

    def messages(self, wait: float = 0.0) -> Iterator[protocol.Message]:
        """What has come since; waits up to ``wait`` seconds for the first message.

        Raises WorkerError for a broken frame. Ends quietly when the process has ended.
        """
        while True:
            try:
                item = self._messages.get(timeout=wait) if wait else self._messages.get_nowait()
            except queue.Empty:
                return
            wait = 0.0
            if item is None:
                return
            if isinstance(item, WorkerError):
                raise item
            yield item

    def interrupt(self) -> None:
        """Ctrl-C, or what Windows has for it; a process that cannot be reached stays as it is."""
        number = signal.CTRL_BREAK_EVENT if os.name == "nt" else signal.SIGINT
        try:
            self._popen.send_signal(number)
        except OSError:
            # Windows cannot reach a process without a shared console: the kill comes next.
            self._write_log("interrupt did not reach the process")

    def kill(self) -> None:
        """Ends the process at once and collects it."""
        self._popen.kill()
        self._popen.wait()

    def close(self, patience: float = 2.0) -> None:
        """Asks the process to end, closes its stdin, and kills it after ``patience`` seconds."""
        if self.exit_code is None:
            try:
                self.send(protocol.message("bye"))
            except WorkerError:
                self._write_log("the process had closed its stdin")
        assert self._popen.stdin is not None
        try:
            self._popen.stdin.close()
        except OSError:
            self._write_log("the pipe to the process was broken")
        try:
            self._popen.wait(patience)
        except subprocess.TimeoutExpired:
            self.kill()

    def _read_messages(self) -> None:
        stream: Any = self._popen.stdout
        decoder = protocol.FrameDecoder()
        try:
            while data := stream.read1(1 << 16):
                self.heard = time.monotonic()
                for msg in decoder.feed(data):
                    self._messages.put(msg)
        except WorkerError as error:
            self._messages.put(error)
        finally:
            self._messages.put(None)
            stream.close()

    def _drain_log(self) -> None:
        stream: Any = self._popen.stderr
        for line in stream:
            self._write_log(line.decode("utf-8", "replace").rstrip())
        stream.close()
        self._log.close()

    def _write_log(self, text: str) -> None:
        record = logging.LogRecord("worker", logging.INFO, "", 0, text, None, None)
        self._log.handle(record)


def _open_log(path: Path) -> logging.handlers.RotatingFileHandler:
    """Two files of at most a megabyte. Raises WorkerError if they cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = logging.handlers.RotatingFileHandler(
            path, maxBytes=_LOG_BYTES, backupCount=1, encoding="utf-8", delay=False
        )
    except OSError as error:
        raise WorkerError(
            f"The log file {path} cannot be written: {error.strerror or error}."
        ) from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    return handler
