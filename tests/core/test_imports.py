# SPDX-License-Identifier: GPL-3.0-or-later
"""core runs where nothing but numpy is: inside Blender's Python, without Blender."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import core
from core.photos.photo import load_photo
from core.protocol import FrameDecoder, encode, message
from core.rigged_head import RiggedHead

MODULES = sorted(m.name for m in pkgutil.walk_packages(core.__path__, "core."))

#: Lets nothing be imported but the standard library, numpy and core.
BLOCKER = """
import sys
root = sys.argv[1]
sys.path.insert(0, root)
class Blocker:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in sys.stdlib_module_names and top not in ("numpy", "core"):
            raise ModuleNotFoundError(f"{name} is blocked", name=name)
sys.meta_path.insert(0, Blocker())
for name in ("bpy", "torch", "cv2", "scipy"):
    try:
        __import__(name)
    except ModuleNotFoundError:
        continue
    raise SystemExit(f"{name} is not blocked")
"""


def run(root: Path, code: str, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess:
    command = [sys.executable, "-I", "-c", BLOCKER + code, str(root), *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, timeout=600)


def test_every_module_of_core_imports_with_numpy_alone(repository):
    assert "core.worker" in MODULES
    assert "core.cues.mediapipe" in MODULES
    code = """
import importlib
for name in sys.argv[2:]:
    try:
        importlib.import_module(name)
    except Exception as error:
        print(f"{name}: {type(error).__name__}: {error}", file=sys.stderr)
"""
    done = run(repository, code, *MODULES)
    assert done.stderr == b""
    assert done.returncode == 0


def test_the_whole_pipeline_runs_in_the_worker_with_numpy_alone(
    repository, example_photo, tmp_path
):
    load_photo(example_photo).save(tmp_path / "photo.npz")
    out = tmp_path / "out"
    out.mkdir()
    params = {"photos": [str(tmp_path / "photo.npz")], "options": {}, "out": str(out)}
    code = "import core.worker\nsys.exit(core.worker.main())"
    command = [sys.executable, "-I", "-c", BLOCKER + code, str(repository)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as worker:
        worker.stdin.write(encode(message("job", id="a", kind="reconstruct", params=params)))
        worker.stdin.flush()
        decoder, answer = FrameDecoder(), None
        while answer is None and (data := worker.stdout.read1(65536)):
            for msg in decoder.feed(data):
                if msg["type"] in ("result", "error"):
                    answer = msg
        log = worker.communicate(encode(message("bye")), timeout=120)[1].decode()
    assert answer is not None, log
    assert answer["type"] == "result", (answer, log)
    [path] = answer["heads"]
    assert RiggedHead.load(Path(path)).name == "astronaut"
    assert worker.returncode == 0


@pytest.mark.parametrize("name", ["socket", "ssl", "http.client", "urllib.request"])
def test_the_pipeline_loads_nothing_that_reaches_the_network(repository, name):
    code = f"import json, core.worker\nprint(json.dumps({name!r} in sys.modules))"
    assert json.loads(run(repository, code).stdout) is False
