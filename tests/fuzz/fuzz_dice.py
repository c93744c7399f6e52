# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes that decide: how a well-formed file is changed, so that a fuzzer gets behind checksums.

A fuzzer that flips bits of a zip file never passes its checksums. Here its bytes choose which
array, member or JSON value becomes what, and the file around it is put together soundly.
"""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import numpy as np


class Dice:
    """Decisions out of bytes; when they have run out, every one is the first."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        """At most that many bytes."""
        piece = self.data[self.at : self.at + count]
        self.at += count
        return piece

    def number(self, below: int) -> int:
        """0 to below - 1."""
        return int.from_bytes(self.take(2), "little") % max(below, 1)

    def choice(self, options: Any) -> Any:
        return options[self.number(len(options))]

    @property
    def left(self) -> bool:
        return self.at < len(self.data)


#: JSON that nobody expects: text of it, since some is no JSON to a strict writer.
HOSTILE_JSON = (
    "null", "true", "0", "-1", "1", "2", "1e308", "1e-320", "1e999", "-1e999", "NaN",
    "9" * 400, "0.5", '""', '"x"', '"\\u0000"', '"\\ud800"', '"' + "x" * 600 + '"', "[]", "[[]]",
    "[1]", "[null]", "[true]", "[NaN]", "[" * 60 + "]" * 60, "{}", '{"a":1}', '{"schema":1}',
    "4294967296", "-9223372036854775809", "[1,2]", "[1,2,3]", "[[1,2],[3]]", '["a","b","c"]',
    "[1e999,0,0]", "[" + "9" * 400 + ",0,0]", "[0,0,0]", "1e5", "478", "65",
)  # fmt: skip


def altered_json(value: Any, dice: Dice) -> str:
    """The value as JSON with some places replaced, taken away or doubled."""
    marks: dict[str, str] = {}
    value = json.loads(json.dumps(value))
    for _ in range(dice.number(4)):
        parent, key = None, None
        at = value
        while isinstance(at, dict | list) and at and (parent is None or dice.number(4)):
            keys = list(at) if isinstance(at, dict) else range(len(at))
            parent, key = at, dice.choice(keys)
            at = parent[key]
        if parent is None:
            continue
        action = dice.number(8)
        if action == 0:
            del parent[key]
        elif action == 1 and isinstance(parent, list):
            parent.append(at)
        else:
            mark = f"mark-{len(marks)}-"
            marks[f'"{mark}"'] = dice.choice(HOSTILE_JSON)
            parent[key] = mark
    text = json.dumps(value)
    for mark, hostile in marks.items():
        text = text.replace(mark, hostile)
    if dice.number(16) == 1:
        at = dice.number(len(text) + 1)
        text = text[:at] + dice.take(4).decode("latin1") + text[at:]
    return text


def altered_array(array: np.ndarray, dice: Dice) -> np.ndarray:
    """The same with other numbers, in another shape, or of another type."""
    array = np.array(array)
    flat = array.reshape(-1)
    action = dice.number(14)
    if action == 0 and flat.size and array.dtype.kind in "fiu":
        with np.errstate(all="ignore"):
            hostile = np.array(dice.choice([np.nan, np.inf, -1.0, 1e30, 0.0, 2.0**31, 7.0, -2.0]))
            flat[dice.number(flat.size)] = hostile.astype(array.dtype)
    elif action == 1 and flat.size and array.dtype.kind in "fiu":
        with np.errstate(all="ignore"):
            flat[:] = np.array(dice.choice([np.nan, np.inf, -1.0, 1e30, 0.0, 5.0])).astype(
                array.dtype
            )
    elif action == 2 and flat.size:
        raw = bytearray(array.tobytes())
        for _ in range(1 + dice.number(4)):
            raw[dice.number(len(raw))] = dice.number(256)
        array = np.frombuffer(bytes(raw), array.dtype).reshape(array.shape)
    elif action == 3:
        array = array[: dice.number(max(len(flat), 1))] if array.ndim else array[None]
    elif action == 4:
        array = array[None]
    elif action == 5:
        array = array.reshape(-1)
    elif action == 6:
        array = array.T
    elif action == 7:
        kind = dice.choice(["<f2", ">f4", "<f8", "<c8", "<u8", "<i1", "|b1", "<M8[s]", "<U3", "S5"])
        try:
            with np.errstate(all="ignore"):
                array = array.astype(kind)
        except (ValueError, TypeError):
            array = np.zeros(array.shape, kind)
    elif action == 8:
        array = np.array(dice.choice(["", "x", "[1]", "{", "null", "\ud7ff", "a\0b", "é" * 300]))
    elif action == 9:
        array = np.array(altered_json({"a": 1, "b": [1, 2]}, dice))
    elif action == 10:
        array = np.zeros(dice.choice([(0,), (0, 3), (3, 0), (1,), (), (1, 1, 1, 1)]), array.dtype)
    elif action == 11:
        array = np.zeros(array.shape, [("a", "<f4"), ("b", "<i4")])
    elif action == 12:
        array = np.repeat(array, 2, axis=0) if array.ndim else array
    elif action == 13 and array.dtype.kind == "U":
        array = np.array([dice.take(6).decode("latin1") for _ in range(max(len(flat), 1))])
    return array


#: Headers of an .npy that lie.
_HEADERS = (
    b"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999,), }",
    b"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }",
    b"{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4), }",
    b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
    b"{'descr': '<U9999999', 'fortran_order': False, 'shape': (), }",
    b"{'descr': [('a', '|O')], 'fortran_order': False, 'shape': (1,), }",
    b"{'descr': '<f4', 'fortran_order': 3, 'shape': (1,), }",
    b"{'descr': '<f4', 'fortran_order': False, 'shape': 3, }",
    b"{'descr': '<f4', 'fortran_order': False, 'shape': (" + b"(" * 900 + b"}",
    b"{'descr': '<f4',\n 'fortran_order': False,\n   'shape': (1",
    b"__import__('os').system('true')",
    b"{'descr': '<f4', 'fortran_order': False, 'shape': (True,), }",
    b"{1: 2}",
    b"\x00\xff",
)


def npy(array: np.ndarray, dice: Dice | None = None) -> bytes:
    """An array's file, with a header that may lie."""
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    data = stream.getvalue()
    if dice is None or dice.number(12) != 1:
        return data
    header = dice.choice(_HEADERS)
    version = dice.choice([b"\x01\x00", b"\x02\x00", b"\x03\x00", b"\x09\x00"])
    width = 2 if version == b"\x01\x00" else 4
    return b"\x93NUMPY" + version + len(header).to_bytes(width, "little") + header + data[-64:]


def altered_npz(arrays: dict[str, np.ndarray], dice: Dice) -> bytes:
    """An .npz of the arrays with some of them changed, missing, lying, or the zip itself."""
    members = {f"{name}.npy": npy(array) for name, array in arrays.items()}
    names = list(arrays)
    for _ in range(dice.number(4)):
        name = dice.choice(names)
        if dice.number(8) == 1:
            members.pop(f"{name}.npy", None)
        else:
            members[f"{name}.npy"] = npy(altered_array(arrays[name], dice), dice)
    return altered_zip(members, dice)


def altered_zip(members: dict[str, bytes], dice: Dice) -> bytes:
    """A zip of the members, now and then with bytes of the zip itself changed."""
    stream = io.BytesIO()
    kind = dice.choice([zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    with zipfile.ZipFile(stream, "w", kind) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, compress_type=kind)
    data = bytearray(stream.getvalue())
    if dice.number(6) == 1:
        directory = data.rfind(b"PK\x01\x02")
        for _ in range(1 + dice.number(3)):
            start = directory if dice.number(2) else 0
            data[start + dice.number(len(data) - start)] = dice.number(256)
    if dice.number(24) == 1:
        data = data[: dice.number(len(data))]
    return bytes(data)
