# SPDX-License-Identifier: GPL-3.0-or-later
"""A clip becomes curves: on heads and landmarks that are known, and on pictures of a face."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from core.__main__ import main
from core.cues.mediapipe import MediaPipePredictor
from core.errors import VideoError
from core.fitting.state import PhotoState
from core.geometry.rotation import angle_between, matrix_from_vector
from core.heads.arkit import ARKIT_NAMES
from core.motion.arkit_csv import read_arkit_csv
from core.photos.photo import load_photo
from core.pipeline import reconstruct
from core.track.contacts import touching, with_shut_lids
from core.track.face_reader import FaceReader, Reading
from core.track.files import load_performance, save_performance, write_performance
from core.track.finish import finished
from core.track.frame_fit import USUAL, FrameFitter, slider_precision
from core.track.performance import Performance
from core.track.person import person_of
from core.track.spool import Spool
from core.track.track_clip import track_clip
from core.track.tracker import TrackOptions, fit_all
from core.track.video import Clip

cv2 = pytest.importorskip("cv2")


@pytest.fixture(scope="module")
def photo(example_photo):
    return load_photo(example_photo)


@pytest.fixture(scope="module")
def continuation(photo):
    return reconstruct([photo])[0].continuation


@pytest.fixture(scope="module")
def person(continuation, open_head):
    return person_of(open_head, continuation, None, 0)


@pytest.fixture(scope="module")
def open_head():
    from core.heads import load_open_head

    return load_open_head()


def reported(person, state, size=512):
    """(478, 3) what the net would say of a state, without noise; depth as it would be seen."""
    out = np.zeros((478, 3))
    x, y, z = person.reported(state.R).in_camera(np.zeros(0), state)
    out[person.ids, 0] = state.focal * x / z + size / 2
    out[person.ids, 1] = state.focal * y / z + size / 2
    out[person.ids, 2] = state.focal * (z / z.mean() - 1)
    return out


def acted(person, **sliders):
    """A state in front of a camera of 512 pixels."""
    names = person.head.expression_names
    e = np.zeros(len(names))
    for name, value in sliders.items():
        e[names.index(name)] = value
    return PhotoState(
        R=np.diag([1.0, -1.0, -1.0]),
        t=np.array([0.0, 0.0, 0.7]),
        log_focal=float(np.log(person.focal_of(512, 512))),
        gaze=np.zeros(4),
        expression=e,
        drift=np.zeros(person.layout.drift_count),
    )


def test_a_frame_finds_pose_and_sliders(person):
    truth = acted(person, jawOpen=0.6, mouthSmileLeft=0.5, mouthSmileRight=0.5)
    turn = matrix_from_vector(np.array([0.05, 0.1, -0.04]))
    truth = replace(truth, R=turn @ truth.R, t=truth.t + np.array([0.01, -0.01, 0.02]))
    start = acted(person)
    precision = slider_precision(person, np.full(len(truth.expression), USUAL))
    centre = np.array([256.0, 256.0])
    fitter = FrameFitter(person, centre, precision)
    found = fitter.fit(reported(person, truth)[:, :2], start, steps=12)
    assert angle_between(found.state.R, truth.R) < 1.0
    names = person.head.expression_names
    e = found.state.expression
    # The prior draws to rest; what moved is found all the same, and by name.
    assert e[names.index("jawOpen")] > 0.35
    for name in ("mouthSmileLeft", "mouthSmileRight"):
        assert e[names.index(name)] > 0.2
    silent = [i for i, n in enumerate(names) if n.startswith(("brow", "eyeBlink", "jawL", "jawR"))]
    assert e[silent].max() < 0.15
    assert (e >= 0).all() and (e <= 1).all()


def test_the_sides_of_a_face_hang_together_but_directions_do_not(person):
    names = person.head.expression_names
    precision = slider_precision(person, np.full(len(names), 0.3))
    together = np.linalg.inv(precision)

    def correlation(a, b):
        i, j = names.index(a), names.index(b)
        return together[i, j] / np.sqrt(together[i, i] * together[j, j])

    assert correlation("mouthSmileLeft", "mouthSmileRight") > 0.8
    assert correlation("mouthLowerDownLeft", "mouthLowerDownRight") > 0.8
    assert abs(correlation("jawLeft", "jawRight")) < 1e-9
    assert abs(correlation("mouthLeft", "mouthRight")) < 1e-9


def played(person, frames=80, noise=0.15, hidden=(), cut=None):
    """A spool: jaw and blink over ``frames`` of 25 a second, with noise in pixels."""
    rng = np.random.default_rng(0)
    t = np.arange(frames)
    jaw = np.where(t >= 40, 0.5 * (1 - np.cos((t - 40) / 4)) * 0.7, 0.0)
    blink = np.clip(1 - np.abs(t - 60) / 3, 0, 1)
    spool = Spool()
    for i in range(frames):
        truth = acted(person, jawOpen=jaw[i], eyeBlinkLeft=blink[i], eyeBlinkRight=blink[i])
        landmarks = reported(person, truth)
        landmarks[:, :2] += rng.normal(0, noise, (478, 2))
        seen = i not in hidden
        reading = Reading(landmarks, 1.0, np.full(478, noise)) if seen else None
        spool.add(i, i / 25, reading, i == cut)
    return spool, jaw, blink


def finished_from(person, spool, **options):
    clip = Clip(None, "clip", 512, 512, 25.0, len(spool))
    spread = np.full(person.head.expression_count, 0.15)
    curves = fit_all(clip, person, spread, spool, lambda stage, share: None)
    spool.close()
    return finished(curves, person, clip, TrackOptions(**options), np.arange(5))


def test_still_frames_stand_still_and_motion_has_no_lag(person):
    spool, jaw, _ = played(person)
    done = finished_from(person, spool)
    still = done.values[:38]
    assert np.sqrt((np.diff(still, n=2, axis=0) ** 2).mean()) < 2e-3
    found = done.values[:, ARKIT_NAMES.index("jawOpen")]
    by_shift = [np.corrcoef(np.roll(jaw, s)[42:75], found[42:75])[0, 1] for s in (-1, 0, 1)]
    assert int(np.argmax(by_shift)) == 1
    assert by_shift[1] > 0.98
    closed = done.values[:, ARKIT_NAMES.index("eyeBlinkLeft")]
    assert closed.max() > 0.6
    assert abs(int(closed.argmax()) - 60) <= 1


def test_where_no_face_is_seen_curves_are_held_and_said(person):
    spool, _, _ = played(person, hidden=range(44, 56))
    done = finished_from(person, spool)
    assert done.report["not_seen"] == [[44, 55]]
    assert (done.confidence[44:56] == 0).all()
    steps = np.abs(np.diff(done.values[42:58], axis=0))
    assert steps.max() < 0.25
    assert np.isfinite(done.values).all() and np.isfinite(done.t).all()


def test_shots_are_kept_apart(person):
    spool, _, _ = played(person, cut=50)
    done = finished_from(person, spool)
    assert done.shots == (0, 50)


def test_gains_and_mutes_need_no_new_tracking(person):
    spool, _, _ = played(person, frames=60)
    done = finished_from(person, spool)
    jaw = ARKIT_NAMES.index("jawOpen")
    half = done.adjusted({"jawOpen": 0.5}, ["eyeBlinkLeft"])
    assert half.values[:, jaw] == pytest.approx(0.5 * done.values[:, jaw])
    assert not half.values[:, ARKIT_NAMES.index("eyeBlinkLeft")].any()
    with pytest.raises(VideoError, match="no slider 'jaw'"):
        done.adjusted({"jaw": 2.0})


def test_files_say_what_was_tracked(person, tmp_path):
    spool, _, _ = played(person, frames=60)
    done = replace_report(finished_from(person, spool))
    write_performance(tmp_path, done)
    rows = list(csv.reader((tmp_path / "curves.csv").open()))
    assert rows[0] == ["frame", *ARKIT_NAMES]
    assert [int(r[0]) for r in rows[1:]] == list(range(60))
    pose = list(csv.reader((tmp_path / "pose.csv").open()))
    r = np.array(pose[5][1:10], float).reshape(3, 3)
    assert r @ r.T == pytest.approx(np.eye(3), abs=1e-6)
    motion = read_arkit_csv(tmp_path / "live_link_face.csv")
    jaw = motion.names.index("jawOpen")
    assert motion.values[:, jaw] == pytest.approx(
        done.values[:, ARKIT_NAMES.index("jawOpen")], abs=1e-4
    )
    save_performance(tmp_path / "track.npz", done)
    back = load_performance(tmp_path / "track.npz")
    assert back.values == pytest.approx(done.values)
    assert back.shots == done.shots and back.report["rate"] == 25.0
    (tmp_path / "track.npz").write_bytes(b"no npz")
    with pytest.raises(VideoError, match="damaged"):
        load_performance(tmp_path / "track.npz")


def replace_report(done: Performance) -> Performance:
    return replace(done, report={**done.report, "rate": 25.0})


def test_shut_eyes_are_shut_and_open_ones_untouched():
    gap = np.array([0.3, 0.3, 0.2, 0.1, 0.08, 0.3])
    blink = np.array([0.0, 0.1, 0.3, 0.5, 0.6, 0.0])
    out = with_shut_lids(blink, gap, 0.3)
    assert out[[0, 1, 5]] == pytest.approx(blink[[0, 1, 5]])
    assert out[3] == pytest.approx(1.0) and out[4] == pytest.approx(1.0)
    # Of eyes that are narrow at rest nothing can be said.
    assert with_shut_lids(blink, gap, 0.12) == pytest.approx(blink)
    assert touching(np.array([0.02, 0.2]), 0.02) == pytest.approx([1.0, 0.0])


def test_the_face_is_followed_and_a_cut_is_seen(photo):
    reader = FaceReader(MediaPipePredictor())
    try:
        one = reader.read(photo.pixels)
        two = reader.read(photo.pixels)
        assert one is not None and two is not None and not reader.cut
        eyes = np.linalg.norm(two.landmarks[33, :2] - two.landmarks[263, :2])
        assert np.abs(one.landmarks[:, :2] - two.landmarks[:, :2]).mean() < 0.05 * eyes
        assert reader.read(np.zeros_like(photo.pixels)) is None
        assert reader.cut
        assert reader.read(None) is None
    finally:
        reader.close()


def slide(photo, target, frames=8, shift=2):
    """The photo, sliding to the right."""
    height, width = photo.pixels.shape[:2]
    writer = cv2.VideoWriter(str(target), cv2.VideoWriter_fourcc(*"mp4v"), 25.0, (width, height))
    for i in range(frames):
        writer.write(np.roll(photo.pixels, shift * i, axis=1)[..., ::-1].copy())
    writer.release()
    return target


def test_the_command_writes_curves_of_a_head_made_from_the_clip(photo, tmp_path, capsys):
    movie = slide(photo, tmp_path / "slide.mp4")
    out = tmp_path / "out"
    assert main(["track", str(movie), "--out", str(out), "--fast", "--mute", "tongueOut"]) == 0
    assert "a face in 8 of 8 frames" in capsys.readouterr().err
    for name in ("curves.csv", "pose.csv", "report.json", "live_link_face.csv", "head.npz"):
        assert (out / name).stat().st_size > 0
    report = json.loads((out / "report.json").read_text())
    assert report["frames_with_a_face"] == 8
    pose = np.loadtxt(out / "pose.csv", delimiter=",", skiprows=1)
    # The head goes to the right of the picture, and turns hardly.
    assert (np.diff(pose[:, 10]) > 0).mean() > 0.8
    assert np.ptp(pose[:, 1:10], axis=0).max() < 0.05


def test_a_clip_without_a_face_is_one_sentence(continuation, tmp_path, capsys):
    path = tmp_path / "grey.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 25.0, (96, 96))
    for _ in range(6):
        writer.write(np.full((96, 96, 3), 90, np.uint8))
    writer.release()
    from core.track.video import open_clip

    with pytest.raises(VideoError, match="No face was found"):
        track_clip(open_clip(path), continuation, TrackOptions())
    assert main(["track", str(path), "--out", str(tmp_path / "out")]) == 2
    assert "No face was found" in capsys.readouterr().err


def test_a_face_for_three_frames_is_too_few(photo, continuation, tmp_path):
    from core.track.video import open_clip

    movie = slide(photo, tmp_path / "short.mp4", frames=3)
    with pytest.raises(VideoError, match="only 3 of 3 frames"):
        track_clip(open_clip(movie), continuation, TrackOptions(mirror=False))


def test_an_early_end_keeps_what_was_read(photo, continuation, tmp_path):
    from core.track.video import open_clip

    movie, asked = slide(photo, tmp_path / "slide.mp4", frames=9), []

    def stop():
        asked.append(True)
        return len(asked) >= 6

    done = track_clip(open_clip(movie), continuation, TrackOptions(mirror=False), stop=stop)
    assert len(done.frames) == 6
    assert "Stopped by request" in done.report["warnings"][0]


@pytest.mark.parametrize(
    "options", [{"first": -1}, {"first": 5, "last": 2}, {"smooth_face": -1.0}, {"smooth_head": 99}]
)
def test_options_that_make_no_sense_are_one_sentence(options):
    with pytest.raises(VideoError):
        TrackOptions(**options)


def test_a_clip_of_the_shared_set_reaches_what_it_reached(shared_dir, tmp_path):
    """On known curves; the whole table: benchmarks/track."""
    import subprocess
    import sys

    clips = shared_dir / "clips"
    if not clips.is_dir():
        pytest.skip("../shared/clips is missing")
    clip = clips / "public" / "speech"
    command = ["reconstruct", str(clip / "rest.png"), "--texture", "off", "--out", str(tmp_path)]
    assert main(command) == 0
    head, out = tmp_path / "rest" / "head.npz", tmp_path / "out"
    assert main(["track", str(clip / "video.mp4"), "--head", str(head), "--out", str(out)]) == 0
    run = [sys.executable, str(clips / "evaluate_clip.py"), str(clip), str(out)]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    summary = json.loads(done.stdout)["summary"]
    assert summary["correlation"] > 0.68  # 0.74; the goal of 0.92 is missed
    assert summary["blink_recall"] == summary["blink_precision"] == 1.0
    assert summary["closure_recall"] > 0.95
    assert summary["jitter"] < 1.2
    assert abs(summary["lag"]) < 0.5
    assert summary["silent_energy"] < 0.08
    assert summary["pose_frontal"] < 1.0
