# SPDX-License-Identifier: GPL-3.0-or-later
"""Job types for farms: Flamenco's script in a JavaScript engine, what its tasks run, and Ray."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from conftest import missing

from core.__main__ import _parser
from core.options import PREDICTORS, TEXTURES

ROOT = Path(__file__).resolve().parents[2]

#: The manager's side of the interface, as its documentation has it: author.Task(name, type),
#: author.Command(name, parameters), task.addCommand, task.addDependency, job.addTask.
MANAGER = """
const tasks = [];
const author = {
  Task(name, type) {
    if (typeof name !== "string" || typeof type !== "string") throw new Error("Task");
    const task = {name, type, commands: [], dependencies: []};
    task.addCommand = c => { task.commands.push(c); };
    task.addDependency = t => {
      if (!tasks.includes(t)) throw new Error("a dependency that is not in the job");
      task.dependencies.push(t.name);
    };
    return task;
  },
  Command(name, parameters) { return {name, parameters}; },
};
function compile(settings) {
  tasks.length = 0;
  compileJob({settings, name: "job", addTask: task => { tasks.push(task); }});
  return JSON.stringify(tasks);
}
"""
TYPES = {"string": str, "int32": int, "float": float, "bool": bool}
KEYS = {"key", "type", "subtype", "required", "default", "description", "choices", "propargs"}
SUBTYPES = {"file_path", "dir_path", "file_name", "hashed_file_path"}


@pytest.fixture(scope="module")
def script():
    """Flamenco's script, loaded beside the manager's side."""
    try:
        from py_mini_racer import MiniRacer
    except ImportError:
        missing("mini-racer, of tools/requirements/tests.txt")
    engine = MiniRacer()
    text = (ROOT / "pipelines" / "flamenco" / "pixel3dmm.js").read_text(encoding="utf-8")
    engine.eval(MANAGER + text)
    return engine


def chosen(script, **settings):
    """The tasks, from the defaults and what is chosen instead."""
    kinds = json.loads(script.eval("JSON.stringify(JOB_TYPE.settings)"))
    values = {k["key"]: k["default"] for k in kinds if "default" in k}
    values |= {"photos": "/p", "out": "/o", "pixel3dmm": str(ROOT), **settings}
    return json.loads(script.eval(f"compile({json.dumps(values)})"))


def batch_arguments(command) -> list[str]:
    assert command["name"] == "exec"
    exe, args = command["parameters"]["exe"], command["parameters"]["args"]
    assert exe == "python3"
    assert args[0] == "-c"
    assert args[2] == str(ROOT)
    return args[3:]


def test_its_settings_are_of_the_kinds_that_flamenco_shows(script):
    job_type = json.loads(script.eval("JSON.stringify(JOB_TYPE)"))
    assert job_type["label"]
    for setting in job_type["settings"]:
        assert set(setting) <= KEYS
        kind = TYPES[setting["type"]]
        assert setting.get("subtype", "dir_path") in SUBTYPES
        assert setting["description"]
        if "default" in setting:
            assert type(setting["default"]) is kind
            assert setting["default"] in setting.get("choices", [setting["default"]])
    choices = {s["key"]: tuple(s["choices"]) for s in job_type["settings"] if "choices" in s}
    assert choices == {"predictor": PREDICTORS, "texture": TEXTURES}


def test_a_job_is_shards_and_a_sheet_that_waits_for_them(script):
    tasks = chosen(script, tasks=3, face=2, export="fbx", texture="1k", workers=4)
    assert [t["name"] for t in tasks] == [
        "heads-1-of-3", "heads-2-of-3", "heads-3-of-3", "contact-sheet",
    ]  # fmt: skip
    assert tasks[-1]["dependencies"] == [t["name"] for t in tasks[:-1]]
    for index, task in enumerate(tasks, 1):
        [command] = task["commands"]
        args = _parser().parse_args(batch_arguments(command))
        assert (str(args.source), str(args.out)) == ("/p", "/o")
        assert args.shard == ((index, 3) if index < 4 else None)
        assert (args.face, args.texture, args.workers) == (1, "1k", 4)
        assert (args.export, args.blender) == ("fbx", "{blender}")
        assert args.allow_failures


def test_settings_that_make_no_sense_are_refused_when_it_is_submitted(script):
    for settings, words in (
        ({"photos": ""}, "photos"), ({"tasks": 0}, "tasks"),
        ({"export": "fbx", "blender": ""}, "blender"),
    ):  # fmt: skip
        with pytest.raises(Exception, match=f'"{words}"'):
            chosen(script, **settings)


def test_a_task_runs_as_the_worker_would_run_it(script, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "bad.jpg").write_text("no photo")
    settings = {"photos": str(tmp_path / "in"), "out": str(tmp_path / "out"), "tasks": 1}
    for task in chosen(script, **settings):
        args = task["commands"][0]["parameters"]["args"]
        done = subprocess.run([sys.executable, *args], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert "bad.jpg is not a picture" in (tmp_path / "out" / "contact-sheet.html").read_text()


def test_ray_loses_nobody_with_an_actor(example_photo, tmp_path):
    """A local cluster of two actors, one of which is killed amid its work."""
    try:
        import ray  # noqa: F401
    except ImportError:
        pytest.skip("Ray is missing: install tests/requirements-ray.txt")
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    from PIL import Image

    face = Image.open(example_photo).crop((130, 0, 330, 200))
    for i in range(4):
        face.resize((180 + 4 * i,) * 2).save(folder / f"p{i}.png")
    command = [sys.executable, str(ROOT / "pipelines" / "ray_batch.py"), str(folder)]
    killed = []

    def kill_one() -> None:
        while not killed and running.poll() is None:
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    if path.read_bytes().startswith(b"ray::Batcher.make"):
                        pid = int(path.parent.name)
                        os.kill(pid, signal.SIGKILL)
                        killed.append(pid)
                        return
                except OSError:
                    continue
            time.sleep(0.2)

    with subprocess.Popen(
        [*command, "--out", str(out), "--actors", "2", "--texture", "off"]
    ) as running:
        thread = threading.Thread(target=kill_one)
        thread.start()
        assert running.wait(timeout=300) == 0
        thread.join()
    assert killed
    assert sorted(p.parent.name for p in out.glob("*/head.npz")) == ["p0", "p1", "p2", "p3"]
