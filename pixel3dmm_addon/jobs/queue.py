# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker as the add-on sees it: jobs to start, to ask how they do, and to cancel.

One resident worker serves the jobs of this Blender one after the other, so that networks and
head models stay loaded; it is stopped when the add-on is, at exit, and when it was idle for a
while. Knows no bpy. ``Job.events()`` is the one way to follow a job: a modal operator
takes a step of it on every timer tick, a blocking call loops over it. A cancelled job is let go
of at once; a thread of ours sees to it that the worker does the same.
"""

from __future__ import annotations

import atexit
import itertools
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...core import protocol
from ...core.errors import WorkerError
from .job import SEE_LOG, Job, as_progress, as_worker_error, person_error
from .process import WorkerProcess, find_python

#: Seconds from start to hello: a cold disk with a virus scanner on it takes its time.
START_SECONDS = 60.0
#: Seconds of silence after which a worker counts as hung; it sends a heartbeat each second.
SILENCE_SECONDS = 30.0
#: Seconds after which a worker that breathes counts as stuck if no job of these kinds gets on.
#: Where memory has run out, OpenBLAS (seen in 0.3.23) asks for it again and again, for ever.
STUCK_SECONDS = 300.0
NEVER_LONG = frozenset({"reconstruct", "refit", "live", "look", "warm"})
#: After a cancel: seconds until the worker is interrupted, and from then on until it is killed.
INTERRUPT_AFTER = 2.0
KILL_AFTER = 3.0
#: Where another job waits: seconds until the worker is replaced. One that listens needs a few
#: hundredths, and is still warm then.
LET_GO_SECONDS = 0.5
#: Minutes without a job after which the worker is stopped, to give its memory back.
IDLE_MINUTES = 10.0


class JobQueue:
    """The resident worker and the jobs it has been given."""

    def __init__(
        self,
        log_path: Callable[[], Path],
        command: Callable[[], Sequence[str]] | None = None,
        idle_minutes: float = IDLE_MINUTES,
        variables: Mapping[str, str] = protocol.WORKER_VARIABLES,
    ) -> None:
        self.idle_minutes = idle_minutes
        self._log_path = log_path
        self._command = command or (lambda: protocol.worker_command(find_python()))
        self._variables = variables
        self._worker: WorkerProcess | None = None
        self._greeted = False
        self._jobs: dict[str, Job] = {}
        self._ids = itertools.count(1)
        self._pumped = self._got_on = 0.0
        self._idle_timer: threading.Timer | None = None
        self._lock = threading.RLock()
        atexit.register(self.stop)

    @property
    def running(self) -> bool:
        """True if the worker process lives."""
        return self._worker is not None and self._worker.exit_code is None

    @property
    def pid(self) -> int | None:
        """The worker's process id while it lives."""
        return self._worker.pid if self._worker is not None and self.running else None

    def start(self, kind: str, params: dict[str, Any]) -> Job:
        """Queues a job. Never raises: what goes wrong is the job's error."""
        with self._lock:
            self.pump()
            job = Job(f"job-{next(self._ids)}", kind, params, self)
            if not self._jobs:
                self._got_on = time.monotonic()
            self._jobs[job.id] = job
            self._stop_idle_timer()
            job._may_repeat = self.running
            try:
                self._send(job)
            except WorkerError as error:
                if not self._repeat():
                    self._give_up(error)
            return job

    def start_unattended(self, kind: str, params: dict[str, Any]) -> Job:
        """As start, for a job whose outcome is not waited for: a thread follows it."""
        job = self.start(kind, params)
        threading.Thread(target=self._see_off, args=(job,), daemon=True).start()
        return job

    def cancel(self, job: Job) -> None:
        """See Job.cancel."""
        with self._lock:
            if job.finished or job.cancelled:
                return
            job._cancelled_at = time.monotonic()
            if self._worker is None:
                self._end(job, "cancelled")
                return
            try:
                self._worker.send(protocol.message("cancel", id=job.id))
            except WorkerError:
                self._end(job, "cancelled")
            else:
                see_off = threading.Thread(target=self._see_off, args=(job,), daemon=True)
                see_off.start()

    def _see_off(self, job: Job) -> None:
        while not job.finished:
            self.pump()
            time.sleep(0.05)

    def pump(self, wait: float = 0.0) -> None:
        """Takes in what the worker said, and acts on its death, silence and disobedience."""
        with self._lock:
            worker = self._worker
            if worker is None:
                return
            try:
                for msg in worker.messages(wait):
                    self._receive(msg)
                if worker.gone:
                    if self._repeat():
                        return
                    raise WorkerError(
                        "The reconstruction process ended unexpectedly "
                        f"({_how(worker.exit_code)}): {SEE_LOG}"
                    )
                if worker.deaf:
                    raise WorkerError(f"The reconstruction process no longer listens: {SEE_LOG}")
                self._check_silence(worker)
                self._enforce_cancel(worker)
            except WorkerError as error:
                self._give_up(error)

    def stop(self) -> None:
        """Ends the worker; jobs that are still under way count as cancelled."""
        with self._lock:
            worker = self._let_go()
        # Outside: a worker that takes its time must not keep the next job waiting.
        if worker is not None:
            worker.close()

    def _let_go(self) -> WorkerProcess | None:
        """The worker, if there was one, is no longer ours; its jobs count as cancelled."""
        self._stop_idle_timer()
        worker, self._worker = self._worker, None
        for job in list(self._jobs.values()):
            self._end(job, "cancelled")
        return worker

    def close(self) -> None:
        """As stop, and forgets to do so at exit."""
        atexit.unregister(self.stop)
        self.stop()

    def _replace_worker(self) -> None:
        """The jobs that wait go to a new one."""
        self._kill_worker()
        for job in list(self._jobs.values()):
            self._send(job)

    def _send(self, job: Job) -> None:
        worker = self._live_worker()
        worker.send(protocol.message("job", id=job.id, kind=job.kind, params=job.params))

    def _repeat(self) -> bool:
        """Jobs that a resident worker died on before it took them up go to a new one, once.

        It may have been ended while it sat idle, for want of memory or by a person.
        """
        jobs = [job for job in self._jobs.values() if not job.cancelled]
        if not jobs or any(job.state != "queued" or not job._may_repeat for job in jobs):
            return False
        for job in jobs:
            job._may_repeat = False
        try:
            self._replace_worker()
        except WorkerError as error:
            self._give_up(error)
        return True

    def _live_worker(self) -> WorkerProcess:
        if self._worker is not None and self._worker.exit_code is not None:
            self._worker.kill()
            self._worker = None
        if self._worker is None:
            self._worker = WorkerProcess(self._command(), self._log_path(), self._variables)
            self._greeted = False
            self._pumped = self._got_on = time.monotonic()
        return self._worker

    def _receive(self, msg: protocol.Message) -> None:
        if not self._greeted:
            if msg["type"] == "error":  # it could not even begin, and says why
                raise as_worker_error(msg)
            protocol.check_hello(msg)
            self._greeted = True
            return
        if msg["type"] == "error" and msg.get("id") is None:
            raise as_worker_error(msg)
        job = self._jobs.get(str(msg.get("id")))
        if job is None:
            return
        self._got_on = time.monotonic()
        if msg["type"] == "progress":
            job.state = "running"
            if not job.cancelled:
                job.progress = as_progress(msg)
        elif msg["type"] == "result":
            job.result = msg
            # A result that crossed the cancel on its way is not what the person wants any more.
            self._end(job, "cancelled" if job.cancelled else "done")
        elif msg["type"] == "error":
            if msg.get("code") == "cancelled" or job.cancelled:
                self._end(job, "cancelled")
            else:
                job.error = person_error(msg)
                self._end(job, "failed")

    def _check_silence(self, worker: WorkerProcess) -> None:
        now = time.monotonic()
        # After a pause of ours (Blender was busy, the machine slept) the worker gets its turn.
        if now - self._pumped > SILENCE_SECONDS / 2:
            worker.heard = max(worker.heard, now)
            self._got_on = now
        self._pumped = now
        if now - worker.heard > (SILENCE_SECONDS if self._greeted else START_SECONDS):
            raise WorkerError(f"The reconstruction process does not answer any more: {SEE_LOG}")
        kinds = {job.kind for job in self._jobs.values()}
        if kinds and kinds <= NEVER_LONG and now - self._got_on > STUCK_SECONDS:
            raise WorkerError(
                "The reconstruction does not get on any more: close other programs, since memory "
                "may have run out, and try again."
            )

    def _enforce_cancel(self, worker: WorkerProcess) -> None:
        now, jobs = time.monotonic(), list(self._jobs.values())
        waiting = [job for job in jobs if not job.cancelled]
        late = [j for j in jobs if j._cancelled_at and now - j._cancelled_at > LET_GO_SECONDS]
        if late and waiting and all(job.state == "queued" for job in waiting):
            self._replace_worker()
            return
        for job in jobs:
            if job._cancelled_at is None:
                continue
            waited = time.monotonic() - job._cancelled_at
            if waited > INTERRUPT_AFTER and not job._interrupted:
                job._interrupted = True
                worker.interrupt()
            if waited > INTERRUPT_AFTER + KILL_AFTER:
                raise WorkerError("The reconstruction process was stopped.")

    def _give_up(self, error: WorkerError) -> None:
        """The worker is lost, and all that it was working on with it."""
        self._kill_worker()
        for job in list(self._jobs.values()):
            job.error = error
            self._end(job, "failed")

    def _kill_worker(self) -> None:
        """Cancelled jobs end with it."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.kill()
        for job in list(self._jobs.values()):
            if job.cancelled:
                self._end(job, "cancelled")

    def _end(self, job: Job, state: str) -> None:
        job.state = state
        self._jobs.pop(job.id, None)
        if not self._jobs and self._worker is not None:
            self._stop_idle_timer()
            self._idle_timer = threading.Timer(self.idle_minutes * 60, self._stop_if_idle)
            self._idle_timer.daemon = True
            self._idle_timer.start()

    def _stop_if_idle(self) -> None:
        with self._lock:
            worker = None if self._jobs else self._let_go()
        if worker is not None:
            worker.close()

    def _stop_idle_timer(self) -> None:
        if self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None


def _how(exit_code: int | None) -> str:
    """In words, where the number has some."""
    if exit_code is not None and -exit_code == getattr(signal, "SIGKILL", None):
        return "it was killed, as a system does that runs out of memory"
    return f"exit code {exit_code}"
