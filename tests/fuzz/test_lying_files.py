# SPDX-License-Identifier: GPL-3.0-or-later
"""Each way in which a file can lie that a reader guards against, one by one.

The fuzzer finds such files by chance; here they are by name, so that no guard can go unnoticed.
"""

from __future__ import annotations

import io
import json
import struct
import tracemalloc
import zipfile
from dataclasses import fields

import fuzz_seeds as seeds
import numpy as np
import pytest
from fuzz_dice import npy

from core.errors import ModelFileError, MotionError, PersonError, PhotoError
from core.files.npz import ArraysError, read_npz
from core.files.safetensors import SafetensorsFile
from core.files.torch_checkpoint import open_torch_checkpoint
from core.heads.flame import load_flame, read_info
from core.heads.flame_file import read_flame
from core.models.search import candidates
from core.motion.arkit_csv import read_arkit_csv
from core.options import Options
from core.photos.photo import photo_from_npz
from core.reconstruct.continuation import Continuation
from core.rigged_head import RiggedHead


def npz(members: dict[str, bytes], kind: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", kind) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return stream.getvalue()


def header(text: bytes, rest: bytes = b"") -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + rest


def described(kind: bytes, shape: bytes, rest: bytes = b"") -> bytes:
    text = b"{'descr': %s, 'fortran_order': False, 'shape': %s, }" % (kind, shape)
    return header(text, rest)


# --- .npz ------------------------------------------------------------------------------------
def test_sound_arrays_come_back():
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.array("é空"), "c": np.array([True])}
    found = read_npz(npz({n: npy(a) for n, a in arrays.items()}), 10_000)
    assert all(np.array_equal(found[n], a) for n, a in arrays.items())
    assert set(read_npz(npz({n: npy(a) for n, a in arrays.items()}), 10_000, ["a", "x"])) == {"a"}


def test_more_than_may_be_is_not_unpacked(monkeypatch):
    bomb = npz({"a": npy(np.zeros(10_000_000, "u1"))}, zipfile.ZIP_DEFLATED)
    assert len(bomb) < 20_000
    read = []
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda *a: read.append(a))
    with pytest.raises(ArraysError, match="larger"):
        read_npz(bomb, 9_000_000)
    assert read == []


@pytest.mark.parametrize("shape", [b"(2000000000,)", b"(3,)", b"()", b"(0,)", b"(-1,)"])
def test_a_header_fits_its_bytes(shape):
    with pytest.raises(ArraysError):
        read_npz(npz({"a": described(b"'<f4'", shape, bytes(8))}), 1000)


@pytest.mark.parametrize(
    ("kind", "size"), [(b"'|O'", 8), (b"'<M8[s]'", 8), (b"'<c8'", 8), (b"[('a', '<f4')]", 4)]
)
def test_objects_dates_and_structures_are_no_arrays_of_ours(kind, size):
    with pytest.raises(ArraysError):
        read_npz(npz({"a": described(kind, b"(1,)", bytes(size))}), 1000)


@pytest.mark.parametrize("code", [0x110000, 0xFFFFFFFF, 0xD800])
def test_text_is_text(code):
    with pytest.raises(ArraysError, match="characters"):
        read_npz(npz({"a": described(b"'<U1'", b"(1,)", struct.pack("<I", code))}), 1000)


# --- heads -----------------------------------------------------------------------------------
def test_the_seed_is_a_head(tmp_path):
    path = tmp_path / "a.npz"
    path.write_bytes(npz({n: npy(a) for n, a in seeds.person().items()}))
    assert RiggedHead.load(path).name == "someone"


HEADS = {
    "no number": lambda a: a["basis"].__setitem__((3, 1), np.nan),
    "endless": lambda a: a["key_deltas"].__setitem__((5, 0, 0), np.inf),
    "another shape": lambda a: a.update(posed=a["posed"][:-1]),
    "a corner elsewhere": lambda a: a["quads"].__setitem__((0, 0), 8),
    "a corner before": lambda a: a["quads"].__setitem__((0, 1), -2),
    "texture elsewhere": lambda a: a["uv_quads"].__setitem__((0, 0), 4),
    "a key elsewhere": lambda a: a["correctives"].__setitem__((0, 1), 53),
    "a bone elsewhere": lambda a: a["bone_keys"].__setitem__((0, 1), 2),
    "a mirror elsewhere": lambda a: a["mirror"].__setitem__(0, 10**6),
    "a landmark elsewhere": lambda a: a["landmark_vertices"].__setitem__((7, 2), 8),
    "a part elsewhere": lambda a: a["face_part"].__setitem__(0, 1),
    "a child before its parent": lambda a: a.update(parents=np.array([1, -1], np.int32)),
    "weights too heavy": lambda a: a["weights"].__setitem__((0, 0), 0.9),
    "weights below nothing": lambda a: a["weights"].__setitem__(0, [1.5, -0.5]),
    "a mirrored camera": lambda a: a.update(camera_R=np.diag([1.0, 1, -1])),
    "no picture": lambda a: a.update(image_size=np.array([0, 48], np.int32)),
    "a name twice": lambda a: a["key_names"].__setitem__(1, a["key_names"][0]),
    "a name that is a list": lambda a: a.update(name=np.array(["a", "b"])),
    "a licence that is a number": lambda a: a.update(licence_spdx=np.array(3)),
    "numbers that are text": lambda a: a.update(uncertainty=np.array(["x"] * 8)),
    "indices that are fractions": lambda a: a.update(quads=a["quads"].astype("f4")),
    "a report that is none": lambda a: a.update(report_json=np.array("[1]")),
    "a recipe that is none": lambda a: a.update(recipe_json=np.array("{")),
    "commerce unheard of": lambda a: a.update(licence_commercial=np.array(7)),
    "another schema": lambda a: a.update(schema=np.array(2)),
    "a skin too wide": lambda a: a.update(skin_photo=np.frombuffer(seeds.png(9000, 1), "u1")),
    "a skin that is no picture": lambda a: a.update(skin_albedo=np.frombuffer(b"GIF89a", "u1")),
    "nothing": lambda a: a.pop("basis"),
}


def test_every_field_of_a_head_says_what_it_is():
    letters = {
        **{"Floats": "f", "Ints": "i", "NDArray[np.float64]": "f", "NDArray[np.int8]": "i"},
        **{
            "NDArray[np.int16]": "i",
            "NDArray[np.uint8]": "u",
            "NDArray[np.str_]": "U",
            "NDArray[np.bool_]": "b",
        },
    }
    for f in fields(RiggedHead):
        assert f.metadata["kind"] == letters.get(str(f.type), {"int": int, "str": str}.get(f.type))
        assert bool(f.metadata["shape"]) == (f.type in letters and f.type != "NDArray[np.str_]")


@pytest.mark.parametrize("lie", HEADS)
def test_a_head_that_lies_is_refused(lie, tmp_path):
    arrays = seeds.person()
    HEADS[lie](arrays)
    path = tmp_path / "a.npz"
    path.write_bytes(npz({n: npy(a) for n, a in arrays.items()}))
    with pytest.raises(ModelFileError, match=r"a\.npz is missing or damaged"):
        RiggedHead.load(path)


# --- FLAME -----------------------------------------------------------------------------------
FLAMES = {
    "no number": lambda a: a["v_template"].__setitem__((0, 0), np.nan),
    "too large for its type": lambda a: a["shapedirs"].__setitem__((0, 0, 0), 1e300),
    "a corner elsewhere": lambda a: a["f"].__setitem__((0, 0), 6),
    "complex": lambda a: a.update(posedirs=a["posedirs"].astype(complex)),
    "weights too heavy": lambda a: a["weights"].__setitem__((0, 0), 3.0),
    "another tree": lambda a: a["kintree_table"].__setitem__((0, 2), 4),
}


@pytest.mark.parametrize("lie", FLAMES)
def test_a_flame_file_that_lies_is_refused(lie, tmp_path):
    arrays = seeds.flame()
    path = tmp_path / "a.npz"
    path.write_bytes(npz({n: npy(a) for n, a in arrays.items()}))
    assert len(read_flame(path).v_template) == 6
    FLAMES[lie](arrays)
    path.write_bytes(npz({n: npy(a) for n, a in arrays.items()}))
    with pytest.raises(ModelFileError):
        read_flame(path)


@pytest.mark.parametrize("last", [1 << 23, -1, 7])
def test_a_sparse_matrix_is_as_long_as_its_data(last, tmp_path):
    import pickle

    from scipy import sparse

    arrays = seeds.flame()
    matrix = sparse.csc_matrix(arrays["J_regressor"])
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps({**arrays, "J_regressor": matrix}, protocol=2))
    assert read_flame(path).J_regressor.shape == (5, 6)
    matrix.indptr = matrix.indptr.astype(np.int64)
    matrix.indptr[-1] = last
    path.write_bytes(pickle.dumps({**arrays, "J_regressor": matrix}, protocol=2))
    tracemalloc.start()
    try:
        with pytest.raises(ModelFileError):
            read_flame(path)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


RECORDS = {
    "title": lambda i: i.pop("title"),
    "a title that is a list": lambda i: i.update(title=["x"]),
    "a licence that is text": lambda i: i.update(licence="CC0"),
    "commerce unheard of": lambda i: i["licence"].update(commercial="yes"),
    "one as true": lambda i: i["licence"].update(commercial=1),
    "warnings of text": lambda i: i.update(warnings="x"),
    "a jaw of text": lambda i: i.update(jaw_turns="no"),
}


@pytest.mark.parametrize("lie", RECORDS)
def test_the_record_of_an_imported_head_is_checked(lie, tmp_path):
    arrays = seeds.converted_flame()
    info = json.loads(str(arrays["info_json"]))
    RECORDS[lie](info)
    arrays["info_json"] = np.array(json.dumps(info))
    path = tmp_path / "a.npz"
    path.write_bytes(npz({n: npy(a) for n, a in arrays.items()}))
    for read in (read_info, load_flame):
        with pytest.raises(ModelFileError, match="import the FLAME"):
            read(path)


# --- weights ---------------------------------------------------------------------------------
def checkpoint(pickled: bytes, storage: bytes = bytes(24), kind: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a/data.pkl", pickled)
        archive.writestr("a/data/0", storage, compress_type=kind)
    return stream.getvalue()


def test_a_tensor_lies_within_its_storage(tmp_path):
    path = tmp_path / "a.ckpt"
    path.write_bytes(checkpoint(seeds.torch_pickle()))
    with open_torch_checkpoint(path) as opened:
        assert opened.tensors["w"].shape == (2, 3)
    lies = (
        checkpoint(seeds.torch_pickle(), bytes(20)),
        checkpoint(seeds.torch_pickle(), bytes(24), zipfile.ZIP_DEFLATED),
        checkpoint(seeds.torch_pickle().replace(b"K\x02K\x03\x86", b"K\x02K\xff\x86")),
        checkpoint(seeds.torch_pickle().replace(b"cpu", b"cpu").replace(b"K\x06tQ", b"K\x01tQ")),
    )
    for lie in lies:
        path.write_bytes(lie)
        with pytest.raises(ModelFileError), open_torch_checkpoint(path):
            pass


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 12]},
        {"dtype": "F32", "shape": [8, 2], "data_offsets": [0, 64]},
        {"dtype": "F32", "shape": [-2, -2], "data_offsets": [0, 16]},
        {"dtype": "F32", "shape": [2, 2], "data_offsets": [-16, 0]},
        {"dtype": "O", "shape": [2, 2], "data_offsets": [0, 16]},
    ],
)
def test_safetensors_lie_within_their_file(entry, tmp_path):
    text = json.dumps({"a": entry}).encode()
    path = tmp_path / "a.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(20))
    with pytest.raises(ModelFileError):
        SafetensorsFile(path)


# --- the rest --------------------------------------------------------------------------------
def test_numbers_beyond_all_floats(tmp_path):
    text = json.dumps(seeds.continuation()).replace('"identity": [0.5', '"identity": [' + "9" * 400)
    with pytest.raises(ModelFileError, match="damaged"):
        Continuation.from_json(text)
    for wrong in (
        {"focal_px": 10**400},
        {"focal_px": True},
        {"same_person": "yes"},
        {"face": True},
    ):
        with pytest.raises(PersonError):
            Options.from_json(wrong)


@pytest.mark.parametrize("key", ["width", "pixels", "name", "focal_px"])
def test_a_photo_handed_over_says_its_own_size(key, tmp_path):
    arrays = seeds.photo()
    path = tmp_path / "a.npz"
    arrays[key] = {"width": np.array(47), "pixels": np.zeros((40, 48, 3), "f4"),
                   "name": None, "focal_px": np.array(["x"])}[key]  # fmt: skip
    path.write_bytes(npz({n: npy(a) for n, a in arrays.items() if a is not None}))
    with pytest.raises(PhotoError):
        photo_from_npz(path)


def test_a_recording_does_not_jump_by_days(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(
        b"Timecode,BlendShapeCount,JawOpen\n00:00:00:01.0,1,0.5\n99:00:00:01.0,1,0.5\n"
    )
    with pytest.raises(MotionError, match="jumps in time"):
        read_arkit_csv(path)


def test_a_name_that_no_system_writes_is_one_sentence(tmp_path):
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as z:
        z.writestr("n" * 300 + ".pkl", b"x")
    (tmp_path / "s").mkdir()
    with (
        pytest.raises(ModelFileError, match="unpack it yourself"),
        candidates(archive, tmp_path / "s"),
    ):
        pass


def test_a_line_without_end_is_told_as_such(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"JawOpen,x\n" + b"0," * 20_000)
    with pytest.raises(MotionError, match="too long"):
        read_arkit_csv(path)
