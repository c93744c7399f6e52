# SPDX-License-Identifier: GPL-3.0-or-later
"""Framing: any cut of a stream gives the same messages, and no stream does harm."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import WorkerError
from core.protocol import (
    MAX_LINE,
    PROTOCOL_VERSION,
    FrameDecoder,
    check_hello,
    encode,
    message,
    worker_command,
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@settings(deadline=None)
@given(payloads=st.lists(json_values, max_size=5), cuts=st.lists(st.integers(0, 500), max_size=8))
def test_messages_survive_any_cut_of_the_stream(payloads, cuts):
    sent = [message("progress", payload=payload) for payload in payloads]
    stream = b"".join(encode(msg) for msg in sent)
    at = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    decoder = FrameDecoder()
    got = [msg for a, b in pairwise(at) for msg in decoder.feed(stream[a:b])]
    assert got == sent
    assert not decoder.unfinished


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_garbage_is_a_worker_error_or_a_message(data):
    try:
        messages = FrameDecoder().feed(data + b"\n")
    except WorkerError:
        return
    assert all(isinstance(msg["type"], str) for msg in messages)


@pytest.mark.parametrize(
    "line",
    [
        b"hello",
        b"[]",
        b"{}",
        b'{"type": 3}',
        b'{"type": "a", "x": NaN}',
        b'{"type": "a"',
        b'{"type": "\xff"}',
        b"[" * 100_000,
        b'{"type": "a", "n": ' + b"9" * 100_000 + b"}",
    ],
    ids=lambda line: repr(line[:24]),
)
def test_what_is_no_message(line):
    with pytest.raises(WorkerError):
        FrameDecoder().feed(line + b"\n")


def feed_for_ever(decoder: FrameDecoder) -> None:
    while True:
        decoder.feed(b"x" * 65536)


def test_an_endless_line_is_given_up_before_it_fills_the_memory():
    decoder = FrameDecoder()
    with pytest.raises(WorkerError, match="line of more than"):
        feed_for_ever(decoder)


def test_the_longest_line_that_may_be_sent_may_be_received():
    frame = json.dumps({"type": "a", "x": ""}, separators=(",", ":"))
    fitting = message("a", x="y" * (MAX_LINE - len(frame) - 1))
    assert len(encode(fitting)) == MAX_LINE
    assert FrameDecoder().feed(encode(fitting)) == [fitting]
    with pytest.raises(WorkerError, match="longer"):
        encode(message("a", x=fitting["x"] + "y"))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), b"bytes"])
def test_what_is_no_json_is_not_sent(value):
    with pytest.raises(WorkerError):
        encode(message("a", x=value))


def test_hello_of_another_version_is_refused_with_a_remedy():
    check_hello(message("hello", protocol=PROTOCOL_VERSION, version="9", new_field=1))
    with pytest.raises(WorkerError, match="restart Blender"):
        check_hello(message("hello", protocol=PROTOCOL_VERSION + 1))
    with pytest.raises(WorkerError, match="hello"):
        check_hello(message("heartbeat"))


def test_the_worker_s_interpreter_runs_isolated(repository):
    command = worker_command("python")
    assert command[:2] == ["python", "-I"]
    assert command[-2:] == [str(repository), "core"]
