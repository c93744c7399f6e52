# SPDX-License-Identifier: GPL-3.0-or-later
"""Several worker processes that speak core.protocol, each with one task at a time.

A worker that crashes, hangs or falls silent is killed and costs its own task alone; the next task
gets a new process. A worker is replaced after a number of tasks, and when it has grown, so that
memory stays flat. Whoever asks is never blocked: threads read the pipes and touch one queue.
"""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ..errors import WorkerError
from ..protocol import FrameDecoder, Message, encode, message

#: Seconds without a heartbeat after which a worker counts as hung, also while it starts.
SILENCE_SECONDS, START_SECONDS = 30.0, 120.0
#: Tasks after which, and megabytes at its peak beyond which, a worker is replaced.
RECYCLE_TASKS, RECYCLE_MB = 200, 2500.0
#: Seconds that workers get to end by themselves.
PATIENCE = 5.0
_READ_BYTES = 1 << 16

#: How a worker's first message begins.
_HELLO = encode(message("hello"))[:-2]

CRASHED, HUNG = "crashed", "hung"


@dataclass(frozen=True)
class Task:
    """One job of the worker. id: whatever the asker knows it by; seconds: from when it hangs."""

    id: Any
    kind: str
    params: Mapping[str, Any]
    seconds: float


@dataclass(frozen=True)
class Outcome:
    """How a task ended: with a result, or with a code and a sentence. code: of core.errors,
    "memory", "internal", CRASHED or HUNG.
    """

    task: Task
    result: Message | None
    code: str = ""
    sentence: str = ""


class _Member:
    """One process. Construction raises WorkerError if it cannot be started."""

    def __init__(
        self,
        number: int,
        command: Sequence[str],
        log: Path,
        variables: Mapping[str, str],
        inbox: queue.SimpleQueue[tuple[_Member, Message | None]],
    ) -> None:
        self.number, self.log = number, log
        self.task: Task | None = None
        self.started = self.heard = time.monotonic()
        self.greeted = False
        self.tasks_done = 0
        self.peak_mb = 0.0
        environment = {**variables, **os.environ}
        options: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            flags = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
            options = {"creationflags": flags}
        try:
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("wb") as stderr:
                self._popen = subprocess.Popen(
                    list(command),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=stderr,
                    env=environment,
                    **options,  # a Ctrl-C in the terminal is not the worker's
                )
        except OSError as error:
            raise WorkerError(
                f"A worker cannot be started ({error.strerror or error}): check {command[0]}."
            ) from error
        self._inbox = inbox
        threading.Thread(target=self._read, daemon=True, name=f"crew-{number}").start()

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def exit_code(self) -> int | None:
        return self._popen.poll()

    def send(self, msg: Message) -> bool:
        """False if nobody listens. A message fits into the pipe, so that this does not block."""
        stream: IO[bytes] | None = self._popen.stdin
        try:
            assert stream is not None
            stream.write(encode(msg))
            stream.flush()
        except (OSError, ValueError):
            return False
        return True

    def let_go(self) -> None:
        """Asks it to end, by a word and by the end of its stdin."""
        self.send(message("bye"))
        with contextlib.suppress(OSError):
            if self._popen.stdin is not None:
                self._popen.stdin.close()

    def end(self, patience: float) -> None:
        """Waits for its end, and makes one."""
        try:
            self._popen.wait(patience)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()

    def _read(self) -> None:
        stream, decoder = self._popen.stdout, FrameDecoder()
        assert stream is not None
        try:
            head: bytearray | None = bytearray()
            while data := os.read(stream.fileno(), _READ_BYTES):
                self.heard = time.monotonic()
                if head is not None:
                    # Blender says its version on stdout before any script is run.
                    head += data
                    start = head.find(_HELLO)
                    if start < 0:
                        del head[:-_READ_BYTES]
                        continue
                    data, head = bytes(head[start:]), None
                for msg in decoder.feed(data):
                    if msg["type"] != "heartbeat":
                        self._inbox.put((self, msg))
        except (OSError, WorkerError):
            self._popen.kill()
        finally:
            stream.close()
            self._inbox.put((self, None))


class Crew:
    """``with Crew(...) as crew``: at its end no process is left."""

    def __init__(
        self,
        command: Sequence[str],
        count: int,
        logs: Path,
        variables: Mapping[str, str],
        *,
        name: str = "worker",
        recycle_tasks: int = RECYCLE_TASKS,
        on_start: Callable[[int], None] = lambda pid: None,
    ) -> None:
        """logs: folder of a log a worker. on_start: told the process id of each new worker."""
        self._command, self._logs, self._variables = command, logs, variables
        self._name, self._recycle = name, recycle_tasks
        self._on_start = on_start
        self._inbox: queue.SimpleQueue[tuple[_Member, Message | None]] = queue.SimpleQueue()
        self._members: list[_Member | None] = [None] * count

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def idle(self) -> int:
        """How many tasks can be given now."""
        return sum(m is None or m.task is None for m in self._members)

    @property
    def busy(self) -> int:
        """How many tasks are under way."""
        return len(self._members) - self.idle

    def give(self, task: Task) -> None:
        """To a worker without a task; one that lives is preferred. Raises WorkerError."""
        free = [i for i, m in enumerate(self._members) if m is None or m.task is None]
        slot = min(free, key=lambda i: self._members[i] is None)
        member = self._members[slot]
        if member is None or member.exit_code is not None:
            log = self._logs / f"{self._name}-{slot + 1}.log"
            member = _Member(slot, self._command, log, self._variables, self._inbox)
            self._members[slot] = member
            self._on_start(member.pid)
        member.task, member.started = task, time.monotonic()
        # One that no longer listens has ended, which its reader says in a moment.
        member.send(message("job", id="task", kind=task.kind, params=dict(task.params)))

    def outcomes(self, wait: float) -> list[Outcome]:
        """What ended since; waits up to ``wait`` seconds for the first."""
        found: list[Outcome] = []
        deadline = time.monotonic() + wait
        while True:
            left = 0.0 if found else max(deadline - time.monotonic(), 0.0)
            try:
                member, msg = self._inbox.get(timeout=left) if left else self._inbox.get_nowait()
            except queue.Empty:
                break
            outcome = self._ended(member) if msg is None else self._received(member, msg)
            if outcome is not None:
                found.append(outcome)
        return found + self._overdue()

    def close(self, patience: float = PATIENCE) -> None:
        """All tasks end without an outcome."""
        members = [m for m in self._members if m is not None]
        self._members = [None] * len(self._members)
        for member in members:
            member.let_go()
        deadline = time.monotonic() + patience
        for member in members:
            member.end(max(deadline - time.monotonic(), 0.0))

    def _received(self, member: _Member, msg: Message) -> Outcome | None:
        kind, task = msg["type"], member.task
        if kind == "hello":
            member.greeted = True
            member.started = time.monotonic()  # its task's time does not count while it loads
        if kind not in ("result", "error") or task is None:
            return None
        if kind == "error" and msg.get("id") is None:
            return None  # of the process, which ends now
        member.task = None
        member.tasks_done += 1
        peak = msg.get("memory_mb")
        member.peak_mb = float(peak) if isinstance(peak, int | float) else member.peak_mb
        if member.tasks_done >= self._recycle or member.peak_mb > RECYCLE_MB:
            self._dismiss(member)
        if kind == "result":
            return Outcome(task, msg)
        return Outcome(task, None, str(msg.get("code")), str(msg.get("message")))

    def _ended(self, member: _Member) -> Outcome | None:
        """Its pipe has ended, and so has the process, or it will in a moment."""
        if self._members[member.number] is not member:
            return None
        self._members[member.number] = None
        member.end(PATIENCE)
        task = member.task
        if task is None:
            return None
        code = member.exit_code
        how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
        return Outcome(task, None, CRASHED, f"The worker ended ({how}): see {member.log.name}.")

    def _overdue(self) -> list[Outcome]:
        out, now = [], time.monotonic()
        for member in [m for m in self._members if m is not None and m.task is not None]:
            task = member.task
            assert task is not None
            limit = SILENCE_SECONDS if member.greeted else START_SECONDS
            since = max(member.heard, member.started)
            late = member.greeted and now - member.started >= task.seconds
            if now - since < limit and not late:
                continue
            self._dismiss(member, kill=True)
            seconds = round(now - member.started)
            out.append(
                Outcome(
                    task, None, HUNG, f"The worker did not get on for {seconds} s and was ended."
                )
            )
        return out

    def _dismiss(self, member: _Member, *, kill: bool = False) -> None:
        """It is no longer of the crew; its end is not waited for unless it is made."""
        self._members[member.number] = None
        member.let_go()
        if kill:
            member.end(0.0)
        else:
            threading.Thread(target=member.end, args=(PATIENCE,), daemon=True).start()
