# SPDX-License-Identifier: GPL-3.0-or-later
"""The pipeline as a process of its own: jobs in, rigged heads out, as core.protocol says.

The main thread runs jobs; one thread reads messages, one sends heartbeats. A cancel reaches the
main thread as an interrupt, so that it takes effect at once and not at the next report of
progress. The process ends when its stdin does, whatever it is doing.
"""

from __future__ import annotations

import _thread
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from types import FrameType

from . import __version__
from .errors import Cancelled, PersonError, WorkerError
from .jobs.parameters import Parameters
from .jobs.table import JOBS, Job
from .protocol import (
    HEARTBEAT_SECONDS,
    PROTOCOL_VERSION,
    FrameDecoder,
    Message,
    check_hello,
    encode,
    message,
)

#: Seconds that an ending process gives its running job to stop by itself.
GRACE_SECONDS = 2.0
#: Progress is reported at most this often, unless the stage changes.
PROGRESS_SECONDS = 0.05
_READ_BYTES = 1 << 16

OUT_OF_MEMORY = "The computer ran out of memory: close other programs or use a smaller photo."


def main() -> int:
    """Serves on stdin and stdout; returns the exit code."""
    wire = os.dup(1)
    os.dup2(2, 1)
    return Worker(0, wire).serve()


def internal_error(error: Exception) -> str:
    """The sentence for a defect of ours, whose traceback is in the log."""
    return (
        f"Something went wrong inside Pixel3DMM: {type(error).__name__}; the log has the details."
    )


class Worker:
    """One connection, on the file descriptors of two pipes."""

    def __init__(self, source: int, wire: int, table: Mapping[str, Job] = JOBS) -> None:
        """table: the jobs that it knows, by their kind."""
        self._source = source
        self._table = table
        self._wire = wire
        self._send_lock = threading.Lock()
        self._jobs: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._state_lock = threading.Lock()
        self._waiting: set[str] = set()
        self._cancelled: set[str] = set()
        self._running: str | None = None
        #: True while the main thread may be interrupted: in a job, but not amid a message or
        #: while results get their names.
        self._interruptible = False
        self._nudged = False
        self._ending = threading.Event()
        self._exit_code = 0
        self._reported = ("", 0.0)

    def serve(self) -> int:
        """Until bye, the end of the stream, or a signal. Call in the main thread."""
        signal.signal(signal.SIGINT, self._on_interrupt)
        signal.signal(signal.SIGTERM, self._on_terminate)
        if hasattr(signal, "SIGBREAK"):
            signal.signal(signal.SIGBREAK, self._on_interrupt)
        self._send(
            message("hello", protocol=PROTOCOL_VERSION, version=__version__, pid=os.getpid())
        )
        threading.Thread(target=self._read, name="reader", daemon=True).start()
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()
        while not self._ending.is_set():
            try:
                # On Windows a signal does not wake a thread that waits without a limit.
                job = self._jobs.get(timeout=0.5)
            except queue.Empty:
                continue
            if job is not None and not self._ending.is_set():
                self._serve_job(job)
        self._send(message("bye"))
        return self._exit_code

    # The main thread.

    def _serve_job(self, job: Message) -> None:
        job_id = job["id"]
        self._reported = ("", 0.0)
        try:
            with self._state_lock:
                self._running = job_id
            try:
                self._interruptible = True
                self._stop_if_asked()
                answer = encode(self._run(job))
            finally:
                self._interruptible = False
        except Cancelled:
            answer = _failure(job_id, "cancelled", "Cancelled.")
        except PersonError as error:
            answer = _failure(job_id, error.code, str(error))
        except MemoryError:
            traceback.print_exc()
            answer = _failure(job_id, "memory", OUT_OF_MEMORY)
        except Exception as error:
            traceback.print_exc()
            answer = _failure(job_id, "internal", internal_error(error))
        with self._state_lock:
            self._running = None
            self._waiting.discard(job_id)
            self._cancelled.discard(job_id)
        self._write(answer)

    def _run(self, job: Message) -> Message:
        kind = job.get("kind")
        run = self._table.get(kind) if isinstance(kind, str) else None
        if run is None:
            raise WorkerError(f"The worker does not know jobs of kind {kind!r}.")
        fields = run(Parameters(job.get("params")), self._progress, self._point_of_no_return)
        return message("result", id=job["id"], **fields)

    def _progress(self, stage: str, fraction: float) -> None:
        """Reports to the parent. Raises Cancelled if the job is to end."""
        self._stop_if_asked()
        now = time.monotonic()
        if stage == self._reported[0] and now - self._reported[1] < PROGRESS_SECONDS:
            return
        self._reported = (stage, now)
        self._interruptible = False
        self._send(message("progress", id=self._running, stage=stage, fraction=float(fraction)))
        self._interruptible = True
        self._stop_if_asked()

    def _point_of_no_return(self) -> None:
        self._stop_if_asked()
        self._interruptible = False

    def _stop_if_asked(self) -> None:
        if self._ending.is_set() or self._running in self._cancelled:
            raise Cancelled

    def _on_interrupt(self, signum: int, frame: FrameType | None) -> None:
        """A signal from the parent, or our own reader's nudge (which may come after the job)."""
        if not self._nudged and self._running is not None:
            self._cancelled.add(self._running)
        self._nudged = False
        self._leave_job()

    def _on_terminate(self, signum: int, frame: FrameType | None) -> None:
        self._ending.set()
        self._jobs.put(None)
        self._leave_job()

    def _leave_job(self) -> None:
        if self._interruptible and (self._ending.is_set() or self._running in self._cancelled):
            # Once is enough: a second one would hit whoever handles the first.
            self._interruptible = False
            raise Cancelled

    # The reader.

    def _read(self) -> None:
        decoder = FrameDecoder()
        try:
            while data := os.read(self._source, _READ_BYTES):
                for msg in decoder.feed(data):
                    self._receive(msg)
        except WorkerError as error:
            self._send(message("error", id=None, code=error.code, message=str(error)))
            self._exit_code = 2
        except OSError:
            # Windows: the parent died and took its end of the pipe along.
            self._exit_code = 1
        finally:
            # Whatever it was (memory may have run out even here): who cannot hear has to end.
            self._end()

    def _receive(self, msg: Message) -> None:
        kind = msg["type"]
        if kind == "hello":
            check_hello(msg)
        elif kind == "bye":
            self._end()
        elif kind == "job":
            self._accept(msg)
        elif kind == "cancel":
            self._cancel(msg.get("id"))

    def _accept(self, msg: Message) -> None:
        job_id = msg.get("id")
        if not isinstance(job_id, str):
            raise WorkerError("The other process sent a job without an id.")
        with self._state_lock:
            if job_id in self._waiting:
                raise WorkerError(f"The other process sent two jobs with the id {job_id!r}.")
            self._waiting.add(job_id)
        self._jobs.put(msg)

    def _cancel(self, job_id: object) -> None:
        with self._state_lock:
            if job_id not in self._waiting:
                return
            self._cancelled.add(str(job_id))
            self._nudge(job_id == self._running)

    def _end(self) -> None:
        """Stops the main thread; if it does not follow in time, the whole process."""
        self._ending.set()
        self._jobs.put(None)
        with self._state_lock:
            self._nudge(self._running is not None)
        last_resort = threading.Timer(GRACE_SECONDS, os._exit, (self._exit_code or 1,))
        last_resort.daemon = True
        last_resort.start()

    def _nudge(self, wanted: bool) -> None:
        """Has the main thread run our interrupt handler at its next instruction."""
        if wanted:
            self._nudged = True
            _thread.interrupt_main()

    # Both, and the heartbeat.

    def _beat(self) -> None:
        beat = encode(message("heartbeat"))
        while not self._ending.wait(HEARTBEAT_SECONDS):
            self._write(beat)

    def _send(self, msg: Message) -> None:
        self._write(encode(msg))

    def _write(self, frame: bytes) -> None:
        """A parent that no longer reads is a parent that is gone: the process ends."""
        line = memoryview(frame)
        with self._send_lock:
            try:
                while line:
                    line = line[os.write(self._wire, line) :]
            except OSError:
                self._ending.set()


def _failure(job_id: str, code: str, sentence: str) -> bytes:
    return encode(message("error", id=job_id, code=code, message=sentence))


if __name__ == "__main__":
    sys.exit(main())
