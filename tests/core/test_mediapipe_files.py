# SPDX-License-Identifier: GPL-3.0-or-later
"""The converted files: what ships is whole, and what is damaged says so in one sentence."""

from __future__ import annotations

import io
import json
import re
import zipfile

import numpy as np
import pytest

from core.cues.face_geometry import canonical_face
from core.cues.mediapipe import MediaPipePredictor
from core.cues.model_files import mediapipe_dir
from core.cues.tensor_program import TensorProgram
from core.errors import ModelFileError

SHORT = "face_detection_short_range.npz"
NETS = (
    SHORT,
    "face_detection_full_range_sparse.npz",
    "face_landmark_with_attention.npz",
    "selfie_segmentation.npz",
)


def arrays_of(path):
    with np.load(path, allow_pickle=False) as archive:
        return dict(archive)


def edited(folder, change):
    """A copy of the short-range net with its plan or weights changed."""
    arrays = arrays_of(mediapipe_dir() / SHORT)
    plan = json.loads(arrays.pop("plan").tobytes())
    change(plan, arrays)
    text = json.dumps(plan).encode()
    np.savez(folder / SHORT, plan=np.frombuffer(text, np.uint8), **arrays)
    return folder / SHORT


def test_source_and_licence_stand_beside_every_file():
    folder = mediapipe_dir()
    source = (folder / "SOURCE").read_text(encoding="utf-8")
    told = set(re.findall(r"^  (\S+)\n    from ", source, re.MULTILINE))
    there = {path.name for path in folder.iterdir()} - {"SOURCE", "LICENSE"}
    assert told == there
    assert set(NETS) <= there
    assert len(re.findall(r"sha256 [0-9a-f]{64}\n", source)) == 2 + len(NETS)
    assert "MODIFIED" in source
    assert "Apache License" in (folder / "LICENSE").read_text(encoding="utf-8")


def test_halves_stay_halves_and_the_folder_is_small():
    folder = mediapipe_dir()
    for name in NETS:
        kinds = {a.dtype for n, a in arrays_of(folder / name).items() if n != "plan"}
        assert np.dtype(np.float16) in kinds
        assert kinds <= {np.dtype(np.float16), np.dtype(np.float32)}
    assert sum(path.stat().st_size for path in folder.iterdir()) < 3.5e6


@pytest.mark.parametrize("name", NETS)
def test_nets_check_their_input(name):
    net = TensorProgram(mediapipe_dir() / name)
    assert net.input_shape[0] == 1
    assert net.output_names
    with pytest.raises(ValueError, match="expected a tensor of shape"):
        net(np.zeros((1, 8, 8, 3), np.float32))


def test_a_net_keeps_nothing_between_calls():
    net = TensorProgram(mediapipe_dir() / SHORT)
    generator = np.random.default_rng(3)
    first, second = (generator.random((1, 128, 128, 3), np.float32) for _ in range(2))
    kept = first.copy()
    before = net(first)
    net(second)
    np.testing.assert_array_equal(first, kept)
    for name, value in net(first).items():
        np.testing.assert_array_equal(value, before[name])


def broken_files(folder):
    """Ways in which a download, a disk or an editor can spoil a file."""
    data = (mediapipe_dir() / SHORT).read_bytes()
    middle = len(data) // 2
    yield data[:middle]
    yield b""
    yield b"not an archive"
    yield data[:middle] + bytes(64) + data[middle + 64 :]
    single = io.BytesIO()
    np.save(single, np.zeros(3))
    yield single.getvalue()
    objects = io.BytesIO()
    np.savez(objects, plan=np.array([{"format": 1}], object), t0=np.zeros(1, np.float32))
    yield objects.getvalue()
    text = io.BytesIO()
    with zipfile.ZipFile(text, "w") as archive:
        archive.writestr("plan.npy", "words")
    yield text.getvalue()


@pytest.mark.parametrize("n", range(7))
def test_a_spoilt_file_is_one_sentence(tmp_path, n):
    path = tmp_path / SHORT
    path.write_bytes(list(broken_files(tmp_path))[n])
    with pytest.raises(ModelFileError, match=r"^The model file .* is damaged \(.*\); reinstall"):
        TensorProgram(path)


def drop_step(plan, arrays):
    del plan["operations"][5]


def unknown_kind(plan, arrays):
    plan["operations"][3]["kind"] = "__import__"


def wrong_version(plan, arrays):
    plan["version"] = 2


def no_operations(plan, arrays):
    del plan["operations"]


def output_twice(plan, arrays):
    plan["operations"][1]["output"] = plan["operations"][0]["output"]


def lost_weights(plan, arrays):
    del arrays[max(arrays)]


def not_a_number(plan, arrays):
    name = min(arrays)
    arrays[name] = np.full_like(arrays[name], np.nan)


def whole_numbers(plan, arrays):
    name = min(arrays)
    arrays[name] = arrays[name].astype(np.int32)


def stranger(plan, arrays):
    arrays["secret"] = np.zeros(1, np.float32)


def plan_is_a_list(plan, arrays):
    plan["operations"] = [[]]


@pytest.mark.parametrize(
    "change",
    [
        drop_step,
        unknown_kind,
        wrong_version,
        no_operations,
        output_twice,
        lost_weights,
        not_a_number,
        whole_numbers,
        stranger,
        plan_is_a_list,
    ],
    ids=lambda change: change.__name__,
)
def test_a_wrong_plan_is_refused_on_loading(tmp_path, change):
    path = edited(tmp_path, change)
    with pytest.raises(ModelFileError, match="is damaged"):
        TensorProgram(path)


def wrong_stride(plan, arrays):
    strided = [o for o in plan["operations"] if o["options"].get("stride") == [2, 2]]
    strided[1]["options"]["stride"] = [3, 3]


def wrong_weights(plan, arrays):
    for name in arrays:
        if arrays[name].ndim == 4:
            arrays[name] = arrays[name][:, :, :-1]


def lost_option(plan, arrays):
    for operation in plan["operations"]:
        operation["options"].pop("padding", None)


@pytest.mark.parametrize(
    "change", [wrong_stride, wrong_weights, lost_option], ids=lambda change: change.__name__
)
def test_weights_that_do_not_fit_are_told_when_they_are_met(tmp_path, change):
    net = TensorProgram(edited(tmp_path, change))
    with pytest.raises(ModelFileError, match="is damaged"):
        net(np.zeros(net.input_shape, np.float32))


def test_a_missing_folder_is_one_sentence(tmp_path):
    with pytest.raises(ModelFileError, match=r"^The model file .* is missing; reinstall"):
        MediaPipePredictor(tmp_path).faces(np.zeros((64, 64, 3), np.uint8))


def test_a_wrong_canonical_face_is_one_sentence(tmp_path):
    arrays = arrays_of(mediapipe_dir() / "canonical_face.npz")
    arrays["mirror"] = arrays["mirror"][:-1]
    np.savez(tmp_path / "canonical_face.npz", **arrays)
    with pytest.raises(ModelFileError, match="mirror"):
        canonical_face(tmp_path)


@pytest.mark.parametrize("text", ["", "{}", '{"lips": 3}', "[]"])
def test_wrong_refinement_tables_are_one_sentence(tmp_path, text):
    for path in mediapipe_dir().iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "attention_refinement.json").write_text(text, encoding="utf-8")
    with pytest.raises(ModelFileError, match="attention_refinement"):
        MediaPipePredictor(tmp_path).faces(np.zeros((64, 64, 3), np.uint8), box=(0, 0, 64, 64))
