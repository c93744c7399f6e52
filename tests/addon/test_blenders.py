# SPDX-License-Identifier: GPL-3.0-or-later
"""More than one Blender with one user's files, and Blenders that are killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import private_folders

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="signals and /proc as Linux has them"
)

SCRIPT = Path(__file__).with_name("one_blender.py")


def blender(profile, photo, times):
    """Another one, whose lines of JSON are read from its stdout."""
    env = {**os.environ, "BLENDER_USER_RESOURCES": str(profile), "TMPDIR": tempfile.gettempdir()}
    command = [sys.executable, str(SCRIPT), str(photo), str(times)]
    return subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


def heard(process, count):
    """So many lines of JSON."""
    lines = []
    for line in process.stdout:
        if line.startswith("{"):
            lines.append(json.loads(line))
            if len(lines) == count:
                break
    return lines


def lives(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def eventually(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_two_blenders_at_once(ours, profile, example_photo):
    """Both get their heads, the same ones, from workers of their own; both end by themselves."""
    both = [blender(profile, example_photo, 2) for _ in range(2)]
    told = [heard(process, 2) for process in both]
    assert [process.wait(60) for process in both] == [0, 0]
    assert [line["ended"] for lines in told for line in lines] == [["FINISHED"]] * 4
    workers = [{line["worker"] for line in lines} for lines in told]
    assert all(len(pids) == 1 for pids in workers)
    assert workers[0] != workers[1]
    heads = [np.array(line["sample"]) for lines in told for line in lines]
    assert max(np.abs(head - heads[0]).max() for head in heads) < 1e-6
    eventually(lambda: not any(lives(pid) for pids in workers for pid in pids))
    assert not private_folders()


def test_a_blender_that_is_killed(ours, profile, example_photo, monkeypatch):
    """Its worker ends; its photo stays until the next Blender looks, and no other one's does."""
    scratch = ours("pixel3dmm_addon.jobs.scratch")
    process = blender(profile, example_photo, 0)
    try:
        (told,) = heard(process, 1)
        (folder,) = private_folders()
        path = Path(tempfile.gettempdir(), folder)
        assert (path / "photo.npz").is_file()
        assert path.stat().st_mode & 0o777 == 0o700
        assert lives(told["worker"])
        assert scratch.remove_abandoned() == 0  # it is a moment old
        with scratch.PrivateFolder() as mine:
            # The look that the first folder of a process starts must not find what is new by then.
            for thread in threading.enumerate():
                if thread.name == "pixel3dmm-scratch":
                    thread.join()
            monkeypatch.setattr(scratch, "_NEW", -1.0)
            assert scratch.remove_abandoned() == 0  # both are in use
            process.kill()
            process.wait()
            eventually(lambda: not lives(told["worker"]))
            assert scratch.remove_abandoned() == 1
            assert mine.path.is_dir()
    finally:
        process.kill()
        process.wait()
    assert not private_folders()
