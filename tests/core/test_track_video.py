# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips of all kinds become frames with times, or one sentence."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from core.errors import PhotoError, VideoError
from core.track.bitmap import read_bitmap
from core.track.video import open_clip

cv2 = pytest.importorskip("cv2")


def pictures(count, size=(48, 64)):
    """Each brighter than the one before."""
    return [np.full((*size, 3), 10 + 200 * i // max(count - 1, 1), np.uint8) for i in range(count)]


def movie(path, frames, rate=25.0, code="mp4v"):
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*code), rate, (width, height))
    assert writer.isOpened()
    for frame in frames:
        writer.write(frame)
    writer.release()
    return path


def test_a_movie_gives_its_frames_in_order_with_times(tmp_path):
    clip = open_clip(movie(tmp_path / "a.mp4", pictures(10), 20.0))
    assert (clip.width, clip.height, clip.count) == (64, 48, 10)
    frames = list(clip.frames())
    assert [f.index for f in frames] == list(range(10))
    assert [f.seconds for f in frames] == pytest.approx(np.arange(10) / 20, abs=2e-3)
    levels = [float(f.pixels.mean()) for f in frames]
    assert (np.diff(levels) > 10).all()


def test_a_range_of_frames(tmp_path):
    clip = open_clip(movie(tmp_path / "a.mp4", pictures(10)))
    assert [f.index for f in clip.frames(3, 6)] == [3, 4, 5, 6]
    assert [f.index for f in clip.frames(8)] == [8, 9]


def test_numbered_pictures_with_a_gap(tmp_path):
    for i, pixels in enumerate(pictures(6)):
        if i != 3:
            cv2.imwrite(str(tmp_path / f"shot.{i + 7:04d}.png"), pixels)
    for clip in (open_clip(tmp_path, 10.0), open_clip(tmp_path / "shot.0007.png", 10.0)):
        frames = list(clip.frames())
        assert [f.pixels is None for f in frames] == [False, False, False, True, False, False]
        assert frames[5].seconds == pytest.approx(0.5)
        assert "missing" in clip.notes[0]


def test_pictures_of_two_sequences_are_refused(tmp_path):
    for name in ("a1.png", "a2.png", "b1.png"):
        cv2.imwrite(str(tmp_path / name), pictures(1)[0])
    with pytest.raises(VideoError, match="several sequences"):
        open_clip(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("gone.mp4", None, "does not exist"),
        ("empty.mp4", b"", "empty"),
        ("noise.mp4", b"\0\1\2\3" * 500, "no movie"),
        ("words.mov", b"I am no movie. " * 50, "no movie"),
        ("one.png", b"\x89PNG\r\n\x1a\n", "single picture"),
    ],
)
def test_what_is_no_clip_is_one_sentence(tmp_path, name, content, says):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(VideoError, match=says) as caught:
        open_clip(path)
    assert str(caught.value).count("\n") == 0


def test_sound_alone_is_one_sentence(tmp_path):
    rate, count = 8000, 4000
    data = (np.sin(np.arange(count) / 5) * 9000).astype("<i2").tobytes()
    header = b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt "
    header += struct.pack("<IHHIIHH", 16, 1, 1, rate, 2 * rate, 2, 16)
    (tmp_path / "voice.wav").write_bytes(header + b"data" + struct.pack("<I", len(data)) + data)
    with pytest.raises(VideoError, match="sound alone"):
        open_clip(tmp_path / "voice.wav")


def test_a_movie_that_breaks_off_ends_there(tmp_path):
    """Without its index an AVI is read up to where it is cut."""
    rng = np.random.default_rng(0)
    noisy = [rng.integers(0, 255, (48, 64, 3), np.uint8) for _ in range(40)]
    whole = movie(tmp_path / "a.avi", noisy, code="MJPG").read_bytes()
    (tmp_path / "cut.avi").write_bytes(whole[: len(whole) // 2])
    frames = list(open_clip(tmp_path / "cut.avi").frames())
    assert 5 < sum(f.pixels is not None for f in frames) < 35


@pytest.mark.parametrize("bits", [24, 32])
def test_bitmaps_need_no_library(tmp_path, bits):
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 255, (5, 7, 3), np.uint8)
    channels = bits // 8
    stride = (7 * channels + 3) // 4 * 4
    rows = np.zeros((5, stride), np.uint8)
    body = np.zeros((5, 7, channels), np.uint8)
    body[..., :3] = pixels[::-1, :, ::-1]
    rows[:, : 7 * channels] = body.reshape(5, -1)
    header = b"BM" + struct.pack("<IHHI", 54 + rows.size, 0, 0, 54)
    header += struct.pack("<IiiHHIIiiII", 40, 7, 5, 1, bits, 0, rows.size, 0, 0, 0, 0)
    (tmp_path / "a.bmp").write_bytes(header + rows.tobytes())
    assert (read_bitmap(tmp_path / "a.bmp") == pixels).all()
    (tmp_path / "a.bmp").write_bytes((header + rows.tobytes())[:-9])
    with pytest.raises(PhotoError, match="damaged"):
        read_bitmap(tmp_path / "a.bmp")
