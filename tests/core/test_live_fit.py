# SPDX-License-Identifier: GPL-3.0-or-later
"""What is shown while a pin is dragged: near the exact fit, within bounds, and named."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from core.errors import FitError, ModelFileError, WorkerError
from core.fitting.pins import Pin
from core.geometry.pick import facing
from core.heads import load_open_head
from core.heads.handles import handles, mirrored_landmarks
from core.jobs.live import live_job
from core.jobs.parameters import Parameters
from core.progress import silent
from core.reconstruct.continuation import Continuation
from core.reconstruct.live import live_fit
from core.reconstruct.live_files import load_fit, load_surface, save_fit, save_surface
from core.reconstruct.refit import refit


@pytest.fixture(scope="module")
def told(example_head):
    return example_head.continuation_json


@pytest.fixture(scope="module")
def live(told):
    return live_fit(told, 0)


@pytest.fixture(scope="module")
def rest(live):
    return live.solve([])


def named(live, name):
    """A pin on a handle, where the head has it."""
    (handle,) = (h for h in live.surface.handles if h.name == name)
    return live.surface.pin_of(handle, 0)


def pulled(live, at, name, by):
    pin = named(live, name)
    x, y = live.place_of(pin, at) + by
    return replace(pin, x=float(x), y=float(y))


def exact(told, head, pins):
    """The worker's fit, and where its camera sees the head proper."""
    after = refit(told, pins, before=head, progress=silent).after
    return after, after.camera.project(after.posed.astype(float))


@pytest.mark.parametrize(
    ("name", "by"),
    [("Right mouth corner", (-5.0, 3.0)), ("Left ear, back", (4.0, 0.0)),
     ("Skull, top", (0.0, -7.0)), ("Nose tip", (2.0, 2.0)), ("Left jaw angle", (-4.0, 1.0)),
     ("Hairline, middle", (0.0, 3.0)), ("Left upper lid", (0.0, -2.0))],
)  # fmt: skip
def test_what_is_seen_while_dragging_is_what_the_fit_comes_to(
    told, example_head, live, rest, name, by
):
    pose, steps = rest, 4
    for k in range(1, steps + 1):
        pin = pulled(live, rest, name, np.array(by) * k / steps)
        pose = live.solve([pin], pose.state)
    assert np.linalg.norm(live.place_of(pin, pose) - (pin.x, pin.y)) < 0.5
    after, pixels = exact(told, example_head, [pin])
    # The skin: teeth that the photo shows together are put together in the exact fit alone.
    off = np.linalg.norm(pose.pixels - pixels[: live.surface.count], axis=1)[live.surface.skin]
    moved = np.linalg.norm(pose.pixels - rest.pixels, axis=1)
    assert moved.max() > 0.8 * np.linalg.norm(by)
    assert off.max() < 0.6
    # And the exact one meets it, which the text says after a way through JSON.
    (kept,) = Continuation.from_json(after.continuation_json).pins
    assert kept.place == pin.place
    seen = np.asarray(live.solve([kept]).place(*_place(live, kept)))
    assert np.linalg.norm(seen - (kept.x, kept.y)) < 0.5


def _place(live, pin):
    if pin.corners:
        return pin.corners, pin.weights
    surface = live.surface
    return surface.landmark_vertices[pin.landmark], surface.landmark_barycentric[pin.landmark]


def test_no_slider_leaves_its_range(told, example_head, live, rest):
    rng, wild = np.random.default_rng(3), []
    for pins in range(6):
        some = rng.choice(478, 3, replace=False)
        wild.append([
            Pin(0, int(i), *map(float, live.place_of(Pin(0, int(i), 0, 0), rest)
                                + rng.normal(0, 25.0, 2))) for i in some])  # fmt: skip
        expression = live.solve(wild[pins]).state.photos[0].expression
        assert expression.min() >= 0
        assert expression.max() <= 1
    # A head whose text was written with a slider beyond its end comes back into its range.
    data = json.loads(told)
    data["photos"][0]["state"]["expression"][24] = 1.3
    for text, pins in ((told, wild[0]), (json.dumps(data), wild[1])):
        after = refit(text, pins, before=example_head, progress=silent).after
        assert after.key_values.min() >= 0
        assert after.key_values.max() <= 1
        state = Continuation.from_json(after.continuation_json).photos[0].state
        assert 0 <= state.expression.min() <= state.expression.max() <= 1


def test_a_mirrored_pin_moves_as_the_other_does(live, rest):
    pin = pulled(live, rest, "Left mouth corner", (4.0, -2.0))
    other = live.mirrored(pin, rest)
    assert other.landmark == 61
    both = live.solve([pin, other])
    moves = []
    for p in (pin, other):
        corners, weights = _place(live, p)
        moves.append(np.asarray(weights) @ (both.in_head - rest.in_head)[list(corners)])
        assert np.linalg.norm(live.place_of(p, both) - (p.x, p.y)) < 0.5
    # In the head's own frame; what the camera does meanwhile counts for both alike.
    turned = both.camera.R.T @ both.camera.t - rest.camera.R.T @ rest.camera.t
    assert np.abs((moves[0] - moves[1] * [-1, 1, 1])[1]) < 1e-3
    assert np.abs(turned).max() < 0.02
    surface = live.mirrored(pulled(live, rest, "Left ear, top", (2.0, 0.0)), rest)
    assert surface.corners == named(live, "Right ear, top").corners
    assert live.mirrored(pulled(live, rest, "Nose tip", (2.0, 0.0)), rest) is None


def test_what_lies_under_the_mouse_is_taken_hold_of(live, rest):
    middle = rest.pixels[live.surface.skin].mean(axis=0)
    pin = live.grip(rest, middle, 0.0)
    assert np.linalg.norm((pin.x, pin.y) - middle) < 0.1  # weights have four digits
    assert rest.camera.R[2] @ rest.in_head[list(pin.corners)].mean(axis=0) < 0  # its front
    top = rest.pixels[rest.pixels[:, 1].argmin()]
    outside = top - [0.0, 5.0]
    near = live.grip(rest, outside, 8.0)
    assert np.linalg.norm((near.x, near.y) - top) < 1
    assert live.grip(rest, outside, 3.0) is None
    # And it can be pinned there.
    pulled_up = replace(pin, x=pin.x + 2.0)
    pose = live.solve([pulled_up])
    assert np.linalg.norm(live.place_of(pulled_up, pose) - (pulled_up.x, pulled_up.y)) < 0.5


def test_the_wire_is_what_is_seen_of_the_mesh(live, rest):
    wire = live.wire(rest)
    assert 0.5 < len(wire) / len(live.surface.wire) < 0.9
    front = np.zeros(live.surface.count, bool)
    triangles = live.surface.wire_triangles
    front[triangles[facing(rest.pixels, triangles)]] = True
    assert front[wire].any(axis=1).all()
    assert live.seen[wire].all()
    # The far side of a head that looks here is not seen, and its neck is not drawn.
    regions = load_open_head().regions
    back = regions["scalp"][: live.surface.count] & (rest.in_head[:, 2] < -0.03)
    assert back.sum() > 50
    assert not back[wire].any()
    on_neck = regions["neck"][: live.surface.count][live.surface.wire].all(axis=1)
    assert on_neck.mean() < 0.01  # but for the seam


def test_names_say_where_handles_are():
    head = load_open_head()
    found = {h.name: h for h in handles(head)}
    assert len(found) == len(handles(head))
    assert 30 <= sum(h.first for h in found.values()) <= 60
    for part in ("ear, top", "jaw line", "hairline, front", "skull, side", "nostril", "brow, top"):
        right, left = found[f"Right {part}"], found[f"Left {part}"]
        if right.landmark >= 0:
            assert mirrored_landmarks(head)[right.landmark] == left.landmark
        else:
            assert head.mirror[right.vertex] == left.vertex
    for name, region in (("Left ear, lobe", "ear_l"), ("Skull, back", "scalp")):
        assert head.regions[region][found[name].vertex]


def test_files_bring_the_same(live, rest, told, tmp_path):
    surface, fit = tmp_path / "surface.npz", tmp_path / "fit.npz"
    save_surface(live.surface, surface)
    save_fit(live, fit)
    again = load_fit(fit, load_surface(surface))
    pin = pulled(live, rest, "Chin", (0.0, 4.0))
    assert np.abs(again.solve([pin]).pixels - live.solve([pin]).pixels).max() < 1e-3
    assert again.surface.handles == live.surface.handles
    motion = np.ones((live.surface.count, 3))
    assert again.surface.extended(motion).shape == (load_open_head().vertex_count, 3)
    for path, load in ((surface, load_surface), (fit, lambda p: load_fit(p, live.surface))):
        path.write_bytes(path.read_bytes()[:5000])
        with pytest.raises(ModelFileError, match="damaged"):
            load(path)


def test_the_job_brings_what_is_asked_for(told, tmp_path):
    params = {"continuation": told, "photo": 0, "options": {}, "out": str(tmp_path)}
    result = live_job(Parameters({**params, "surface": False}), silent, lambda: None)
    assert set(result) == {"fit"}
    assert [p.name for p in tmp_path.iterdir()] == ["fit.npz"]
    for photo in (1, -1):
        with pytest.raises(FitError, match="no photo"):
            live_job(Parameters({**params, "photo": photo}), silent, lambda: None)
    with pytest.raises(WorkerError, match="incomplete"):
        live_job(Parameters({**params, "photo": "x"}), silent, lambda: None)
    other = replace(Continuation.from_json(told), head_digest="of another version").to_json()
    with pytest.raises(ModelFileError, match="Remove Pins"):
        live_job(Parameters({**params, "continuation": other}), silent, lambda: None)
