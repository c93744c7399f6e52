# SPDX-License-Identifier: GPL-3.0-or-later
"""Recordings of Live Link Face, well-formed and hostile, and names of other people's sliders."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import MotionError
from core.heads.arkit import ARKIT_NAMES
from core.motion import FaceMotion, resampled
from core.motion.angles import Choices, rotations
from core.motion.arkit_csv import read_arkit_csv
from core.motion.key_names import arkit_name, matched_names
from core.motion.table import MAX_LINE

ANGLES = [f"{part}{kind}" for part in ("Head", "LeftEye", "RightEye") for kind in
          ("Yaw", "Pitch", "Roll")]  # fmt: skip
COLUMNS = [name[0].upper() + name[1:] for name in ARKIT_NAMES] + ANGLES
HEADER = ",".join(["Timecode", "BlendShapeCount", *COLUMNS])


def line(code: str, values: dict[str, float]) -> str:
    return ",".join([code, "61", *(repr(values.get(c, 0.0)) for c in COLUMNS)])


def recording(path, lines):
    path.write_text("\n".join([HEADER, *lines]) + "\n")
    return path


def swaying(count=120, yaw=-1.0, pitch=1.0):
    """The gaze wanders; ``yaw`` and ``pitch`` are the file's signs of left and up."""
    out = []
    for i in range(count):
        left, up = np.sin(i / 9), np.cos(i / 7)
        values = {
            "JawOpen": i / count,
            "EyeLookOutLeft": max(left, 0), "EyeLookInLeft": max(-left, 0),
            "EyeLookInRight": max(left, 0), "EyeLookOutRight": max(-left, 0),
            "EyeLookUpLeft": max(up, 0), "EyeLookDownLeft": max(-up, 0),
            "EyeLookUpRight": max(up, 0), "EyeLookDownRight": max(-up, 0),
            "LeftEyeYaw": 0.4 * yaw * left, "RightEyeYaw": 0.4 * yaw * left,
            "LeftEyePitch": 0.3 * pitch * up, "RightEyePitch": 0.3 * pitch * up,
            "HeadYaw": 0.2 * yaw, "HeadPitch": 0.1 * pitch,
        }  # fmt: skip
        out.append(line(f"23:59:{58 + i // 60:02d}:{i % 60:02d}.250", values))
    return out


def test_a_recording_is_read(tmp_path):
    motion = read_arkit_csv(recording(tmp_path / "take.csv", swaying()))
    assert set(motion.names) == set(ARKIT_NAMES)
    assert motion.times == pytest.approx(np.arange(120) / 60, abs=1e-9)
    jaw = motion.values[:, motion.names.index("jawOpen")]
    assert jaw == pytest.approx(np.arange(120) / 120)
    assert motion.notes == ()


@pytest.mark.parametrize("yaw", [-1.0, 1.0])
@pytest.mark.parametrize("pitch", [-1.0, 1.0])
def test_signs_follow_the_sliders_whatever_the_file_counts(tmp_path, yaw, pitch):
    motion = read_arkit_csv(recording(tmp_path / "take.csv", swaying(yaw=yaw, pitch=pitch)))
    forward = motion.turns["eye_l"] @ np.array([0.0, 0.0, 1.0])
    left = np.sin(np.arange(120) / 9)
    assert np.corrcoef(forward[:, 0], left)[0, 1] > 0.99
    assert np.corrcoef(forward[:, 1], np.cos(np.arange(120) / 7))[0, 1] > 0.99
    head = motion.turns["head"] @ np.array([0.0, 0.0, 1.0])
    assert head[:, 0] == pytest.approx(np.sin(0.2) * np.cos(0.1))
    assert head[:, 1] == pytest.approx(np.sin(0.1))
    path = tmp_path / "take.csv"
    flipped = read_arkit_csv(path, Choices(flip_yaw=True)).turns["head"] @ np.array([0.0, 0.0, 1.0])
    assert flipped == pytest.approx(head * [-1, 1, 1])
    flipped = read_arkit_csv(path, Choices(flip_pitch=True)).turns["head"] @ np.array([0, 0, 1.0])
    assert flipped == pytest.approx(head * [1, -1, 1])


def test_angles_mean_what_is_said_of_them():
    one = np.array([0.3])
    none = np.zeros(1)
    assert (rotations(one, none, none)[0] @ [0, 0, 1])[0] > 0
    assert (rotations(none, one, none)[0] @ [0, 0, 1])[1] > 0
    assert (rotations(none, none, one)[0] @ [0, 1, 0])[0] > 0


def test_midnight_and_drop_outs(tmp_path):
    lines = [
        line("23:59:59:58.000", {"JawOpen": 0.0}),
        "23:59:59:59.000,0" + "," * 61,
        "00:00:00:00.000,0",
        line("00:00:00:01.000", {"JawOpen": 0.9}),
    ]
    motion = read_arkit_csv(recording(tmp_path / "take.csv", lines))
    assert motion.times == pytest.approx([0, 3 / 60])
    assert any("lost in 2 of 4" in note for note in motion.notes)
    even = resampled(motion, 60.0)
    assert even.values[:, even.names.index("jawOpen")] == pytest.approx([0, 0.3, 0.6, 0.9])


def test_the_end_of_a_file_may_be_cut(tmp_path):
    lines = [*swaying(30), swaying(31)[-1][:200]]
    motion = read_arkit_csv(recording(tmp_path / "take.csv", lines))
    assert len(motion.times) == 30
    assert any("1 damaged" in note for note in motion.notes)


def test_thirty_a_second_is_known_by_its_frames(tmp_path):
    lines = [line(f"00:00:{i // 30:02d}:{i % 30:02d}.000", {}) for i in range(120)]
    assert read_arkit_csv(recording(tmp_path / "take.csv", lines)).seconds == pytest.approx(
        119 / 30
    )


def test_percent_and_values_beyond_are_said(tmp_path):
    lines = [line(f"00:00:00:{i:02d}.000", {"JawOpen": 100.0 * i / 9}) for i in range(10)]
    motion = read_arkit_csv(recording(tmp_path / "take.csv", lines))
    assert motion.values.max() == 1.0
    assert any("percent" in note for note in motion.notes)


HOSTILE = {
    "empty": b"",
    "no header": b"1,2,3\n4,5,6\n",
    "binary": bytes(range(256)) * 40,
    "not utf-8": HEADER.encode("utf-16"),
    "twice": (HEADER + ",JawOpen\n" + line("0:0:0:0.0", {})).encode(),
    "twice in other words": b"Timecode,BlendShapeCount,JawOpen,jaw_open\n00:00:00:00.0,1,0,0\n",
    "no lines": HEADER.encode(),
    "all lost": (HEADER + "\n00:00:00:01.000,0\n").encode(),
    "words": (HEADER + "\n" + "x," * 62 + "x\n").encode() * 3,
    "infinite": (HEADER + "\n" + "00:00:00:01.0,61," + ",".join(["1e999"] * 61)).encode() * 2,
    "not a number": (HEADER + "\n" + ("00:00:00:01.0,61," + ",".join(["nan"] * 61) + "\n") * 3)
    .encode(),
    "open quote": (HEADER + '\n"00:00:00:01.000,61' + ",0" * 200_000).encode(),
    "one endless line": b"JawOpen," * (MAX_LINE // 4),
    "nulls": HEADER.encode() + b"\n" + b"\0" * 3000,
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_one_sentence(tmp_path, name):
    path = tmp_path / "take.csv"
    path.write_bytes(HOSTILE[name])
    with pytest.raises(MotionError) as caught:
        read_arkit_csv(path)
    assert "\n" not in str(caught.value).strip()
    assert "take.csv" in str(caught.value)


@pytest.mark.parametrize("name", ["missing.csv", "nu\0ll.csv", "."])
def test_what_cannot_be_opened_is_one_sentence(tmp_path, name):
    with pytest.raises(MotionError, match="cannot be read"):
        read_arkit_csv(tmp_path / name)


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(HEADER.encode() + b"\n" + data)
    try:
        motion = read_arkit_csv(path)
    except MotionError:
        return
    assert np.isfinite(motion.values).all()


@given(st.text(max_size=30))
def test_any_timecode_gives_times_that_move_on(tmp_path_factory, code):
    path = tmp_path_factory.getbasetemp() / "codes.csv"
    safe = code.replace('"', "").replace(",", "").replace("\n", "").replace("\r", "")
    lines = [line(safe, {}), line("00:00:01:00.000", {}), line("00:00:02:00.000", {})]
    try:
        path.write_text("\n".join([HEADER, *lines]), encoding="utf-8")
        motion = read_arkit_csv(path)
    except (MotionError, UnicodeEncodeError):
        return
    assert motion.times[0] == 0
    assert (np.diff(motion.times) > 0).all()


def test_resampling_keeps_rotations_rotations():
    angle = np.array([0.0, 1.0, 2.5])
    turns = {"head": rotations(angle, angle / 3, angle / 5)}
    motion = FaceMotion(np.array([0.0, 0.4, 1.0]), ("jawOpen",), np.array([[0.0], [1], [0]]), turns)
    even = resampled(motion, 24.0)
    assert even.times == pytest.approx(np.arange(25) / 24)
    product = even.turns["head"] @ even.turns["head"].transpose(0, 2, 1)
    assert product == pytest.approx(np.broadcast_to(np.eye(3), product.shape), abs=1e-12)
    assert np.linalg.det(even.turns["head"]) == pytest.approx(1.0)
    assert even.turns["head"][-1] == pytest.approx(turns["head"][-1])
    still = FaceMotion(np.zeros(1), ("jawOpen",), np.ones((1, 1)))
    assert resampled(still, 24.0).values == pytest.approx(1.0)


def test_names_of_other_programs():
    assert arkit_name("EyeBlinkLeft") == arkit_name("eyeBlink_L") == "eyeBlinkLeft"
    assert arkit_name("blendShape1.mouth_smile_right") == "mouthSmileRight"
    assert arkit_name("head|JAW_OPEN") == "jawOpen"
    assert arkit_name("mouth_L") == "mouthLeft"
    assert arkit_name("HeadYaw") is None
    assert arkit_name("corr_jawOpen_mouthSmileLeft") is None
    assert arkit_name("") is None
    assert matched_names(["JawOpen", "jawOpen", "smile"]) == {"jawOpen": "jawOpen"}
    assert matched_names(["jawOpen", "JawOpen"]) == {"jawOpen": "jawOpen"}
    capital = [name[0].upper() + name[1:] for name in ARKIT_NAMES]
    assert matched_names(capital) == dict(zip(ARKIT_NAMES, capital, strict=True))
    short = [name.replace("Left", "_L").replace("Right", "_R") for name in ARKIT_NAMES]
    assert matched_names(short) == dict(zip(ARKIT_NAMES, short, strict=True))
