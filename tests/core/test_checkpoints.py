# SPDX-License-Identifier: GPL-3.0-or-later
"""Checkpoints: read without torch, refused in words, converted whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.cues.pixel3dmm.convert_checkpoint import (
    convert_checkpoint,
    find_converted,
    load_converted,
)
from core.errors import Cancelled, ModelFileError, OutputError
from core.files import atomic_write
from core.files.safetensors import SafetensorsFile, TensorEntry, write_safetensors
from core.files.torch_checkpoint import open_torch_checkpoint

KINDS = ("uv", "normals")
QKV = "net.img_encoder.model.blocks.2.attn.qkv.weight"


@pytest.fixture
def checkpoint(shared_dir: Path) -> Path:
    return shared_dir / "fixtures" / "pixel3dmm_uv_tiny.ckpt"


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


def left_in(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []


def rewritten(source: Path, target: Path, storage: str, convert: Callable[[Any], Any]) -> Path:
    """The checkpoint with its float32 storages in another element type."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for info in old.infolist():
            data = old.read(info)
            if info.filename.endswith("/data.pkl"):
                data = data.replace(b"ctorch\nFloatStorage\n", f"ctorch\n{storage}\n".encode())
            elif "/data/" in info.filename:
                data = convert(np.frombuffer(data, "<f4")).tobytes()
            new.writestr(info.filename, data)
    return target


def to_bfloat16(values: Any) -> Any:
    return (values.view(np.uint32) >> 16).astype(np.uint16)


# --- reading ---------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", KINDS)
def test_weights_and_settings_are_read_without_torch(shared_dir: Path, kind: str) -> None:
    path = shared_dir / "fixtures" / f"pixel3dmm_{kind}_tiny.ckpt"
    with open_torch_checkpoint(path) as opened:
        qkv = opened.tensors[QKV]
        assert (qkv.shape, qkv.dtype) == ((576, 192), "F32")
        assert opened.tensors["vertex_weight_mask"].shape == (1, 5023, 3)
        assert opened.extra["epoch"] == 7
        assert opened.extra["global_step"] == 123
        model = opened.extra["hyper_parameters"]["cfg"]["model"]
        assert (model["num_heads"], model["embedding_dim"]) == (4, 64)
        assert model["prediction_type"] == {"uv": "uv_map", "normals": ["normals"]}[kind]
        assert opened.extra["hyper_parameters"]["cfg"]["n_views"] == {"uv": 1, "normals": 2}[kind]
        json.dumps(opened.extra)
        total = sum(len(c) for name in opened.tensors for c in opened.chunks(name))
        assert total == sum(t.nbytes for t in opened.tensors.values())


def test_tensors_equal_those_that_torch_reads(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="no torch: see tests/requirements-neural.txt")
    base = torch.arange(24, dtype=torch.float32).view(4, 6)
    state = {
        "plain": base,
        "transposed": base.T,
        "row": base[2],
        "strided": base[1:, ::2],
        "scalar": torch.tensor(3.5),
        "empty": torch.zeros(0, 3),
        "half": base.half(),
        "brain": base.bfloat16(),
        "long": torch.tensor([2**40, -1]),
        "flags": torch.tensor([True, False]),
        "parameter": torch.nn.Parameter(base.double()),
    }
    torch.save({"state_dict": state, "hyper_parameters": {}}, tmp_path / "a.ckpt")
    with open_torch_checkpoint(tmp_path / "a.ckpt") as opened:
        entries = {n: TensorEntry(t.dtype, t.shape) for n, t in opened.tensors.items()}
        with (tmp_path / "a.safetensors").open("wb") as stream:
            write_safetensors(stream, entries, opened.chunks, {"from": "torch"})
    ours = SafetensorsFile(tmp_path / "a.safetensors")
    for name, tensor in state.items():
        assert np.array_equal(ours.array(name), tensor.detach().float().numpy()), name
    library = pytest.importorskip("safetensors.torch", reason="no safetensors package")
    theirs = library.load_file(tmp_path / "a.safetensors")
    for name, tensor in state.items():
        assert theirs[name].dtype == tensor.dtype
        assert torch.equal(theirs[name], tensor.detach()), name


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "not a torch checkpoint"),
        (b"<!DOCTYPE html><html>sign in</html>", "web page"),
        (b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", "torch before 1.6"),
        (b"PK\x03\x04" + bytes(100), "damaged"),
    ],
)
def test_a_file_of_another_kind_is_one_sentence(
    tmp_path: Path, models: Path, content: bytes, words: str
) -> None:
    path = tmp_path / "uv.ckpt"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=words) as error:
        convert_checkpoint(path, models)
    assert str(error.value).startswith("uv.ckpt")
    assert left_in(models) == []


def test_other_models_are_told_apart(shared_dir: Path, tmp_path: Path, models: Path) -> None:
    flame = shared_dir / "fixtures" / "flame600_py2_reconstructor_partial.pkl"
    with pytest.raises(ModelFileError, match="not a torch checkpoint"):
        convert_checkpoint(flame, models)
    path = tmp_path / "photos.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("photo.jpg", b"x")
    with pytest.raises(ModelFileError, match="zip file but not a torch checkpoint"):
        convert_checkpoint(path, models)
    with pytest.raises(ModelFileError, match="cannot be read"):
        convert_checkpoint(tmp_path / "absent.ckpt", models)
    with pytest.raises(ModelFileError, match="cannot be read"):
        convert_checkpoint(tmp_path, models)
    torch = pytest.importorskip("torch", reason="no torch: see tests/requirements-neural.txt")
    torch.save({"state_dict": {"conv.weight": torch.zeros(3)}}, tmp_path / "other.ckpt")
    with pytest.raises(ModelFileError, match="not a Pixel3DMM checkpoint"):
        convert_checkpoint(tmp_path / "other.ckpt", models)
    torch.save(torch.zeros(3), tmp_path / "tensor.pt")
    with pytest.raises(ModelFileError, match="no network weights"):
        convert_checkpoint(tmp_path / "tensor.pt", models)
    assert left_in(models) == []


def test_the_malicious_checkpoint_is_refused(
    shared_dir: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Any] = []
    monkeypatch.setattr(os, "system", calls.append)
    with pytest.raises(ModelFileError, match=r"posix\.system"):
        convert_checkpoint(shared_dir / "fixtures" / "pixel3dmm_malicious.ckpt", models)
    assert calls == []
    assert left_in(models) == []


def test_damage_is_found_and_leaves_nothing(checkpoint: Path, tmp_path: Path, models: Path) -> None:
    whole = checkpoint.read_bytes()
    path = tmp_path / "uv.ckpt"
    for share in (0.001, 0.3, 0.9, 0.999):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(ModelFileError, match="damaged"):
            convert_checkpoint(path, models)
    source = random.Random(1)
    for _ in range(10):  # one flipped bit among the weights
        broken = bytearray(whole)
        broken[source.randrange(100_000, len(whole) - 100_000)] ^= 1 << source.randrange(8)
        path.write_bytes(broken)
        with pytest.raises(ModelFileError, match="damaged"):
            convert_checkpoint(path, models)
    for _ in range(200):  # anything at all in the directory of the zip and in the pickle
        broken = bytearray(whole)
        start = source.choice((0, len(whole) - 15_000))
        for _ in range(5):
            broken[start + source.randrange(15_000)] = source.randrange(256)
        path.write_bytes(broken)
        try:
            convert_checkpoint(path, models)
        except ModelFileError:
            assert left_in(models) == []
        else:
            shutil.rmtree(models)


# --- converting ------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", KINDS)
def test_conversion_keeps_every_weight(shared_dir: Path, models: Path, kind: str) -> None:
    source = shared_dir / "fixtures" / f"pixel3dmm_{kind}_tiny.ckpt"
    stages: list[tuple[str, float]] = []
    converted = convert_checkpoint(source, models, lambda *step: stages.append(step))
    assert left_in(models) == [f"pixel3dmm_{kind}.json", f"pixel3dmm_{kind}.safetensors"]
    file = SafetensorsFile(converted.weights)
    with open_torch_checkpoint(source) as opened:
        assert set(file.entries) == set(opened.tensors)
        for name in opened.tensors:
            assert b"".join(opened.chunks(name)) == file.raw(name).tobytes()
    described = converted.description
    assert described["source_sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    weights = converted.weights.read_bytes()
    assert described["weights_sha256"] == hashlib.sha256(weights).hexdigest()
    assert described["weights_bytes"] == len(weights)
    assert described["licence"]["spdx"] == "CC-BY-NC-4.0"
    assert described["licence"]["commercial"] is False
    assert "optimizer_states" in described["dropped"]
    assert described["hyper_parameters"]["cfg"]["model"]["num_heads"] == 4
    assert (converted.kind, converted.notes) == (kind, ())
    for stage in {name for name, _ in stages}:
        fractions = [f for name, f in stages if name == stage]
        assert fractions == sorted(fractions)
        assert fractions[-1] == pytest.approx(1.0)


def test_the_name_does_not_matter(shared_dir: Path, tmp_path: Path, models: Path) -> None:
    shutil.copy(shared_dir / "fixtures" / "pixel3dmm_normals_tiny.ckpt", tmp_path / "uv.ckpt")
    assert convert_checkpoint(tmp_path / "uv.ckpt", models).kind == "normals"
    assert list(find_converted(models)) == ["normals"]


def test_a_second_time_writes_nothing(checkpoint: Path, models: Path) -> None:
    first = convert_checkpoint(checkpoint, models).weights.stat()
    second = convert_checkpoint(checkpoint, models).weights.stat()
    assert (first.st_mtime_ns, first.st_ino) == (second.st_mtime_ns, second.st_ino)


def test_the_optimiser_is_left_behind(tmp_path: Path, models: Path, checkpoint: Path) -> None:
    torch = pytest.importorskip("torch", reason="no torch: see tests/requirements-neural.txt")
    with open_torch_checkpoint(checkpoint) as opened:
        extra = opened.extra
        state = {
            n: torch.frombuffer(bytearray(b"".join(opened.chunks(n))), dtype=torch.float32).view(
                t.shape
            )
            for n, t in opened.tensors.items()
        }
    moments = {
        i: {"step": torch.tensor(9.0), "exp_avg": t.clone(), "exp_avg_sq": t.clone()}
        for i, t in enumerate(state.values())
    }
    training = {
        "state_dict": state,
        "hyper_parameters": extra["hyper_parameters"],
        "optimizer_states": [{"state": moments, "param_groups": [{"lr": 1e-4, "params": [0]}]}],
    }
    torch.save(training, tmp_path / "uv.ckpt")
    converted = convert_checkpoint(tmp_path / "uv.ckpt", models)
    before, after = (tmp_path / "uv.ckpt").stat().st_size, converted.weights.stat().st_size
    assert after < before / 2.9


@pytest.mark.parametrize(
    ("storage", "dtype", "convert", "tolerance"),
    [
        ("HalfStorage", "F16", lambda v: v.astype(np.float16), 2**-11),
        ("BFloat16Storage", "BF16", to_bfloat16, 2**-7),
    ],
)
def test_half_precision_is_kept_and_said(
    checkpoint: Path,
    tmp_path: Path,
    models: Path,
    storage: str,
    dtype: str,
    convert: Callable[[Any], Any],
    tolerance: float,
) -> None:
    path = rewritten(checkpoint, tmp_path / "uv_half.ckpt", storage, convert)
    converted = convert_checkpoint(path, models)
    assert len(converted.notes) == 1
    assert "half precision" in converted.notes[0]
    file = SafetensorsFile(converted.weights)
    assert file.entries[QKV].dtype == dtype
    with open_torch_checkpoint(checkpoint) as opened:
        full = np.frombuffer(b"".join(opened.chunks(QKV)), "<f4").reshape(576, 192)
    assert np.all(np.abs(file.array(QKV) - full) <= tolerance * np.abs(full) + 1e-7)


@pytest.mark.parametrize("moment", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("stage", ["Checking the checkpoint", "Converting the checkpoint"])
def test_cancelling_leaves_what_was_there(
    shared_dir: Path, checkpoint: Path, tmp_path: Path, models: Path, stage: str, moment: float
) -> None:
    def cancel(name: str, fraction: float) -> None:
        if name == stage and fraction >= moment:
            raise Cancelled

    with pytest.raises(Cancelled):
        convert_checkpoint(checkpoint, models, cancel)
    assert left_in(models) == []
    convert_checkpoint(checkpoint, models)
    before = {p.name: p.read_bytes() for p in models.iterdir()}
    other = rewritten(checkpoint, tmp_path / "uv.ckpt", "FloatStorage", lambda v: v * 2)
    with pytest.raises(Cancelled):
        convert_checkpoint(other, models, cancel)
    assert {p.name: p.read_bytes() for p in models.iterdir()} == before


def test_no_room_on_the_disk(
    checkpoint: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(models.parent)._replace(free=5_000_000)
    monkeypatch.setattr(atomic_write.shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(OutputError, match=r"not enough room .* 5 MB are free"):
        convert_checkpoint(checkpoint, models)
    assert left_in(models) == []


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on file sizes there")
def test_a_disk_that_fills_up_meanwhile(checkpoint: Path, models: Path) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        with pytest.raises(OutputError, match="cannot be written"):
            convert_checkpoint(checkpoint, models)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert left_in(models) == []


def test_a_folder_that_cannot_be_written(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        convert_checkpoint(checkpoint, tmp_path / "file" / "models")
    if not hasattr(os, "geteuid") or os.geteuid() == 0:
        pytest.skip("permissions bind nobody here: only a file in the folder's place was tried")
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(OutputError, match="cannot be written"):
        convert_checkpoint(checkpoint, tmp_path / "locked")


HOLDER = """
import sys
from pathlib import Path
from core.files.atomic_write import exclusive
with exclusive(Path(sys.argv[1]), "busy"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_two_processes_do_not_convert_at_once(
    checkpoint: Path, models: Path, repository: Path
) -> None:
    lock = models / ".pixel3dmm_uv.lock"
    command = [sys.executable, "-c", HOLDER, str(lock)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=repository, stdin=pipe, stdout=pipe) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline().strip() == b"held"
        with pytest.raises(OutputError, match="another Blender"):
            convert_checkpoint(checkpoint, models)
        holder.kill()  # a crash: its lock file stays and binds nobody
    assert left_in(models) == [lock.name]
    (models / "pixel3dmm_uv.safetensors.part").write_bytes(b"half of a file")
    convert_checkpoint(checkpoint, models)
    assert left_in(models) == ["pixel3dmm_uv.json", "pixel3dmm_uv.safetensors"]


# --- what was converted ----------------------------------------------------------------------
def test_a_broken_pair_is_one_sentence(shared_dir: Path, checkpoint: Path, models: Path) -> None:
    weights = convert_checkpoint(checkpoint, models).weights
    text = weights.with_suffix(".json")
    whole = json.loads(text.read_text("utf-8"))
    for change, words in (
        ({"source_sha256": "0" * 64}, "does not belong"),
        ({"format": 99}, "another version"),
        ({"hyper_parameters": {}}, "not a Pixel3DMM checkpoint"),
        ({"hyper_parameters": 3}, "missing or damaged"),
    ):
        text.write_text(json.dumps({**whole, **change}), "utf-8")
        with pytest.raises(ModelFileError, match=words):
            load_converted(weights)
    text.write_text("{", "utf-8")
    with pytest.raises(ModelFileError, match="missing or damaged"):
        load_converted(weights)
    text.unlink()
    with pytest.raises(ModelFileError, match="missing or damaged"):
        load_converted(weights)
    convert_checkpoint(checkpoint, models)
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(ModelFileError, match="damaged"):
        find_converted(models)
    convert_checkpoint(checkpoint, models)
    assert list(find_converted(models)) == ["uv"]


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"[]",
        b'{"a":1}',
        b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}',
        b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,80]}}',
        b'{"a":{"dtype":"F32","shape":[-1,-1],"data_offsets":[0,4]}}',
        b'{"a":{"dtype":"X","shape":[1],"data_offsets":[0,4]}}',
        b'{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}',
        b'{"__metadata__":3}',
    ],
)
def test_a_safetensors_header_is_checked(tmp_path: Path, header: bytes) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
    with pytest.raises(ModelFileError, match="damaged"):
        SafetensorsFile(path)
    path.write_bytes(b"\xff" * 8 + header)
    with pytest.raises(ModelFileError, match="damaged"):
        SafetensorsFile(path)


def test_safetensors_of_the_library_are_read(tmp_path: Path) -> None:
    library = pytest.importorskip("safetensors.numpy", reason="no safetensors package")
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.array([1, 2], np.int8)}
    library.save_file(arrays, tmp_path / "a.safetensors", {"key": "value"})
    file = SafetensorsFile(tmp_path / "a.safetensors")
    assert file.metadata == {"key": "value"}
    for name, array in arrays.items():
        assert np.array_equal(file.array(name), array)


def test_a_tensor_of_the_wrong_length_is_never_written(tmp_path: Path) -> None:
    with (tmp_path / "a").open("wb") as stream, pytest.raises(ValueError, match="4 bytes, not 8"):
        write_safetensors(stream, {"a": TensorEntry("F32", (2,))}, lambda name: [b"four"], {})
