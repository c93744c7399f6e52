# SPDX-License-Identifier: GPL-3.0-or-later
"""The real worker process, spoken to through its pipes, in good days and bad."""

from __future__ import annotations

import json
import os
import queue
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from core.photos.photo import Photo, load_photo
from core.progress import FINDING, FITTING, PAINTING, READING, RIGGING, SHAPING, WRITING
from core.protocol import (
    MAX_LINE,
    PROTOCOL_VERSION,
    FrameDecoder,
    Message,
    encode,
    message,
    worker_command,
)
from core.rigged_head import RiggedHead

PATIENCE = 120.0
#: Options of a job that is not about pictures.
PLAIN = {"texture": "off", "hair": "none"}


class Client:
    """A worker and a thread that collects what it says."""

    def __init__(self, command: list[str]) -> None:
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.inbox: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self.log = b""
        self.threads = [threading.Thread(target=t, daemon=True) for t in (self._read, self._drain)]
        for thread in self.threads:
            thread.start()

    def _read(self) -> None:
        decoder = FrameDecoder()
        while data := self.process.stdout.read1(65536):
            for msg in decoder.feed(data):
                self.inbox.put(msg)
        self.inbox.put(None)

    def _drain(self) -> None:
        self.log = self.process.stderr.read()

    def send(self, *messages: Message) -> None:
        self.raw(b"".join(encode(msg) for msg in messages))

    def raw(self, data: bytes) -> None:
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def until(self, *kinds: str, skip: tuple[str, ...] = ("heartbeat", "progress")) -> Message:
        """The next message of one of these types; any other that is not skipped is a failure."""
        while (msg := self.inbox.get(timeout=PATIENCE)) is not None:
            if msg["type"] in kinds:
                return msg
            assert msg["type"] in skip, msg
        raise AssertionError(f"the worker ended before {kinds}: {self.end()}")

    def end(self) -> int:
        code = self.process.wait(PATIENCE)
        for thread in self.threads:
            thread.join(PATIENCE)
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.end()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()


@pytest.fixture
def client():
    made = []

    def start(command: list[str] | None = None) -> Client:
        made.append(Client(command or worker_command(sys.executable)))
        assert made[-1].until("hello")["protocol"] == PROTOCOL_VERSION
        return made[-1]

    yield start
    for one in made:
        one.close()


@pytest.fixture(scope="module")
def photo_npz(tmp_path_factory, example_photo) -> Path:
    path = tmp_path_factory.mktemp("photo") / "photo.npz"
    load_photo(example_photo).save(path)
    return path


def job(photo: Path, out: Path, id: str = "j", **options: object) -> Message:
    out.mkdir(exist_ok=True)
    params = {"photos": [str(photo)], "options": options, "out": str(out)}
    return message("job", id=id, kind="reconstruct", params=params)


def faulty(repository: Path, body: str) -> list[str]:
    """A worker whose pipeline does ``body`` instead of reconstructing."""
    code = (
        f"import sys; sys.path.insert(0, {str(repository)!r})\n"
        "import os, time\nimport core.jobs.reconstruct as r\nimport core.worker as w\n"
        f"def reconstruct(photos, options, *, progress):\n    {body}\n"
        "r.reconstruct = reconstruct\nsys.exit(w.main())"
    )
    return [sys.executable, "-I", "-c", code]


def test_two_jobs_one_worker_same_head(client, photo_npz, tmp_path):
    worker = client()
    heads = []
    for name in ("first", "second"):
        worker.send(job(photo_npz, tmp_path / name, id=name))
        told = []
        while (msg := worker.until("progress", "result"))["type"] == "progress":
            told.append((msg["stage"], msg["fraction"]))
            assert msg["id"] == name
        assert list(dict.fromkeys(stage for stage, _ in told)) == [
            FINDING, READING, FITTING, SHAPING, PAINTING, RIGGING, WRITING
        ]  # fmt: skip
        fractions = [fraction for _, fraction in told]
        assert fractions == sorted(fractions)
        assert fractions[0] >= 0
        assert fractions[-1] <= 1
        assert msg["id"] == name
        assert msg["seconds"] > 0
        assert isinstance(msg["warnings"], list)
        files = list((tmp_path / name).iterdir())
        assert [str(f) for f in files] == msg["heads"]
        heads.append(RiggedHead.load(files[0]))
    np.testing.assert_allclose(heads[0].posed, heads[1].posed, atol=1e-6)
    assert heads[0].name == "astronaut"
    worker.send(message("bye"))
    worker.until("bye")
    assert worker.end() == 0


def test_heartbeats_come_while_idle(client):
    worker = client()
    for _ in range(2):
        worker.until("heartbeat", skip=())


def test_unknown_messages_and_fields_are_ignored(client, photo_npz, tmp_path):
    worker = client()
    worker.send(message("hello", protocol=PROTOCOL_VERSION, colour="green"))
    worker.send(message("weather", rain=True), message("cancel", id="never heard of"))
    worker.send({**job(photo_npz, tmp_path / "o", nonsense=1, **PLAIN), "extra": [1]})
    worker.until("result")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"kind": "poem"}, "worker"),
        ({"params": None}, "worker"),
        ({"params": {"photos": [], "out": "/"}}, "worker"),
        ({"params": {"photos": ["/nowhere.npz"], "out": "/"}}, "photo"),
    ],
)
def test_a_bad_job_is_answered_and_the_worker_stays(client, tmp_path, change, code):
    worker = client()
    for id in ("one", "two"):
        worker.send({**job(tmp_path / "x", tmp_path / "o", id=id), **change})
        answer = worker.until("error")
        assert (answer["id"], answer["code"]) == (id, code)
        assert answer["message"].endswith(".")
    assert list((tmp_path / "o").iterdir()) == []


def test_options_are_checked(client, photo_npz, tmp_path):
    worker = client()
    for options in (
        {"face": -1}, {"box": [1, 2, 3]}, {"box": [9, 0, 1, 1]}, {"focal_px": "long"},
        {"focal_35mm": 0}, {"predictor": "oracle"}, {"head": "flame"},
    ):  # fmt: skip
        worker.send(job(photo_npz, tmp_path / "o", **options))
        assert worker.until("error")["code"] == "error"


def test_no_face_is_its_own_error(client, tmp_path):
    Photo(np.full((200, 200, 3), 128, np.uint8), "wall").save(tmp_path / "wall.npz")
    worker = client()
    worker.send(job(tmp_path / "wall.npz", tmp_path / "o"))
    answer = worker.until("error")
    assert answer["code"] == "no_face"
    assert "wall" in answer["message"]


def test_a_folder_that_is_not_there(client, photo_npz, tmp_path):
    worker = client()
    task = job(photo_npz, tmp_path / "o", **PLAIN)
    task["params"]["out"] = str(tmp_path / "never made")
    worker.send(task)
    assert worker.until("error")["code"] == "output"


def test_cancel_at_random_moments_leaves_nothing_and_the_next_job_runs(client, photo_npz, tmp_path):
    worker = client()
    worker.send(job(photo_npz, tmp_path / "warm"))
    steps = 0
    while worker.until("progress", "result")["type"] == "progress":
        steps += 1
    chance = random.Random(3)
    outcomes = []
    for k in range(12):
        out = tmp_path / f"o{k}"
        worker.send(job(photo_npz, out, id=str(k)))
        left, answer = chance.randrange(steps), None
        while left and (answer := worker.until("progress", "result"))["type"] == "progress":
            left -= 1
        worker.send(message("cancel", id=str(k)))
        if answer is None or answer["type"] == "progress":
            answer = worker.until("error", "result")
        outcomes.append(answer["type"])
        names = [f.name for f in out.iterdir()]
        assert names == (["head-0.npz"] if answer["type"] == "result" else [])
        assert answer.get("code") in (None, "cancelled")
    assert "error" in outcomes
    worker.send(job(photo_npz, tmp_path / "after"))
    assert worker.until("result")["id"] == "j"


def test_a_queued_job_can_be_cancelled(client, photo_npz, tmp_path):
    worker = client()
    jobs = [job(photo_npz, tmp_path / name, id=name, **PLAIN) for name in "ab"]
    worker.send(*jobs, message("cancel", id="b"))
    assert worker.until("result")["id"] == "a"
    answer = worker.until("error")
    assert (answer["id"], answer["code"]) == ("b", "cancelled")


def test_a_cancel_does_not_wait_for_progress(client, repository, photo_npz, tmp_path):
    worker = client(faulty(repository, "progress('Busy', 0)\n    while True: time.sleep(0.01)"))
    worker.send(job(photo_npz, tmp_path / "o"))
    worker.until("progress", skip=("heartbeat",))
    worker.send(message("cancel", id="j"))
    assert worker.until("error")["code"] == "cancelled"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for other processes")
def test_an_interrupt_cancels_the_job_and_the_worker_stays(client, repository, photo_npz, tmp_path):
    worker = client(faulty(repository, "progress('Busy', 0)\n    time.sleep(100)"))
    worker.process.send_signal(signal.SIGINT)
    for id in ("a", "b"):
        worker.send(job(photo_npz, tmp_path / "o", id=id))
        worker.until("progress", skip=("heartbeat",))
        worker.process.send_signal(signal.SIGINT)
        answer = worker.until("error")
        assert (answer["id"], answer["code"]) == (id, "cancelled")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM for other processes")
@pytest.mark.parametrize("busy", [True, False])
def test_terminate_ends_it_in_good_order(client, repository, photo_npz, tmp_path, busy):
    worker = client(faulty(repository, "progress('Busy', 0)\n    time.sleep(100)"))
    if busy:
        worker.send(job(photo_npz, tmp_path / "o"))
        worker.until("progress", skip=("heartbeat",))
    worker.process.terminate()
    if busy:
        assert worker.until("error")["code"] == "cancelled"
    worker.until("bye")
    assert worker.end() == 0


def test_bye_ends_a_running_job(client, photo_npz, tmp_path):
    worker = client()
    worker.send(job(photo_npz, tmp_path / "o"))
    worker.until("progress", skip=("heartbeat",))
    worker.send(message("bye"))
    assert worker.until("error")["code"] == "cancelled"
    worker.until("bye")
    assert worker.end() == 0
    assert list((tmp_path / "o").iterdir()) == []


@pytest.mark.parametrize("busy", [True, False])
def test_closing_stdin_ends_it(client, photo_npz, tmp_path, busy):
    worker = client()
    if busy:
        worker.send(job(photo_npz, tmp_path / "o"))
        worker.until("progress", skip=("heartbeat",))
    worker.process.stdin.close()
    assert worker.end() == 0
    if busy:
        assert list((tmp_path / "o").iterdir()) == []


def test_closing_stdin_ends_even_a_job_that_hangs(client, repository, photo_npz, tmp_path):
    # A sleep in C cannot be interrupted from within the process: the last resort must work.
    # It would last longer than this test has patience.
    body = f"progress('Busy', 0)\n    time.sleep({10 * PATIENCE})"
    worker = client(faulty(repository, body))
    worker.send(job(photo_npz, tmp_path / "o"))
    worker.until("progress", skip=("heartbeat",))
    worker.until("heartbeat")
    worker.process.stdin.close()
    assert worker.end() == 1


def test_a_parent_that_is_killed_takes_the_worker_along():
    code = (
        "import subprocess, sys, time; p = subprocess.Popen(sys.argv[1:], "
        "stdin=subprocess.PIPE, stdout=subprocess.PIPE); "
        "p.stdout.readline(); print('greeted', flush=True); time.sleep(1000)"
    )
    command = [sys.executable, "-c", code, *worker_command(sys.executable)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as parent:
        assert parent.stdout.readline() == b"greeted\n"
        parent.kill()
        # The worker has the other end of this pipe as well: it is closed when both are gone.
        parent.communicate(timeout=PATIENCE)


@pytest.mark.parametrize(
    "data",
    [
        b"good morning\n",
        b'{"type": "job"}\n',
        encode(message("hello", protocol=PROTOCOL_VERSION + 1)),
        b"x" * (MAX_LINE + 1),
        b"\xff\xfe\n",
    ],
    ids=["words", "no id", "protocol", "long", "bytes"],
)
def test_a_broken_peer_is_told_and_left(client, data):
    worker = client()
    worker.raw(data)
    answer = worker.until("error")
    assert (answer["id"], answer["code"]) == (None, "worker")
    worker.until("bye")
    assert worker.end() == 2


def test_two_jobs_with_one_id_are_a_broken_peer(client, repository, photo_npz, tmp_path):
    worker = client(faulty(repository, "while True: time.sleep(0.01)"))
    worker.send(job(photo_npz, tmp_path / "o"), job(photo_npz, tmp_path / "o"))
    assert worker.until("error")["id"] is None


def test_a_defect_is_one_sentence_and_a_traceback_in_the_log(
    client, repository, photo_npz, tmp_path
):
    worker = client(faulty(repository, "raise ZeroDivisionError('hidden detail')"))
    for _ in range(2):
        worker.send(job(photo_npz, tmp_path / "o"))
        answer = worker.until("error")
        assert answer["code"] == "internal"
        assert answer["message"] == (
            "Something went wrong inside Pixel3DMM: ZeroDivisionError; the log has the details."
        )
    worker.process.stdin.close()
    worker.end()
    assert b"Traceback" in worker.log
    assert b"hidden detail" in worker.log


def test_out_of_memory_has_its_own_sentence(client, repository, photo_npz, tmp_path):
    worker = client(faulty(repository, "import numpy; numpy.empty(1 << 62, 'u1')"))
    worker.send(job(photo_npz, tmp_path / "o"))
    answer = worker.until("error")
    assert answer["code"] == "memory"
    assert "memory" in answer["message"]


def test_stray_output_cannot_break_a_frame(client, repository, photo_npz, tmp_path):
    body = "print('stray'); os.write(1, b'half a li'); raise ValueError"
    worker = client(faulty(repository, body))
    worker.send(job(photo_npz, tmp_path / "o"))
    assert worker.until("error")["code"] == "internal"
    worker.process.stdin.close()
    worker.end()
    assert b"stray" in worker.log
    assert b"half a li" in worker.log


def test_a_result_that_is_not_json_is_a_defect_and_not_the_end(
    client, repository, photo_npz, tmp_path
):
    code = faulty(repository, "return []")[-1].replace(
        "sys.exit",
        "r.rig_heads = lambda *a, **k: []\nr.write_together = lambda *a, **k: None\n"
        "r.time.perf_counter = float('nan').__float__\nsys.exit",
    )
    worker = client([sys.executable, "-I", "-c", code])
    worker.send(job(photo_npz, tmp_path / "o"))
    assert worker.until("error")["code"] == "worker"
    worker.send(message("bye"))
    worker.until("bye")


def test_several_photos_several_heads(client, photo_npz, tmp_path):
    worker = client()
    task = job(photo_npz, tmp_path / "o")
    task["params"]["photos"] *= 2
    worker.send(task)
    answer = worker.until("result")
    assert [Path(p).name for p in answer["heads"]] == ["head-0.npz", "head-1.npz"]
    first, second = (RiggedHead.load(Path(p)) for p in answer["heads"])
    np.testing.assert_array_equal(first.posed, second.posed)
    assert json.loads(first.recipe_json)["options"]["same_person"] is False
