# SPDX-License-Identifier: GPL-3.0-or-later
"""House rules that a machine checks: planted faults are caught, innocent text is not."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from tools.gate import SPDX, check_file, check_tree

HOME = "/" + "home/somebody/photos"
WORKPLACE = "/" + "work/main"
REGISTRY = "files." + "python" + "hosted.org"


@pytest.mark.parametrize(
    ("path", "code", "fault"),
    [
        ("core/a.py", "import pickle\npickle.load(f)", "pickle.load"),
        ("core/a.py", "x = pickle.loads(data)", "pickle.loads"),
        ("core/a.py", "np.load(p)", "allow_pickle"),
        ("core/a.py", "np.load(p, allow_pickle=True)", "allow_pickle"),
        ("tests/core/a.py", "numpy.load(p, mmap_mode='r')", "allow_pickle"),
        ("tools/a.py", "subprocess.run(c, shell=True)", "shell"),
        ("tools/a.py", "subprocess.run(c, shell=flag)", "shell"),
        ("core/a.py", "eval(text)", "eval"),
        ("core/a.py", "exec(text)", "exec"),
        ("core/a.py", "import bpy", "bpy"),
        ("core/a.py", "def f():\n    from bpy.types import Object", "bpy.types"),
        ("core/a.py", "import mathutils", "mathutils"),
        ("core/a.py", "from core import camera", "absolutely"),
        ("pixel3dmm_addon/a.py", "import core.errors", "absolutely"),
        ("tools/a.py", f"p = '{HOME}'", "absolute path"),
        ("tools/a.py", f"p = '{WORKPLACE}'", "absolute path"),
        ("tools/a.py", "p = r'C:" + "\\Users\\somebody'", "absolute path"),
        ("tools/a.py", f"# from {REGISTRY}", "registry"),
    ],
)
def test_planted_faults_are_caught(path, code, fault):
    found = check_file(PurePosixPath(path), f"{SPDX}\n{code}\n")
    assert len(found) == 1, found
    line, what = found[0]
    assert fault in what
    assert line == 1 + len(code.splitlines())


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("core/a.py", "np.load(p, allow_pickle=False)"),
        ("core/a.py", '"""Never pickle.load(x), eval(y) or import bpy."""'),
        ("core/a.py", "from .camera import Camera\nmodel.eval()"),
        ("pixel3dmm_addon/a.py", "import bpy\nfrom ..core import camera"),
        ("tests/addon/a.py", "import bpy\nfrom core import camera"),
        ("tools/a.py", "u = 'https://example.org/home/x'; p = 'a/tmp/b'"),
        ("tools/a.py", "subprocess.run(c, shell=False)"),
    ],
)
def test_innocent_code_passes(path, code):
    assert check_file(PurePosixPath(path), f"{SPDX}\n{code}\n") == []


def test_a_python_file_without_its_licence_line_is_a_fault():
    assert check_file(PurePosixPath("core/a.py"), '"""Words."""\n')[0][0] == 1
    assert check_file(PurePosixPath("build.py"), f"#!/usr/bin/env python3\n{SPDX}\n") == []


def test_the_tree_is_walked_without_what_is_built(tmp_path):
    bad = f"see {HOME}\n"
    for name in ("README.md", ".ci/run", "core/a.md", ".build/log.txt", "out/x.txt", ".git/c"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(bad)
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\xff\xfe" + bad.encode())
    faults = check_tree(tmp_path)
    assert [fault.split(":")[0] for fault in faults] == ["README.md", ".ci/run", "core/a.md"]
