# SPDX-License-Identifier: GPL-3.0-or-later
"""The networks' crop: where it lies, what it holds, and how its pixels map to the photo."""

from __future__ import annotations

import numpy as np
import pytest

from core.cues.pixel3dmm.crop import CROP_SCALE, Crop, face_crop
from core.errors import NoFaceError


def gradient(width: int, height: int) -> np.ndarray:
    """A photo whose red is x and whose green is y, at the pixels' centres."""
    y, x = np.mgrid[:height, :width] + 0.5
    return np.stack([x, y, np.zeros_like(x)], axis=-1)


def test_the_square_is_centred_on_the_face() -> None:
    crop = face_crop((100, 40, 200, 180))
    assert crop.side == pytest.approx(140 * CROP_SCALE)
    assert crop.left + crop.side / 2 == pytest.approx(150)
    assert crop.top + crop.side / 2 == pytest.approx(110)
    x, y = crop.crop_to_photo @ (256, 256, 1)
    assert (x, y) == pytest.approx((150, 110))


@pytest.mark.parametrize("side", [100.0, 512.0, 700.5, 2000.0])
def test_a_pixel_shows_the_place_that_the_map_says(side: float) -> None:
    crop = Crop(20.25, 11.5, side)
    size = int(side) + 60
    photo = gradient(size, size)
    scale = 255 / size
    cut = crop.cut(np.rint(photo * scale).astype(np.uint8))
    for row, column in ((5, 5), (100, 400), (511, 0), (300, 511)):
        place = crop.crop_to_photo @ (column + 0.5, row + 0.5, 1)
        assert cut[row, column, :2] == pytest.approx(place * scale, abs=1.0)


def test_the_same_size_and_place_changes_nothing() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (600, 640, 3), dtype=np.uint8)
    assert np.array_equal(Crop(30, 40, 512).cut(photo), photo[40:552, 30:542])


def test_shrinking_averages_and_does_not_skip() -> None:
    """A fine chequer becomes grey; picking single pixels would leave it black and white."""
    chequer = (np.indices((2048, 2048)).sum(axis=0) % 2 * 255).astype(np.uint8)
    cut = Crop(0, 0, 2048).cut(np.repeat(chequer[..., None], 3, axis=2))
    assert np.abs(cut[1:-1, 1:-1].astype(float) - 127.5).max() < 1


def test_beyond_the_photo_the_border_is_repeated_and_nothing_moves() -> None:
    photo = gradient(200, 100).astype(np.uint8)
    crop = face_crop((-20, 10, 60, 90))
    assert crop.left < -30
    cut, inside = crop.cut(photo), crop.inside(200, 100)
    for row, column in ((100, 300), (256, 400), (400, 256)):
        x, y = crop.crop_to_photo @ (column + 0.5, row + 0.5, 1)
        assert inside[row, column]
        assert cut[row, column, :2] == pytest.approx((x - 0.5, y - 0.5), abs=1.0)
    outside = crop.crop_to_photo @ (10.5, 256.5, 1)
    assert outside[0] < 0
    assert not inside[256, 10]
    assert cut[256, 10, 0] == photo[0, 0, 0]
    left, above = -crop.left / crop.side, -crop.top / crop.side
    below = (crop.top + crop.side - 100) / crop.side
    assert inside.mean() == pytest.approx((1 - left) * (1 - above - below), abs=0.01)


def test_a_face_at_the_border_is_framed_as_in_the_middle() -> None:
    middle, border = face_crop((100, 100, 200, 220)), face_crop((-90, -95, 10, 25))
    assert middle.side == border.side


@pytest.mark.parametrize(
    "box", [(10, 10, 12, 15), (10, 10, 10, 10), (50, 50, 10, 10), (0, 0, np.nan, 100)]
)
def test_no_face_in_no_box(box: tuple[float, float, float, float]) -> None:
    with pytest.raises(NoFaceError):
        face_crop(box)
