# SPDX-License-Identifier: GPL-3.0-or-later
"""Small sound files of every kind that we read, from which a fuzzer starts."""

from __future__ import annotations

import json
import struct
import zlib
from functools import lru_cache
from typing import Any

import numpy as np

from core.heads.arkit import ARKIT_NAMES
from core.heads.face_landmarks import LANDMARK_COUNT
from core.heads.flame_kinds import JOINT_NAMES, PARENTS


def tiff_exif() -> bytes:
    """Orientation, 35 mm focal length, focal plane resolution."""
    sub = struct.pack("<H", 3)
    sub += struct.pack("<HHIHH", 0xA405, 3, 1, 35, 0)
    sub += struct.pack("<HHII", 0xA20E, 5, 1, 100)
    sub += struct.pack("<HHIHH", 0xA210, 3, 1, 2, 0) + struct.pack("<I", 0)
    main = struct.pack("<HHHIHH", 2, 0x0112, 3, 1, 6, 0) + struct.pack("<HHII", 0x8769, 4, 1, 38)
    data = b"II*\0" + struct.pack("<I", 8) + main + struct.pack("<I", 0) + sub
    return data.ljust(100, b"\0") + struct.pack("<II", 5000, 2)


def icc_profile() -> bytes:
    text = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"Wide\0"
    return bytes(128) + struct.pack(">I", 1) + b"desc" + struct.pack(">II", 144, len(text)) + text


def png(width: int = 40, height: int = 36, colour: int = 2) -> bytes:
    """A grey gradient with EXIF and a profile."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    rows = bytes([0, *(x % 256 for x in range(3 * width))]) * height
    head = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    profile = b"name\0\0" + zlib.compress(icc_profile())
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"iCCP", profile)
            + chunk(b"eXIf", tiff_exif()) + chunk(b"IDAT", zlib.compress(rows))
            + chunk(b"IEND", b""))  # fmt: skip


def bmp() -> bytes:
    rows = bytes(40 * 3) * 36
    info = struct.pack("<IiiHHIIiiII", 40, 40, 36, 1, 24, 0, len(rows), 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(rows), 0, 0, 54) + info + rows


@lru_cache(maxsize=1)
def pictures() -> tuple[bytes, ...]:
    """JPEG, PNG, TIFF, WebP, BMP."""
    import cv2

    pixels = np.arange(40 * 36 * 3, dtype=np.uint32).reshape(36, 40, 3).astype(np.uint8)
    made = [png(), bmp()]
    for kind in (".jpg", ".tif", ".webp"):
        done, data = cv2.imencode(kind, pixels)
        assert done
        made.append(data.tobytes())
    exif = b"Exif\0\0" + tiff_exif()
    icc = b"ICC_PROFILE\0\x01\x01" + icc_profile()
    segments = b"".join(bytes([255, m]) + struct.pack(">H", len(b) + 2) + b
                        for m, b in ((0xE1, exif), (0xE2, icc)))  # fmt: skip
    return (*made, made[2][:2] + segments + made[2][2:])


#: The beginnings of what else Blender opens.
OTHER_PICTURES = (
    struct.pack("<BBBHHBHHHHBB", 0, 0, 2, 0, 0, 0, 0, 0, 40, 36, 24, 0) + bytes(40 * 36 * 3),
    struct.pack(">HBBHHHH", 474, 0, 1, 3, 40, 36, 3).ljust(512, b"\0"),
    b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 36 +X 40\n" + bytes(64),
    b"v/1\x01\x02\0\0\0dataWindow\0box2i\0\x10\0\0\0" + struct.pack("<iiii", 0, 0, 39, 35) + b"\0",
    b"\0\0\0\x0cjP  \r\n\x87\n" + b"\xff\x4f\xff\x51\0\x2f\0\0" + struct.pack(">II", 40, 36),
    b"SDPX".ljust(772, b"\0") + struct.pack(">II", 40, 36),
    b"8BPS\0\x01\0\0\0\0\0\0\0\x03" + struct.pack(">II", 36, 40) + b"\0\x08\0\x03",
)


def person() -> dict[str, np.ndarray]:
    """The arrays of a rigged head of eight vertices."""
    v, f, k, j = 8, 4, 53, 2
    rng = np.random.default_rng(0)
    quads = np.array([[0, 1, 2, 3], [4, 5, 6, 7], [0, 1, 5, -1], [2, 3, 7, -1]], np.int32)
    floats = lambda *shape: rng.normal(size=shape).astype(np.float32)  # noqa: E731
    return {
        "schema": np.array(1), "name": np.array("someone"), "head_name": np.array("Open Head"),
        "licence_spdx": np.array("CC0-1.0"), "licence_commercial": np.array(1),
        "basis": floats(v, 3), "quads": quads, "face_part": np.zeros(f, np.int8),
        "part_names": np.array(["skin"]), "uv": floats(4, 2), "uv_quads": quads % 4,
        "key_names": np.array([*ARKIT_NAMES, "photoResidual"]),
        "key_deltas": floats(k, v, 3), "key_values": np.zeros(k, np.float32),
        "joint_names": np.array(["root", "head"]), "joints": floats(j, 3),
        "joint_tails": floats(j, 3), "parents": np.array([-1, 0], np.int32),
        "weights": np.full((v, j), 0.5, np.float32), "joint_rotations": floats(j, 3),
        "camera_K": np.diag([500.0, 500, 1]), "camera_R": np.eye(3), "camera_t": np.ones(3),
        "image_size": np.array([64, 48], np.int32), "skin_color": floats(3),
        "iris_color": floats(3), "landmarks": floats(LANDMARK_COUNT, 2),
        "landmarks_fit": floats(LANDMARK_COUNT, 2), "posed": floats(v, 3),
        "region_names": np.array(["lips"]), "regions": np.zeros((1, v), bool),
        "uncertainty": np.zeros(v, np.float32), "recipe_json": np.array('{"schema": 1}'),
        "report_json": np.array('{"photos": [{"reprojection_px": {"mean": 1.0}}]}'),
        "correctives": np.array([[52, 0, 1]], np.int32), "bone_keys": np.array([[0, 1]], np.int32),
        "bone_turns": floats(1, 3), "mirror": np.arange(v, dtype=np.int32),
        "landmark_vertices": np.zeros((LANDMARK_COUNT, 3), np.int32),
        "landmark_barycentric": np.full((LANDMARK_COUNT, 3), 1 / 3, np.float32),
        "continuation_json": np.array(""),
    }  # fmt: skip


def flame() -> dict[str, np.ndarray]:
    """The arrays of a FLAME-format file with six vertices."""
    v, n = 6, len(JOINT_NAMES)
    rng = np.random.default_rng(1)
    parents = np.array(PARENTS, np.int64)
    return {
        "v_template": rng.normal(size=(v, 3)),
        "f": np.array([[0, 1, 2], [3, 4, 5]], np.uint32),
        "shapedirs": rng.normal(size=(v, 3, 4)),
        "posedirs": rng.normal(size=(v, 3, 9 * (n - 1))),
        "J_regressor": np.full((n, v), 1 / v),
        "weights": np.full((v, n), 1 / n),
        "kintree_table": np.stack([parents, np.arange(n)]).astype(np.int64),
    }


def converted_flame() -> dict[str, np.ndarray]:
    """The arrays that the import makes of it."""
    arrays = flame()
    v, t = len(arrays["v_template"]), len(arrays["f"])
    del arrays["shapedirs"], arrays["kintree_table"]
    licence = {"spdx": "CC-BY-4.0", "commercial": True, "notice": "words"}
    info = {"title": "FLAME 2023 Open", "licence": licence, "jaw_turns": True,
            "texture_layout": "open head", "warnings": []}  # fmt: skip
    return {
        **arrays, "schema": np.array(1), "info_json": np.array(json.dumps(info)),
        "identity": np.zeros((v, 3, 2), np.float32), "expression": np.zeros((v, 3, 2), np.float32),
        "uv": np.zeros((4, 2)), "uv_triangles": np.zeros((t, 3), np.int32),
        "face_part": np.zeros(t, np.int8), "part_names": np.array(["skin"]),
        "arkit": np.zeros((v, 3, len(ARKIT_NAMES)), np.float32),
        "lmk_vertices": np.zeros((LANDMARK_COUNT, 3), np.int32),
        "lmk_bary": np.full((LANDMARK_COUNT, 3), 1 / 3), "mirror": np.arange(v),
        "regions": np.zeros((1, v), bool), "region_names": np.array(["lips"]),
        "gaze_names": np.array(["eyeLookUpLeft"]), "gaze_rotvec": np.zeros((1, 3)),
    }  # fmt: skip


def photo() -> dict[str, np.ndarray]:
    """The arrays of Photo.save."""
    return {
        "pixels": np.zeros((40, 48, 3), np.uint8), "name": np.array("a"), "path": np.array(""),
        "sha256": np.array("00"), "focal_px": np.array(500.0), "width": np.array(48),
        "height": np.array(40), "notes": np.array(["a note."]),
    }  # fmt: skip


def continuation() -> dict[str, Any]:
    """The JSON of a Continuation with two photos and two pins."""
    points = [[float(i), 2.5] for i in range(LANDMARK_COUNT)]
    seen = {
        "name": "a", "sha256": "00", "width": 640, "height": 480, "predictor": "mediapipe",
        "landmarks": points, "depth": [0.0] * LANDMARK_COUNT, "sigma": [1.0] * LANDMARK_COUNT,
        "dense": False, "focal": None, "focal_source": "guessed", "skin": [0.5, 0.4, 0.3],
        "iris": [0.1, 0.1, 0.1], "landmarks_fit": [*points[:-1], None],
        "state": {"turn": [3.1, 0, 0], "t": [0, 0, 0.6], "log_focal": 6.5, "gaze": [0, 0, 0, 0],
                  "expression": [0.1] * 4, "drift": [0.0]},
    }  # fmt: skip
    head = {"name": "Open Head", "sha256": "ab"}
    return {"schema": 2, "head": head, "identity": [0.5, -1.0], "photos": [seen, seen],
            "pins": [[1, 7, 10.5, 20.0], [0, -1, 9.5, 8.0, 4, 5, 6, 0.5, 0.25]]}  # fmt: skip


def recipe() -> dict[str, Any]:
    """The JSON of a recipe."""
    options = {"predictor": "mediapipe", "head": "flame.npz", "face": 0, "box": [1, 2, 3, 4],
               "focal_px": 900.0, "focal_35mm": None, "own_components": True}  # fmt: skip
    return {"photos": [{"name": "a", "sha256": "00"}], "options": options,
            "head": {"name": "FLAME", "sha256": "ab"}}  # fmt: skip


def torch_pickle() -> bytes:
    """data.pkl of a checkpoint with one tensor of 2 x 3, spelled in opcodes."""

    def text(words: str) -> bytes:
        return b"X" + struct.pack("<I", len(words)) + words.encode()

    storage = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu")
    storage += b"K\x06tQ"
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage
    tensor += b"K\x00K\x02K\x03\x86K\x03K\x01\x86\x89ccollections\nOrderedDict\n)RtR"
    node = b"comegaconf.dictconfig\nDictConfig\n)\x81}" + text("_content") + b"}" + text("a")
    node += b"K\x05ssb"
    return (b"\x80\x02}(" + text("state_dict") + b"}" + text("w") + tensor + b"s"
            + text("hyper_parameters") + node + text("epoch") + b"K\x07u.")  # fmt: skip


def safetensors_header() -> dict[str, Any]:
    """Two tensors in 20 bytes."""
    return {
        "__metadata__": {"from": "here"},
        "a": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]},
        "b": {"dtype": "BF16", "shape": [2], "data_offsets": [16, 20]},
    }


def recording() -> bytes:
    """A recording of Live Link Face."""
    names = ["JawOpen", "EyeLookOutLeft", "EyeLookInRight", "HeadYaw", "LeftEyeYaw"]
    lines = [f"23:59:59:{i:02d}.250,5,0.{i},0.{i},0.{i},0.1,-0.{i}" for i in range(1, 9)]
    return "\n".join([",".join(["Timecode", "BlendShapeCount", *names]), *lines, ""]).encode()


OBJ = b"# template\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 0 1\nf 1/1 2/2 3/3\n"

MESSAGES = (
    b'{"type":"hello","protocol":1}\n{"type":"job","id":"a","kind":"reconstruct","params":'
    b'{"photos":["p.npz"],"options":{"face":0,"box":[1,2,3,4],"focal_px":900.0},"out":"o"}}\n'
    b'{"type":"cancel","id":"a"}\n{"type":"bye"}\n'
)
