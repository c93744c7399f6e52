# SPDX-License-Identifier: GPL-3.0-or-later
"""FLAME files are read without trust: right ones to the last bit, all others with a sentence."""

from __future__ import annotations

import dataclasses
import gzip
import pickle
import sys
import types
import zipfile
from pathlib import Path

import numpy as np
import pytest

from core.errors import ModelFileError
from core.heads.flame_file import read_flame
from core.heads.flame_kinds import (
    FLAME_2020,
    FLAME_2023,
    FLAME_2023_NO_JAW,
    FLAME_2023_OPEN,
    FLAME_FORMAT,
    FLAME_OTHER,
    FLAME_OTHER_NO_JAW,
    KNOWN_FILES,
    OPEN_LOOKALIKE,
    recognise,
)


def model(count: int = 12, joints: int = 5) -> dict[str, np.ndarray]:
    """A small model of the format's shapes."""
    rng = np.random.default_rng(0)
    return {
        "v_template": rng.normal(size=(count, 3)),
        "f": rng.integers(0, count, size=(20, 3)).astype(np.uint32),
        "shapedirs": rng.normal(size=(count, 3, 400)),
        "posedirs": rng.normal(size=(count, 3, 9 * (joints - 1))),
        "J_regressor": np.full((joints, count), 1 / count),
        "weights": np.full((count, joints), 1 / joints),
        "kintree_table": np.array(
            [[2**32 - 1, 0, 1, 1, 1] + [1] * (joints - 5), range(joints)], np.uint32
        )[:, :joints],
    }


def write(path: Path, values: object) -> Path:
    path.write_bytes(pickle.dumps(values, protocol=2))
    return path


def unpacked(shared_dir: Path, name: str, folder: Path) -> Path:
    path = folder / name
    path.write_bytes(gzip.decompress((shared_dir / "fixtures" / f"{name}.gz").read_bytes()))
    return path


def test_python_2_pickle_with_chumpy_equals_the_plain_one(shared_dir, tmp_path):
    plain = read_flame(unpacked(shared_dir, "flame600_plain.pkl", tmp_path))
    chumpy = read_flame(unpacked(shared_dir, "flame600_py2_chumpy.pkl", tmp_path))
    assert plain.identity.shape == (600, 3, 300)
    assert plain.expression.shape == (600, 3, 100)
    assert np.ptp(plain.v_template, axis=0).min() > 0.1
    for field in dataclasses.fields(plain):
        value = getattr(plain, field.name)
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(value, getattr(chumpy, field.name))


def test_reconstructor_spelling_is_read_and_what_lacks_is_named(shared_dir):
    with pytest.raises(ModelFileError, match="lacks shapedirs, posedirs"):
        read_flame(shared_dir / "fixtures" / "flame600_py2_reconstructor_partial.pkl")


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("flame_malicious.pkl", "posix.system"),
        ("flame_malicious_in_chumpy_state.pkl", "posix.system"),
        ("flame_malicious_eval.pkl", "__builtin__.eval"),
    ],
)
def test_malicious_files_are_refused_and_run_nothing(shared_dir, name, asked, monkeypatch):
    ran = []
    monkeypatch.setattr("os.system", lambda *a: ran.append(a))
    monkeypatch.setattr("posix.system", lambda *a: ran.append(a))
    monkeypatch.setattr("builtins.eval", lambda *a: ran.append(a))
    with pytest.raises(ModelFileError, match=asked):
        read_flame(shared_dir / "fixtures" / name)
    assert not ran


@pytest.mark.parametrize("share", [0.0001, 0.01, 0.4, 0.9, 0.99999])
def test_truncated_pickle(shared_dir, tmp_path, share):
    path = unpacked(shared_dir, "flame600_py2_chumpy.pkl", tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ModelFileError, match=r"damaged or incomplete|not a FLAME model"):
        read_flame(path)


def test_empty_missing_and_renamed_files(tmp_path, example_photo):
    empty = tmp_path / "empty.pkl"
    empty.write_bytes(b"")
    with pytest.raises(ModelFileError, match="is empty"):
        read_flame(empty)
    with pytest.raises(ModelFileError, match="cannot be read"):
        read_flame(tmp_path / "nowhere.pkl")
    with pytest.raises(ModelFileError, match="cannot be read"):
        read_flame(tmp_path)
    renamed = tmp_path / "generic_model.pkl"
    renamed.write_bytes(example_photo.read_bytes())
    with pytest.raises(ModelFileError, match="not a FLAME model"):
        read_flame(renamed)


@pytest.mark.parametrize(
    ("count", "joints", "what"),
    [(6890, 24, "an SMPL body"), (778, 16, "a MANO hand"), (50, 7, "a model with 7 joints")],
)
def test_models_of_other_kinds_are_named(tmp_path, count, joints, what):
    values = model(count, joints)
    values["shapedirs"] = values["shapedirs"][:, :, :10]
    with pytest.raises(ModelFileError, match=what):
        read_flame(write(tmp_path / "model.pkl", values))


def test_other_files_of_the_same_family(tmp_path, shared_dir):
    with pytest.raises(ModelFileError, match="not a FLAME model"):
        read_flame(write(tmp_path / "FLAME_masks.pkl", {"face": np.arange(5)}))
    with pytest.raises(ModelFileError, match="not a FLAME model"):
        read_flame(write(tmp_path / "list.pkl", [1, 2]))
    with pytest.raises(ModelFileError, match="network's checkpoint"):
        read_flame(shared_dir / "fixtures" / "pixel3dmm_uv_tiny.ckpt")
    archive = tmp_path / "FLAME2023.zip"
    with zipfile.ZipFile(archive, "w") as z:
        z.writestr("FLAME2023/flame2023.pkl", b"...")
    with pytest.raises(ModelFileError, match=r"holds flame2023\.pkl: unpack it"):
        read_flame(archive)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("v_template", np.full((12, 3), np.nan)),
        ("weights", np.full((12, 5), 0.5)),
        ("f", np.full((20, 3), 12)),
        ("f", np.full((20, 3), -1)),
        ("f", np.zeros((0, 3), np.uint32)),
        ("posedirs", np.zeros((12, 3, 35))),
        ("v_template", np.zeros((12, 2))),
        ("kintree_table", np.array([[2**32 - 1, 0, 1, 2, 1], range(5)])),
        ("v_template", np.array(["a", "b"])),
        ("weights", "not an array"),
        ("shapedirs", {"x": 1}),
    ],
)
def test_arrays_that_make_no_sense(tmp_path, key, value):
    with pytest.raises(ModelFileError):
        read_flame(write(tmp_path / "model.pkl", model() | {key: value}))


def test_npz_as_plain_arrays_and_as_numpy_pickles_them(tmp_path):
    values = model()
    want = read_flame(write(tmp_path / "a.pkl", values))
    np.savez(tmp_path / "plain.npz", **values)
    wrapped = {k: np.array(None, dtype=object) for k in values}
    for key, holder in wrapped.items():
        holder[()] = values[key]
    np.savez(tmp_path / "objects.npz", **wrapped)
    for name in ("plain.npz", "objects.npz"):
        got = read_flame(tmp_path / name)
        np.testing.assert_array_equal(got.identity, want.identity)
        np.testing.assert_array_equal(got.J_regressor, want.J_regressor)
    data = (tmp_path / "plain.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(data[: len(data) // 2])
    with pytest.raises(ModelFileError, match="damaged"):
        read_flame(tmp_path / "cut.npz")


@pytest.mark.parametrize("by_column", [True, False])
def test_sparse_regressor_is_read_without_scipy(tmp_path, monkeypatch, by_column):
    rows, columns = np.arange(5), np.array([0, 11, 3, 3, 7])
    dense = np.zeros((5, 12))
    dense[rows, columns] = 1
    # scipy's way of storing a matrix, in a class that pickles under scipy's name.
    form = "csc" if by_column else "csr"
    kind = type(f"{form}_matrix", (), {"__module__": f"scipy.sparse._{form}"})
    order = np.lexsort((rows, columns)) if by_column else rows
    counts = np.bincount(columns, minlength=12) if by_column else np.ones(5, int)
    matrix = kind()
    matrix.__dict__ |= {
        "_shape": (5, 12),
        "maxprint": 50,
        "data": np.ones(5),
        "indices": (rows if by_column else columns)[order].astype(np.int32),
        "indptr": np.append(0, np.cumsum(counts)).astype(np.int32),
    }
    for depth, name in enumerate(("scipy", "scipy.sparse", f"scipy.sparse._{form}")):
        module = types.ModuleType(name)
        if depth == 2:
            setattr(module, kind.__name__, kind)
        monkeypatch.setitem(sys.modules, name, module)
    path = write(tmp_path / "model.pkl", model() | {"J_regressor": matrix})
    np.testing.assert_array_equal(read_flame(path).J_regressor, dense)


def full_size() -> dict[str, np.ndarray]:
    """Arrays of FLAME's own size, with an expression that a jaw joint alone could not make."""
    rng = np.random.default_rng(1)
    count = 5023
    weights = np.zeros((count, 5))
    weights[:, 1] = 1
    weights[:900, 1], weights[:900, 2] = 0, 1
    return {
        "v_template": rng.normal(size=(count, 3)) * 0.1,
        "f": np.zeros((9976, 3), np.int32),
        "shapedirs": 0.002 * rng.normal(size=(count, 3, 400)),
        "J_regressor": np.eye(5, count),
        "weights": weights,
    }


def test_kinds_by_hash_and_by_content():
    arrays = full_size()
    by_hash = dict.fromkeys(KNOWN_FILES.values())
    assert list(by_hash) == [FLAME_2020, FLAME_2023, FLAME_2023_NO_JAW, FLAME_2023_OPEN]
    for known, kind in KNOWN_FILES.items():
        assert recognise(known.ljust(64, "0"), set(), arrays, 300) is kind
    assert recognise("0" * 64, set(), arrays, 300) is FLAME_OTHER
    assert recognise("0" * 64, {"supr_expression_metadata"}, arrays, 300) is OPEN_LOOKALIKE
    small = arrays | {"v_template": arrays["v_template"][:600]}
    assert recognise("0" * 64, set(), small, 300) is FLAME_FORMAT
    # A jaw that opens by an expression of two standard deviations: the joint must not turn.
    pivot = arrays["v_template"][2]
    turned = np.cross([np.radians(7.5), 0, 0], arrays["v_template"] - pivot)
    arrays["shapedirs"][:, :, 300] = turned * arrays["weights"][:, 2:3]
    assert recognise("0" * 64, set(), arrays, 300) is FLAME_OTHER_NO_JAW


def test_commercial_use_is_granted_to_the_published_open_file_alone():
    granted = [k for k in KNOWN_FILES.values() if k.licence.commercial]
    assert granted == [FLAME_2023_OPEN]
    assert FLAME_2023_OPEN.licence.spdx == "CC-BY-4.0"
    assert OPEN_LOOKALIKE.licence.commercial is None
    assert FLAME_FORMAT.licence.commercial is None
    assert FLAME_2020.licence.commercial is False
