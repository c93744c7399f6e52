# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing leaves the machine, nothing is left on it, and nobody's name stands in a log.

A hook watches every socket and every temporary file: in Blender's process and, put before the
worker's own first line, in the worker. Under Linux the descriptors of both are looked at as well,
which a library cannot hide from.
"""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import bpy
import pytest
from looking import reconstruct

NETWORK = ("socket.", "http.client.", "urllib.", "ftplib.", "smtplib.", "imaplib.", "webbrowser.")
PERSON = "Jane Roe-Example"

#: Before the worker's own code: writes down what is against the rules.
WATCH = """
import sys
def _watch(event, args, _file=open({log!r}, "a", buffering=1)):
    if event.startswith({network!r}):
        _file.write(f"{{event}} {{args!r}}\\n")
sys.addaudithook(_watch)
"""

_events: list[str] = []
_watching = False


def _hook(event, args):
    if _watching and event.startswith(NETWORK):
        _events.append(f"{event} {args!r}")


sys.addaudithook(_hook)


@pytest.fixture
def watched(ours, monkeypatch, tmp_path):
    """Sockets of this process and of the worker, as a list of what happened."""
    global _watching
    log = tmp_path / "worker-events.txt"
    protocol, session = ours("core.protocol"), ours("pixel3dmm_addon.jobs.session")
    original = protocol.worker_command

    def command(python):
        *before, code, folder, package = original(python)
        return [*before, WATCH.format(log=str(log), network=NETWORK) + code, folder, package]

    monkeypatch.setattr(protocol, "worker_command", command)
    session.close()
    _events.clear()
    _watching = True
    yield lambda: [*_events, *(log.read_text().splitlines() if log.exists() else ["no worker"])]
    _watching = False
    session.close()


def sockets_of(pid):
    """Descriptors that are sockets; Blender's module has none."""
    folder = Path(f"/proc/{pid}/fd")
    if not folder.is_dir():
        return []
    found = []
    for entry in folder.iterdir():
        try:
            found.append(os.readlink(entry))
        except OSError:
            continue
    return [target for target in found if target.startswith("socket:")]


@pytest.fixture
def photo(example_photo, tmp_path):
    """Under a name that is private."""
    folder = tmp_path / "shoot of Jane"
    folder.mkdir()
    return Path(shutil.copy(example_photo, folder / f"{PERSON}.jpg"))


def test_no_socket_from_the_photo_to_the_exported_file(ours, watched, photo, tmp_path):
    before = sockets_of(os.getpid())
    bpy.context.scene.pixel3dmm.photo = str(photo)
    assert bpy.ops.pixel3dmm.check_photo() == {"FINISHED"}
    assert reconstruct(photo) == {"FINISHED"}
    worker = ours("pixel3dmm_addon.jobs.session").jobs()._worker
    assert sockets_of(worker.pid) == []
    for preset, suffix in (("UNREAL", ".fbx"), ("BLENDER", ".blend")):
        out = tmp_path / f"{preset}{suffix}"
        assert bpy.ops.pixel3dmm.export_head(preset=preset, filepath=str(out)) == {"FINISHED"}
    assert bpy.ops.pixel3dmm.check_rig() == {"FINISHED"}
    assert bpy.ops.pixel3dmm.copy_diagnostics() == {"FINISHED"}
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"), copy=True)
    assert watched() == []
    assert sockets_of(os.getpid()) == before


def test_the_watch_would_have_seen_a_socket(ours, watched, tmp_path):
    with socket.socket():
        assert len(sockets_of(os.getpid())) >= 1 or sys.platform != "linux"
    assert any("socket" in event for event in watched())
    log = tmp_path / "planted.txt"
    code = WATCH.format(log=str(log), network=NETWORK) + "import socket; socket.socket()"
    subprocess.run([sys.executable, "-I", "-c", code], check=True, timeout=60)
    assert "socket.__new__" in log.read_text()


def test_files_on_the_way_are_private_and_gone(ours, photo, monkeypatch):
    seen = {}

    def look(event, args):
        if event == "os.mkdir" and "pixel3dmm-" in str(args[0]):
            seen[str(args[0])] = args[1]

    sys.addaudithook(lambda event, args: listening and look(event, args))
    listening = True
    run = ours("pixel3dmm_addon.jobs.reconstruction").ReconstructionRun(photo)
    modes = set()
    try:
        for _ in run.steps(wait=0.02):
            for folder in Path(tempfile.gettempdir()).glob("pixel3dmm-*"):
                modes.add(stat.S_IMODE(folder.stat().st_mode))
    finally:
        listening = False
    assert modes == {0o700}
    private = [folder for folder in seen if Path(folder).name.startswith("pixel3dmm-")]
    assert private
    deadline = time.monotonic() + 20
    while any(Path(folder).exists() for folder in private) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(Path(folder).exists() for folder in private)


def test_neither_log_nor_diagnostics_name_anybody(ours, photo, monkeypatch, tmp_path):
    home, user = Path.home(), ours("core.jobs.diagnostics").user_name()
    process = ours("pixel3dmm_addon.jobs.process")
    monkeypatch.setattr(process, "_WHOSE", (str(home), user))
    said = [f"Traceback: No such file or directory: '{home}/pictures/{PERSON}.jpg'",
            f"cache of {user} at {home}/.cache/x", f"reading {photo.parent}/scan.png"]  # fmt: skip
    log = tmp_path / "worker.log"
    code = f"import sys; [print(line, file=sys.stderr) for line in {said!r}]"
    child = process.WorkerProcess([sys.executable, "-I", "-c", code], log, {})
    deadline = time.monotonic() + 20
    while child.exit_code is None and time.monotonic() < deadline:
        time.sleep(0.02)
    child.close()
    while log.read_text().count("\n") < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    text = log.read_text()
    assert text.count("\n") == 3
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    for secret in (PERSON, str(home) + "/", str(photo.parent)):
        assert secret not in text, secret
    # The log as it is now, an error that names the photo, and a head that was made of it.
    paths = ours("pixel3dmm_addon.paths")
    monkeypatch.setattr(paths, "log_file", lambda: log)
    assert reconstruct(photo) == {"FINISHED"}
    photo.write_bytes(b"no photo any more")
    with pytest.raises(RuntimeError, match=PERSON):
        reconstruct(photo)
    assert PERSON in ours("pixel3dmm_addon.jobs.session").status.message
    copied = []
    help_module = ours("pixel3dmm_addon.operators.help")
    monkeypatch.setattr(
        help_module, "diagnostics",
        lambda *args, _real=help_module.diagnostics: copied.append(_real(*args)) or copied[-1],
    )  # fmt: skip
    assert bpy.ops.pixel3dmm.copy_diagnostics() == {"FINISHED"}
    [text] = copied
    assert "Last message: PHOTO" in text
    for secret in (PERSON, PERSON.split()[0], str(photo.parent), str(home) + "/"):
        assert secret not in text, secret


def test_nothing_is_downloaded_without_leave(ours, monkeypatch):
    """Blender's own switch, which is off here as it is at first everywhere."""
    assert not bpy.app.online_access
    module = ours("pixel3dmm_addon.operators.setup")
    monkeypatch.setattr(
        module, "SetupJob", lambda *args: pytest.fail(f"a download was begun: {args}")
    )
    with pytest.raises(RuntimeError):
        bpy.ops.pixel3dmm.install_runtime()
    operator = module.PIXEL3DMM_OT_install_runtime
    with pytest.raises(ours("core.runtime").RuntimeSetupError, match="nline"):
        operator._make_run(operator, bpy.context)
