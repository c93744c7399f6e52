# SPDX-License-Identifier: GPL-3.0-or-later
"""What stays behind of jobs and of the extension's life: nothing. benchmarks/soak.py in short."""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
from pathlib import Path

import addon_utils
import bpy
import pytest
from looking import reconstruct

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is Linux's")

PACKAGE = "bl_ext.user_default.pixel3dmm"
BASES = ("Operator", "Panel", "PropertyGroup", "FileHandler", "AddonPreferences")


def belongings(pid):
    """Descriptors and threads of a process."""
    return {what: len(os.listdir(f"/proc/{pid}/{what}")) for what in ("fd", "task")}


def eventually(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_one_worker_over_good_jobs_and_bad_ones(ours, example_photo, tmp_path):
    session = ours("pixel3dmm_addon.jobs.session")
    wall = bpy.data.images.new("wall", 200, 200)
    wall.filepath_raw, wall.file_format = str(tmp_path / "wall.png"), "PNG"
    wall.save()
    reconstruct(example_photo)
    pid = session.jobs().pid
    before = belongings(pid)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="No face was found"):
            reconstruct(tmp_path / "wall.png")
        steps = session.jobs().start("look", {"photo": "/nowhere.npz", "out": "/"}).events(0.02)
        with pytest.raises(ours("core.errors").PersonError):
            list(steps)
        assert reconstruct(example_photo) == {"FINISHED"}
    assert session.jobs().pid == pid
    assert belongings(pid) == before


def left():
    """What Blender and Python hold of an extension that is off; classes die with the collector."""
    gc.collect()
    handlers = [getattr(bpy.app.handlers, name) for name in dir(bpy.app.handlers)]
    return {
        "types": [name for name in dir(bpy.types) if name.startswith("PIXEL3DMM_")],
        "handlers": sum(len(h) for h in handlers if isinstance(h, list)),
        "classes": {base: len(getattr(bpy.types, base).__subclasses__()) for base in BASES},
        "threads": [t.name for t in threading.enumerate() if t.name.startswith("pixel3dmm")],
        "descriptors": len(os.listdir("/proc/self/fd")),
        "modules": sorted(name for name in sys.modules if name.startswith(PACKAGE)),
    }


def test_off_and_on_five_times_with_a_worker_that_starts(ours):
    found, pids = [], []
    try:
        for _ in range(5):
            session = ours("pixel3dmm_addon.jobs.session")
            session.warm_up()
            pids.append(session.jobs().pid)
            addon_utils.disable(PACKAGE, default_set=True)
            assert session.jobs.__globals__["_jobs"] is None
            eventually(lambda: not left()["threads"])
            found.append(left())
            addon_utils.enable(PACKAGE, default_set=True)
    finally:
        addon_utils.enable(PACKAGE, default_set=True)
    assert found[0]["types"] == []
    assert all(one == found[0] for one in found[1:])
    eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))
