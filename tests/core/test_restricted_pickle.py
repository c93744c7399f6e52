# SPDX-License-Identifier: GPL-3.0-or-later
"""The restricted unpickler: what it builds, what it refuses, and that nothing runs."""

from __future__ import annotations

import builtins
import gzip
import os
import pickle
import random
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import ModelFileError
from core.files.restricted_pickle import Limits, latin1_bytes, load_restricted

PLAIN = {
    "none": None,
    "flags": [True, False],
    "numbers": [0, 1, -1, 255, 65536, 2**31, -(2**70), 1.5, float("inf")],
    "text": ["", "short", "x" * 300, "größer", "\n'\"\\"],
    "tuples": [(), (1,), (1, 2), (1, 2, 3), (1, (2, (3,)), 4)],
    "nested": {"a": {"b": [{"c": ()}]}, 3: 4, (1, "k"): 5},
}
NEWER = {3: [b"", b"bytes", b"\x00\xff" * 300], 4: [{1, 2}, frozenset({"a"})], 5: bytearray(b"xy")}


class Stub:
    """Takes whatever an object of another library would be made of."""

    def __init__(self, *args: Any) -> None:
        self.args = args
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


FLAME_NAMES = {
    ("numpy", "ndarray"): Stub,
    ("numpy", "dtype"): Stub,
    ("numpy.core.multiarray", "_reconstruct"): Stub,
    ("numpy._core.multiarray", "_reconstruct"): Stub,
    ("_codecs", "encode"): latin1_bytes,
    ("scipy.sparse.csc", "csc_matrix"): Stub,
    ("scipy.sparse._csc", "csc_matrix"): Stub,
    ("chumpy.ch", "Ch"): Stub,
    ("builtins", "set"): set,
    ("builtins", "object"): object,
    ("copyreg", "_reconstructor"): lambda kind, base, state: kind(),
}


@pytest.fixture
def never_run(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Records whatever a malicious pickle would start."""
    calls: list[Any] = []
    monkeypatch.setattr(os, "system", calls.append)
    monkeypatch.setattr(builtins, "eval", calls.append)
    return calls


def read_fixture(shared: Path, name: str) -> bytes:
    data = (shared / "fixtures" / name).read_bytes()
    return gzip.decompress(data) if name.endswith(".gz") else data


@pytest.mark.parametrize("protocol", range(6))
def test_plain_data_comes_back_from_every_protocol(protocol: int) -> None:
    value = {**PLAIN, **{k: v for k, v in NEWER.items() if k <= protocol}}
    result = load_restricted(pickle.dumps(value, protocol), {}, source="plain.pkl")
    assert result == value
    assert repr(result) == repr(value)


def test_an_object_may_refer_to_itself() -> None:
    loop: list[Any] = []
    loop.append(loop)
    result = load_restricted(pickle.dumps(loop), {}, source="loop.pkl")
    assert result[0] is result


@pytest.mark.parametrize(
    "name",
    [
        "flame600_plain.pkl.gz",
        "flame600_py2_chumpy.pkl.gz",
        "flame600_py2_reconstructor_partial.pkl",
    ],
)
def test_python_2_and_3_model_pickles_are_read(shared_dir: Path, name: str) -> None:
    model = load_restricted(read_fixture(shared_dir, name), FLAME_NAMES, source=name)
    template = model["v_template"]
    while not isinstance(template.state, tuple):
        template = template.state["x"]
    _, shape, _, _, data = template.state
    raw = data if isinstance(data, bytes) else data.encode("latin1")
    vertices = np.frombuffer(raw, "<f8").reshape(shape)
    with np.load(shared_dir / "fixtures" / "flame600_expected.npz", allow_pickle=False) as z:
        # Set 0 is the model at rest; joints that turn by nothing leave the template in place.
        assert np.abs(vertices - z["vertices_f64"][0]).max() < 1e-9


@pytest.mark.parametrize(
    ("name", "culprit"),
    [
        ("flame_malicious.pkl", "posix.system"),
        ("flame_malicious_in_chumpy_state.pkl", "posix.system"),
        ("flame_malicious_eval.pkl", "__builtin__.eval"),
    ],
)
def test_malicious_fixtures_are_refused_by_name(
    shared_dir: Path, never_run: list[Any], name: str, culprit: str
) -> None:
    with pytest.raises(ModelFileError, match=culprit) as error:
        load_restricted(shared_dir / "fixtures" / name, FLAME_NAMES, source=name)
    assert name in str(error.value)
    assert never_run == []


class Evil:
    def __init__(self, function: Any, *args: Any) -> None:
        self.how = (function, args)

    def __reduce__(self) -> Any:
        return self.how


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("place", ["alone", "value", "state"])
def test_a_call_is_refused_wherever_it_stands(tmp_path: Path, protocol: int, place: str) -> None:
    marker = tmp_path / "ran"
    evil = Evil(os.mkdir, str(marker))
    value = {"alone": evil, "value": {"weights": [evil]}, "state": Evil(OrderedDict, [evil])}[place]
    data = pickle.dumps(value, protocol)
    with pytest.raises(ModelFileError, match=r"mkdir|OrderedDict"):
        load_restricted(data, {}, source="evil.pkl")
    with pytest.raises(ModelFileError, match="mkdir"):
        load_restricted(data, {("collections", "OrderedDict"): OrderedDict}, source="evil.pkl")
    assert not marker.exists()


@pytest.mark.parametrize(
    "data",
    [
        b"(S'x'\nios\nsystem\n.",  # INST
        b"(cos\nsystem\nS'x'\no.",  # OBJ
        b"cos\nsystem\n(S'x'\ntR.",  # GLOBAL, REDUCE
        b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x01x\x85R.",  # STACK_GLOBAL
        b"\x80\x04\x8c\x08builtins\x8c\x0bos.path.foo\x93.",  # a dotted name
    ],
)
def test_every_way_to_name_a_function_is_closed(never_run: list[Any], data: bytes) -> None:
    with pytest.raises(ModelFileError, match="no place in a model file"):
        load_restricted(data, {}, source="evil.pkl")
    assert never_run == []


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x02cm\nStub\n}U\x04argsK\x01sb.",  # state for a class
        b"\x80\x02U\x01x)R.",  # a call of a string
        b"\x80\x02cm\nStub\nK\x01R.",  # arguments that are no tuple
        b"\x80\x02\x82\x01.",  # the extension registry
        b"\x80\x02U\x01xQ.",  # a reference to outside data
        b"\x80\x02}cm\nStub\nK\x01s.",  # a class as a key
        b"\x80\x02}]K\x01s.",  # a list as a key
        b"\x80\x02K\x01K\x02a.",  # append to a number
        b"\x80\x02h\x05.",  # a memo that was never put
        b"\x80\x02.",  # nothing on the stack
        b"\x80\x02a.",
        b"\x80\x02K\x01",  # no end
    ],
)
def test_nonsense_is_damage_and_changes_nothing(data: bytes) -> None:
    before = dict(vars(Stub))
    with pytest.raises(ModelFileError, match="damaged"):
        load_restricted(data, {("m", "Stub"): Stub}, source="odd.pkl")
    assert dict(vars(Stub)) == before


def test_a_name_with_line_ends_stays_one_sentence() -> None:
    data = b"\x80\x04\x8c\x03a\nb\x8c\x03c\r\x1b\x93."
    with pytest.raises(ModelFileError, match=r"it asks for a\?b\.c\?\?,"):
        load_restricted(data, {}, source="odd.pkl")


def test_only_named_values_can_be_called() -> None:
    """A callable that an allowed one returned is no way around the list."""
    data = b"\x80\x02cm\nmake\n)R)R."
    with pytest.raises(ModelFileError, match="damaged"):
        load_restricted(data, {("m", "make"): lambda: print}, source="odd.pkl")


def test_deep_tuples_never_reach_the_hash() -> None:
    deep = b"\x80\x02)" + b"\x85" * 100_000 + b"."
    with pytest.raises(ModelFileError, match="damaged"):
        load_restricted(deep, {}, source="deep.pkl")
    packed = b"\x80\x02K\x01" + b"\x85cm\ntuple\nq\x000" * 40 + b"."
    with pytest.raises(ModelFileError, match="damaged"):
        load_restricted(packed, {("m", "tuple"): tuple}, source="deep.pkl")


def test_limits_are_kept() -> None:
    data = pickle.dumps(list(range(1000)))
    with pytest.raises(ModelFileError, match="larger than"):
        load_restricted(data, {}, source="big.pkl", limits=Limits(size=len(data) - 1))
    with pytest.raises(ModelFileError, match="damaged"):
        load_restricted(data, {}, source="big.pkl", limits=Limits(opcodes=500))
    huge = b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x0fxx."  # BINBYTES8 of an exabyte
    with pytest.raises(ModelFileError, match="damaged"):
        load_restricted(huge, {}, source="huge.pkl")


def test_only_latin1_stands_for_old_bytes() -> None:
    assert latin1_bytes("\xff\x00", "latin1") == b"\xff\x00"
    with pytest.raises(ValueError, match="codec"):
        latin1_bytes("x", "zlib_codec")


def test_a_missing_or_empty_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"model\.pkl cannot be read"):
        load_restricted(tmp_path / "model.pkl", {}, source="model.pkl")
    (tmp_path / "empty.pkl").touch()
    with pytest.raises(ModelFileError, match=r"empty\.pkl is empty"):
        load_restricted(tmp_path / "empty.pkl", {}, source="empty.pkl")


def test_damage_anywhere_ends_in_a_value_or_a_sentence(
    shared_dir: Path, never_run: list[Any]
) -> None:
    """Truncations and random bytes over a real model pickle: never any other exception."""
    data = read_fixture(shared_dir, "flame600_py2_reconstructor_partial.pkl")
    source = random.Random(4)
    cases = [data[: source.randrange(len(data))] for _ in range(100)]
    for _ in range(400):
        # Most of the file is array data: strike where the opcodes are.
        broken = bytearray(data)
        for _ in range(source.randrange(1, 4)):
            at = source.randrange(2000) if source.random() < 0.7 else source.randrange(len(data))
            broken[at] = source.randrange(256)
        cases.append(bytes(broken))
    refused = 0
    for case in cases:
        try:
            load_restricted(case, FLAME_NAMES, source="broken.pkl")
        except ModelFileError:
            refused += 1
    assert refused > 100
    assert never_run == []
