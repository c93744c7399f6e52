# SPDX-License-Identifier: GPL-3.0-or-later
"""Either head with either predictor, from the command line and through the worker.

The networks of the fixtures have random weights: with them the way is tested, and that nonsense
is recognised. What right maps are worth is tested with maps rendered from a known head.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from support.flame_like import FlameLike, flame_like, write_template
from test_flame_file import unpacked
from test_worker import Client, job

import core.fitting.checked_maps as checked_maps
from core.__main__ import main
from core.cues.face_maps import convex_hull, face_box, with_maps, without_maps
from core.cues.rendered_cues import rendered_cues
from core.errors import FitError
from core.fitting import FitProblem, fit_head
from core.fitting.checked_maps import fit_checked_maps
from core.fitting.pose import similarity
from core.fitting.result import eye_rotations
from core.geometry.camera import Camera
from core.geometry.rotation import matrix_from_vector
from core.heads import HeadModel, load_open_head
from core.models.folder import wearing_flame_layout
from core.photos.photo import load_photo
from core.protocol import message, worker_command
from core.reconstruct.resources import load_head
from core.rigged_head import RiggedHead

HEADS, PREDICTORS = ("open-head", "flame"), ("mediapipe", "pixel3dmm")
EVERY = [(head, predictor) for head in HEADS for predictor in PREDICTORS]
#: Beside landmarks that are exact and have their true depth, normals alone add this much or more.
HELPED = 0.9
NO_TORCH = "no torch: see tests/requirements-neural.txt"


def needs(predictor: str) -> None:
    if predictor == "pixel3dmm" and find_spec("torch") is None:
        pytest.skip(NO_TORCH)


@pytest.fixture(scope="module")
def like() -> FlameLike:
    return flame_like(load_open_head())


@pytest.fixture(scope="module")
def models(like: FlameLike, shared_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All that can be imported, by the command line."""
    folder = tmp_path_factory.mktemp("models")
    source = like.write(folder / "like.pkl")
    write_template(like, folder / "head_template.obj")
    networks = [shared_dir / "fixtures" / f"pixel3dmm_{k}_tiny.ckpt" for k in ("uv", "normals")]
    files = [str(path) for path in (source, *networks)]
    assert main(["import", *files, "--models", str(folder / "models")]) == 0
    return folder / "models"


def named(head: str, models: Path) -> str:
    return head if head == "open-head" else str(models / "like.npz")


@pytest.fixture(scope="module")
def runs(models: Path, example_photo: Path, tmp_path_factory: pytest.TempPathFactory):
    """One run of the command line for each combination, on demand."""
    done: dict[tuple[str, str], Path] = {}

    def run(head: str, predictor: str) -> Path:
        if (head, predictor) not in done:
            out = tmp_path_factory.mktemp("out")
            options = ["--head", named(head, models), "--predictor", predictor]
            options += ["--models", str(models), "--out", str(out)]
            assert main(["reconstruct", str(example_photo), *options]) == 0
            done[head, predictor] = out / "astronaut"
        return done[head, predictor]

    return run


# --- the four combinations -------------------------------------------------------------------
@pytest.mark.parametrize(("head", "predictor"), EVERY)
def test_command_line(runs, models, head, predictor):
    needs(predictor)
    folder = runs(head, predictor)
    report = json.loads((folder / "report.json").read_text())
    rigged = RiggedHead.load(folder / "head.npz")
    model = load_head(named(head, models))
    assert report["reprojection_percent_of_eye_distance"] < 4
    assert report["head"] == rigged.head_name == model.name
    assert report["predictor"] == report["recipe"]["options"]["predictor"] == predictor
    assert report["recipe"]["head"]["sha256"] == model.digest
    # The rig is the head's own, quads and texture layout, whatever layout the maps spoke of.
    np.testing.assert_array_equal(rigged.quads, model.quads)
    np.testing.assert_allclose(rigged.uv, model.uv, atol=1e-6)
    np.testing.assert_allclose(rigged.basis.shape, model.template.shape)
    still = [model.joint(name) for name in (*model.locked_joints, "root", "neck", "jaw")]
    assert not rigged.joint_rotations[still].any()
    assert str(models) not in json.dumps(report)
    terms = report["licences"]
    assert terms["head"]["commercial_use"] is (True if head == "open-head" else None)
    assert terms["predictor"]["commercial_use"] is (predictor == "mediapipe")
    expected = {("open-head", "mediapipe"): True, ("flame", "mediapipe"): None}
    assert terms["commercial_use"] is expected.get((head, predictor), False)


@pytest.mark.parametrize("head", HEADS)
def test_networks_that_know_nothing_change_nothing_and_are_reported(runs, head):
    needs("pixel3dmm")
    with_networks, without = runs(head, "pixel3dmm"), runs(head, "mediapipe")
    report = json.loads((with_networks / "report.json").read_text())
    assert report["maps"]["used"] == []
    # The two networks, and each with its mirror image, hardly ever agree.
    assert report["maps"]["covered_share"] < 0.15
    assert len(report["recipe"]["networks"]) == 2
    [sentence] = [w for w in report["warnings"] if "does not explain the face" in w]
    assert "follows the landmarks alone" in sentence
    for name in ("mesh.ply", "neutral.ply"):
        assert (with_networks / name).read_bytes() == (without / name).read_bytes()


def test_worker(runs, models, example_photo, tmp_path):
    """All combinations that this Python can do, one after another in one process."""
    photo = tmp_path / "photo.npz"
    load_photo(example_photo).save(photo)
    worker = Client(worker_command(sys.executable))
    try:
        worker.until("hello")
        for head, predictor in EVERY:
            if predictor == "pixel3dmm" and find_spec("torch") is None:
                continue
            out = tmp_path / f"{head}-{predictor}"
            options = {"head": named(head, models), "predictor": predictor, "models": str(models)}
            worker.send(job(photo, out, id=str(out.name), **options))
            result = worker.until("result")
            rigged = RiggedHead.load(Path(result["heads"][0]))
            other = RiggedHead.load(runs(head, predictor) / "head.npz")
            np.testing.assert_allclose(rigged.posed, other.posed, atol=1e-6)
            assert any("explain the face" in w for w in result["warnings"]) == (
                predictor == "pixel3dmm"
            )
        worker.send(job(photo, tmp_path / "no", id="no", head=str(tmp_path / "gone.npz")))
        assert "import the FLAME model again" in worker.until("error")["message"]
        worker.send(message("bye"))
    finally:
        worker.close()


def test_open_head_without_a_layout_uses_no_texture_map(models, example_photo, tmp_path):
    needs("pixel3dmm")
    shutil.copytree(models, tmp_path / "models", ignore=shutil.ignore_patterns("like.*"))
    options = ["--predictor", "pixel3dmm", "--models", str(tmp_path / "models")]
    assert main(["reconstruct", str(example_photo), *options, "--out", str(tmp_path / "o")]) == 0
    report = json.loads((tmp_path / "o" / "astronaut" / "report.json").read_text())
    assert "head_template.obj" in report["warnings"][0]
    assert list(report["recipe"]["networks"]) == ["normals"]
    assert report["maps"]["uv_off"] is None


# --- what right maps are worth ---------------------------------------------------------------
SHOT = Camera.with_focal(
    1100.0,
    np.diag([1.0, -1.0, -1.0]) @ matrix_from_vector(np.radians([5.0, 20.0, 0.0])),
    np.array([0.01, 0.02, 0.65]),
    600,
    600,
)


class Seen:
    """A known person of a head: maps without error, landmarks that are some pixels off."""

    def __init__(self, head: HeadModel, seed: int, shape: np.ndarray | None = None) -> None:
        rng = np.random.default_rng(seed)
        identity = rng.normal(size=min(60, head.identity_count)) if shape is None else shape
        expression = np.zeros(head.expression_count)
        for name, value in (("mouthSmileLeft", 0.5), ("jawOpen", 0.3), ("browInnerUp", 0.4)):
            expression[head.expression_names.index(name)] = value
        rest = eye_rotations(head, np.zeros(4))
        self.head, self.identity = head, identity
        self.vertices = head.pose(identity, expression, rest)
        cues = rendered_cues(head, identity, expression, rest, SHOT, landmarks=True)
        cues = replace(cues, background=None)
        off = rng.normal(0, 4.0, cues.landmarks.shape)
        sigma = np.hypot(cues.landmark_sigma, 4.0)
        self.landmarks = replace(
            without_maps(cues), landmarks=cues.landmarks + off, landmark_sigma=sigma
        )
        self.maps = replace(cues, landmarks=None, landmark_depth=None, landmark_sigma=None)
        self.rng = rng

    def fit(self, maps, head=None):
        cues = [with_maps(self.landmarks, maps)]
        return fit_checked_maps(FitProblem(head or self.head, cues, [SHOT.focal]), ["photo"])

    def off(self, fit) -> float:
        """Median distance over the face, millimetres."""
        face = self.head.regions["face"]
        return 1e3 * float(
            np.median(np.linalg.norm((fit.photos[0].vertices - self.vertices)[face], axis=1))
        )

    def shape_off(self, fit) -> float:
        """The same after the best similarity: normals know nothing of size and place."""
        face = self.head.regions["face"]
        got, true = fit.photos[0].vertices[face], self.vertices[face]
        scale, r, t = similarity(got, true, np.ones(len(got)))
        return 1e3 * float(np.median(np.linalg.norm(scale * got @ r.T + t - true, axis=1)))

    def nonsense(self) -> dict[str, np.ndarray]:
        """Maps of the right size that change smoothly and have nothing to do with the face."""
        y, x = np.indices(self.maps.confidence.shape) / 512
        uv = np.stack([0.5 + 0.4 * np.sin(5 * y + 1), 0.5 + 0.4 * np.cos(6 * x)], axis=-1)
        normal = np.stack([np.sin(9 * x), np.cos(7 * y), 0 * x], axis=-1)
        normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
        return {"uv": uv.astype(np.float32), "normal": normal.astype(np.float32)}


@pytest.fixture(scope="module", params=HEADS)
def seen(request, models) -> Seen:
    return Seen(load_head(named(request.param, models)), 3)


def test_right_maps_are_used_and_help(seen):
    alone, fit = seen.fit(without_maps(seen.maps)), seen.fit(seen.maps)
    assert fit.photos[0].report["maps"]["used"] == ["uv", "normal"]
    assert fit.photos[0].report["maps"]["covered_share"] > 0.9
    assert fit.warnings == alone.warnings == []
    assert seen.off(fit) < 0.3
    assert seen.off(fit) < 0.25 * seen.off(alone)


def test_normals_alone_help(seen):
    alone, fit = seen.fit(without_maps(seen.maps)), seen.fit(without_maps(seen.maps, normal=False))
    assert fit.photos[0].report["maps"]["used"] == ["normal"]
    assert seen.shape_off(fit) < HELPED * seen.shape_off(alone)


def test_the_open_head_understands_maps_in_flames_layout(models):
    """Another mesh, a person whom its components do not reach quite, and a carried layout."""
    flame, open_head = load_head(str(models / "like.npz")), load_open_head()
    seen = Seen(flame, 4, np.zeros(1))
    worn = wearing_flame_layout(open_head, models)
    fit = seen.fit(seen.maps, worn)
    assert fit.photos[0].report["maps"]["used"] == ["uv", "normal"]
    alone = seen.fit(without_maps(seen.maps), worn)
    truth = flame.landmarks(seen.vertices)[:468]

    def off(fit):
        at = open_head.landmarks(fit.photos[0].vertices)[:468]
        # How large and how far a head is, one photo does not say.
        scale, turn, shift = similarity(at, truth, np.ones(468))
        return 1e3 * float(np.median(np.linalg.norm(scale * at @ turn.T + shift - truth, axis=1)))

    assert off(fit) < 2.0
    assert off(fit) < 0.7 * off(alone), (off(fit), off(alone))


@pytest.mark.parametrize("wrong", ["both", "uv", "normal", "forward", "unsure"])
def test_wrong_maps_are_left_out_with_a_warning(seen, wrong):
    nonsense = seen.nonsense()
    if wrong == "forward":
        forward = np.zeros_like(seen.maps.normal)
        forward[..., 2] = 1
        maps = replace(seen.maps, uv=None, normal=forward)
    elif wrong == "unsure":
        maps = replace(seen.maps, confidence=0.01 * seen.maps.confidence)
    elif wrong == "both":
        maps = replace(seen.maps, **nonsense)
    else:
        maps = replace(seen.maps, **{wrong: nonsense[wrong]})
    fit = seen.fit(maps)
    kept = {"uv": ["normal"], "normal": ["uv"]}.get(wrong, [])
    assert fit.photos[0].report["maps"]["used"] == kept
    [sentence] = [w for w in fit.warnings if "does not explain the face" in w]
    alone = fit_head(FitProblem(seen.head, [seen.landmarks], focal=[SHOT.focal]))
    if kept:
        assert "the other map" in sentence
        assert seen.shape_off(fit) < HELPED * seen.shape_off(alone)
    else:
        assert "the landmarks alone" in sentence
        np.testing.assert_allclose(fit.photos[0].vertices, alone.photos[0].vertices, atol=1e-9)


def test_a_fit_to_maps_that_fails_falls_back(seen, monkeypatch):
    def failing(problem, **options):
        if any(c.dense for c in problem.cues):
            raise FitError("The maps contradict each other.")
        return fit_head(problem, **options)

    monkeypatch.setattr(checked_maps, "fit_head", failing)
    fit = seen.fit(seen.maps)
    assert fit.photos[0].report["maps"]["used"] == []
    assert any("(The maps contradict each other)" in w for w in fit.warnings)


def test_maps_count_within_the_landmarks_hull_only(seen):
    both = with_maps(seen.landmarks, replace(seen.maps, confidence=np.ones((512, 512), np.float32)))
    inside = both.confidence > 0
    to_photo = both.crop_to_photo
    rows, columns = np.nonzero(inside)
    places = np.column_stack([columns + 0.5, rows + 0.5]) @ to_photo[:, :2].T + to_photo[:, 2]
    left, top, right, bottom = face_box(both)
    assert (places >= [left, top]).all()
    assert (places <= [right, bottom]).all()
    hull = convex_hull(both.landmarks[:468])
    x, y = hull.T
    area = abs(x @ np.roll(y, 1) - y @ np.roll(x, 1)) / 2
    assert inside.sum() * abs(np.linalg.det(to_photo[:, :2])) == pytest.approx(area, rel=0.01)


# --- faults, one sentence each ---------------------------------------------------------------
def complaint(capsys, *arguments: object) -> str:
    assert main([str(a) for a in arguments]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    sentences = [line for line in said.err.splitlines() if "%  " not in line[:7]]
    assert len(sentences) == 1
    assert sentences[0].endswith(".")
    return sentences[0]


def test_heads_and_folders_that_are_none(shared_dir, example_photo, tmp_path, capsys):
    start = ("reconstruct", example_photo, "--out", tmp_path / "o")
    (tmp_path / "x.pkl").write_bytes(b"\x80\x02")
    assert "imported once" in complaint(capsys, *start, "--head", tmp_path / "x.pkl")
    assert "gone.npz is missing" in complaint(capsys, *start, "--head", tmp_path / "gone.npz")
    pixel3dmm = (*start, "--predictor", "pixel3dmm")
    assert "name the models folder" in complaint(capsys, *pixel3dmm)
    assert "name the models folder" in complaint(capsys, *pixel3dmm, "--models", tmp_path / "no")
    sentence = complaint(capsys, *pixel3dmm, "--models", tmp_path)
    assert "no Pixel3DMM weights" in sentence
    few = unpacked(shared_dir, "flame600_plain.pkl", tmp_path)
    assert main(["import", str(few), "--models", str(tmp_path / "m")]) == 0
    capsys.readouterr()
    head = tmp_path / "m" / f"{few.stem}.npz"
    assert "only 0 points of a face" in complaint(capsys, *start, "--head", head)
    assert not any((tmp_path / "o").iterdir())


def test_pixel3dmm_without_torch_is_one_sentence(
    models, example_photo, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("core.cues.pixel3dmm.predictor.find_spec", lambda name: None)
    start = ("reconstruct", example_photo, "--out", tmp_path / "o", "--predictor", "pixel3dmm")
    shutil.copytree(models, tmp_path / "models")  # one that no earlier test has loaded
    sentence = complaint(capsys, *start, "--models", tmp_path / "models")
    assert "needs the neural runtime" in sentence


@pytest.mark.parametrize(
    "kind",
    ["malicious pkl", "malicious ckpt", "empty", "cut ckpt", "cut pkl", "text", "gone", "folder"],
)
def test_files_that_cannot_be_imported(kind, like, shared_dir, tmp_path, capsys, monkeypatch):
    ran: list[str] = []
    monkeypatch.setattr("os.system", ran.append)
    if os.name == "posix":
        monkeypatch.setattr("posix.system", ran.append)
    fixtures = shared_dir / "fixtures"
    path = tmp_path / "file.bin"
    if kind == "malicious pkl":
        shutil.copy(fixtures / "flame_malicious.pkl", path)
    elif kind == "malicious ckpt":
        shutil.copy(fixtures / "pixel3dmm_malicious.ckpt", path)
    elif kind == "empty":
        path.touch()
    elif kind == "cut ckpt":
        path.write_bytes((fixtures / "pixel3dmm_uv_tiny.ckpt").read_bytes()[:100_000])
    elif kind == "cut pkl":
        path.write_bytes(like.write(tmp_path / "like.pkl").read_bytes()[:100_000])
    elif kind == "text":
        path.write_text("uv weights")
    elif kind == "folder":
        path.mkdir()
    sentence = complaint(capsys, "import", path, "--models", tmp_path / "models")
    assert "file.bin" in sentence
    assert not any((tmp_path / "models").iterdir())
    assert not ran


def test_a_bad_file_does_not_keep_the_others_out(shared_dir, tmp_path, capsys):
    (tmp_path / "bad.ckpt").write_text("no weights")
    # Recognised by content: the name says nothing.
    shutil.copy(shared_dir / "fixtures" / "pixel3dmm_uv_tiny.ckpt", tmp_path / "download.pkl")
    files = [str(tmp_path / "bad.ckpt"), str(tmp_path / "download.pkl")]
    assert main(["import", *files, "--models", str(tmp_path / "m")]) == 2
    said = capsys.readouterr()
    assert "bad.ckpt" in said.err
    assert "network for uv (CC-BY-NC-4.0, commercial use: no)" in said.out
    assert sorted(p.name for p in (tmp_path / "m").iterdir()) == [
        "pixel3dmm_uv.json", "pixel3dmm_uv.safetensors"
    ]  # fmt: skip


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for other processes")
def test_ctrl_c_leaves_nothing_imported(like, repository, tmp_path):
    source = like.write(tmp_path / "like.pkl")
    command = [sys.executable, "-m", "core", "import", str(source)]
    with subprocess.Popen(
        [*command, "--models", str(tmp_path / "m")],
        cwd=repository, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert "Importing the head" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        out, rest = process.communicate(timeout=120)
    assert process.returncode == 130
    assert rest == "Cancelled.\n"
    assert out == ""
    assert not any((tmp_path / "m").iterdir())
