# SPDX-License-Identifier: GPL-3.0-or-later
"""Recordings as people's programs write them: rates, drop-frame counts, units, columns, separators.

Each case was reported of some program in public, see docs/field.md.
"""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest

from core.errors import MotionError
from core.heads.arkit import ARKIT_NAMES, LOOK_DEGREES
from core.motion import resampled
from core.motion.angles import Choices
from core.motion.arkit_csv import read_arkit_csv
from core.motion.timecode import seconds_of

COLUMNS = [name[0].upper() + name[1:] for name in ARKIT_NAMES]
ANGLES = [p + k for p in ("Head", "LeftEye", "RightEye") for k in ("Yaw", "Pitch", "Roll")]
FORWARD = np.array([0.0, 0.0, 1.0])


def counted(i: int, rate: int, count: int) -> str:
    """The code of moment i at ``rate`` a second in a count of ``count`` frames a second."""
    n = i * count // rate
    return f"{n // (3600 * count):02d}:{n // (60 * count) % 60:02d}:{n // count % 60:02d}:{n % count:02d}.000"  # noqa: E501


def gaze(t):
    return np.sin(np.pi * t / 2), np.sin(2 * np.pi * t / 3)


def face(t: float) -> dict[str, float]:
    """A jaw that opens every two seconds, a gaze and a head that wander, in Unreal's radians."""
    left, up = gaze(t)
    out = dict.fromkeys((*COLUMNS, *ANGLES), 0.0)
    out["JawOpen"] = 0.5 - 0.5 * np.cos(np.pi * t)
    out["EyeLookOutLeft"] = out["EyeLookInRight"] = max(left, 0)
    out["EyeLookInLeft"] = out["EyeLookOutRight"] = max(-left, 0)
    for side in ("Left", "Right"):
        out[f"EyeLookUp{side}"], out[f"EyeLookDown{side}"] = max(up, 0), max(-up, 0)
        out[f"{side}EyeYaw"], out[f"{side}EyePitch"] = -0.3 * left, 0.2 * up
    out["HeadYaw"], out["HeadPitch"], out["HeadRoll"] = -0.06 * left, 0.04 * up, 0.02 * left
    return out


def table(seconds=4.0, rate=60, count=None, change=lambda values, i: values):
    """Rows of words; ``change`` may alter a moment's values or give None for a lost face."""
    rows = [["Timecode", "BlendShapeCount", *COLUMNS, *ANGLES]]
    for i in range(round(seconds * rate)):
        code = counted(i, rate, count or rate)
        values = change(face(i / rate), i)
        words = [f"{values[c]:.6f}" if c in values else "" for c in rows[0][2:]] if values else []
        rows.append([code, "61", *words] if values else [code, "0"])
    return rows


def written(path, rows, delimiter=",", comma=False, encoding="utf-8", first=""):
    text = io.StringIO(newline="")
    text.write(first)
    writer = csv.writer(text, delimiter=delimiter)
    for row in rows:
        writer.writerow([c.replace(".", ",") if comma and ":" not in c else c for c in row])
    path.write_bytes(text.getvalue().encode(encoding))
    return path


def read(tmp_path, *args, choices=None, **options):
    return read_arkit_csv(written(tmp_path / "take.csv", *args, **options), choices)


def slider(motion, name):
    return motion.values[:, motion.names.index(name)]


def degrees(motion, track):
    """(F,) how far a track turns from straight ahead."""
    return np.degrees(np.arccos(np.clip(motion.turns[track][:, 2, 2], -1, 1)))


def is_as_recorded(motion):
    """Jaw, gaze and head are those of :func:`face` at every moment."""
    t = motion.times
    left, up = gaze(t)
    assert slider(motion, "jawOpen") == pytest.approx(0.5 - 0.5 * np.cos(np.pi * t), abs=1e-5)
    eye = motion.turns["eye_l"] @ FORWARD
    assert eye[:, 0] == pytest.approx(np.sin(0.3 * left) * np.cos(0.2 * up), abs=1e-5)
    assert eye[:, 1] == pytest.approx(np.sin(0.2 * up), abs=1e-5)
    head = motion.turns["head"] @ FORWARD
    assert head[:, 0] == pytest.approx(np.sin(0.06 * left) * np.cos(0.04 * up), abs=1e-5)
    assert head[:, 1] == pytest.approx(np.sin(0.04 * up), abs=1e-5)


RATES = [7, 8, 10, 12, 14, 15, 18, 20, 23, 24, 25, 27, 29, 30, 48, 50, 60, 72, 90, 120, 240]


@pytest.mark.parametrize("rate", RATES)
def test_any_rate_is_the_files_own(tmp_path, rate):
    motion = read(tmp_path, table(4, rate))
    assert motion.times == pytest.approx(np.arange(4 * rate) / rate, abs=1e-9)
    assert motion.notes == ()
    is_as_recorded(motion)


@pytest.mark.parametrize(
    ("rate", "count"),
    [(30, 60), (24, 30), (25, 30), (24, 60), (25, 60), (50, 60), (12, 15), (15, 30), (10, 24),
     (10, 25), (20, 24), (15, 60), (12, 24), (48, 50)],
)  # fmt: skip
def test_a_count_may_be_finer_than_the_lines(tmp_path, rate, count):
    motion = read(tmp_path, table(4, rate, count))
    assert motion.times == pytest.approx(np.arange(4 * rate) * count // rate / count, abs=1e-9)


@pytest.mark.parametrize("rate", [10, 12, 15, 20, 24, 30])
def test_a_running_number_behind_the_point_is_no_time(tmp_path, rate):
    """As a converter of webcams' videos writes it: the frame in its second, and its number."""
    codes = []
    for n in range(1, 1500):
        s = n // rate
        codes.append(f"00:{s // 60:02d}:{s % 60:02d}:{n % rate:02d}.{n % 1000:03d}")
    times, notes = seconds_of(codes)
    assert times - times[0] == pytest.approx(np.arange(1499) / rate, abs=1e-9)
    assert notes == []


def test_a_short_take_over_a_seconds_end_shows_its_rate():
    for rate in (12, 15, 24, 30, 60):
        half = rate // 2
        frames = [*((0, f) for f in range(half, rate)), *((1, f) for f in range(half - 2))]
        times, notes = seconds_of([f"10:00:{s:02d}:{f:02d}.000" for s, f in frames])
        assert times - times[0] == pytest.approx(np.arange(len(frames)) / rate, abs=1e-9), rate
        assert notes == []


def test_what_shows_no_rate_is_said():
    times, notes = seconds_of([f"10:00:00:{f:02d}.000" for f in range(12)])
    assert times - times[0] == pytest.approx(np.arange(12) / 60)
    assert "does not show its rate" in notes[0]
    times, notes = seconds_of([f"10:00:00:{f:02d}.000" for f in range(12)], rate=24)
    assert times - times[0] == pytest.approx(np.arange(12) / 24)
    assert notes == []


def drop_frame(i: int, count: int, mark: str) -> str:
    """SMPTE 12M: the i-th frame's number of a drop-frame count."""
    drop, minute = count // 15, 60 * count - count // 15
    tens, rest = divmod(i, 10 * minute + drop)
    if rest >= 60 * count:
        i += drop * (1 + (rest - 60 * count) // minute)
    i += drop * 9 * tens
    return f"{i // (3600 * count):02d}:{i // (60 * count) % 60:02d}:{i // count % 60:02d}{mark}{i % count:02d}.000"  # noqa: E501


@pytest.mark.parametrize("mark", [":", ";"])
@pytest.mark.parametrize("count", [30, 60])
@pytest.mark.parametrize("start", [0, 17_000])
def test_a_drop_frame_count_keeps_up_with_the_clock(count, mark, start):
    number = 12 * 60 * count
    times, notes = seconds_of([drop_frame(start + i, count, mark) for i in range(number)])
    assert times - times[0] == pytest.approx(np.arange(number) * 1.001 / count, abs=1e-6)
    assert notes == []


def test_the_dialogs_rate_goes_first():
    codes = [counted(i, 30, 30) for i in range(30 * 600)]
    times, _ = seconds_of(codes, rate=29.97)
    assert times == pytest.approx(np.arange(30 * 600) / 29.97, abs=1e-6)


@pytest.mark.parametrize("rate", [10, 12, 15, 20, 24, 25, 30, 50, 60])
@pytest.mark.parametrize("scene", [24.0, 29.97])
def test_ten_minutes_stay_in_step_with_their_sound(tmp_path, rate, scene):
    """A clap every minute, to which the jaw opens and closes. It is not a frame off."""
    rows = [["Timecode", "BlendShapeCount", "JawOpen"]]
    for i in range(600 * rate + 1):
        away = abs((i / rate + 30) % 60 - 30)
        rows.append([counted(i, rate, rate), "1", f"{max(0.0, 1 - 4 * away):.4f}"])
    even = resampled(read(tmp_path, rows), scene)
    jaw = slider(even, "jawOpen")
    for clap in range(0, 601, 60):
        near = np.abs(even.times - clap) < 2.0
        heard = even.times[near][np.argmax(jaw[near])]
        assert abs(heard - clap) <= 1 / scene + 1e-9


def test_lines_that_share_a_timecode_are_spread():
    codes = [counted(i // 2, 30, 30) for i in range(240)]
    times, notes = seconds_of(codes)
    assert times == pytest.approx(np.arange(240) / 60, abs=1e-9)
    assert "spread" in notes[0]


def test_a_damaged_timecode_lies_between_its_neighbours(tmp_path):
    rows = table(3, 30)
    rows[40][0] = "#####"
    motion = read(tmp_path, rows)
    assert motion.times == pytest.approx(np.arange(90) / 30, abs=1e-9)


def test_decimal_seconds_are_times(tmp_path):
    rows = table(2, 25)
    for i, row in enumerate(rows[1:]):
        row[0] = f"{5 + i / 25:.3f}"
    assert read(tmp_path, rows).times == pytest.approx(np.arange(50) / 25, abs=1e-9)


def test_a_jump_in_time_is_named(tmp_path):
    rows = table(2, 30)
    rows[1][0] = "99:00:00:00.000"
    rows[1][0], rows[2][0] = "00:00:00:00.000", "12:00:00:00.000"
    for i, row in enumerate(rows[2:]):
        row[0] = f"12:00:{i // 30:02d}:{i % 30:02d}.000"
    with pytest.raises(MotionError, match=r"from 00:00:00:00.000 to 12:00:00:00.000"):
        read(tmp_path, rows)


@pytest.mark.parametrize("as_zeros", [False, True])
@pytest.mark.parametrize("rate", [15, 60])
def test_the_take_begins_with_its_first_line(tmp_path, rate, as_zeros):
    """The face comes a second late and leaves a second early: the sound's time is the take's."""

    def lost(values, i):
        if rate <= i < 3 * rate:
            return {c: v + 1e-4 for c, v in values.items()}  # as ever: no slider is quite at rest
        return dict.fromkeys(values, 0.0) if as_zeros else None

    motion = read(tmp_path, table(4, rate, change=lost))
    assert motion.times[0] == 0
    assert motion.seconds == pytest.approx(4 - 1 / rate)
    even = resampled(motion, rate)
    jaw = slider(even, "jawOpen")
    wanted = 0.5 - 0.5 * np.cos(np.pi * np.clip(even.times, 1, 3 - 1 / rate))
    assert jaw == pytest.approx(wanted, abs=1e-3)
    said = " ".join(motion.notes)
    assert "seen from 1.00 s on" in said and "is held to the end" in said
    assert "bridged" not in said


@pytest.mark.parametrize("part", [0.05, 0.1, 0.3, 1.0, 4.0])
def test_degrees_are_known_however_little_moves(tmp_path, part):
    """Head within a degree and eyes within five are no radians."""

    def change(values, i):
        return {c: v * (np.degrees(part) if c in ANGLES else 1) for c, v in values.items()}

    motion = read(tmp_path, table(change=change))
    # Of eyes that turn by less than a degree for a slider's full way nothing can be told.
    if part > 0.1:
        assert "Angles were read as degrees" in motion.notes
        left, up = gaze(motion.times)
        angle = np.hypot(0.3 * part * left, 0.2 * part * up)
        assert np.radians(degrees(motion, "eye_l")) == pytest.approx(angle, rel=0.2, abs=0.02)
        assert degrees(motion, "head").max() == pytest.approx(4.13 * part, rel=0.05)
    assert degrees(motion, "head").max() < 20
    assert degrees(motion, "eye_l").max() < 85


def test_degrees_of_small_gaze_and_small_sliders(tmp_path):
    """All of it small: their relation tells the unit."""

    def change(values, i):
        out = {c: 0.1 * v if c.startswith("EyeLook") else v for c, v in values.items()}
        return {c: v * (np.degrees(0.1) if c in ANGLES else 1) for c, v in out.items()}

    motion = read(tmp_path, table(change=change))
    assert "Angles were read as degrees" in motion.notes
    assert degrees(motion, "head").max() == pytest.approx(0.413, rel=0.05)


def test_head_in_degrees_beside_eyes_in_radians(tmp_path):
    def change(values, i):
        return {c: v * (np.degrees(3) if c.startswith("Head") else 1) for c, v in values.items()}

    motion = read(tmp_path, table(change=change))
    assert any("head's angles were read as degrees" in note for note in motion.notes)
    assert degrees(motion, "head").max() == pytest.approx(12.4, rel=0.05)
    assert degrees(motion, "eye_l").max() == pytest.approx(20.2, rel=0.03)


def test_radians_stay_radians(tmp_path):
    """Eyes far aside, as of somebody who looks into a corner, and a spike that no head makes."""

    def change(values, i):
        out = {c: v * (3.0 if c.endswith(("EyeYaw", "EyePitch")) else 1) for c, v in values.items()}
        return {**out, "HeadYaw": 40.0} if i == 100 else out

    motion = read(tmp_path, table(change=change))
    assert not any("degrees" in note for note in motion.notes)
    assert np.median(degrees(motion, "head")) < 5


def test_units_can_be_chosen(tmp_path):
    rows = table()
    assert degrees(read(tmp_path, rows, choices=Choices(angles="DEGREES")), "head").max() < 0.1
    rows = table(change=lambda v, i: {c: v[c] * (57.3 if c in ANGLES else 1) for c in v})
    motion = read(tmp_path, rows, choices=Choices(angles="RADIANS"))
    assert degrees(motion, "eye_l").max() > 90
    quiet = table(change=lambda v, i: {c: v[c] * (1 if c in ANGLES else 1.5) for c in v})
    motion = read(tmp_path, quiet, choices=Choices(sliders="PERCENT"))
    assert motion.values.max() == pytest.approx(0.015)


def test_angles_from_0_to_a_full_turn_do_not_jump(tmp_path):
    for turn in (2 * np.pi, 360.0):
        unit = turn / (2 * np.pi)

        def change(values, i, turn=turn, unit=unit):
            return {c: (v * unit) % turn if c in ANGLES else v for c, v in values.items()}

        is_as_recorded(read(tmp_path, table(change=change)))


def test_places_in_the_picture_are_no_angles_of_eyes(tmp_path):
    """A converter writes where the iris lies in the picture: 0.46 of its width."""
    places = {"LeftEyeYaw": 0.46, "LeftEyePitch": 0.41, "RightEyeYaw": 0.54, "RightEyePitch": 0.41}
    for moves in (0.0, 0.01, 0.2):

        def change(values, i, moves=moves):
            return {c: places[c] + moves * v if c in places else v for c, v in values.items()}

        motion = read(tmp_path, table(change=change))
        assert any("follow the sliders" in note for note in motion.notes)
        assert not any("flip them" in note for note in motion.notes)
        left, up = gaze(motion.times)
        eye = np.degrees(np.arcsin((motion.turns["eye_l"] @ FORWARD)[:, :2]))
        wide = np.where(left > 0, LOOK_DEGREES["Out"], LOOK_DEGREES["In"])
        assert eye[:, 0] == pytest.approx(wide * left, abs=0.6)
        high = np.where(up > 0, LOOK_DEGREES["Up"], LOOK_DEGREES["Down"])
        assert eye[:, 1] == pytest.approx(high * up, abs=1e-4)
        forced = read(tmp_path, table(change=change), choices=Choices(eyes="ANGLES"))
        assert np.median(degrees(forced, "eye_l")) > 25


def test_eye_columns_of_zeros_are_left_to_the_sliders(tmp_path):
    def change(values, i):
        return {c: 0.0 if "Eye" in c and c in ANGLES else v for c, v in values.items()}

    motion = read(tmp_path, table(change=change))
    assert degrees(motion, "eye_l").max() > 12
    assert any("follow the sliders" in note for note in motion.notes)


def test_eyes_that_stay_where_their_sliders_say_are_believed(tmp_path):
    """A person who reads below the camera: the gaze is low throughout, and the sliders say so."""

    def change(values, i):
        out = dict(values)
        for side in ("Left", "Right"):
            out[f"EyeLookDown{side}"], out[f"EyeLookUp{side}"] = 0.8 + 0.01 * np.sin(i), 0.0
            out[f"{side}EyePitch"] = -0.4 - 0.005 * np.sin(i)
        return out

    motion = read(tmp_path, table(change=change))
    assert not any("sliders" in note for note in motion.notes)
    assert (motion.turns["eye_l"] @ FORWARD)[:, 1] == pytest.approx(-np.sin(0.4), abs=0.01)


@pytest.mark.parametrize("mirrored", ["LeftEyeYaw", "RightEyeYaw"])
def test_each_eye_has_signs_of_its_own(tmp_path, mirrored):
    def change(values, i):
        return {c: -v if c == mirrored else v for c, v in values.items()}

    motion = read(tmp_path, table(change=change))
    left = gaze(motion.times)[0]
    for eye in ("eye_l", "eye_r"):
        assert np.corrcoef((motion.turns[eye] @ FORWARD)[:, 0], left)[0, 1] > 0.99


def swap_of(parts):
    def change(values, i):
        out = dict(values)
        for part in parts:
            yaw, pitch = f"{part}Yaw", f"{part}Pitch"
            out[yaw], out[pitch] = values[pitch], values[yaw]
        return out

    return change


def test_exchanged_angles_of_the_head_can_be_put_back(tmp_path):
    rows = table(change=swap_of(["Head"]))
    is_as_recorded(read(tmp_path, rows, choices=Choices(exchange="YAW_PITCH")))


def test_exchanged_angles_of_all_are_seen_by_the_eyes(tmp_path):
    motion = read(tmp_path, table(change=swap_of(["Head", "LeftEye", "RightEye"])))
    assert any("exchanged" in note for note in motion.notes)
    is_as_recorded(motion)


def test_flips_are_the_heads_where_the_eyes_are_sure(tmp_path):
    def change(values, i):
        return {c: -v if c in ("HeadYaw", "HeadRoll") else v for c, v in values.items()}

    is_as_recorded(read(tmp_path, table(change=change), choices=Choices(flip_yaw=True)))


@pytest.mark.parametrize("column", ["TongueOut", "CheekPuff", "LeftEyeRoll", "HeadPitch"])
@pytest.mark.parametrize("word", ["", "NaN", "null", "#N/A"])
def test_a_column_without_numbers_is_left_out(tmp_path, column, word):
    rows = table()
    at = rows[0].index(column)
    for row in rows[1:]:
        row[at] = word
    motion = read(tmp_path, rows)
    assert len(motion.times) == 240
    assert motion.notes == (f"Columns without a number were left out: {column}",)
    assert "jawOpen" in motion.names
    assert column[0].lower() + column[1:] not in motion.names


def test_gaps_in_a_column_are_bridged(tmp_path):
    rows = table()
    at = rows[0].index("JawOpen")
    for row in rows[100:106]:
        row[at] = ""
    motion = read(tmp_path, rows)
    assert "6 cells without a number were bridged" in motion.notes
    wanted = 0.5 - 0.5 * np.cos(np.pi * motion.times)
    assert slider(motion, "jawOpen") == pytest.approx(wanted, abs=0.01)


WAYS = {
    "semicolons and decimal commas": {"delimiter": ";", "comma": True, "encoding": "utf-8-sig"},
    "semicolons": {"delimiter": ";"},
    "tabs": {"delimiter": "\t"},
    "tabs and decimal commas": {"delimiter": "\t", "comma": True},
    "a line sep=": {"first": "sep=,\r\n"},
    "a line sep=;": {"first": "sep=;\r\n", "delimiter": ";", "encoding": "utf-8-sig"},
    "a quoted line sep": {"first": '"sep=;"\n', "delimiter": ";"},
    "quoted decimal commas": {"comma": True},
    "UTF-16": {"encoding": "utf-16"},
    "UTF-16 without a mark": {"encoding": "utf-16-le"},
    "UTF-16, big end first": {"encoding": "utf-16-be"},
    "UTF-16 with tabs": {"encoding": "utf-16", "delimiter": "\t", "comma": True},
    "an empty first line": {"first": "\r\n"},
}


@pytest.mark.parametrize("way", WAYS)
def test_spreadsheets_write_it_their_own_way(tmp_path, way):
    motion = read(tmp_path, table(), **WAYS[way])
    assert len(motion.times) == 240 and motion.notes == ()
    is_as_recorded(motion)


def test_a_spike_is_not_percent(tmp_path):
    def change(values, i):
        return {**values, "JawOpen": 57.0} if i == 30 else values

    motion = read(tmp_path, table(change=change))
    assert np.median(slider(motion, "jawOpen")) > 0.4
    assert any("1 moments had sliders beyond" in note for note in motion.notes)


def without_numbers(rows):
    return [[*row[:2], *["x"] * (len(row) - 2)] if i else row for i, row in enumerate(rows)]


REFUSED = {
    "a spreadsheet's own file": (b"PK\x03\x04" + b"\0" * 500, "save it there as CSV"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + b"\0\1\2" * 50, "it is not text"),
    "other columns": (b"frame;x;y\n1;2;3\n", "names no ARKit slider"),
    "a header alone": (",".join(COLUMNS).encode(), "nothing follows its first line"),
    "no face": (
        (",".join(["Timecode", "BlendShapeCount", *COLUMNS]) + 3 * "\n0:00:00:01.000,0").encode(),
        "no face was seen in any of its 3 lines",
    ),
    "words": (
        (",".join(COLUMNS) + "\n" + ",".join(["open"] * 52)).encode(),
        "'open' is no number",
    ),
    "commas for both": (
        (",".join(COLUMNS) + ("\n" + ",".join(["0,25"] * 52)) * 3).encode(),
        "more columns than names",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_refusal_names_the_true_reason(tmp_path, case):
    data, reason = REFUSED[case]
    path = tmp_path / "take.csv"
    path.write_bytes(data)
    with pytest.raises(MotionError) as caught:
        read_arkit_csv(path)
    assert reason in str(caught.value)
