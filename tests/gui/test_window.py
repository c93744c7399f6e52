# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension in a real Blender window: the true event loop, undo, Esc, the sidebar.

``python3 build.py gui`` sets the window up and runs this. Screenshots are kept in out/gui; they
are compared by what they show (rows of the panels, the head over the photo), not by pixels.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import missing

from core.geometry.raster import rasterise
from core.heads.arkit import ARKIT_NAMES
from core.heads.open_head import load_open_head
from core.photos.photo import load_photo
from core.pipeline import reconstruct
from tools import window

HERE = Path(__file__).parent
SUITE = os.environ.get("PIXEL3DMM_WINDOW_SUITE", "trixie")


@pytest.fixture(scope="module")
def kept(repository):
    folder = repository / "out" / "gui"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def seen(repository, example_photo, kept):
    """What the walk through the window saw."""
    reason = window.missing(SUITE)
    if reason:
        missing(reason)
    archive = os.environ.get("PIXEL3DMM_ZIP")
    if not archive:
        missing("the extension's zip (python3 build.py gui makes it)")
    with tempfile.TemporaryDirectory() as share:
        shutil.copy(archive, Path(share, "extension.zip"))
        shutil.copy(example_photo, Path(share, "photo.jpg"))
        cv2.imwrite(str(Path(share, "two.png")), two_faces(cv2.imread(str(example_photo))))
        for name in ("drive_window.py", "window_hands.py"):
            shutil.copy(HERE / name, share)
        arguments = ["--enable-event-simulate", "--python", "/mnt/share/drive_window.py"]
        done = window.run(SUITE, Path(share), arguments, seconds=900)
        said = done.stdout + done.stderr
        (kept / "blender.log").write_text(said)
        result = Path(share, "result.json")
        assert result.is_file(), said[-3000:]
        for file in [result, *Path(share).glob("*.png"), *Path(share).glob("*.blend")]:
            shutil.copy(file, kept)
        found = json.loads(result.read_text())
        found["exit_code"] = done.returncode
    assert "traceback" not in found, found["traceback"]
    # A panel that raises while it is drawn, or a timer that does, says so there and nowhere else.
    assert "Traceback" not in said, said[-3000:]
    return found


def two_faces(pixels):
    """The photo beside itself, once smaller."""
    small = cv2.resize(pixels, None, fx=0.8, fy=0.8)
    out = np.zeros((pixels.shape[0], pixels.shape[1] + small.shape[1], 3), np.uint8)
    out[:, : pixels.shape[1]] = pixels
    out[: small.shape[0], pixels.shape[1] :] = small
    return out


def has(rows, *wanted):
    """All of these are among the rows, in this order."""
    places = [next((k for k, row in enumerate(rows) if w in row), None) for w in wanted]
    assert None not in places, (wanted, rows)
    return places == sorted(places)


def test_the_walk_came_to_its_end(seen):
    assert seen["done"]


def test_panel_before_during_and_after(seen):
    assert has(
        seen["rows_before"],
        "prop photo",
        "template_icon",
        "label",
        "operator pixel3dmm.reconstruct_face",
    )
    assert has(seen["rows_options"], "prop head_choice", "prop predictor_choice")
    assert not any("progress" in row for row in seen["rows_before"])
    assert has(seen["rows_during"], "pixel3dmm.reconstruct_face", "progress", "pixel3dmm.cancel")
    assert has(seen["rows_after"], "pixel3dmm.look_through")


def test_the_view_goes_to_a_new_head_and_comes_back(seen):
    before, with_head, undone, redone = seen["views"]
    assert before[0] != "CAMERA"
    assert with_head[0] == "CAMERA"
    assert undone == before
    assert redone[0] == "CAMERA"


def test_progress_is_in_the_status_bar_too(seen, kept):
    before, during = (
        blue_at_the_bottom(kept / "before.png"),
        blue_at_the_bottom(kept / "during.png"),
    )
    assert during > before + 100


def blue_at_the_bottom(path):
    """Pixels of the status bar in the colour of a progress bar."""
    bgr = cv2.imread(str(path))[-24:].astype(int)
    return int((np.abs(bgr - [179, 114, 71]).max(axis=2) < 20).sum())


def test_faces_are_numbered_and_one_is_chosen(seen, kept):
    buttons = [row for row in seen["rows_faces"] if row == "operator pixel3dmm.choose_face"]
    assert len(buttons) == 2
    assert yellow(kept / "faces.png") > yellow(kept / "before.png") + 100


def yellow(path):
    """Pixels of a screenshot in the colour of the numbered boxes."""
    bgr = cv2.imread(str(path)).astype(int)
    return int((np.abs(bgr - [0, 196, 255]).max(axis=2) < 60).sum())


def test_button_starts_a_modal_job_and_the_head_appears(seen):
    assert seen["invoke"] == ["RUNNING_MODAL"]
    assert not seen["failed"], seen["message"]
    assert "the head is ready" in seen["message"]
    assert seen["heads_after"] == 1
    assert set(ARKIT_NAMES) < set(seen["keys"])


def test_undo_and_redo_twenty_times(seen):
    assert seen["undone"] == [0] * 20
    assert seen["redone"] == [1] * 20
    assert seen["after_undo"] == seen["at_start"]


def test_escape_cancels_and_leaves_nothing(seen):
    assert seen["message_cancelled"] == "Cancelled, nothing was changed"
    assert seen["heads_after_cancel"] == 1


def test_a_dropped_photo_becomes_a_head(seen):
    assert seen["heads_at_last"] == 2


def test_saved_and_reopened(seen):
    assert seen["reopened_same"]
    assert seen["reopened_neutral"] == pytest.approx(0, abs=1e-4)
    assert seen["reopened_photo"]


def test_the_head_lies_on_the_photo(seen, kept, example_photo):
    """The silhouette on the screen is that of the fit, drawn over the photo by other means."""
    shown = cv2.imread(str(kept / "silhouette.png")).astype(int)
    mask = (shown[..., 0] > 128) & (shown[..., 2] > 128) & (shown[..., 1] < 128)
    (person,) = reconstruct([load_photo(example_photo)])
    fit = person.photos[0]
    x0, y0, x1, y1 = seen["frame"]
    width, height = seen["image_size"]
    scale = min((x1 - x0) / width, (y1 - y0) / height)
    middle = np.array([(x0 + x1) / 2, (y0 + y1) / 2])
    points = (fit.camera.project(fit.vertices) - [width / 2, height / 2]) * scale + middle
    depth = fit.vertices @ fit.camera.R[2] + fit.camera.t[2]
    drawn = rasterise(points, depth, load_open_head().triangles, shown.shape[1], shown.shape[0])
    wanted = drawn.triangle >= 0
    inside = np.zeros_like(mask)
    inside[round(y0) : round(y1), round(x0) : round(x1)] = True
    mask, wanted = mask & inside, wanted & inside
    assert wanted.sum() > 5000
    overlap = (mask & wanted).sum() / (mask | wanted).sum()
    (kept / "overlap.json").write_text(json.dumps({"iou": float(overlap)}))
    assert overlap > 0.9


def test_expression_and_identity_panels(seen):
    assert has(
        seen["rows_expression"],
        "operator_menu_enum pose",
        "operator pixel3dmm.key_all",
        "prop photo_expression",
        "prop search",
        "label Brows",
        "label Mouth",
        "label Gaze and Head Pose",
    )
    assert has(seen["rows_identity"], "pixel3dmm.reset_traits", "label Eyes", "label Nose")
    assert seen["eye_after"] > seen["eye_before"] + 0.001


def test_a_trait_is_dragged_with_the_mouse(seen):
    assert seen["dragged"]
    assert (seen["mode_after_drag"], seen["bones_after_drag"]) == ("OBJECT", 6)
    assert seen["drag_undone"]


def test_japanese_is_shown_where_blender_has_it(seen):
    if seen["japanese"] is None:
        pytest.skip("this Blender was built without translations")
    assert "顔を再構築" in seen["japanese"]


def test_another_file_while_a_job_runs(seen):
    assert seen["running_after_new_file"] is False


def test_several_photos_wait_for_each_other(seen):
    assert seen["waiting"] == 1
    assert seen["heads_of_several"] == 2


def test_undo_and_save_while_a_job_runs(seen):
    assert seen["cube_undone"]
    assert seen["running_after_undo_and_save"] is True
    assert seen["heads_after_undo_and_save"] == 1
    assert seen["reopened_meanwhile"] == [0, False]


def test_quitting_while_a_job_runs(seen):
    assert seen["exit_code"] == 0
    with pytest.raises(ProcessLookupError):
        os.kill(seen["worker_at_quit"], 0)


def test_disabling_the_extension_while_a_job_runs(seen):
    assert seen["running_after_disable"] is False
    assert seen["heads_after_enable"] == 1
