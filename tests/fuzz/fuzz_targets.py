# SPDX-License-Identifier: GPL-3.0-or-later
"""What is fuzzed: every reader of ours of what somebody else may have made, and its promise.

A target takes bytes and an empty folder. It comes back, or the promise is broken: an exception
other than the one that the reader documents, a sentence that is none, or a result that is not
what the reader says it checks.
"""

from __future__ import annotations

import json
import pickle
import stat
import struct
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import fuzz_seeds as seeds
import numpy as np
from fuzz_dice import Dice, altered_array, altered_json, altered_npz, altered_zip

from core import protocol
from core.conform.faces import corners_of
from core.conform.mesh import OwnMesh
from core.conform.mesh_file import read_mesh
from core.conform.profile import KINDS, HeadProfile
from core.conform.rebake import decode_own_png
from core.errors import (
    MeshError,
    ModelFileError,
    MotionError,
    OutputError,
    PersonError,
    PhotoError,
    WorkerError,
)
from core.files.png import encode_png
from core.files.restricted_pickle import load_restricted
from core.files.safetensors import SafetensorsFile, TensorEntry, write_safetensors
from core.files.torch_checkpoint import open_torch_checkpoint
from core.files.torch_pickle import allowed_names, persistent_load, plain
from core.heads.flame import in_flame_layout, load_flame, read_info
from core.heads.flame_file import read_flame
from core.heads.flame_pickle import FLAME_CLASSES
from core.heads.flame_uv import read_template_uv
from core.heads.open_head import load_open_head
from core.jobs.parameters import Parameters
from core.jobs.refit import refit_job
from core.models.folder import is_checkpoint
from core.models.search import candidates
from core.motion import resampled
from core.motion.arkit_csv import MAX_ROWS, read_arkit_csv
from core.options import Options
from core.photos.container import profile_name, read_container
from core.photos.decoded_photo import PhotoFile
from core.photos.exif import read_exif, upright
from core.photos.photo import MAX_PIXELS, load_photo, photo_from_npz
from core.reconstruct.continuation import Continuation
from core.reconstruct.recipe import carried_on, read_recipe
from core.rig.rig_arrays import RigArrays
from core.rigged_head import RiggedHead


@dataclass(frozen=True)
class Target:
    """run(data, folder); seeds to start from; longest: bytes that it makes sense to try."""

    name: str
    run: Callable[[bytes, Path], None]
    seeds: Callable[[], list[bytes]]
    longest: int = 4096


@contextmanager
def promised(*errors: type[PersonError]) -> Iterator[None]:
    """What the reader says it raises, as one sentence."""
    try:
        yield
    except errors as error:
        words = str(error)
        assert words.endswith("."), words
        assert "\n" not in words, words
        assert len(words) < 2000, len(words)


def _exif(data: bytes, folder: Path) -> None:
    found = read_exif(data)
    assert 1 <= found.orientation <= 8
    focal, note = found.focal_px(640, 480)
    assert focal is None or (np.isfinite(focal) and focal > 0)
    assert note == "" or note.endswith(".")
    turned = upright(np.zeros((3, 5, 3), np.uint8), found.orientation)
    assert turned.size == 45


def _container(data: bytes, folder: Path) -> None:
    container = read_container(data)
    if container is not None:
        assert "\n" not in profile_name(container.icc)
        assert container.pictures >= 0
    path = folder / "a.jpg"
    path.write_bytes(data)
    with promised(PhotoError):
        file = PhotoFile(path)
        width, height = 40, 36
        file.photo(np.zeros(width * height * 4, np.float32), width, height, 4, scene_linear=False)


def _photo_file(data: bytes, folder: Path) -> None:
    path = folder / "a.jpg"
    path.write_bytes(data)
    with promised(PhotoError):
        photo = load_photo(path)
        assert photo.width * photo.height <= MAX_PIXELS


def _photo_npz(data: bytes, folder: Path) -> None:
    path = folder / "a.npz"
    path.write_bytes(altered_npz(seeds.photo(), Dice(data)))
    with promised(PhotoError):
        photo = photo_from_npz(path)
        assert photo.pixels.dtype == np.uint8
        assert photo.focal_px is None or photo.focal_px > 0


def _pickle(data: bytes, folder: Path) -> None:
    with promised(ModelFileError):
        load_restricted(data, FLAME_CLASSES, source="a.pkl")
    with promised(ModelFileError):
        found = load_restricted(
            data, allowed_names(), source="a.ckpt", persistent_load=persistent_load
        )
        json.dumps(plain(found))


def _flame_file(data: bytes, folder: Path) -> None:
    dice = Dice(data)
    path = folder / "a.pkl"
    mode = dice.number(3)
    if mode == 0:
        path.write_bytes(altered_npz(seeds.flame(), dice))
    elif mode == 1:
        values = seeds.flame()
        for _ in range(dice.number(3)):
            key = dice.choice(list(values))
            values[key] = altered_array(values[key], dice)
        if dice.number(3) == 1:
            values["J_regressor"] = _altered_sparse(values["J_regressor"], dice)
        path.write_bytes(pickle.dumps(values, protocol=dice.choice([2, 4])))
    else:
        path.write_bytes(pickle.dumps(seeds.flame(), protocol=2)[:-1] + dice.take(4096) + b".")
    with promised(ModelFileError):
        flame = read_flame(path)
        assert flame.f.max() < len(flame.v_template)
        assert np.isfinite(flame.v_template).all()


def _altered_sparse(dense: np.ndarray, dice: Dice) -> object:
    from scipy import sparse

    made = dice.choice([sparse.csc_matrix, sparse.csr_matrix])(np.atleast_2d(np.zeros((5, 6)) + 1))
    state = dice.choice(["indptr", "indices", "data", "_shape"])
    if state == "_shape":
        made._shape = dice.choice([(5, 6), (6, 5), (-1, 6), (5, 1 << 40), (1 << 14, 1 << 14), (5,)])
    else:
        altered = np.array(altered_array(getattr(made, state), dice))
        if altered.size and altered.dtype.kind in "iu" and dice.number(2):
            altered.reshape(-1)[-1] = dice.choice([1 << 30, -1, 7])
        setattr(made, state, altered)
    return made


def _flame_converted(data: bytes, folder: Path) -> None:
    path = folder / "a.npz"
    path.write_bytes(altered_npz(seeds.converted_flame(), Dice(data)))
    with promised(ModelFileError):
        info = read_info(path)
        # As the panel does at every redraw.
        assert isinstance(info["title"], str)
        assert isinstance(info["licence"]["spdx"], str)
        assert info["licence"]["commercial"] in (True, False, None)
    with promised(ModelFileError):
        head = load_flame.__wrapped__(path)
        assert head.quads.max() < len(head.template)
        json.dumps(head.name)
    with promised(ModelFileError):
        in_flame_layout(load_open_head(), path)


def _flame_template(data: bytes, folder: Path) -> None:
    path = folder / "head_template.obj"
    path.write_bytes(data)
    with promised(ModelFileError):
        uv, corners = read_template_uv(path, np.array([[0, 1, 2]]), 3)
        assert uv.shape[1:] == (2,)
        assert corners.shape == (1, 3)
        assert np.isfinite(uv[corners]).all()


def _checkpoint(data: bytes, folder: Path) -> None:
    dice = Dice(data)
    program = seeds.torch_pickle()
    if dice.number(2):
        at = dice.number(len(program))
        program = program[:at] + dice.take(64) + program[at + dice.number(64) :]
    members = {"a/data.pkl": program, "a/data/0": bytes(24), "a/byteorder": b"little"}
    path = folder / "a.ckpt"
    path.write_bytes(altered_zip(members, dice))
    assert is_checkpoint(path) in (True, False)
    with promised(ModelFileError), open_torch_checkpoint(path) as opened:
        json.dumps(opened.extra)
        for name, tensor in opened.tensors.items():
            assert tensor.nbytes < 1 << 20
            assert sum(map(len, opened.chunks(name))) == tensor.nbytes


def _safetensors(data: bytes, folder: Path) -> None:
    dice = Dice(data)
    header = altered_json(seeds.safetensors_header(), dice).encode("utf-8", "surrogatepass")
    length = len(header) if dice.number(8) != 1 else dice.number(1 << 16)
    path = folder / "a.safetensors"
    path.write_bytes(length.to_bytes(8, "little") + header + bytes(20))
    with promised(ModelFileError):
        file = SafetensorsFile(path)
        for name, entry in file.entries.items():
            array = file.array(name)
            assert array.shape == entry.shape
            np.array(array)
        entries = {n: TensorEntry(e.dtype, e.shape) for n, e in file.entries.items()}
        again = folder / "b.safetensors"
        with again.open("wb") as stream:
            chunks = lambda name: [np.asarray(file.raw(name)).tobytes()]  # noqa: E731
            write_safetensors(stream, entries, chunks, file.metadata)
        read = SafetensorsFile(again)
        assert read.entries == file.entries
        assert read.metadata == file.metadata


def _rigged_head(data: bytes, folder: Path) -> None:
    path = folder / "a.npz"
    path.write_bytes(altered_npz(seeds.person(), Dice(data)))
    with promised(ModelFileError):
        head = RiggedHead.load(path)
        # What the add-on does with it.
        assert isinstance(head.report, dict)
        assert isinstance(head.recipe, dict)
        assert isinstance(head.name, str)
        assert isinstance(head.licence_spdx, str)
        assert head.licence_commercial in (1, 0, -1)
        assert isinstance(head.continuation_json, str)
        assert head.camera.width > 0
        arrays = RigArrays.of(head)
        arrays.landmarks(arrays.basis)
        corners = head.quads[head.quads >= 0]
        head.basis[corners].astype(np.float32)
        head.uv[head.uv_quads[head.quads >= 0]].astype(np.float32)
        [str(head.part_names[p]) for p in head.face_part]


def _head_profile(data: bytes, folder: Path) -> None:
    path = folder / "a.npz"
    path.write_bytes(altered_npz(_profile_arrays(), Dice(data)))
    with promised(MeshError):
        profile = HeadProfile.load(path)
        rows = np.arange(len(profile.kind))
        assert np.isfinite(profile.bound(profile.laid.astype(float), rows)).all()
        assert np.isfinite(profile.to_head.inverse(np.zeros((1, 3)))).all()
        assert profile.kind.max() < len(KINDS)
        assert corners_of(profile.mesh).max() < profile.mesh.triangles.size


def _profile_arrays() -> dict[str, np.ndarray]:
    count, random = 320, np.random.default_rng(1)
    return {
        "schema": np.asarray(2),
        "mesh_name": np.asarray("mesh"),
        "mesh_vertices": random.normal(size=(count, 3)),
        "mesh_triangles": random.integers(0, count, (400, 3)),
        "mesh_uv": np.zeros((0, 3, 2)),
        "mesh_polygon": np.arange(400),
        "mesh_material": np.zeros(400, np.int64),
        "mesh_materials": np.array(["skin"]),
        "head_digest": np.asarray("1" * 64),
        "scale": np.asarray(0.1),
        "rotation": np.eye(3),
        "offset": np.zeros(3),
        "laid": np.ones((4, 3), np.float32),
        "corners": np.zeros((count, 3), np.int32),
        "share": np.full((count, 3), 1 / 3, np.float32),
        "nearest": np.zeros(count, np.int32),
        "distance": np.zeros(count, np.float32),
        "kind": np.ones(count, np.int8),
        "mask": np.ones(count, np.float32),
        "median": np.asarray(0.0001),
        "landmark_vertices": np.zeros((478, 3), np.int32),
        "landmark_share": np.full((478, 3), 1 / 3, np.float32),
        "pairs": np.zeros((0, 6)),
        "notes": np.array(["a note"]),
    }


def _own_mesh(data: bytes, folder: Path) -> None:
    path = folder / "a.npz"
    random = np.random.default_rng(1)
    arrays = {
        "name": np.asarray("mesh"),
        "vertices": random.normal(size=(320, 3)),
        "triangles": random.integers(0, 320, (400, 3)),
        "uv": random.random((400, 3, 2)),
    }
    path.write_bytes(altered_npz(arrays, Dice(data)))
    with promised(MeshError):
        mesh = OwnMesh.load(path)
        assert np.isfinite(mesh.vertices[mesh.triangles]).all()
        assert len(mesh.welded.rows)


def _mesh_file(data: bytes, folder: Path) -> None:
    path = folder / "a.obj"
    path.write_bytes(data)
    with promised(MeshError):
        read_mesh(path)


def _own_png(data: bytes, folder: Path) -> None:
    with promised(MeshError):
        assert decode_own_png(data).shape[2] == 3


def _continuation(data: bytes, folder: Path) -> None:
    text = altered_json(seeds.continuation(), Dice(data))
    with promised(ModelFileError):
        known = Continuation.from_json(text)
        told = known.to_json()
        assert Continuation.from_json(told).to_json() == told
        for photo in known.photos:
            assert np.allclose(photo.state.R @ photo.state.R.T, np.eye(3), atol=1e-6)
            assert photo.cues.landmarks.shape == (478, 2)


def _recipe(data: bytes, folder: Path) -> None:
    dice = Dice(data)
    told = seeds.recipe()
    told["options"]["head"] = dice.choice(["open-head", *_NAMES])
    told["photos"][0]["name"] = dice.choice(["a", *_NAMES])
    text = altered_json(told, dice)
    with promised(ModelFileError):
        recipe = read_recipe(text)
        # Names, and no way out of the folder that they are joined to.
        for name in (recipe.head, f"{Path(recipe.photo).name}.jpg"):
            path = folder / name
            assert path.parent == folder or name in ("..", "."), name
            assert "\0" not in name
        with promised(PersonError):
            Options.from_json({**recipe.options, "head": recipe.head})
        json.loads(carried_on(text, json.dumps(seeds.recipe())))


def _recording(data: bytes, folder: Path) -> None:
    path = folder / "take.csv"
    path.write_bytes(data)
    with promised(MotionError):
        motion = read_arkit_csv(path)
        assert motion.values.shape == (len(motion.times), len(motion.names))
        assert ((motion.values >= 0) & (motion.values <= 1)).all()
        assert (np.diff(motion.times) > 0).all()
        assert motion.times[0] == 0
        # What a scene of 60 frames a second would hold.
        assert motion.seconds * 60 <= MAX_ROWS
        for turn in motion.turns.values():
            assert np.allclose(turn @ turn.swapaxes(1, 2), np.eye(3), atol=1e-6)
        if motion.seconds < 10:
            assert np.isfinite(resampled(motion, 24.0).values).all()


def _protocol(data: bytes, folder: Path) -> None:
    def fed(pieces: list[bytes]) -> list[protocol.Message] | None:
        decoder = protocol.FrameDecoder()
        with promised(WorkerError):
            return [msg for piece in pieces for msg in decoder.feed(piece)]
        return None

    whole = fed([data])
    step = 1 + (data[0] if data else 0) % 7
    assert fed([data[i : i + step] for i in range(0, len(data), step)]) == whole
    for msg in whole or ():
        with promised(WorkerError):
            protocol.check_hello(msg)
        with promised(PersonError):
            parameters = Parameters(msg.get("params"))
            parameters.paths("photos"), parameters.options(), parameters.path("out")
        if isinstance(msg.get("options"), dict):
            with promised(PersonError):
                Options.from_json(msg["options"])
        try:
            again = protocol.encode(msg)
        except WorkerError:
            continue
        assert protocol.FrameDecoder().feed(again) == [msg]


def _options(data: bytes, folder: Path) -> None:
    options = {"predictor": "mediapipe", "head": "open-head", "models": None, "face": 0,
               "box": [1, 2, 3, 4], "focal_px": 900.0, "focal_35mm": 35, "same_person": False,
               "own_components": False, "unknown": 1}  # fmt: skip
    params = {"photos": ["p.npz"], "options": options, "out": "o", "pins": [[0, 1, 2.0, 3.0]],
              "continuation": json.dumps(seeds.continuation())}  # fmt: skip
    try:
        told = json.loads(altered_json(params, Dice(data)), parse_constant=_refused)
    except ValueError:
        return
    with promised(PersonError):
        chosen = Parameters(told).options()
        json.dumps(chosen.for_recipe(), allow_nan=False)
        assert isinstance(chosen.same_person, bool)
    with promised(PersonError):
        if isinstance(told, dict):
            # No photo is there, so that it ends before the fit.
            params = {**told, "photos": [str(folder / "none.npz")]}
            refit_job(Parameters(params), _nothing, _nothing)
            raise AssertionError("a photo that is not there was read")


def _nothing(*_: object) -> None:
    """Progress that nobody hears."""


def _refused(name: str) -> None:
    raise ValueError(name)


_NAMES = (
    "a.pkl", "a.ckpt", "head_template.obj", "x/a.npz", "../a.pkl", "/a.pkl", "..\\a.npz",
    "C:\\a.pkl", "a\0.pkl", "\x01.pkl", "x/../../a.pkl", "a.pkl/", "./.pkl", "é.npz",
    "n" * 300 + ".pkl", "con.pkl", "a.pkl ", "...npz", "x/" * 40 + "a.pkl", ".npz",
)  # fmt: skip


def _model_search(data: bytes, folder: Path) -> None:
    dice = Dice(data)
    source, scratch = folder / "models.zip", folder / "inside" / "scratch"
    scratch.mkdir(parents=True)
    (folder / "kept.pkl").write_bytes(b"kept")
    with zipfile.ZipFile(source, "w") as archive:
        for _ in range(dice.number(5)):
            entry = zipfile.ZipInfo(dice.choice(_NAMES))
            entry.filename = dice.choice(_NAMES)
            if dice.number(4) == 1:
                entry.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(entry, dice.take(dice.number(64)))
    raw = bytearray(source.read_bytes())
    directory = raw.find(b"PK\x01\x02")
    if dice.number(3) == 1 and directory >= 0:
        # The sizes of the first entry in the directory.
        struct.pack_into("<I", raw, directory + 20 + 4 * dice.number(2), dice.number(1 << 16) << 16)
    if dice.number(4) == 1:
        raw[dice.number(len(raw))] = dice.number(256)
    source.write_bytes(raw)
    before = {p for p in folder.rglob("*") if scratch not in p.parents}
    with promised(ModelFileError, OutputError), candidates(source, scratch) as found:
        for path in found:
            assert path.resolve().is_relative_to(scratch.resolve())
            assert path.is_file()
            assert not path.is_symlink()
    assert {p for p in folder.rglob("*") if scratch not in p.parents} | {scratch} == before | {
        scratch
    }
    assert (folder / "kept.pkl").read_bytes() == b"kept"


def _few() -> list[bytes]:
    """For targets whose bytes are decisions."""
    rng = np.random.default_rng(3)
    return [b"", *(rng.integers(0, 256, n, np.uint8).tobytes() for n in (4, 8, 16, 32, 64, 200))]


TARGETS = {
    target.name: target
    for target in (
        Target("exif", _exif, lambda: [seeds.tiff_exif(), b"Exif\0\0" + seeds.tiff_exif()], 600),
        Target("container", _container, lambda: [*seeds.pictures(), *seeds.OTHER_PICTURES], 6000),
        Target("photo_file", _photo_file, lambda: list(seeds.pictures()), 6000),
        Target("photo_npz", _photo_npz, _few, 256),
        Target("pickle", _pickle, lambda: [seeds.torch_pickle(), pickle.dumps(seeds.flame(), 2)]),
        Target("flame_file", _flame_file, _few, 512),
        Target("flame_converted", _flame_converted, _few, 256),
        Target("flame_template", _flame_template, lambda: [seeds.OBJ], 400),
        Target("checkpoint", _checkpoint, _few, 256),
        Target("safetensors", _safetensors, _few, 256),
        Target("rigged_head", _rigged_head, _few, 256),
        Target("head_profile", _head_profile, _few, 256),
        Target("own_mesh", _own_mesh, _few, 256),
        Target("mesh_file", _mesh_file, lambda: [seeds.OBJ], 400),
        Target("own_png", _own_png, lambda: [encode_png(np.zeros((3, 4, 3), np.uint8))], 400),
        Target("continuation", _continuation, _few, 256),
        Target("recipe", _recipe, _few, 256),
        Target("recording", _recording, lambda: [seeds.recording()], 1500),
        Target("protocol", _protocol, lambda: [seeds.MESSAGES], 1200),
        Target("options", _options, _few, 256),
        Target("model_search", _model_search, _few, 256),
    )
}
