# SPDX-License-Identifier: GPL-3.0-or-later
"""House rules that a machine checks: planted faults are caught, innocent text is not."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from tools.findings import EXCUSED, unexcused
from tools.gate import EXCEPTIONS, SPDX, check_file, check_tree
from tools.gate_code import NETWORK, UNPICKLERS

HOME = "/" + "home/somebody/photos"
WORKPLACE = "/" + "work/main"
REGISTRY = "files." + "python" + "hosted.org"


@pytest.mark.parametrize(
    ("path", "code", "fault"),
    [
        ("tests/core/a.py", "import pickle\npickle.load(f)", "pickle.load"),
        ("tests/core/a.py", "import pickle as p\np.Unpickler(f).load()", "pickle.Unpickler"),
        ("tests/core/a.py", "from pickle import loads\nloads(data)", "pickle.loads"),
        ("core/a.py", "x = pickle.loads(data)", "pickle.loads"),
        ("tests/core/a.py", "f(pickle.loads)", "passed on"),
        ("core/a.py", "np.load(p)", "allow_pickle"),
        ("core/a.py", "np.load(p, allow_pickle=True)", "allow_pickle"),
        ("core/a.py", "np.load(p, **options)", "allow_pickle"),
        ("core/a.py", "import numpy\nnumpy.lib.format.read_array(f)", "allow_pickle"),
        ("core/a.py", "import numpy as n\nn.load(p)", "allow_pickle"),
        ("core/a.py", "from numpy import load\nload(p)", "allow_pickle"),
        ("core/a.py", "partial(np.load, p)", "passed on"),
        ("core/a.py", "read = np.load", "passed on"),
        ("tests/core/a.py", "numpy.load(p, mmap_mode='r')", "allow_pickle"),
        ("training/a.py", "torch.load(p)", "weights_only"),
        ("training/a.py", "torch.load(p, weights_only=False)", "weights_only"),
        ("tools/a.py", "import os\nos.system(text)", "shell"),
        ("tools/a.py", "subprocess.getoutput(text)", "shell"),
        ("core/a.py", "import builtins\nbuiltins.exec(text)", "exec"),
        ("core/a.py", "run_text = eval", "eval"),
        ("core/a.py", "command = [python, '-m', 'pip', 'install']", "downloader"),
        ("pixel3dmm_addon/a.py", "run(('pip', 'install', name))", "downloader"),
        ("core/a.py", "from urllib import request", "network"),
        ("core/a.py", "def f():\n    import http.client", "network"),
        ("core/a.py", "p = '/usr/share/x'", "an absolute path"),
        ("pixel3dmm_addon/a.py", "p = 'D:/models'", "an absolute path"),
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
        ("training/a.py", "import torch as t\nt.load(p, weights_only=True)"),
        ("tests/core/a.py", "import pickle, socket\ndata = pickle.dumps(x)"),
        ("core/a.py", "import pickletools\nfrom urllib.parse import quote"),
        ("core/a.py", "x = 'such a path as /usr/bin/python or D:/x'"),
        ("tools/a.py", "command = [python, '-m', 'pip', 'install']"),
    ],
)
def test_innocent_code_passes(path, code):
    assert check_file(PurePosixPath(path), f"{SPDX}\n{code}\n") == []


@pytest.mark.parametrize("module", sorted(UNPICKLERS))
def test_no_module_that_unpickles_is_imported(module):
    for line in (f"import {module}", f"import {module} as m", f"from {module} import x"):
        [(_, fault)] = check_file(PurePosixPath("core/a.py"), f"{SPDX}\n{line}\n")
        assert "restricted reader" in fault


@pytest.mark.parametrize("module", NETWORK)
@pytest.mark.parametrize("part", ["core", "pixel3dmm_addon", "tools", "training"])
def test_no_module_that_opens_the_network_is_imported(module, part):
    found = check_file(PurePosixPath(part, "a.py"), f"{SPDX}\nimport {module}\n")
    assert ["opens the network" in fault for _, fault in found] == [True]


@pytest.mark.parametrize(("file", "start"), EXCEPTIONS)
def test_an_exception_excuses_one_thing_in_one_file(repository, file, start):
    text = (repository / file).read_text("utf-8")
    assert check_file(PurePosixPath(file), text) == []
    elsewhere = check_file(PurePosixPath(file).with_name("other.py"), text)
    assert [fault.startswith(start) for _, fault in elsewhere] == [True]
    [(_, stale)] = check_file(PurePosixPath(file), f"{SPDX}\n")
    assert "not needed" in stale


@pytest.mark.parametrize(
    ("path", "line", "fault"),
    [
        ("tools/requirements/a.txt", "numpy>=1.24", "one exact version"),
        ("tests/requirements-a.txt", "numpy", "one exact version"),
        ("core/runtime/lock-a.txt", "numpy==2.0.0", "hash"),
        ("core/runtime/lock-a.txt", "numpy \\\n    --hash=sha256:00", "one exact version"),
    ],
)
def test_packages_are_pinned(path, line, fault):
    found = check_file(PurePosixPath(path), f"# words\nsix==1.17.0 --hash=sha256:00\n{line}\n")
    assert [(number, fault in words) for number, words in found] == [(3, True)]


def test_findings_of_bandit_are_faults_unless_excused():
    def report(*found):
        return {"errors": [], "results": [
            {"filename": f"./{f}", "test_id": t, "line_number": 7, "issue_text": "words"}
            for f, t in found]}  # fmt: skip

    assert unexcused(report(*EXCUSED)) == []
    assert unexcused(report(*EXCUSED, ("benchmarks/a.py", "B311"))) == []
    new = ("core/rig/expression.py", "B307")
    assert unexcused(report(*EXCUSED, new)) == ["core/rig/expression.py:7: B307 words"]
    first, *others = EXCUSED
    [stale] = unexcused(report(*others))
    assert stale.startswith(first[0])
    assert "not needed" in stale
    [unread] = unexcused({**report(*EXCUSED), "errors": [{"filename": "core/a.py"}]})
    assert "core/a.py" in unread


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


def test_what_is_shipped_obeys_the_rules(repository):
    """Lint looks at everything; what goes to people is looked at here as well."""
    faults = [
        f"{path.relative_to(repository)}:{line}: {what}"
        for part in ("core", "pixel3dmm_addon")
        for path in sorted((repository / part).rglob("*.py"))
        for line, what in check_file(
            PurePosixPath(path.relative_to(repository).as_posix()), path.read_text("utf-8")
        )
    ]
    assert faults == []
