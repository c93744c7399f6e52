# SPDX-License-Identifier: GPL-3.0-or-later
"""The networks against the published code's own output (fixtures), and the predictor on them.

Tier 1: needs torch (tests/requirements-neural.txt) and is skipped without it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.cues.pixel3dmm import postprocess as post
from core.cues.pixel3dmm import predictor as predictor_module
from core.cues.pixel3dmm.convert_checkpoint import (
    ConvertedCheckpoint,
    convert_checkpoint,
    find_converted,
)
from core.cues.pixel3dmm.crop import Crop
from core.cues.pixel3dmm.devices import Rung, choose_device, ladder
from core.cues.pixel3dmm.network import Pixel3DMMNetwork
from core.cues.pixel3dmm.predictor import Pixel3DMMPredictor
from core.errors import Cancelled, ModelFileError, NoFaceError, PersonError
from core.files.safetensors import SafetensorsFile, TensorEntry, write_safetensors

torch = pytest.importorskip("torch", reason="no torch: see tests/requirements-neural.txt")

KINDS = ("uv", "normals")
#: The published mirror image of uv adds 0.015 to the raw map, which is this axis.
PUBLISHED_AXIS = (2 + 0.015) / 4
RAW_TOLERANCE = 1e-5
BOX = (80.0, 60.0, 430.0, 470.0)


@pytest.fixture(scope="session")
def models(shared_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for kind in KINDS:
        convert_checkpoint(shared_dir / "fixtures" / f"pixel3dmm_{kind}_tiny.ckpt", folder)
    return folder


@pytest.fixture(scope="session")
def images(shared_dir: Path) -> Any:
    with np.load(shared_dir / "fixtures" / "pixel3dmm_inputs.npz", allow_pickle=False) as z:
        return z["images"]


@pytest.fixture(scope="session", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def wanted(shared_dir: Path, kind: str) -> dict[str, Any]:
    path = shared_dir / "fixtures" / f"pixel3dmm_{kind}_tiny_expected.npz"
    with np.load(path, allow_pickle=False) as z:
        return {name: z[name] for name in z.files}


@pytest.fixture(scope="session")
def network(models: Path, kind: str) -> Pixel3DMMNetwork:
    return Pixel3DMMNetwork.load(find_converted(models)[kind])


@pytest.fixture(scope="session")
def raw(network: Pixel3DMMNetwork, images: Any) -> Any:
    """Of both images and their mirror images, (4, 512, 512, C)."""
    return network(np.concatenate([images, images[:, :, ::-1]]))


def sampled(array: Any) -> Any:
    """As the fixtures keep it: channels first, every fourth pixel."""
    return array.transpose(2, 0, 1)[:, ::4, ::4]


# --- parity ----------------------------------------------------------------------------------
def test_backbone_tokens(network: Pixel3DMMNetwork, images: Any, wanted: dict[str, Any]) -> None:
    tokens = network.tokens(images[:1])[0]
    assert np.abs(tokens - wanted["backbone_tokens_img0"]).max() < RAW_TOLERANCE


@pytest.mark.parametrize("i", [0, 1])
def test_raw_maps(raw: Any, wanted: dict[str, Any], i: int) -> None:
    image, mirrored = raw[i], raw[2 + i]
    for ours, theirs in (
        (sampled(image), wanted[f"raw_{i}"]),
        (sampled(mirrored), wanted[f"raw_flipped_input_{i}"]),
        (image.transpose(2, 0, 1)[:, 200:248, 300:348], wanted[f"raw_crop_{i}"]),
        (image.transpose(2, 0, 1)[:, :8, :8], wanted[f"raw_corner_{i}"]),
    ):
        assert np.abs(ours - theirs).max() < RAW_TOLERANCE


def test_raw_maps_in_double_precision(raw: Any, wanted: dict[str, Any]) -> None:
    assert np.abs(sampled(raw[0]) - wanted["raw_0_float64_ref"]).max() < RAW_TOLERANCE


@pytest.mark.parametrize("i", [0, 1])
def test_flip_average_and_post_processing(
    raw: Any, wanted: dict[str, Any], kind: str, i: int
) -> None:
    if kind == "uv":
        mean = (raw[i] + post.unflip_uv(raw[2 + i], PUBLISHED_AXIS)) / 2
        shown, plain = post.uv_from_raw(mean), post.uv_from_raw(raw[i])
    else:
        mean = (raw[i] + post.unflip_normals(raw[2 + i])) / 2
        shown = (post.normals_from_raw(mean) + 1) / 2
        plain = (post.normals_from_raw(raw[i]) + 1) / 2
    assert np.abs(sampled(mean) - wanted[f"avg_raw_{i}"]).max() < RAW_TOLERANCE
    assert np.abs(sampled(plain) - wanted[f"post_noflip_{i}"]).max() < RAW_TOLERANCE
    assert np.abs(sampled(shown) - wanted[f"post_flipavg_{i}"]).max() < RAW_TOLERANCE
    pixels = (shown[::4, ::4] * 255).astype(np.uint8).astype(int)
    published = wanted[f"png_uint8_{i}"][..., : pixels.shape[2]].astype(int)
    assert np.abs(pixels - published).max() <= 1


def test_a_batch_is_the_same_as_one_by_one(
    network: Pixel3DMMNetwork, images: Any, raw: Any
) -> None:
    assert np.abs(network(images[1:])[0] - raw[1]).max() < RAW_TOLERANCE


def test_half_precision_stays_close(models: Path, kind: str, images: Any, raw: Any) -> None:
    """The path of a GPU, run on the CPU: every weight and activation in 16 bits."""
    network = Pixel3DMMNetwork.load(find_converted(models)[kind], half=True)
    assert network.dtype is torch.float16
    assert 1e-6 < np.abs(network(images[:1])[0] - raw[0]).max() < 2e-2


# --- cues ------------------------------------------------------------------------------------
def test_cues_are_in_the_photo(models: Path, images: Any) -> None:
    photo = np.zeros((700, 900, 3), np.uint8)
    photo[100:612, 250:762] = images[0]
    fractions: list[float] = []
    cues = Pixel3DMMPredictor.from_folder(models, device="cpu").cues(
        photo, (330.0, 160.0, 680.0, 570.0), fractions.append
    )
    assert cues.dense
    assert (cues.width, cues.height, cues.predictor, cues.notes) == (900, 700, "pixel3dmm", ())
    assert cues.uv is not None
    assert cues.normal is not None
    assert cues.confidence is not None
    assert cues.crop_to_photo is not None
    assert cues.uv.shape == (512, 512, 2)
    assert cues.uv.min() >= 0
    assert cues.uv.max() <= 1
    assert np.abs(np.linalg.norm(cues.normal, axis=-1) - 1).max() < 1e-5
    assert cues.confidence.min() >= 0
    assert 0 < cues.confidence.max() <= 1
    assert cues.crop_to_photo @ (256, 256, 1) == pytest.approx((505, 365))
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert fractions == sorted(fractions)


def test_cues_are_the_mean_with_the_mirror_image(
    models: Path, images: Any, raw: Any, kind: str
) -> None:
    """The crop that is the fixture's image itself; the predictor's own axis."""
    predictor = Pixel3DMMPredictor.from_folder(models, device="cpu")
    image, mirrored = predictor.raw_maps(images[0])[kind]
    assert mirrored is not None
    assert np.abs(image - raw[0]).max() < RAW_TOLERANCE
    back = post.unflip_uv(raw[2]) if kind == "uv" else post.unflip_normals(raw[2])
    assert np.abs(mirrored - back).max() < RAW_TOLERANCE


def test_without_flip_averaging_every_pixel_is_trusted(models: Path, images: Any) -> None:
    uv = {"uv": find_converted(models)["uv"]}
    cues = Pixel3DMMPredictor(uv, device="cpu", flip_average=False).cues(images[0], BOX)
    assert cues.normal is None
    assert cues.uv is not None
    assert cues.confidence is not None
    left, top, right, bottom = BOX
    side = (bottom - top) * 1.42
    crop = Crop((left + right - side) / 2, (top + bottom - side) / 2, side)
    assert np.array_equal(cues.confidence > 0, crop.inside(512, 512))
    assert set(np.unique(cues.confidence)) == {0.0, 1.0}


def test_a_predictor_needs_weights_and_a_face(models: Path, images: Any, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="no Pixel3DMM weights"):
        Pixel3DMMPredictor.from_folder(tmp_path)
    predictor = Pixel3DMMPredictor.from_folder(models, device="cpu")
    with pytest.raises(NoFaceError):
        predictor.cues(images[0], (10, 10, 11, 11))


def test_cancelling_ends_at_once(models: Path, images: Any) -> None:
    def cancel(fraction: float) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        Pixel3DMMPredictor.from_folder(models, device="cpu").cues(images[0], BOX, cancel)


# --- devices and memory ----------------------------------------------------------------------
def test_the_ladder_asks_for_less_at_each_rung() -> None:
    assert ladder("cpu", True) == [Rung("cpu", False, 1)]
    assert ladder("cuda", True) == [
        Rung("cuda", True, 2),
        Rung("cuda", True, 1),
        Rung("cpu", False, 1),
    ]
    assert ladder("mps", False) == [
        Rung("mps", False, 2),
        Rung("mps", False, 1),
        Rung("mps", True, 1),
        Rung("cpu", False, 1),
    ]


def test_a_device_that_is_not_there_is_said(models: Path) -> None:
    if choose_device("cuda") == "cuda":
        pytest.skip("this machine has the device")
    predictor = Pixel3DMMPredictor(find_converted(models), device="cuda")
    assert predictor.rung.device == "cpu"
    assert predictor.notes == ["There is no device cuda here: Pixel3DMM runs on the CPU."]


@pytest.fixture
def small_memory(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, bool]]:
    """A device that holds one image in half precision at most; records (batch, half) of tries."""
    tries: list[tuple[int, bool]] = []
    forward = Pixel3DMMNetwork.__call__

    def limited(self: Pixel3DMMNetwork, images: Any) -> Any:
        half = self.dtype is torch.float16
        tries.append((len(images), half))
        if len(images) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        if not half:
            raise RuntimeError("MPS backend out of memory (MPS allocated: 9.00 GB)")
        return forward(self, images)

    monkeypatch.setattr(Pixel3DMMNetwork, "__call__", limited)
    return tries


def test_memory_that_runs_out_costs_speed_and_no_result(
    models: Path, images: Any, small_memory: list[tuple[int, bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The CPU stands for the GPU that is not here: same code, same precision, same errors.
    rungs = [Rung("cpu", False, 2), Rung("cpu", False, 1), Rung("cpu", True, 1)]
    monkeypatch.setattr(predictor_module, "ladder", lambda device, half: list(rungs))
    predictor = Pixel3DMMPredictor(find_converted(models))
    cues = predictor.cues(images[0], BOX)
    assert small_memory == [(2, False), (1, False), (1, True), (1, True), (1, True), (1, True)]
    assert len(cues.notes) == 2
    assert "one image at a time" in cues.notes[0]
    assert "half precision" in cues.notes[1]
    assert cues.confidence is not None
    assert np.isfinite(cues.confidence).all()


def test_memory_that_never_suffices_is_one_sentence(
    models: Path, images: Any, small_memory: list[tuple[int, bool]]
) -> None:
    predictor = Pixel3DMMPredictor.from_folder(models, device="cpu")
    with pytest.raises(PersonError, match="too little memory"):
        predictor.cues(images[0], BOX)
    assert small_memory == [(1, False)]


def test_another_error_is_no_matter_of_memory(
    models: Path, images: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Pixel3DMMNetwork, images: Any) -> Any:
        raise RuntimeError("shapes cannot be multiplied")

    monkeypatch.setattr(Pixel3DMMNetwork, "__call__", broken)
    with pytest.raises(RuntimeError, match="shapes"):
        Pixel3DMMPredictor.from_folder(models, device="cpu").cues(images[0], BOX)


def altered(converted: ConvertedCheckpoint, folder: Path, factor: float) -> ConvertedCheckpoint:
    """The network with its pixel map scaled: 1e6 leaves half precision's range, nan all ranges."""
    file = SafetensorsFile(converted.weights)
    arrays = {n: np.array(file.array(n), np.float32) for n in file.entries}
    arrays["net.token_2_patch_content.weight"] *= factor
    entries = {n: TensorEntry("F32", a.shape) for n, a in arrays.items()}
    target = folder / converted.weights.name
    with target.open("wb") as stream:
        write_safetensors(stream, entries, lambda n: [arrays[n].tobytes()], file.metadata)
    target.with_suffix(".json").write_text(json.dumps(converted.description), "utf-8")
    return find_converted(folder)[converted.kind]


def test_half_precision_that_overflows_is_left(
    models: Path, images: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rungs(device: str, half: bool) -> list[Rung]:
        return [Rung("cpu", half, 2)]

    monkeypatch.setattr(predictor_module, "ladder", rungs)
    uv = altered(find_converted(models)["uv"], tmp_path, 1e6)
    cues = Pixel3DMMPredictor({"uv": uv}, flip_average=False).cues(images[0], BOX)
    assert len(cues.notes) == 1
    assert "too coarse" in cues.notes[0]
    assert cues.uv is not None
    assert np.isfinite(cues.uv).all()


def test_weights_that_are_not_numbers_are_one_sentence(
    models: Path, images: Any, tmp_path: Path
) -> None:
    uv = altered(find_converted(models)["uv"], tmp_path, np.nan)
    with pytest.raises(ModelFileError, match="not numbers"):
        Pixel3DMMPredictor({"uv": uv}, device="cpu").cues(images[0], BOX)
