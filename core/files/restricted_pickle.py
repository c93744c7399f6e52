# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a pickle without trusting it: the one door for every pickled model file.

A pickle is a program. It runs here on a small machine of our own (``pickle_machine``), over the
opcodes that ``pickletools`` decodes; the unpickler of the standard library is never started. The
machine can build None, numbers, text, bytes, lists, tuples, dicts and sets, and beyond that only
what the caller's allow-list names. Everything else is refused by its class name, before anything
of it has run.

What the machine does differs from a full unpickler in these points, each on purpose:

* A name is looked up in the allow-list and nowhere else; nothing is imported. Python 2's
  ``__builtin__`` and ``copy_reg`` count as ``builtins`` and ``copyreg``.
* Only a value out of the allow-list can be called.
* State (BUILD) is handed to ``__setstate__`` of an object that an allowed callable has made. A
  plain container drops the attributes it would get; a class or function never gets any.
* Python 2's 8-bit strings become ``str`` in Latin-1: encode back for the bytes.
* Sizes, opcode count and the depth of tuples are limited, and the keys of dicts are simple.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import ModelFileError
from .pickle_machine import ForbiddenName, PickleMachine

#: (module, qualified name) as the pickle spells it -> what stands for it. Callables may be
#: called with any arguments, so each has to be safe with any.
Allowed = Mapping[tuple[str, str], Any]


@dataclass(frozen=True)
class Limits:
    """Bounds on what is read: bytes of the pickle, its opcodes, tuples within tuples."""

    size: int = 1 << 30
    opcodes: int = 20_000_000
    tuple_depth: int = 16


def load_restricted(
    file: BinaryIO | bytes | Path,
    allowed: Allowed,
    *,
    source: str,
    persistent_load: Callable[[Any], Any] | None = None,
    limits: Limits | None = None,
) -> Any:
    """Whatever the pickle describes, if the allow-list covers it.

    source: how the file is called in a sentence to the person ("uv.ckpt").
    persistent_load: resolves the pickle's references to data outside it; without it such a
    reference is refused.

    Raises ModelFileError for a name outside the allow-list (naming it), a damaged or truncated
    pickle, and one beyond the limits. The callables of the allow-list may raise it too.
    """
    limits = limits or Limits()
    data = _read(file, limits.size, source)
    machine = PickleMachine(allowed, persistent_load, limits.opcodes, limits.tuple_depth)
    try:
        return machine.run(data)
    except ForbiddenName as error:
        raise refused(source, error.module, error.name) from error
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError) as error:
        raise damaged(source) from error
    except (EOFError, MemoryError, ValueError) as error:  # what pickletools and bad sizes raise
        raise damaged(source) from error


def damaged(source: str) -> ModelFileError:
    """The error for a file whose content makes no sense."""
    return ModelFileError(
        f"{source} is damaged or incomplete: download or copy it again from where you got it."
    )


def refused(source: str, module: str, name: str) -> ModelFileError:
    """The error for a class that has no place in such a file."""
    label = f"{module}.{name}"[:120].encode("ascii", "backslashreplace").decode("ascii")
    label = "".join(c if c.isprintable() else "?" for c in label)
    return ModelFileError(
        f"{source} was not opened, because it asks for {label}, which has no place in a model "
        "file: get the file again from its authors."
    )


def latin1_bytes(text: str, encoding: str = "latin1") -> bytes:
    """Stands for ``_codecs.encode``, by which old protocols spell bytes; no other codec."""
    if encoding.lower().replace("-", "") not in ("latin1", "iso88591") or not isinstance(text, str):
        raise ValueError(f"codec {encoding!r}")
    return text.encode("latin1")


def _read(file: BinaryIO | bytes | Path, size: int, source: str) -> bytes:
    if isinstance(file, Path):
        try:
            with file.open("rb") as stream:
                data = stream.read(size + 1)
        except OSError as error:
            raise ModelFileError(
                f"{source} cannot be read ({error.strerror}): check that it is there and that "
                "you may open it."
            ) from error
    else:
        data = file if isinstance(file, bytes) else file.read(size + 1)
    if not data:
        raise ModelFileError(f"{source} is empty: download or copy it again.")
    if len(data) > size:
        raise ModelFileError(
            f"{source} is larger than any model file of its kind: choose another file."
        )
    return data
