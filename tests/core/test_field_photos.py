# SPDX-License-Identifier: GPL-3.0-or-later
"""Photos as people brought them elsewhere (docs/field.md): what a photo does not show is said, is
not called measured, and gives no colour; a closed eye is closed.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from core.cues.eye_openings import LIDS, closed_eyes
from core.cues.mediapipe_cues import cues_from_face
from core.cues.photo_check import check_face
from core.fitting.closed_lids import closed_sides
from core.fitting.fit import fit_head
from core.fitting.pins import Pin
from core.fitting.problem import FitProblem
from core.heads.arkit import ARKIT_NAMES
from core.heads.lid_zone import away_from_lids
from core.jobs.look import look_job
from core.jobs.parameters import Parameters
from core.likeness.source_and_bound import MEASURED, likeness_of
from core.options import Options
from core.photos.photo import Photo, load_photo
from core.pipeline import reconstruct, rig_heads
from core.progress import silent
from core.reconstruct.resources import load_head, load_mediapipe
from core.reconstruct.seen_photo import see
from core.rig.person_keys import person_keys
from tests.support.spoilt import (
    as_taken,
    behind_a_hand,
    drawing,
    half_hidden,
    in_dark_glasses,
    masked,
    winking,
)

BLUE, WHITE, BLACK = (170, 205, 220), (235, 235, 235), (25, 25, 25)
COVERED = "Covered or in the dark"
#: Of the fit, landmarks alone are looked at here: the shape network has its own tests.
LANDMARKS = Options(predictor="landmarks", texture="off")


@pytest.fixture(scope="module")
def photo(example_photo):
    return load_photo(example_photo)


@pytest.fixture(scope="module")
def upright(photo):
    (face,) = load_mediapipe().faces(photo.pixels)
    return face


@pytest.fixture(scope="module")
def head():
    return load_head("open-head")


@pytest.fixture(scope="module")
def plain(photo):
    return reconstruct([photo], LANDMARKS)[0]


def checked(pixels):
    return check_face(pixels, load_mediapipe().faces(pixels)[0])


def covered(pixels):
    """The parts that the advice says something lies before."""
    said = [s for s in checked(pixels).advice if s.startswith(COVERED)]
    return said[0].split(": ")[1].split(". ")[0].split(", ") if said else []


def measured(head, fit, region):
    return float((likeness_of(head, fit).source[head.regions[region]] == MEASURED).mean())


def bound(head, fit, region="face"):
    return float(np.median(likeness_of(head, fit).bound[head.regions[region]]))


# B4: what lies before the face.


def grey(pixels):
    return np.repeat(pixels.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)


def sepia(pixels):
    return (grey(pixels) * [1.0, 0.85, 0.65]).astype(np.uint8)


@pytest.mark.parametrize("change", [lambda p: p, as_taken, grey, sepia],
                         ids=["plain", "noisy", "grey", "sepia"])  # fmt: skip
def test_nothing_lies_before_the_face_of_the_example(photo, change):
    found = checked(change(photo.pixels))
    assert not found.covered.any()
    assert not any(s.startswith(COVERED) for s in found.advice)


@pytest.mark.parametrize("colour", [BLUE, WHITE, BLACK], ids=["blue", "white", "black"])
def test_a_mask_is_said(photo, upright, colour):
    parts = covered(masked(photo.pixels, upright.landmarks, colour))
    assert {"nose", "mouth", "chin"} <= set(parts)
    assert not {"right eye", "left eye"} & set(parts)


def test_dark_glasses_are_said(photo, upright):
    spoilt = in_dark_glasses(photo.pixels, upright.landmarks)
    assert covered(spoilt) == ["right eye", "left eye"]
    assert checked(spoilt).covered[[468, 473]].all()


def test_a_hand_before_the_mouth_is_said(photo, upright):
    parts = covered(behind_a_hand(photo.pixels, upright.landmarks))
    assert "mouth" in parts
    assert not {"right eye", "left eye"} & set(parts)


def test_half_a_face_is_said_or_refused(photo, upright):
    """And is where that half is, never in an ear."""
    spoilt = half_hidden(photo.pixels, upright.landmarks)
    faces = load_mediapipe().faces(spoilt)
    if faces:
        assert "left eye" in covered(spoilt)
        off = faces[0].landmarks[:, :2].mean(axis=0) - upright.landmarks[:, :2].mean(axis=0)
        assert np.linalg.norm(off) < 0.5 * np.ptp(upright.landmarks[:, 0])


def test_nothing_behind_a_mask_is_measured_or_gives_colour(photo, upright, plain, head):
    spoilt = Photo(masked(photo.pixels, upright.landmarks, BLUE), "masked")
    options = Options(predictor="landmarks", texture="1k")
    fits = reconstruct([spoilt], options)
    (rigged,) = rig_heads([spoilt], fits, options)
    (found,) = fits
    advice = checked(spoilt.pixels).advice
    assert [w for w in found.warnings if w in advice] == list(advice), "one sentence for all"
    assert list(found.photos[0].report["notes"]) == list(advice)
    for part in ("lips", "chin"):
        assert measured(head, found, part) < 0.1 < 0.35 < measured(head, plain, part)
    assert measured(head, found, "brow_l") > 0.5
    assert bound(head, found, "lips") > 1.1 * bound(head, plain, "lips")
    assert bound(head, found) > bound(head, plain) + 5e-4
    skin = cv2.imdecode(np.asarray(rigged.skin_albedo), cv2.IMREAD_COLOR).astype(float)
    blue, _, red = np.moveaxis(skin, 2, 0)
    assert (blue > red).mean() < 0.02, "skin is redder than it is blue"
    red, _, blue = rigged.skin_color
    assert red > 1.5 * blue


def test_an_iris_behind_glasses_gives_no_colour(photo, upright):
    spoilt = Photo(in_dark_glasses(photo.pixels, upright.landmarks), "glasses")
    fits = reconstruct([spoilt], LANDMARKS)
    (rigged,) = rig_heads([spoilt], fits, LANDMARKS)
    assert rigged.iris_color == pytest.approx([0.10, 0.055, 0.03], abs=1e-3)


# B5: photos that hold little, and drawings.


def tiny(pixels):
    canvas = np.full((600, 800, 3), 150, np.uint8)
    canvas[200:350, 400:550] = cv2.resize(pixels, (150, 150), interpolation=cv2.INTER_AREA)
    return canvas


@pytest.mark.parametrize(
    ("change", "sentence", "wider"),
    [
        (lambda p: (p * 0.06).astype(np.uint8), "The face is dark", 3e-4),
        (lambda p: cv2.GaussianBlur(p, (0, 0), 3), "The face is blurred", 3e-4),
        (tiny, "The face is small (2", 5e-4),
    ],
    ids=["dark", "blurred", "tiny"],
)
def test_what_holds_little_is_said_and_expects_more_error(
    photo, plain, head, change, sentence, wider
):
    spoilt = change(photo.pixels)
    (found,) = reconstruct([Photo(spoilt, "spoilt")], LANDMARKS)
    advice = checked(spoilt).advice
    assert any(s.startswith(sentence) for s in advice)
    assert [w for w in found.warnings if w in advice] == list(advice)
    assert bound(head, found) > bound(head, plain) + wider


def test_a_drawing_is_called_one(head, photo):
    assert not any("drawn" in s for s in checked(photo.pixels).advice)
    (found,) = reconstruct([Photo(drawing(), "drawn")], LANDMARKS)
    assert any("looks drawn" in w for w in found.warnings)
    assert bound(head, found) > 0.009


# B6: an eye that is called closed is closed, and one that is not stays open.


def shut(landmarks, side, share):
    """The lids of one eye at a share of their distance."""
    out = landmarks.copy()
    for top, bottom in LIDS[side].pairs:
        out[top] = out[bottom] + share * (out[top] - out[bottom])
    return out


def fitted(head, face, landmarks, pins=()):
    cues = cues_from_face(replace(face, landmarks=landmarks), 512, 512)
    return fit_head(FitProblem(head, [cues], [None], pins=pins), uncertainty=False).photos[0]


def gap(head, vertices, side):
    """Metres between the lids of a face, the mean of three places: 0.0005 to 0.0013 where the lids
    of the open head meet, whose landmarks lie on the outer edges of their margins.
    """
    points = head.landmarks(vertices, np.arange(468))
    return float(np.mean([points[a, 1] - points[b, 1] for a, b in LIDS[side].pairs]))


@pytest.mark.parametrize("sides", [("left",), ("right", "left")])
def test_an_eye_that_is_called_closed_closes(head, upright, sides):
    landmarks = upright.landmarks
    for side in sides:
        landmarks = shut(landmarks, side, 0.2)
    assert closed_eyes(landmarks) == sides
    fit = fitted(head, upright, landmarks)
    assert fit.closed == sides
    keys = person_keys(head, fit)
    posed = fit.neutral + np.tensordot(keys.values, keys.deltas, 1)
    for side in ("left", "right"):
        blink = keys.values[ARKIT_NAMES.index(f"eyeBlink{side.capitalize()}")]
        for shape in (fit.vertices, posed):
            if side in sides:
                assert blink == 1.0
                assert 0.0 < gap(head, shape, side) < 0.0015
            else:
                assert blink < 0.5
                assert gap(head, shape, side) > 0.005


def test_a_squint_is_not_a_blink(head, upright):
    landmarks = shut(shut(upright.landmarks, "left", 0.4), "right", 0.4)
    assert closed_eyes(landmarks) == ()
    fit = fitted(head, upright, landmarks)
    wide = fitted(head, upright, upright.landmarks)
    for side in ("left", "right"):
        assert 0.2 < gap(head, fit.vertices, side) / gap(head, wide.vertices, side) < 0.8


def test_a_wink_in_pixels_closes_one_eye(photo, upright):
    winks = load_mediapipe().faces(winking(photo.pixels, upright.landmarks, 0.0))[0]
    narrow = load_mediapipe().faces(winking(photo.pixels, upright.landmarks, 0.4))[0]
    assert closed_eyes(winks.landmarks) == ("left",)
    assert closed_eyes(narrow.landmarks) == closed_eyes(upright.landmarks) == ()


def test_pinned_lids_are_where_they_are_pinned(head, upright):
    cues = cues_from_face(
        replace(upright, landmarks=shut(upright.landmarks, "left", 0.1)), 512, 512
    )
    assert closed_sides(head, cues) == ("left",)
    assert closed_sides(head, cues, {386}) == ()
    x, y = upright.landmarks[386, :2]
    fit = fitted(head, upright, shut(upright.landmarks, "left", 0.1), [Pin(0, 386, x, y)])
    assert fit.closed == ()


def test_nothing_else_moves_lids_that_are_shut(head):
    moved = away_from_lids(head, head.template, ("left",))
    assert moved[head.regions["eye_l"]].max() == 0.0
    assert moved[head.regions["eye_r"]].min() == moved[head.regions["chin"]].min() == 1.0


# B8: no lens takes a panorama.


def test_a_panorama_has_no_focal_length(photo, tmp_path):
    wide = np.full((512, 2048, 3), 120, np.uint8)
    wide[:, 700:1212] = photo.pixels
    panorama = Photo(wide, "wide", focal_px=1271.0)
    (seen,) = see([panorama], Options())
    assert (seen.focal, seen.focal_source) == (None, "estimated")
    (sentence,) = [note for note in seen.facts.notes if "panorama" in note]
    panorama.save(tmp_path / "photo.npz")
    params = {"photo": str(tmp_path / "photo.npz"), "out": str(tmp_path)}
    assert look_job(Parameters(params), silent, lambda: None)["advice"] == [sentence]
    (given,) = see([panorama], Options(focal_px=900.0))
    assert (given.focal, given.focal_source) == (900.0, "given")
    assert not any("panorama" in note for note in given.facts.notes)
