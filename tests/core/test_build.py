# SPDX-License-Identifier: GPL-3.0-or-later
"""The one door: verbs, the search for a Python, environments, suites."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import build
from tools import environments, pip, pythons, suites
from tools.environments import Recipe, prepare
from tools.processes import ROOT, BuildError

VERBS = ("run", "test", "lint", "package", "assets", "bench")
HERE = pythons.this_version()


def door(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "build.py"), *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def test_help_names_every_verb():
    answer = door("--help")
    assert answer.returncode == 0
    for verb in VERBS:
        assert f"\n    {verb} " in answer.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb):
    answer = door(verb, "--help")
    assert answer.returncode == 0
    assert f"build.py {verb}" in answer.stdout
    assert answer.stdout.count("\n\n") >= 2, "usage alone explains nothing"


@pytest.mark.parametrize("arguments", [["fly"], ["lint", "--fast"], ["run"], []])
def test_wrong_arguments_are_told_without_a_traceback(arguments):
    answer = door(*arguments)
    assert answer.returncode == 2
    assert "usage:" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_missing_photo_is_told_before_anything_is_prepared(tmp_path):
    answer = door("run", "nobody.jpg", cwd=tmp_path)
    assert answer.returncode == 2
    assert answer.stderr == (
        "build.py: There is no photo at nobody.jpg: give the path of an image file.\n"
    )
    assert "Preparing" not in answer.stdout


def test_another_python_without_help_on_path_gets_one_sentence(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(pythons, "this_version", lambda: "3.9")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["build.py", "lint"])
    assert build.main() == 2
    told = capsys.readouterr().err
    assert told.startswith("build.py: Python 3.11 or 3.13 is needed, this is 3.9")
    assert "install Python 3.11" in told
    assert told.count("\n") == 1


def test_another_python_hands_over_to_one_on_path(monkeypatch, tmp_path):
    monkeypatch.setattr(pythons, "this_version", lambda: "3.9")
    monkeypatch.setattr(pythons, "find_python", lambda version: f"/somewhere/python{version}")
    monkeypatch.setattr(sys, "argv", ["build.py", "lint"])
    started = []
    monkeypatch.setattr(subprocess, "call", lambda command: started.append(command) or 7)
    assert build.main() == 7
    assert started == [["/somewhere/python3.11", "build.py", "lint"]]


def launcher(folder: Path, name: str, body: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


@pytest.mark.skipif(sys.platform == "win32", reason="launchers are shell scripts here")
def test_only_a_python_that_answers_with_its_version_is_found(tmp_path):
    assert pythons.find_python(HERE, path=str(tmp_path)) is None
    launcher(tmp_path, f"python{HERE}", "exit 127")
    assert pythons.find_python(HERE, path=str(tmp_path)) is None
    launcher(tmp_path, "python3", f'exec "{sys.executable}" "$@"')
    assert pythons.find_python(HERE, path=str(tmp_path)) == sys.executable
    assert pythons.find_python("3.99", path=str(tmp_path)) is None


def wheel(folder: Path, version: str, code: str = "") -> Path:
    path = folder / f"tiny-{version}-py3-none-any.whl"
    info = f"tiny-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny.py", f"VERSION = {version!r}\n{code}\n")
        archive.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return path


def recipe(folder: Path, requirement: str, disk_gb: float = 0.01) -> Recipe:
    path = folder / "requirements.txt"
    path.write_text(requirement + "\n")
    return Recipe("tiny", HERE, (path,), disk_gb=disk_gb)


def installed_version(environment: environments.Environment) -> str:
    command = [str(environment.python), "-c", "import tiny; print(tiny.VERSION)"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_an_environment_is_reused_until_its_requirements_change(tmp_path, capsys):
    envs = tmp_path / "envs"
    one, two = (str(wheel(tmp_path, version)) for version in ("1.0", "2.0"))
    first = prepare(recipe(tmp_path, one), envs)
    assert installed_version(first) == "1.0"
    assert first.seconds > 0
    trace = envs / "tiny" / "trace"
    trace.touch()
    capsys.readouterr()

    again = prepare(recipe(tmp_path, one), envs)
    assert trace.exists(), "an unchanged environment was made anew"
    assert (again.seconds, again.downloaded_mb) == (0.0, 0.0)
    assert capsys.readouterr().out == ""

    changed = prepare(recipe(tmp_path, two), envs)
    assert installed_version(changed) == "2.0"
    assert not trace.exists()


def test_the_key_hangs_on_requirements_and_interpreter(tmp_path):
    a = recipe(tmp_path, "a==1")
    key = environments.environment_key(a, "/usr/bin/python3.11")
    assert environments.environment_key(a, "/usr/bin/python3.11") == key
    assert environments.environment_key(a, "/usr/local/bin/python3.11") != key
    bare = Recipe("tiny", HERE, (), bare=a.requirements)
    assert environments.environment_key(bare, "/usr/bin/python3.11") != key
    assert environments.environment_key(recipe(tmp_path, "a==2"), "/usr/bin/python3.11") != key


def test_an_unfinished_environment_is_made_anew(tmp_path):
    envs = tmp_path / "envs"
    tiny = recipe(tmp_path, str(wheel(tmp_path, "1.0")))
    made = prepare(tiny, envs)
    (envs / "tiny" / "ready.json").write_text('{"key": ')
    (envs / "tiny" / "trace").touch()
    assert prepare(tiny, envs).python == made.python
    assert not (envs / "tiny" / "trace").exists()


@pytest.mark.parametrize(
    ("requirement", "sentence"),
    [
        ("--no-index\nnowhere==1.0", "There is no nowhere==1.0 for this Python"),
        ("--index-url http://127.0.0.1:9/simple\nnowhere==1.0", "the network does not answer"),
        ("--no-index\nnot a requirement", "pip could not install tiny: "),
    ],
)
def test_pip_troubles_become_one_sentence(requirement, sentence, tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(BuildError) as caught:
        prepare(recipe(tmp_path, requirement), tmp_path / "envs")
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "envs" / "tiny" / "ready.json").exists()


def test_a_missing_system_library_is_told_until_it_is_there(tmp_path):
    broken = "raise ImportError('libXi.so.6: cannot open shared object file: No such file')"
    requirement = str(wheel(tmp_path, "1.0", broken))
    path = recipe(tmp_path, requirement).requirements
    tiny = Recipe("tiny", HERE, path, probe="tiny", disk_gb=0.01)
    for _ in range(2):
        with pytest.raises(BuildError, match=r"needs the system library libXi\.so\.6"):
            prepare(tiny, tmp_path / "envs")
    (module,) = (tmp_path / "envs" / "tiny").rglob("site-packages/tiny.py")
    module.write_text("")
    assert prepare(tiny, tmp_path / "envs").seconds == 0.0, "nothing was to be installed again"


def test_too_little_disk_is_told_beforehand(tmp_path):
    with pytest.raises(BuildError, match=r"needs about 1000000.0 GB .* free some space"):
        prepare(recipe(tmp_path, "a==1", disk_gb=1e6), tmp_path / "envs")


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "envs").write_text("a file where the folder should be")
    with pytest.raises(BuildError, match="make the folder writable"):
        prepare(recipe(tmp_path, "a==1"), tmp_path / "envs")


def test_a_python_that_is_not_there_is_told(tmp_path):
    with pytest.raises(BuildError, match=r"blender-9: Python 3\.99 is needed"):
        prepare(Recipe("blender-9", "3.99", ()), tmp_path / "envs")


def test_every_blender_has_its_requirements():
    for version in environments.BLENDER_PYTHON:
        (path,) = environments.blender_recipe(version).requirements
        pins = [x for x in path.read_text().splitlines() if x and not x.startswith("#")]
        assert any(pin.startswith(f"bpy=={version}.") for pin in pins)
        assert all("==" in pin for pin in pins)
    with pytest.raises(BuildError, match=r"no Blender 2\.79"):
        environments.blender_recipe("2.79")


def test_downloads_are_counted_and_cached_files_are_not():
    log = """Collecting bpy==4.5.15
  Downloading bpy-4.5.15-cp311-cp311-manylinux_2_28_x86_64.whl (372.8 MB)
Collecting idna
  Using cached idna-3.10-py3-none-any.whl (70 kB)
  Downloading certifi-2025-py3-none-any.whl (500 kB)
  Downloading tiny-1.0-py3-none-any.whl.metadata (120 bytes)
"""
    assert pip.downloaded_megabytes(log) == pytest.approx(372.8 + 0.5 + 0.00012)


def test_paths_choose_the_suite_and_the_rest_goes_to_pytest():
    both = (["tests/core", "tests/fuzz"], ["tests/addon"], ["tests/gui"])
    assert suites.split_arguments(["-k", "core"]) == (*both, ["-k", "core"])
    assert suites.split_arguments(["tests", "-x"]) == (*both, ["-x"])
    one = "tests/core/test_build.py::test_help_names_every_verb"
    assert suites.split_arguments([one, "-q"]) == ([one], [], [], ["-q"])
    assert suites.split_arguments(["tests/addon"]) == ([], ["tests/addon"], [], [])
    assert suites.split_arguments(["tests/gui"]) == ([], [], ["tests/gui"], [])


def test_the_window_is_left_out_aloud_where_there_is_none(monkeypatch, capsys):
    monkeypatch.setattr(suites.window, "missing", lambda suite: f"a Blender of {suite}")
    assert suites.run_tests(["4.5"], ["tests/gui"]) == 0
    assert "SKIPPED, ALL OF tests/gui: a Blender of trixie is missing" in capsys.readouterr().out


def test_counts_come_from_pytests_own_report(tmp_path):
    (tmp_path / "test_four.py").write_text(
        "import pytest\n"
        "def test_good(): pass\n"
        "def test_bad(): assert 0\n"
        "def test_left_out(): pytest.skip('because')\n"
        "@pytest.fixture\n"
        "def broken(): raise ValueError\n"
        "def test_broken(broken): pass\n"
    )
    report = tmp_path / "report.xml"
    command = [sys.executable, "-m", "pytest", f"--junitxml={report}", "--rootdir=.", "-q"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 1
    assert suites.read_report(report) == suites.Counts(passed=1, failed=1, errors=1, skipped=1)
    assert suites.read_report(tmp_path / "absent.xml") == suites.Counts(errors=1)


def test_whole_suites_are_dealt_into_parts_that_miss_no_file():
    hands = suites.dealt([suites.CORE, suites.FUZZ], 3)
    assert len(hands) == 3
    files = sorted(file for hand in hands for file in hand)
    here = [*Path(suites.CORE).glob("test_*.py"), *Path(suites.FUZZ).glob("test_*.py")]
    assert files == sorted(path.as_posix() for path in here)
    assert suites.dealt([suites.CORE], 1) == [[suites.CORE]]
    one = ["tests/core/test_build.py"]
    assert suites.dealt(one, 4) == [one]


def test_parts_of_one_suite_are_summed_up():
    parts = [
        suites.Outcome("core", 0, suites.Counts(passed=2)),
        suites.Outcome("core", 1, suites.Counts(passed=1, failed=1)),
        suites.Outcome("Blender 4.5", suites.NOTHING_COLLECTED, suites.Counts()),
    ]
    assert suites.together(parts) == [
        suites.Outcome("core", 1, suites.Counts(passed=3, failed=1)),
        suites.Outcome("Blender 4.5", suites.NOTHING_COLLECTED, suites.Counts()),
    ]


@pytest.mark.parametrize(
    ("codes", "whole"), [([0, 0], 0), ([0, 5], 0), ([5, 5], 5), ([0, 1], 1), ([0, -11], 1)]
)
def test_the_whole_fails_if_a_suite_fails(codes, whole, capsys):
    counts = suites.Counts(passed=2, skipped=1)
    outcomes = [suites.Outcome(f"suite {i}", code, counts) for i, code in enumerate(codes)]
    assert suites.close(outcomes, 3.0) == whole
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.strip("= ") == "4 passed, 2 skipped in 3.00s"
