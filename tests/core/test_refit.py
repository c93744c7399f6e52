# SPDX-License-Identifier: GPL-3.0-or-later
"""A fit that goes on: pins, further photos, and what a head keeps for it."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from core.errors import FitError, ModelFileError, PhotoError, WorkerError
from core.fitting.pins import Pin
from core.fitting.pose import similarity
from core.heads import load_open_head
from core.jobs.parameters import Parameters
from core.jobs.refit import refit_job
from core.options import Options
from core.photos.photo import Photo, load_photo
from core.progress import silent
from core.protocol import encode, message
from core.reconstruct.continuation import MAX_PHOTOS, Continuation, pins_from_json, pins_to_json
from core.reconstruct.refit import NOT_AT_HAND, PINS_LOST, refit
from core.reconstruct.seen_photo import see
from core.rigged_head import RiggedHead

pytest.importorskip("cv2")


@pytest.fixture(scope="module")
def photo(example_photo):
    return load_photo(example_photo)


@pytest.fixture(scope="module")
def rigged(example_head):
    return example_head


@pytest.fixture(scope="module")
def told(rigged):
    return rigged.continuation_json


def place(text, landmark, photo=0):
    return Continuation.from_json(text).photos[photo].landmarks_fit[landmark]


@pytest.mark.parametrize(
    ("landmark", "by"), [(4, (3.0, 0.0)), (61, (-4.0, 2.0)), (152, (0.0, 6.0)), (70, (0.0, -4.0))]
)
def test_a_pinned_landmark_goes_where_it_is_pulled(told, landmark, by):
    goal = place(told, landmark) + by
    after = refit(told, [Pin(0, landmark, *map(float, goal))], progress=silent).after
    assert np.linalg.norm(place(after.continuation_json, landmark) - goal) < 1
    # The file's own mesh shows it, and not only the figure beside it.
    shown = after.posed[after.landmark_vertices[landmark]]
    point = after.landmark_barycentric[landmark] @ shown
    assert np.linalg.norm(after.camera.project(point[None])[0] - goal) < 1


def test_a_pin_moves_what_is_near_it_and_hardly_the_rest(told):
    goal = place(told, 61) + np.array([-4.0, 2.0])
    plain = refit(told, [], progress=silent).after
    pulled = refit(told, [Pin(0, 61, *map(float, goal))], progress=silent).after
    moved = np.linalg.norm(
        Continuation.from_json(pulled.continuation_json).photos[0].landmarks_fit
        - Continuation.from_json(plain.continuation_json).photos[0].landmarks_fit,
        axis=1,
    )
    assert moved[61] > 3
    # Brows and forehead are far from a corner of the mouth.
    assert moved[[9, 10, 70, 300]].max() < 0.5


def test_beyond_what_is_plausible_the_head_stays_a_head(told):
    goal = place(told, 4) + np.array([60.0, 0.0])  # the nose, one eye distance aside
    after = refit(told, [Pin(0, 4, *map(float, goal))], progress=silent).after
    after.check()
    plain = refit(told, [], progress=silent).after
    moved = np.linalg.norm(after.basis - plain.basis, axis=1)
    assert np.median(moved) < 0.003
    assert np.linalg.norm(after.posed - plain.posed, axis=1).max() < 0.025


def test_without_its_pin_a_landmark_goes_back(told):
    here = place(refit(told, [], progress=silent).after.continuation_json, 4)
    pulled = refit(
        told, [Pin(0, 4, *map(float, here + np.array([4.0, 0.0])))], progress=silent
    ).after
    back = refit(pulled.continuation_json, [], progress=silent).after
    assert np.linalg.norm(place(back.continuation_json, 4) - here) < 0.3


def test_before_is_what_stands_in_the_scene(rigged, told):
    done = refit(told, [], before=rigged, progress=silent)
    assert done.before is rigged
    # Another process: made again from the numbers.
    again = refit(told, [], progress=silent).before
    assert np.abs(again.basis - rigged.basis).max() < 1e-6
    assert np.abs(again.key_deltas - rigged.key_deltas).max() < 5e-4


def test_a_further_photo_is_solved_together(photo, told):
    mirrored = Photo(np.ascontiguousarray(photo.pixels[:, ::-1]), "mirrored")
    goal = place(told, 4) + np.array([2.0, 0.0])
    pins = [Pin(0, 4, *map(float, goal))]
    done = refit(told, pins, see([mirrored], Options()), progress=silent)
    now = Continuation.from_json(done.after.continuation_json)
    assert [p.name for p in now.photos] == ["astronaut", "mirrored"]
    assert now.pins == tuple(pins_from_json(pins_to_json(pins), 2))
    assert np.linalg.norm(now.photos[0].landmarks_fit[4] - goal) < 1
    errors = np.linalg.norm(now.photos[1].landmarks_fit - now.photos[1].landmarks, axis=1)
    assert np.nanmedian(errors) < 2
    assert len(done.after.report["photos"]) == 2


def test_the_text_says_the_same_after_a_way_through_json(told):
    first = Continuation.from_json(told)
    again = Continuation.from_json(first.to_json())
    assert again.to_json() == first.to_json() == told
    assert np.abs(again.identity - first.identity).max() < 1e-8
    assert len(told) < 40_000


def hostile():
    """(what it is, how it is made of the JSON object)"""
    yield "no photos", lambda d: d.update(photos=[])
    yield "too many photos", lambda d: d.update(photos=d["photos"] * 65)
    yield "landmarks of another shape", lambda d: d["photos"][0].update(landmarks=[[1, 2]])
    yield "ragged", lambda d: d["photos"][0].update(depth=[[1], [2, 3]])
    yield "not numbers", lambda d: d["photos"][0]["state"].update(t=["a", "b", "c"])
    yield "huge", lambda d: d["photos"][0]["state"].update(t=[1e300, 0, 1])
    yield "behind the camera", lambda d: d["photos"][0]["state"].update(t=[0, 0, -1])
    yield "a size beyond memory", lambda d: d["photos"][0].update(width=10**9, height=10**9)
    yield "a name that is none", lambda d: d["photos"][0].update(name={"a": 1})
    yield "identity without end", lambda d: d.update(identity=[0.0] * 100_000)
    yield "pins elsewhere", lambda d: d.update(pins=[[7, 4, 1, 1]])
    yield "pins of text", lambda d: d.update(pins="all of them")
    yield "a pin on half a triangle", lambda d: d.update(pins=[[0, -1, 1, 1, 4, 5]])
    yield "a pin on no vertex", lambda d: d.update(pins=[[0, -1, 1, 1, -4, 5, 6, 0.5, 0.5]])
    yield "a pin outside its triangle", lambda d: d.update(pins=[[0, -1, 1, 1, 4, 5, 6, 9, 9]])
    yield "a pin on two things", lambda d: d.update(pins=[[0, 7, 1, 1, 4, 5, 6, 0.5, 0.5]])
    yield "pins at infinity", lambda d: d.update(pins=[[0, 4, 1e400, 1]])
    yield "no head", lambda d: d.pop("head")
    yield "another kind of schema", lambda d: d.update(schema="one")


@pytest.mark.parametrize(("what", "spoil"), list(hostile()), ids=[w for w, _ in hostile()])
def test_whatever_is_wrong_with_it_is_one_sentence(told, what, spoil):
    data = json.loads(told)
    spoil(data)
    with pytest.raises(ModelFileError, match="damaged") as caught:
        Continuation.from_json(json.dumps(data))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", None, 3, "[]", "{", "null", "[" * 100_000, "x" * 5_000_000])
def test_what_is_no_continuation_at_all(text):
    with pytest.raises(ModelFileError):
        Continuation.from_json(text)


def test_a_newer_version_says_so(told):
    data = {**json.loads(told), "schema": 3}
    with pytest.raises(ModelFileError, match="newer version"):
        Continuation.from_json(json.dumps(data))


def test_pins_on_the_surface_stay_in_the_text(told):
    known = Continuation.from_json(told)
    pins = (Pin(0, 4, 1.5, 2.25), Pin.on_surface(0, (7, 8, 9), (0.25, 0.5, 0.25), 3.0, 4.0))
    text = known.with_pins(pins).to_json()
    assert Continuation.from_json(text).pins == pins
    # Earlier versions read what they know all of, and say what they do not.
    assert json.loads(text)["schema"] == 2
    assert json.loads(known.with_pins(pins[:1]).to_json())["schema"] == 1


def test_a_head_model_that_has_changed_is_fitted_anew(told):
    other = replace(Continuation.from_json(told), head_digest="of another version").to_json()
    lost = Pin.on_surface(0, (7, 8, 9), (0.25, 0.5, 0.25), 3.0, 4.0)
    done = refit(other, [lost], progress=silent)
    assert PINS_LOST in done.warnings
    assert Continuation.from_json(done.after.continuation_json).pins == ()
    assert any("fitted anew" in w for w in done.warnings)
    plain = refit(told, [], progress=silent).after
    face = load_open_head().regions["face"]
    # What the pixels said of the shape is of the earlier head model and goes; how large the head
    # is, the landmarks alone hardly say.
    a, b = done.after.basis[face].astype(float), plain.basis[face].astype(float)
    scale, turn, shift = similarity(a, b, np.ones(len(a)))
    assert np.abs(scale * a @ turn.T + shift - b).max() < 6e-3


def test_another_head_model_and_maps_that_are_not_kept(told):
    known = Continuation.from_json(told)
    with pytest.raises(ModelFileError, match="made with Some Head"):
        refit(replace(known, head_name="Some Head").to_json(), [], progress=silent)
    dense = replace(known, photos=(replace(known.photos[0], dense=True),)).to_json()
    with pytest.raises(FitError, match="maps"):
        refit(dense, [], progress=silent)


def test_the_job_checks_its_parameters(told, tmp_path):
    for params in (None, {}, {"continuation": told}, {"continuation": 1, "out": "x"}):
        with pytest.raises(WorkerError):
            refit_job(Parameters(params), silent, lambda: None)
    for pins in ("x", [[0, 4]], [[0, 999, 1, 1]], [[0, 4, "a", 1]], [[1, 4, 1, 1]]):
        params = {"continuation": told, "pins": pins, "out": str(tmp_path)}
        with pytest.raises(ModelFileError, match="pins"):
            refit_job(Parameters(params), silent, lambda: None)
    assert list(tmp_path.iterdir()) == []


def test_who_has_the_old_head_already_is_not_sent_it(told, tmp_path):
    params = {"continuation": told, "options": {}, "out": str(tmp_path), "before": False}
    result = refit_job(Parameters(params), silent, lambda: None)
    assert set(result) == {"after", "warnings"}
    assert [p.name for p in tmp_path.iterdir()] == ["after.npz"]


def test_as_many_photos_as_a_head_may_have_fit_on_a_line(told):
    known = Continuation.from_json(told)
    large = replace(known.photos[0], landmarks=known.photos[0].landmarks + 9000.0)
    text = replace(known, photos=(large,) * MAX_PHOTOS).to_json()
    assert len(Continuation.from_json(text).photos) == MAX_PHOTOS
    params = {"continuation": text, "pins": [[0, i, 9000.1234, 9000.1234] for i in range(478)]}
    assert encode(message("job", id="j", kind="refit", params=params))


@pytest.mark.parametrize("earlier", ["x", {}, [1], [["a.npz"]], [None, None]])
def test_nonsense_instead_of_earlier_photos(told, tmp_path, earlier):
    params = {"continuation": told, "earlier": earlier, "out": str(tmp_path)}
    with pytest.raises(WorkerError, match="incomplete"):
        refit_job(Parameters(params), silent, lambda: None)
    assert list(tmp_path.iterdir()) == []


def test_the_job_compares_a_further_photo_with_the_earlier_ones_at_hand(photo, told, tmp_path):
    darker = replace(photo, pixels=(photo.pixels * 0.8).astype(np.uint8), name="darker", sha256="")
    old, new, out = tmp_path / "old.npz", tmp_path / "new.npz", tmp_path / "out"
    photo.save(old)
    darker.save(new)
    out.mkdir()
    matches = {}
    for name, earlier in {"at hand": [str(old)], "not": [None], "not told": []}.items():
        params = {"continuation": told, "photos": [str(new)], "earlier": earlier, "out": str(out)}
        result = refit_job(Parameters(params), silent, lambda: None)
        after = RiggedHead.load(out / "after.npz")
        matches[name] = Continuation.from_json(after.continuation_json).matches
        assert (NOT_AT_HAND in result["warnings"]) == (name != "at hand")
    assert [(m.first, m.second) for m in matches["at hand"]] == [(0, 1)]
    assert matches["not"] == matches["not told"] == ()


def test_earlier_photos_are_not_opened_where_there_is_no_further_one(told, tmp_path):
    gone = str(tmp_path / "gone.npz")
    params = {"continuation": told, "earlier": [gone], "out": str(tmp_path)}
    assert refit_job(Parameters(params), silent, lambda: None)["warnings"] == []
    with pytest.raises(PhotoError, match=r"gone\.npz"):
        refit_job(Parameters({**params, "photos": [gone]}), silent, lambda: None)
