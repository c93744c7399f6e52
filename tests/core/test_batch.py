# SPDX-License-Identifier: GPL-3.0-or-later
"""A batch over workers that crash, hang and are killed: nothing is lost, nothing is made twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from batch_harness import batch

from core.batch.ledger import Ledger, person_key, recipe_hash
from core.batch.plan import plan_people
from core.errors import PersonError
from core.options import Options

HARNESS = Path(__file__).with_name("batch_harness.py")


def photos(folder: Path, **wishes: str) -> Path:
    """A file a photo, of different content each."""
    folder.mkdir(exist_ok=True)
    for name, wish in wishes.items():
        (folder / f"{name}.jpg").write_text(f"{wish};{name}")
    return folder


def records(out: Path) -> dict[str, dict]:
    """The last record of each person."""
    lines = [line for path in out.glob("results*.jsonl") for line in path.open(encoding="utf-8")]
    return {json.loads(line)["photos"][0]["person"]: json.loads(line)["photos"] for line in lines}


def attempts(out: Path, name: str) -> int:
    return len((out / f"seen-{name}").read_text().split())


def half_files(out: Path) -> list[Path]:
    return [p for p in out.rglob(".*-*.*") if p.is_file() and ".logs" not in p.parts]


def test_people_are_grouped_by_folder_name_or_table(tmp_path):
    for name in ("anna/1.jpg", "anna/2.PNG", "ben/sub/1.jpg", "solo.jpg", "notes.txt", ".x.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    def of(source, people="folders"):
        return {p.name: [str(f) for f in p.folders] for p in plan_people(source, people).people}

    assert of(tmp_path) == {"anna": ["anna/1", "anna/2"], "ben-sub": ["ben-sub"], "solo": ["solo"]}
    assert of(tmp_path, "each") == {"1": ["1"], "1-2": ["1-2"], "2": ["2"], "solo": ["solo"]}
    table = tmp_path / "who.csv"
    table.write_text("person,photo\nAnna,anna/1.jpg\n,solo.jpg\nAnna,ben/sub/1.jpg\n")
    assert of(table) == {"Anna": ["Anna/1", "Anna/1-2"], "solo": ["solo"]}
    flat = photos(tmp_path / "flat", ada_front="", ada_side="", bo_1="", odd="")
    assert of(flat, "{person}_*") == {
        "ada": ["ada/ada_front", "ada/ada_side"], "bo": ["bo"], "odd": ["odd"],
    }  # fmt: skip
    assert "1 of 4 names do not fit" in plan_people(flat, "{person}_*").notes[0]
    names = tmp_path / "list.txt"
    names.write_text("# two\nflat/odd.jpg\nanna/1.jpg\n")
    assert of(names) == {"flat": ["flat"], "anna": ["anna"]}
    assert of(names, "each") == {"odd": ["odd"], "1": ["1"]}


def test_a_plan_that_makes_no_sense_is_one_sentence(tmp_path):
    (tmp_path / "a.csv").write_text("name\nx\n")
    (tmp_path / "b.txt").write_bytes(b"\xff\xfe\x00")
    for source, people, words in (
        (tmp_path, "folders", "no photo"),
        (tmp_path, "person", "neither"),
        (tmp_path / "a.csv", "folders", "no column photo"),
        (tmp_path / "b.txt", "folders", "no list of photos"),
        (tmp_path / "c.txt", "folders", "does not exist"),
    ):
        with pytest.raises(PersonError, match=words):
            plan_people(source, people)


def test_shards_share_everybody_and_nobody_twice(tmp_path):
    plan = plan_people(photos(tmp_path / "in", **{f"p{i}": "ok" for i in range(30)}))
    parts = [[p.name for p in plan.shard(i, 4).people] for i in (1, 2, 3, 4)]
    assert sorted(name for part in parts for name in part) == sorted(p.name for p in plan.people)
    assert all(parts)


def test_results_do_not_count_as_photos(tmp_path):
    folder = photos(tmp_path / "in", a="ok")
    photos(folder / "out", contact="ok")
    assert [p.name for p in plan_people(folder, out=folder / "out").people] == ["a"]


def test_a_key_follows_content_recipe_and_order():
    recipe = recipe_hash(Options())
    same = person_key(["a", "b"], recipe)
    assert same == person_key(["a", "b"], recipe_hash(Options()))
    other = recipe_hash(Options(texture="1k"))
    assert len({same, person_key(["b", "a"], recipe), person_key(["a", "b"], other)}) == 3


def test_a_line_that_was_cut_off_is_passed_over(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.append([{"key": "a", "status": "failed"}], pytest.fail)
    with (tmp_path / "results.jsonl").open("a") as file:
        file.write('{"photos": [{"key": "b", "stat')
    again = Ledger(tmp_path)
    assert again.records("b") is None
    again.append([{"key": "b", "status": "failed"}], pytest.fail)
    assert Ledger(tmp_path).records("a")
    assert Ledger(tmp_path).records("b")


def test_what_goes_wrong_with_one_costs_nobody_else(tmp_path, capsys):
    wishes = {
        "bad": "crash", "unlucky": "crash once", "stuck": "hang", "slept": "hang once",
        "nobody": "noface", "a": "ok", "b": "ok", "c": "ok",
    }  # fmt: skip
    folder, out = photos(tmp_path / "in", **wishes), tmp_path / "out"
    (folder / "empty.jpg").touch()
    done = batch(folder, out, seconds=1.0, workers=4)
    assert (done.made, done.failures) == (5, 4)
    found = {name: r[0] for name, r in records(out).items()}
    assert {n for n, r in found.items() if r["status"] == "done"} == {
        "a", "b", "c", "unlucky", "slept",
    }  # fmt: skip
    assert found["bad"]["code"] == "crashed"
    assert "see worker-" in found["bad"]["message"]
    assert found["stuck"]["code"] == "hung"
    assert found["nobody"]["code"] == "no_face"
    assert "0 bytes" in found["empty"]["message"]
    tried = [attempts(out, name) for name in ("bad", "unlucky", "stuck", "slept", "nobody", "a")]
    assert tried == [2, 2, 2, 2, 1, 1]
    assert half_files(out) == []
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert events[-1]["event"] == "progress"
    assert events[-1]["settled"] == events[-1]["total"] == 9


def test_it_resumes_and_makes_anew_what_changed_or_was_lost(tmp_path):
    folder = photos(tmp_path / "in", a="ok", b="ok", c="ok", d="noface once")
    out = tmp_path / "out"
    assert batch(folder, out).failures == 1
    photos(folder, b="ok again", e="ok")
    (out / "c" / "head.npz").unlink()
    done = batch(folder, out)
    assert (done.found_done, done.made, done.failures) == (1, 4, 0)
    assert [attempts(out, name) for name in "abcde"] == [1, 2, 2, 2, 1]


def test_a_full_disk_is_waited_for(tmp_path, capsys):
    folder, out = photos(tmp_path / "in", a="full once", b="ok"), tmp_path / "out"
    answers = iter([False, False, True])
    done = batch(folder, out, room=lambda where: next(answers, True))
    assert (done.made, done.failures) == (2, 0)
    said = capsys.readouterr().out
    assert "is full: make room there" in said
    assert "has room again" in said


def test_workers_are_replaced_before_they_grow(tmp_path):
    folder = photos(tmp_path / "in", **{f"p{i}": "ok" for i in range(6)})
    out = tmp_path / "out"
    batch(folder, out, workers=1, recycle=2)
    assert len({(out / f"seen-p{i}").read_text() for i in range(6)}) == 3


def test_two_runs_on_one_folder_share_the_work(tmp_path):
    folder = photos(tmp_path / "in", **{f"p{i}": "slow" for i in range(10)})
    out = tmp_path / "out"
    runs = [start(folder, out) for _ in range(2)]
    said = [run.communicate(timeout=60)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0]
    made = [sum(json.loads(line)["event"] == "photo" for line in s.splitlines()) for s in said]
    assert sum(made) == 10
    assert [attempts(out, f"p{i}") for i in range(10)] == [1] * 10
    assert len(records(out)) == 10


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals for other processes")
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_ended_repeats_at_most_one_a_worker(tmp_path, signum):
    folder = photos(tmp_path / "in", **{f"p{i}": "slow" for i in range(12)})
    out = tmp_path / "out"
    run = start(folder, out)
    for line in run.stdout:
        if json.loads(line)["event"] == "photo":
            break
    run.send_signal(signum)
    run.communicate(timeout=30)
    assert run.returncode != 0
    assert half_files(out) == []
    done = batch(folder, out)
    assert done.failures == 0
    assert done.made + done.found_done == 12
    assert sum(attempts(out, f"p{i}") for i in range(12)) <= 12 + 2
    assert half_files(out) == []


def start(folder: Path, out: Path) -> subprocess.Popen:
    command = [sys.executable, str(HARNESS), "run", str(folder), str(out)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
