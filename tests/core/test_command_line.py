# SPDX-License-Identifier: GPL-3.0-or-later
"""python -m core: what it writes, what it says, and how it ends."""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
import trimesh
from PIL import Image

from core.__main__ import _parser, main
from core.geometry.camera import Camera
from core.heads import load_open_head
from core.photos.photo import load_photo
from core.rigged_head import RiggedHead

FILES = {
    "mesh.ply", "neutral.ply", "camera.json", "lm7.json", "lm7_px.json", "head.npz",
    "report.json", "overlay.png", "skin.png", "albedo.png",
}  # fmt: skip

#: Options of a run that is not about pictures.
PLAIN = ("--texture", "off", "--hair", "none")


def run(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "core", "reconstruct", *map(str, arguments)]
    root = Path(__file__).resolve().parents[2]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=600)


def load_mesh(path: Path) -> trimesh.Trimesh:
    return trimesh.load(path, process=False)


def load_json(path: Path):
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def done(example_photo, tmp_path_factory) -> tuple[subprocess.CompletedProcess, Path]:
    out = tmp_path_factory.mktemp("out")
    return run(example_photo, "--out", out), out / "astronaut"


def complain(capsys, *arguments: object) -> str:
    """Runs a command that has to end with 2, and returns its one sentence."""
    assert main(["reconstruct", *map(str, arguments)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    [sentence] = [line for line in said.err.splitlines() if not re.match(r" *\d+%  ", line)]
    assert sentence.endswith(".")
    assert "Traceback" not in said.err
    return sentence


def test_it_writes_all_files_and_a_summary(done):
    process, folder = done
    assert process.returncode == 0, process.stderr
    assert {f.name for f in folder.iterdir()} == FILES
    assert process.stdout.startswith("astronaut: ")
    assert len(process.stdout.splitlines()) == 1
    assert "Fitting the head" in process.stderr


def test_the_meshes_are_the_fitted_head_in_their_frames(done):
    _, folder = done
    head = load_open_head()
    posed, neutral = load_mesh(folder / "mesh.ply"), load_mesh(folder / "neutral.ply")
    np.testing.assert_array_equal(posed.faces, head.outer_triangles)
    np.testing.assert_array_equal(neutral.faces, head.triangles)
    camera = Camera.from_json(load_json(folder / "camera.json"))
    rigged = RiggedHead.load(folder / "head.npz")
    np.testing.assert_allclose(camera.to_camera(rigged.posed), posed.vertices, atol=1e-6)
    np.testing.assert_allclose(rigged.basis, neutral.vertices, atol=1e-6)
    # Head frame: upright, metres, the face towards +z.
    size = np.ptp(neutral.vertices, axis=0)
    assert 0.15 < size[1] < 0.5
    assert posed.vertices[:, 2].min() > 0.1
    # Outward triangles, seen along both frames: as many outward in the one as in the other.
    for mesh in (posed, neutral):
        outward = ((mesh.triangles_center - mesh.centroid) * mesh.face_normals).sum(axis=1)
        assert np.average(outward > 0, weights=mesh.area_faces) > 0.7


def test_the_seven_landmarks_lie_on_the_mesh_and_project_into_the_photo(done):
    _, folder = done
    seven, pixels = (np.array(load_json(folder / f"{n}.json")) for n in ("lm7", "lm7_px"))
    assert seven.shape == (7, 3)
    assert pixels.shape == (7, 2)
    head, ids = load_open_head(), [33, 133, 362, 263, 2, 61, 291]
    corners = load_mesh(folder / "mesh.ply").vertices[head.landmark_vertices[ids]]
    on_mesh = np.einsum("nk,nkc->nc", head.landmark_barycentric[ids], corners)
    np.testing.assert_allclose(seven, on_mesh, atol=1e-9)
    projected = seven @ np.array(load_json(folder / "camera.json")["K"]).T
    np.testing.assert_allclose(projected[:, :2] / projected[:, 2:], pixels, atol=1e-6)
    # The subject's right is on the photo's left: eye corners in order, nose below, mouth corners.
    assert (np.diff(pixels[:4, 0]) > 0).all()
    assert pixels[4, 1] > pixels[:4, 1].max()
    assert pixels[5, 0] < pixels[4, 0] < pixels[6, 0]
    detected = RiggedHead.load(folder / "head.npz").landmarks[ids]
    eyes = np.linalg.norm(detected[0] - detected[3])
    assert np.linalg.norm(pixels - detected, axis=1).max() < 0.1 * eyes


def test_the_report(done, example_photo):
    _, folder = done
    report = load_json(folder / "report.json")
    assert report["photo"] == "astronaut"
    assert report["sha256"] == load_photo(example_photo).sha256
    assert 0 < report["reprojection_percent_of_eye_distance"] < 10
    assert report["reprojection_px"]["median"] > 0
    assert report["focal_source"] == "estimated"
    assert abs(report["pose_degrees"]["yaw"]) < 20
    assert set(report["seconds"]) == {
        "Opening the photo", "Reading landmarks", "Reading the face's shape", "Fitting the head",
        "Building the rig",
    }  # fmt: skip
    assert report["memory_peak_mb"] > 50
    assert report["licences"]["head"]["spdx"] == "CC0-1.0 AND MIT"
    assert report["recipe"]["options"]["predictor"] == "mediapipe"


def test_the_overlay_changes_the_face_and_nothing_far_from_it(done, example_photo):
    _, folder = done
    overlay = cv2.imread(str(folder / "overlay.png"))
    assert max(overlay.shape) == 1024
    # Cut out of the photo and enlarged: find where, then compare.
    photo = load_photo(example_photo).pixels[..., ::-1]
    rows, columns = (n * 512 // 1024 for n in overlay.shape[:2])
    assert rows <= 512
    assert columns <= 512
    small = cv2.resize(overlay, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    best = max(
        cv2.matchTemplate(cv2.resize(photo, None, fx=f, fy=f), small, cv2.TM_CCOEFF_NORMED).max()
        for f in np.linspace(0.5, 1.2, 36)
        if min(photo.shape[0] * f, photo.shape[1] * f) >= max(small.shape[:2])
    )
    assert 0.8 < best < 0.999


def test_another_process_gives_the_same_vertices(done, example_photo, tmp_path):
    _, folder = done
    assert run(example_photo, "--out", tmp_path).returncode == 0
    for name in ("mesh.ply", "neutral.ply"):
        first, second = (load_mesh(f / name).vertices for f in (folder, tmp_path / "astronaut"))
        np.testing.assert_allclose(first, second, atol=1e-6)
    recipes = [load_json(f / "report.json")["recipe"] for f in (folder, tmp_path / "astronaut")]
    assert recipes[0] == recipes[1]


def test_photos_of_one_name_do_not_overwrite_each_other(example_photo, tmp_path, capsys):
    (tmp_path / "b").mkdir()
    twin = shutil.copy(example_photo, tmp_path / "b" / "Astronaut.jpg")
    photos = [str(example_photo), str(twin)]
    assert main(["reconstruct", *photos, *PLAIN, "--out", str(tmp_path / "o")]) == 0
    said = capsys.readouterr()
    assert sorted(f.name for f in (tmp_path / "o").iterdir()) == ["Astronaut-2", "astronaut"]
    assert "go to Astronaut-2" in said.err
    assert len(said.out.splitlines()) == 2


def test_one_bad_photo_does_not_spoil_the_others(example_photo, tmp_path, capsys):
    (tmp_path / "text.jpg").write_text("no photo")
    photos = [str(tmp_path / "text.jpg"), str(example_photo)]
    arguments = [*photos, *PLAIN, "--out", str(tmp_path / "o")]
    assert main(["reconstruct", *arguments]) == 2
    said = capsys.readouterr()
    assert "text.jpg is not a picture" in said.err
    assert said.out.startswith("astronaut: ")
    assert [f.name for f in (tmp_path / "o").iterdir()] == ["astronaut"]


def test_the_same_person_has_one_neutral_face(example_photo, tmp_path, capsys):
    Image.open(example_photo).crop((60, 0, 460, 420)).save(tmp_path / "closer.png")
    out = tmp_path / "o"
    arguments = [str(example_photo), str(tmp_path / "closer.png"), "--same-person"]
    assert main(["reconstruct", *arguments, *PLAIN, "--out", str(out)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    first, second = ((out / n / "neutral.ply").read_bytes() for n in ("astronaut", "closer"))
    assert first == second


def test_a_turned_photo_gives_the_same_head(example_photo, tmp_path, capsys):
    upright = Image.open(example_photo)
    exif = Image.Exif()
    exif[0x0112] = 6
    upright.save(tmp_path / "upright.png")
    upright.rotate(90, expand=True).save(tmp_path / "turned.png", exif=exif)
    for name in ("upright", "turned"):
        photo = str(tmp_path / f"{name}.png")
        arguments = ["reconstruct", photo, *PLAIN, "--out", str(tmp_path)]
        assert main([*arguments, "--focal-mm", "85"]) == 0
    meshes = [load_mesh(tmp_path / n / "mesh.ply").vertices for n in ("upright", "turned")]
    np.testing.assert_allclose(*meshes, atol=1e-9)
    report = load_json(tmp_path / "turned" / "report.json")
    assert report["focal_source"] == "given"
    assert report["focal_35mm"] == pytest.approx(85, rel=0.1)
    capsys.readouterr()


@pytest.mark.parametrize("kind", ["grey", "16 bit", "CMYK", "transparent", "12000 px"])
def test_unusual_photos_work(kind, example_photo, tmp_path, capsys):
    picture = Image.open(example_photo).convert("RGB")
    path = tmp_path / "фото.png"
    if kind == "grey":
        picture.convert("L").save(path)
    elif kind == "16 bit":
        deep = np.asarray(picture)[..., ::-1].astype(np.uint16) * 257
        path.write_bytes(cv2.imencode(".png", deep)[1].tobytes())
    elif kind == "CMYK":
        path = tmp_path / "фото.jpg"
        picture.convert("CMYK").save(path)
    elif kind == "transparent":
        alpha = Image.new("L", picture.size, 255)
        alpha.paste(0, (0, 0, 512, 30))
        picture.putalpha(alpha)
        picture.save(path)
    else:
        path = tmp_path / "фото.jpg"
        wide = Image.new("RGB", (12000, 2560), "grey")
        wide.paste(picture.resize((2560, 2560)), (5000, 0))
        wide.save(path)
    assert main(["reconstruct", str(path), "--out", str(tmp_path / "o")]) == 0
    said = capsys.readouterr()
    if kind in ("16 bit", "transparent"):
        assert "Note: " in said.err
    report = load_json(tmp_path / "o" / "фото" / "report.json")
    assert report["reprojection_percent_of_eye_distance"] < 10
    assert {f.name for f in (tmp_path / "o" / "фото").iterdir()} == FILES
    assert (tmp_path / "o" / "фото" / "overlay.png").stat().st_size < 20_000_000


def test_bad_photos_get_a_sentence_and_exit_code_2(tmp_path, capsys):
    (tmp_path / "empty.jpg").touch()
    assert "0 bytes" in complain(capsys, tmp_path / "empty.jpg", "--out", tmp_path / "o")
    assert "does not exist" in complain(capsys, tmp_path / "no.jpg", "--out", tmp_path / "o")
    assert "is a folder" in complain(capsys, tmp_path, "--out", tmp_path / "o")
    Image.new("RGB", (300, 300), "grey").save(tmp_path / "grey.jpg")
    sentence = complain(capsys, tmp_path / "grey.jpg", "--out", tmp_path / "o")
    assert "No face was found in grey" in sentence
    assert "box" in sentence
    assert list((tmp_path / "o").iterdir()) == []


def test_bad_options_get_a_sentence_and_exit_code_2(example_photo, tmp_path, capsys):
    out = ("--out", tmp_path / "o")
    assert "focal length" in complain(capsys, example_photo, *out, "--focal-mm", "-1")
    assert "box" in complain(capsys, example_photo, *out, "--box", "9,9,1,1")
    assert "no face 3" in complain(capsys, example_photo, *out, "--face", "3")
    assert "outside the photo" in complain(capsys, example_photo, *out, "--box", "900,9,999,99")


@pytest.mark.parametrize("where", ["file", "beneath a file", "null character", "/proc/nowhere"])
def test_output_that_cannot_be_written(where, example_photo, tmp_path, capsys):
    (tmp_path / "file").touch()
    out = {
        "file": tmp_path / "file",
        "beneath a file": tmp_path / "file" / "deeper",
        "null character": f"{tmp_path}/a\0b",
        "/proc/nowhere": Path("/proc/nowhere"),
    }[where]
    if where == "/proc/nowhere" and not Path("/proc").is_dir():
        pytest.skip("this system has no /proc")
    assert "cannot be written" in complain(capsys, example_photo, "--out", out)


def test_a_disk_that_fills_up_leaves_the_old_results(example_photo, tmp_path, capsys, monkeypatch):
    folder = tmp_path / "astronaut"
    folder.mkdir()
    (folder / "report.json").write_text("old")

    def save(self: RiggedHead, path: Path) -> None:
        path.write_bytes(b"half a file")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(RiggedHead, "save", save)
    assert "No space left" in complain(capsys, example_photo, "--out", tmp_path)
    assert [f.name for f in folder.iterdir()] == ["report.json"]
    assert (folder / "report.json").read_text() == "old"


def test_a_defect_is_one_sentence_and_exit_code_1(example_photo, tmp_path, capsys, monkeypatch):
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("detail")

    monkeypatch.setattr("core.__main__.write_person", broken)
    arguments = ["reconstruct", str(example_photo), "--out", str(tmp_path)]
    assert main(arguments) == 1
    said = capsys.readouterr().err
    assert "Something went wrong inside Pixel3DMM: ZeroDivisionError" in said
    assert "Traceback" not in said
    assert main([*arguments, "--verbose"]) == 1
    assert "detail" in capsys.readouterr().err


def test_faces_are_counted_from_1_by_every_command(capsys):
    for arguments in (["reconstruct", "a.jpg"], ["batch", "a"], ["track", "a.mp4"]):
        with pytest.raises(SystemExit) as caught:
            main([*arguments, "--out", "o", "--face", "0"])
        assert caught.value.code == 2
        assert "must be 1 (the largest that is sure)" in capsys.readouterr().err


def options_of(parser: argparse.ArgumentParser) -> set[str]:
    """Of a command and all its verbs."""
    found = set(parser._option_string_actions)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for verb in action.choices.values():
                found |= options_of(verb)
    return found


def test_sentences_and_manuals_name_options_that_exist():
    root = Path(__file__).resolve().parents[2]
    known = options_of(_parser())
    texts = [(p, p.read_text(encoding="utf-8")) for p in sorted((root / "docs").glob("*.md"))]
    texts.append((root / "README.md", (root / "README.md").read_text(encoding="utf-8")))
    # In manuals the commands of other programs have options, too.
    said = [
        (path.name, word)
        for path, text in texts
        for line in re.findall(r"^.*-m core .*$", text, re.MULTILINE)
        for word in re.findall(r"(?<![\w-])--[a-z][\w-]*", line)
    ]
    for path in sorted((root / "core").rglob("*.py")):
        if path.parent.name == "runtime" or path.name == "blender.py":
            continue  # they call pip and Blender
        strings = (
            n.value
            for n in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(n, ast.Constant) and isinstance(n.value, str)
        )
        said += [(path.name, w) for s in strings for w in re.findall(r"(?<![\w-])--[a-z][\w-]*", s)]
    assert len(said) > 30
    assert [(name, word) for name, word in said if word not in known] == []


def test_exit_codes_are_in_the_help_and_in_the_manual(repository, capsys):
    manual = (repository / "docs" / "batch.md").read_text(encoding="utf-8")
    for verb in ("reconstruct", "batch", "import", "check-rig", "track"):
        with pytest.raises(SystemExit):
            main([verb, "--help"])
        said = " ".join(capsys.readouterr().out.split())
        for code in ("0:", "2:", "1:", "130:"):
            assert code in said
    for code in (0, 1, 2, 130):
        assert f"| {code} |" in manual


def test_programs_get_an_object_a_line(example_photo, tmp_path, capsys):
    bad = tmp_path / "text.jpg"
    bad.write_text("no photo")
    arguments = ["reconstruct", str(example_photo), str(bad), "--out", str(tmp_path / "o")]
    assert main([*arguments, "--texture", "off", "--json"]) == 2
    said = capsys.readouterr()
    assert said.err == ""
    events = [json.loads(line) for line in said.out.splitlines()]
    assert {e["event"] for e in events} >= {"progress", "photo", "error"}
    [photo] = [e for e in events if e["event"] == "photo"]
    assert photo["name"] == "astronaut"
    assert Path(photo["folder"], "head.npz").is_file()


def test_usage_errors_exit_with_2(capsys):
    for arguments in ([], ["reconstruct"], ["reconstruct", "a.jpg"], ["dance"]):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 2
    with pytest.raises(SystemExit):
        main(["reconstruct", "a.jpg", "--out", "o", "--box", "a,b"])
    assert "x0,y0,x1,y1" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for other processes")
def test_ctrl_c_exits_with_130_and_leaves_nothing(example_photo, tmp_path):
    root = Path(__file__).resolve().parents[2]
    photos = [str(example_photo)] * 50
    command = [sys.executable, "-m", "core", "reconstruct", *photos, "--same-person"]
    with subprocess.Popen(
        [*command, "--out", str(tmp_path)], cwd=root, stderr=subprocess.PIPE, text=True
    ) as process:
        for line in process.stderr:
            if "Reading landmarks" in line:
                break
        process.send_signal(signal.SIGINT)
        watchdog = threading.Timer(60, process.kill)
        watchdog.start()
        rest = process.stderr.read()
        watchdog.cancel()
    assert process.returncode == 130
    assert "Cancelled." in rest
    assert "Traceback" not in rest
    assert list(tmp_path.iterdir()) == []


def test_the_bench_reads_what_is_written(shared_dir, tmp_path, capsys):
    item = shared_dir / "bench" / "public" / "ict_00"
    photo = str(item / "image.png")
    assert main(["reconstruct", photo, *PLAIN, "--out", str(tmp_path)]) == 0
    folder = tmp_path / "image"
    named = load_json(item / "camera.json")["landmarks_px"]
    truth = np.array([named[name] for name in ("ro", "ri", "li", "lo", "sn", "mr", "ml")])
    found = np.array(load_json(folder / "lm7_px.json"))
    eyes = np.linalg.norm(truth[0] - truth[3])
    assert np.linalg.norm(found - truth, axis=1).mean() < 0.12 * eyes
    capsys.readouterr()
    evaluate = [sys.executable, str(shared_dir / "bench" / "evaluate.py"), "one", str(item)]
    scored = subprocess.run(
        [*evaluate, str(folder / "mesh.ply"), "--lm", str(folder / "lm7.json")],
        cwd=shared_dir / "bench", capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert scored.returncode == 0, scored.stderr
