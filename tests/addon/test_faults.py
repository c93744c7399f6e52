# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that can go wrong with the worker does, on purpose, under the real button.

Each time: no tick waits, one sentence is said, nothing in the file has changed, nothing is left of
processes, folders, descriptors and threads, and the button works again.
"""

from __future__ import annotations

import os
import random
import sys
import threading
import time
from pathlib import Path

import bpy
import numpy as np
import pytest
from conftest import private_folders
from driving import Watch, tick
from looking import reconstruct

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="signals, limits and /proc as Linux has them"
)

FAULTY = Path(__file__).with_name("faulty_worker.py")
#: Bytes by which this process may grow while a worker talks without end.
BOUND = 60e6


def census() -> dict[str, object]:
    """Every data-block of the file, what is selected and active, and what the scene is set to."""
    kinds = [p.identifier for p in bpy.data.bl_rna.properties if p.type == "COLLECTION"]
    found: dict[str, object] = {kind: [b.name for b in getattr(bpy.data, kind)] for kind in kinds}
    scene, render = bpy.context.scene, bpy.context.scene.render
    found["active"] = str(bpy.context.view_layer.objects.active)
    found["selected"] = [obj.name for obj in bpy.context.selected_objects]
    found["camera"] = str(scene.camera)
    found["size"] = (render.resolution_x, render.resolution_y, render.resolution_percentage)
    found["mode"] = bpy.context.mode
    return found


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def eventually(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def belongings() -> dict[str, int]:
    """What a job could leave behind in this process."""
    ours = [t for t in threading.enumerate() if t.name.startswith("pixel3dmm")]
    return {"threads": len(ours), "descriptors": len(os.listdir("/proc/self/fd"))}


@pytest.fixture(scope="session")
def head_file(ours, example_photo, tmp_path_factory):
    """What the real worker gave for the example photo."""
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    reconstruct(example_photo)
    path = tmp_path_factory.mktemp("head") / "head.npz"
    ours("pixel3dmm_addon.jobs.session").last_run.outcome.rigged.save(path)
    return path


class Button:
    """Reconstruct Face with a worker of our choice; counts what it starts."""

    def __init__(self, ours, modal, jobs, photo):
        self.operator, self.context, self.reports = modal
        self.jobs, self.photo, self.pids = jobs, photo, set()
        self.status = ours("pixel3dmm_addon.jobs.session").status
        self.largest = 0

    def press(self, at_tick=lambda count: None):
        """The whole job, tick by tick; what the operator returned last."""
        bpy.context.scene.pixel3dmm.photo = str(self.photo)
        self.operator.photo = ""
        watch, deadline, count = Watch(), time.monotonic() + 60, 0
        self.operator.invoke(self.context, tick())
        ended = {"PASS_THROUGH"}
        while ended == {"PASS_THROUGH"}:
            assert time.monotonic() < deadline, "the operator does not end"
            at_tick(count)
            if count:  # reading the photo's file is the first one's business
                with watch:
                    ended = self.operator.modal(self.context, tick())
            else:
                ended = self.operator.modal(self.context, tick())
            if self.jobs.pid is not None:
                self.pids.add(self.jobs.pid)
            self.largest = max(self.largest, resident_bytes())
            count += 1
            time.sleep(0.004)
        assert watch.waited == [], "a tick waited"
        assert not self.status.running
        assert self.context.window_manager.timers == []
        return ended

    def let_go(self):
        """A cancelled job is given up by its worker."""
        eventually(lambda: not self.jobs._jobs)


@pytest.fixture
def button(ours, modal, example_photo, monkeypatch):
    """The worker of the tests before is stopped, and the one of this test afterwards."""
    jobs = ours("pixel3dmm_addon.jobs.session").jobs()
    jobs.stop()
    eventually(lambda: belongings()["threads"] == 0)
    before = belongings()
    made = Button(ours, modal, jobs, example_photo)
    yield made
    jobs.stop()
    eventually(lambda: not any(lives(pid) for pid in made.pids))
    eventually(lambda: belongings() == before)
    eventually(lambda: not private_folders())


@pytest.fixture
def faulty(button, head_file, monkeypatch, tmp_path):
    """faulty(fault) gives the button such a worker; the path returned is its order to misbehave."""

    def make(fault, head=head_file):
        order = tmp_path / "order"
        order.touch()
        command = [sys.executable, str(FAULTY), fault, str(order), str(head)]
        monkeypatch.setattr(button.jobs, "_command", lambda: command)
        return order

    return make


def check_failure(button, order, before, sentence):
    """One sentence, nothing changed; then the next press works."""
    assert len(button.reports) == 1
    said = button.reports[0]
    assert sentence in said
    assert "\n" not in said
    assert len(said) < 700
    assert button.status.failed
    assert census() == before
    order.unlink()
    # What the fault broke is over, or is ended by the next job.
    assert button.press() == {"FINISHED"}
    assert len(bpy.context.object.data.shape_keys.key_blocks) >= 54


FAULTS = {
    "stuck in the job": "does not get on any more",
    "exits at start": "ended unexpectedly (exit code 3)",
    "killed at start": "ended unexpectedly (it was killed",
    "hangs at start": "does not answer any more",
    "says why at start": "The open head is missing: reinstall.",
    "other protocol": "speaks protocol 999",
    "no hello": "did not introduce itself",
    "exits in the job": "ended unexpectedly (exit code 3)",
    "killed in the job": "ended unexpectedly (it was killed",
    "crashes in the job": "ended unexpectedly (exit code -11)",
    "exits while it writes": "ended unexpectedly (exit code 1)",
    "half a frame": "ended unexpectedly (exit code 0)",
    "garbage": "sent a line that is no message",
    "a gigabyte on one line": "sent a line of more than",
    "silent in the job": "does not answer any more",
    "stopped in the job": "does not answer any more",
    "progress without a number": "sent what cannot be read",
    "no heads": "named no result",
    "heads of another kind": "named no result",
    "a head elsewhere": "named no result",
    "no such file": "is missing or damaged",
    "a novel for a sentence": "line after line.",
}


#: What is waited for in the product is not waited for here.
IMPATIENT = {
    "hangs at start": {"START_SECONDS": 1.0},
    "silent in the job": {"SILENCE_SECONDS": 0.6},
    "stopped in the job": {"SILENCE_SECONDS": 0.6},
    "stuck in the job": {"STUCK_SECONDS": 2.0},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_worker_with_a_fault(ours, button, faulty, monkeypatch, fault):
    module = ours("pixel3dmm_addon.jobs.queue")
    order, before, small = faulty(fault), census(), resident_bytes()
    with monkeypatch.context() as patch:
        for name, seconds in IMPATIENT.get(fault, {}).items():
            patch.setattr(module, name, seconds)
        assert button.press() == {"CANCELLED"}
    assert button.largest - small < BOUND
    check_failure(button, order, before, FAULTS[fault])


@pytest.mark.parametrize(
    "oddity",
    ["slow", "a line without end in the log", "progress of no size", "warnings of another kind"],
)
def test_a_worker_that_is_odd_and_gets_there(ours, button, faulty, monkeypatch, oddity):
    monkeypatch.setattr(ours("pixel3dmm_addon.jobs.queue"), "SILENCE_SECONDS", 1.5)
    faulty(oddity)
    small = resident_bytes()
    assert button.press() == {"FINISHED"}
    assert button.largest - small < BOUND
    logs = ours("pixel3dmm_addon.paths").log_file().parent
    assert sum(log.stat().st_size for log in logs.iterdir()) < 3_000_000


@pytest.mark.parametrize("fault", ["hangs but breathes", "messages without end"])
def test_what_only_a_person_can_end(ours, button, faulty, monkeypatch, fault):
    """The worker says that it lives: Esc ends the job at once, and the worker after a while."""
    module = ours("pixel3dmm_addon.jobs.queue")
    monkeypatch.setattr(module, "INTERRUPT_AFTER", 0.2)
    monkeypatch.setattr(module, "KILL_AFTER", 0.2)
    order, before, small = faulty(fault), census(), resident_bytes()

    def esc(count):
        button.status.cancel = count == 60

    assert button.press(esc) == {"CANCELLED"}
    assert button.reports == ["Cancelled, nothing was changed"]
    assert button.largest - small < BOUND
    assert census() == before
    button.let_go()
    order.unlink()
    assert button.press() == {"FINISHED"}


def damaged(head_file, how, target):
    """The head file with one thing wrong."""
    data = head_file.read_bytes()
    if how == "empty":
        target.write_bytes(b"")
    elif how == "cut off":
        target.write_bytes(data[: len(data) // 2])
    elif how == "bits flipped":
        middle = len(data) // 2
        flipped = bytes(b ^ 0xFF for b in data[middle : middle + 100])
        target.write_bytes(data[:middle] + flipped + data[middle + 100 :])
    elif how == "no zip":
        target.write_bytes(b"this is no head " * 1000)
    else:
        with np.load(head_file, allow_pickle=False) as z:
            arrays = {name: z[name] for name in z.files}
        if how == "a NaN":
            arrays["key_deltas"][3, 1000, 1] = np.nan
        elif how == "infinite":
            arrays["joints"][2] = np.inf
        elif how == "wrong shape":
            arrays["weights"] = arrays["weights"][:-1]
        elif how == "flat":
            arrays["basis"] = arrays["basis"].reshape(-1)
        elif how == "points outside":
            arrays["quads"][7, 0] = 10**6
        elif how == "a field missing":
            del arrays["camera_K"]
        elif how == "no report":
            arrays["report_json"] = np.asarray("{}")
        elif how == "a report that is none":
            arrays["report_json"] = np.asarray("<html>")
        np.savez(target, **arrays)


DAMAGES = ["empty", "cut off", "bits flipped", "no zip", "a NaN", "infinite", "wrong shape", "flat"]
DAMAGES += ["points outside", "a field missing", "no report"]
DAMAGES += ["a report that is none"]


@pytest.mark.parametrize("how", DAMAGES)
def test_a_result_that_is_no_head(ours, button, faulty, head_file, monkeypatch, tmp_path, how):
    """The worker stays, since it does not know of it."""
    head = tmp_path / "damaged.npz"
    damaged(head_file, how, head)
    faulty("", head)
    before = census()
    assert button.press() == {"CANCELLED"}
    assert len(button.reports) == 1
    assert "missing or damaged" in button.reports[0]
    assert census() == before
    head.write_bytes(head_file.read_bytes())
    if how == DAMAGES[0]:  # what follows is the same for all of them
        assert button.press() == {"FINISHED"}
    else:
        assert button.jobs.running


def test_a_scene_that_fails_at_any_step_is_as_it_was(ours, person, rigged, loaded, monkeypatch):
    """In a file that has a head already: every function of the build fails in turn."""
    build = ours("pixel3dmm_addon.scene.build")
    before = census()
    steps = [("head_mesh", n) for n in ("make_mesh", "add_keys", "remember")]
    steps += [("head_rig", n) for n in ("make_rig", "bind", "pose")]
    steps += [("drivers", "add_drivers"), ("drivers", "limit_bones"), ("continuation", "store")]
    steps += [("photo_camera", "make_camera"), ("photo_camera", "background_image")]
    for module, name in steps:
        home = getattr(build, module)
        real = getattr(home, name)

        def fail(*arguments, real=real, **options):
            real(*arguments, **options)
            raise MemoryError

        with monkeypatch.context() as patch:
            patch.setattr(home, name, fail)
            with pytest.raises(ours("core.errors").PersonError, match="nothing was changed"):
                build.build_person(bpy.context, rigged, loaded, match_render_size=True)
        assert census() == before, name


@pytest.mark.parametrize(
    ("limit", "size", "sentences"),
    [
        ("RLIMIT_FSIZE", 50_000, ["cannot be written (File too large)"]),
        # Where it runs out is chance: OpenBLAS may ask for more for ever, or end the process.
        ("RLIMIT_AS", 220_000_000, ["ran out of memory", "does not get on", "ended unexpectedly"]),
    ],
)
def test_the_real_worker_at_the_systems_limits(ours, button, monkeypatch, limit, size, sentences):
    """A full disk and no memory."""
    protocol = ours("core.protocol")
    python, *rest = protocol.worker_command(sys.executable)
    at = rest.index("-c") + 1
    code = f"import resource; resource.setrlimit(resource.{limit}, ({size}, {size})); {rest[at]}"
    rest[at] = code
    before = census()
    with monkeypatch.context() as patch:
        patch.setattr(button.jobs, "_command", lambda: [python, *rest])
        if limit == "RLIMIT_AS":
            patch.setattr(ours("pixel3dmm_addon.jobs.queue"), "STUCK_SECONDS", 10.0)
        assert button.press() == {"CANCELLED"}
    assert len(button.reports) == 1
    assert any(sentence in button.reports[0] for sentence in sentences)
    assert "Traceback" not in button.reports[0]
    assert census() == before
    button.jobs.stop()
    assert button.press() == {"FINISHED"}


def test_a_disk_that_is_full_before_the_worker_starts(button):
    """Blender's own side cannot write the photo; a limit on files has the same effect."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = census()
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        assert button.press() == {"CANCELLED"}
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "cannot be handed on (File too large)" in button.reports[0]
    assert census() == before
    button.jobs.stop()  # it was started under the limit
    assert button.press() == {"FINISHED"}


@pytest.mark.parametrize(("real", "times"), [(False, 50), (True, 4)])
def test_cancel_at_random_moments(button, faulty, real, times):
    """Esc at any tick, the first and the one before the scene is built among them."""
    if not real:
        faulty("slow").unlink()
    ticks = []
    assert button.press(ticks.append) == {"FINISHED"}
    before, chance = census(), random.Random(8)
    outcomes = []
    for _ in range(times):
        moment = chance.randrange(len(ticks))

        def esc(count, moment=moment):
            button.status.cancel = count == moment

        button.reports.clear()
        ended = button.press(esc)
        outcomes.append(ended)
        if ended == {"FINISHED"}:  # quicker than the run that was counted
            before = census()
        else:
            assert button.reports == ["Cancelled, nothing was changed"]
            assert census() == before
    assert {"CANCELLED"} in outcomes
    assert button.press() == {"FINISHED"}


def test_a_stopped_worker_holds_nobody_up(ours, button, faulty):
    """Neither who sends it a job larger than a pipe, nor who starts another one."""
    faulty("stopped in the job")
    first = button.jobs.start("reconstruct", {"out": "/nowhere"})
    button.pids.add(button.jobs.pid)
    state = Path(f"/proc/{button.jobs.pid}/stat")
    eventually(lambda: state.read_text().rsplit(")", 1)[1].split()[0] == "T")
    with Watch() as watch:
        large = button.jobs.start("refit", {"continuation": "x" * 900_000})
        large.cancel()
        first.cancel()
        third = button.jobs.start("warm", {})
    assert watch.waited == []
    button.pids.add(button.jobs.pid)
    eventually(lambda: button.jobs.pump() or third.finished)
    assert third.state == "done"


def test_a_worker_that_lives_and_does_not_listen(ours, button, faulty):
    faulty("closed ears")
    first = button.jobs.start("warm", {})
    button.pids.add(button.jobs.pid)
    eventually(lambda: button.jobs.pump() or button.jobs._greeted)
    second = button.jobs.start("warm", {})
    eventually(lambda: button.jobs.pump() or second.finished)
    assert "no longer listens" in str(second.error)
    assert first.finished
