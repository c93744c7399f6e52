# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs in a worker that dies, hangs, lies or does not listen: always an end, always a sentence."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

import core.errors

FAKE = Path(__file__).with_name("fake_worker.py")


@pytest.fixture
def jobs_with(ours, tmp_path):
    """jobs_with(mode) gives Jobs whose worker behaves so; all are ended afterwards."""
    made = []

    def make(mode, **options):
        module = ours("pixel3dmm_addon.jobs.queue")
        jobs = module.JobQueue(
            lambda: tmp_path / "logs" / "worker.log",
            lambda: [sys.executable, str(FAKE), mode],
            **options,
        )
        made.append(jobs)
        return jobs

    yield make
    for jobs in made:
        jobs.close()


def finish(job, seconds=20.0):
    """The result, or whatever ended the job; a hang is a failure."""
    deadline = time.monotonic() + seconds
    steps = job.events(wait=0.05)
    while True:
        assert time.monotonic() < deadline, "the job does not end"
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def wait_for(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_alive(pid):
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):  # before the open, or the read
        return False
    # A child that was not waited for would still be listed.
    return "zombie" not in status


def test_a_result_comes_back_and_the_worker_stays(jobs_with):
    jobs = jobs_with("good")
    first = jobs.start("reconstruct", {})
    assert finish(first)["heads"] == ["x"]
    assert first.state == "done"
    pid = jobs.pid
    assert pid is not None
    assert finish(jobs.start("reconstruct", {}))["heads"] == ["x"]
    assert jobs.pid == pid


def test_jobs_queue(jobs_with):
    jobs = jobs_with("good")
    started = [jobs.start("reconstruct", {}) for _ in range(3)]
    for job in started:
        assert finish(job)["heads"] == ["x"]


def test_events_tell_progress(jobs_with, ours):
    job = jobs_with("good").start("reconstruct", {})
    seen = [news for news in job.events(wait=0.05) if news is not None]
    assert ours("pixel3dmm_addon.jobs.job").Progress("Working", 0.25) in seen


@pytest.mark.parametrize(
    ("mode", "sentence"),
    [
        ("dies at start", "ended unexpectedly"),
        ("dies in a job", "ended unexpectedly"),
        ("half a frame", "ended unexpectedly"),
        ("garbage", "no message"),
        ("huge line", "sent a line of more than"),
        ("other protocol", "speaks protocol 999"),
    ],
)
def test_a_broken_worker_is_one_sentence_and_the_next_job_gets_a_new_one(
    jobs_with, ours, mode, sentence
):
    jobs = jobs_with(mode)
    job = jobs.start("reconstruct", {})
    with pytest.raises(ours("core.errors").WorkerError, match=sentence) as caught:
        finish(job)
    assert "\n" not in str(caught.value)
    assert job.state == "failed"
    assert not jobs.running
    jobs._command = lambda: [sys.executable, str(FAKE), "good"]
    assert finish(jobs.start("reconstruct", {}))["heads"] == ["x"]


def test_a_worker_that_died_while_idle_is_replaced_unseen(jobs_with):
    """Even if nobody has noticed its death when the next job is sent."""
    jobs = jobs_with("good")
    for _ in range(5):
        finish(jobs.start("reconstruct", {}))
        os.kill(jobs.pid, signal.SIGKILL)
    assert finish(jobs.start("reconstruct", {}))["heads"] == ["x"]


def test_a_job_is_repeated_once_and_not_for_ever(jobs_with, ours):
    jobs = jobs_with("good")
    finish(jobs.start("reconstruct", {}))
    jobs._command = lambda: [sys.executable, str(FAKE), "dies at start"]
    os.kill(jobs.pid, signal.SIGKILL)
    with pytest.raises(ours("core.errors").WorkerError, match="ended unexpectedly"):
        finish(jobs.start("reconstruct", {}))


def test_what_cannot_be_started_is_one_sentence(jobs_with, ours):
    jobs = jobs_with("good")
    jobs._command = lambda: ["/no/such/python"]
    with pytest.raises(ours("core.errors").WorkerError, match="cannot be started"):
        finish(jobs.start("reconstruct", {}))


def test_the_workers_own_sentence_and_kind_arrive(jobs_with, ours):
    with pytest.raises(ours("core.errors").NoFaceError, match="No face was found"):
        finish(jobs_with("says no").start("reconstruct", {}))


#: The real worker, whose looks at photos raise the error that the photo's file is called after.
RAISES = """
import importlib, pathlib, sys
sys.path.insert(0, sys.argv[1])
errors, table, worker = (
    importlib.import_module(f"{sys.argv[2]}.{name}") for name in ("errors", "jobs.table", "worker")
)
def look(parameters, *_):
    name = pathlib.Path(parameters.path("photo")).stem
    raise getattr(errors, name)(f"{name} has a sentence of its own: mend it.")
table.JOBS["look"] = look
sys.exit(worker.main())
"""
KINDS = [
    name
    for name, kind in vars(core.errors).items()
    if isinstance(kind, type) and issubclass(kind, core.errors.PersonError)
]


def test_every_kind_of_error_crosses_the_process_border_as_itself(ours, tmp_path):
    errors, protocol = ours("core.errors"), ours("core.protocol")
    python = ours("pixel3dmm_addon.jobs.process").find_python()
    jobs = ours("pixel3dmm_addon.jobs.queue").JobQueue(
        lambda: tmp_path / "worker.log",
        lambda: [python, "-I", "-c", RAISES, *protocol.worker_command(python)[-2:]],
    )
    try:
        for name in KINDS:
            asked = {"photo": str(tmp_path / f"{name}.npz"), "out": str(tmp_path)}
            with pytest.raises(errors.PersonError) as caught:
                finish(jobs.start("look", asked), seconds=60)
            assert type(caught.value) is getattr(errors, name)
            assert str(caught.value) == f"{name} has a sentence of its own: mend it."
    finally:
        jobs.close()
    assert len(KINDS) > 5 and {"RuntimeSetupError", "MotionError"} <= set(KINDS)


@pytest.mark.parametrize("mode", ["silent", "deaf"])
def test_silence_is_noticed(jobs_with, ours, monkeypatch, mode):
    module = ours("pixel3dmm_addon.jobs.queue")
    monkeypatch.setattr(module, "START_SECONDS", 1.0)
    monkeypatch.setattr(module, "SILENCE_SECONDS", 1.0)
    jobs = jobs_with(mode)
    job = jobs.start("reconstruct", {})
    pid = jobs.pid
    with pytest.raises(module.WorkerError, match="does not answer"):
        finish(job)
    wait_for(lambda: not is_alive(pid))


def test_cancel_is_a_message_first(jobs_with, ours):
    jobs = jobs_with("waits")
    job = jobs.start("reconstruct", {})
    steps = job.events(wait=0.05)
    while job.state != "running":
        next(steps)
    pid = jobs.pid
    job.cancel()
    with pytest.raises(ours("core.errors").Cancelled):
        next(steps)  # at once
    wait_for(lambda: job.finished)
    assert job.state == "cancelled"
    assert jobs.pid == pid  # it listened, so it stays


@pytest.mark.parametrize(("mode", "log"), [("deaf", "KeyboardInterrupt"), ("stubborn", "not now")])
def test_who_does_not_listen_is_interrupted_and_then_killed(
    jobs_with, ours, monkeypatch, tmp_path, mode, log
):
    module = ours("pixel3dmm_addon.jobs.queue")
    monkeypatch.setattr(module, "INTERRUPT_AFTER", 0.3)
    monkeypatch.setattr(module, "KILL_AFTER", 1.0)
    jobs = jobs_with(mode)
    job = jobs.start("reconstruct", {})
    steps = job.events(wait=0.05)
    while job.state != "running":
        next(steps)
    pid = jobs.pid
    job.cancel()
    with pytest.raises(ours("core.errors").Cancelled):
        next(steps)  # at once
    assert is_alive(pid)
    wait_for(lambda: job.finished)
    assert job.state == "cancelled"
    wait_for(lambda: not is_alive(pid))
    assert log in (tmp_path / "logs" / "worker.log").read_text()


def test_events_left_early_cancel_the_job(jobs_with):
    job = jobs_with("waits").start("reconstruct", {})
    steps = job.events(wait=0.05)
    next(steps)
    steps.close()
    assert job.cancelled
    wait_for(lambda: job.finished)


def test_a_job_after_one_that_was_abandoned(jobs_with, monkeypatch, ours):
    """The next job must not wait for a deaf worker, nor die with it."""
    jobs = jobs_with("deaf")
    steps = jobs.start("reconstruct", {}).events(wait=0.05)
    next(steps)
    steps.close()
    jobs._command = lambda: [sys.executable, str(FAKE), "good"]
    assert finish(jobs.start("reconstruct", {}))["heads"] == ["x"]


def test_a_job_after_a_cancel_has_the_same_worker(jobs_with, monkeypatch, ours):
    """A drag after a drag must not load everything anew."""
    monkeypatch.setattr(ours("pixel3dmm_addon.jobs.queue"), "LET_GO_SECONDS", 20.0)
    jobs = jobs_with("waits")
    first = jobs.start("reconstruct", {})
    wait_for(lambda: jobs.pump() or first.state == "running")
    pid = jobs.pid
    first.cancel()
    second = jobs.start("reconstruct", {})
    wait_for(lambda: jobs.pump() or second.state == "running")
    assert first.state == "cancelled"
    assert jobs.pid == pid


def test_stop_ends_process_and_jobs(jobs_with):
    jobs = jobs_with("deaf")
    job = jobs.start("reconstruct", {})
    pid = jobs.pid
    jobs.stop()
    assert job.state == "cancelled"
    assert not jobs.running
    assert not is_alive(pid)


def test_an_idle_worker_is_stopped(jobs_with):
    jobs = jobs_with("good", idle_minutes=0.5 / 60)
    finish(jobs.start("reconstruct", {}))
    pid = jobs.pid
    wait_for(lambda: not is_alive(pid))
    assert not jobs.running
    assert finish(jobs.start("reconstruct", {}))["heads"] == ["x"]


def test_stderr_is_drained_into_a_log_that_stays_small(jobs_with, tmp_path):
    jobs = jobs_with("chatty")
    for _ in range(5):
        finish(jobs.start("reconstruct", {}))
    jobs.stop()
    logs = list((tmp_path / "logs").iterdir())
    assert any("noise" in log.read_text() for log in logs)
    assert sum(log.stat().st_size for log in logs) < 3_000_000


def test_environment_is_clean(ours, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.setenv("PYTHONHOME", "/elsewhere")
    monkeypatch.setenv("MALLOC_ARENA_MAX", "7")
    asked = {"MALLOC_ARENA_MAX": "1", "SOMETHING": "else"}
    env = ours("pixel3dmm_addon.jobs.process").clean_environment(asked)
    assert [name for name in env if name.startswith("PYTHON")] == ["PYTHONNOUSERSITE"]
    assert int(env["OMP_NUM_THREADS"]) >= 1
    assert env["SOMETHING"] == "else"
    assert env["MALLOC_ARENA_MAX"] == "7"  # who set it had a reason


def test_python_is_found_where_blender_names_its_own_binary(ours, monkeypatch):
    module = ours("pixel3dmm_addon.jobs.process")
    real = module.find_python()
    assert Path(real).is_file()
    monkeypatch.setattr(sys, "executable", "/usr/bin/blender")
    assert Path(module.find_python()).name.startswith("python")
    for name in ("prefix", "exec_prefix", "base_prefix"):
        monkeypatch.setattr(sys, name, "/nowhere")
    with pytest.raises(module.WorkerError, match="was not found"):
        module.find_python()


def test_the_real_worker_starts_and_ends(ours, tmp_path):
    """The installed extension's own worker, in the interpreter that Blender has."""
    jobs = ours("pixel3dmm_addon.jobs.queue").JobQueue(lambda: tmp_path / "worker.log")
    job = jobs.start("no such kind", {})
    with pytest.raises(ours("core.errors").PersonError):
        finish(job, seconds=60)
    pid = jobs.pid
    jobs.close()
    assert not is_alive(pid)
