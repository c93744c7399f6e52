# SPDX-License-Identifier: GPL-3.0-or-later
"""The stack machine that runs a pickle's opcodes; ``restricted_pickle`` is its door.

It knows the opcodes of all protocols but the extension registry (EXT1, EXT2, EXT4) and
out-of-band buffers, which no file holds. Whatever it does not know or what makes no sense raises
an ordinary exception, which the door turns into a sentence.
"""

from __future__ import annotations

import io
import pickletools
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Mapping
from typing import Any

_PYTHON_2_NAMES = {"__builtin__": "builtins", "copy_reg": "copyreg"}
_PLAIN_CONTAINERS = (dict, OrderedDict, defaultdict, list, set)
_SIMPLE_KEYS = (str, bytes, int, float, bool, type(None))


class ForbiddenName(Exception):  # noqa: N818 - carries a fact to the door, reaches nobody else
    """The pickle names a class or function that the allow-list does not."""

    def __init__(self, module: str, name: str) -> None:
        super().__init__(module, name)
        self.module, self.name = module, name


class PickleMachine:
    """One run over one pickle. Opcode NAME is handled by the method ``_op_name``."""

    def __init__(
        self,
        allowed: Mapping[tuple[str, str], Any],
        persistent_load: Callable[[Any], Any] | None,
        max_opcodes: int,
        max_tuple_depth: int,
    ) -> None:
        self.allowed = {
            (_PYTHON_2_NAMES.get(module, module), name): value
            for (module, name), value in allowed.items()
        }
        self.callables = {id(v) for v in self.allowed.values() if callable(v)}
        self.persistent_load = persistent_load
        self.max_opcodes = max_opcodes
        self.max_tuple_depth = max_tuple_depth
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        # Held so that no id is used twice while the depths are known by id.
        self.tuples: dict[int, tuple[tuple[Any, ...], int]] = {}

    def run(self, data: bytes) -> Any:
        """What the whole pickle leaves on the stack."""
        for count, (opcode, arg, _) in enumerate(pickletools.genops(io.BytesIO(data))):
            if count > self.max_opcodes:
                raise ValueError("too many opcodes")
            if opcode.name == "STOP":
                return self.stack.pop()
            if opcode.name in _LITERALS:
                self.stack.append(arg)
            elif opcode.name in _FRESH:
                self.stack.append(_FRESH[opcode.name]())
            elif opcode.name not in _FRAMING:
                getattr(self, "_op_" + opcode.name.lower())(arg)
        raise EOFError

    # --- stack and memo ----------------------------------------------------------------------
    def _op_mark(self, _: None) -> None:
        self.marks.append(self.stack)
        self.stack = []

    def _pop_mark(self) -> list[Any]:
        items = self.stack
        self.stack = self.marks.pop()
        return items

    def _op_pop_mark(self, _: None) -> None:
        self._pop_mark()

    def _op_pop(self, _: None) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self._pop_mark()

    def _op_dup(self, _: None) -> None:
        self.stack.append(self.stack[-1])

    def _op_put(self, index: int) -> None:
        self.memo[index] = self.stack[-1]

    _op_binput = _op_long_binput = _op_put

    def _op_memoize(self, _: None) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def _op_get(self, index: int) -> None:
        self.stack.append(self.memo[index])

    _op_binget = _op_long_binget = _op_get

    # --- containers --------------------------------------------------------------------------
    def _push(self, value: Any) -> None:
        """Tuples hash by recursion in C, without a guard: a deep one would end the process."""
        if type(value) is tuple and value:
            inner = (self.tuples[id(i)][1] if i else 0 for i in value if type(i) is tuple)
            depth = 1 + max(inner, default=0)
            if depth > self.max_tuple_depth:
                raise ValueError("tuples too deep")
            self.tuples[id(value)] = (value, depth)
        self.stack.append(value)

    def _op_tuple(self, _: None) -> None:
        self._push(tuple(self._pop_mark()))

    def _pop_tuple(self, size: int) -> None:
        items = [self.stack.pop() for _ in range(size)]
        self._push(tuple(items[::-1]))

    def _op_tuple1(self, _: None) -> None:
        self._pop_tuple(1)

    def _op_tuple2(self, _: None) -> None:
        self._pop_tuple(2)

    def _op_tuple3(self, _: None) -> None:
        self._pop_tuple(3)

    def _op_list(self, _: None) -> None:
        self._push(self._pop_mark())

    def _op_append(self, _: None) -> None:
        self._extend([self.stack.pop()])

    def _op_appends(self, _: None) -> None:
        self._extend(self._pop_mark())

    def _extend(self, items: list[Any]) -> None:
        if not isinstance(self.stack[-1], list):
            raise TypeError("append to what is no list")
        self.stack[-1].extend(items)

    def _op_dict(self, _: None) -> None:
        self._push(self._pairs(self._pop_mark()))

    def _op_setitem(self, _: None) -> None:
        value = self.stack.pop()
        self._update([self.stack.pop(), value])

    def _op_setitems(self, _: None) -> None:
        self._update(self._pop_mark())

    def _update(self, items: list[Any]) -> None:
        if not isinstance(self.stack[-1], dict):
            raise TypeError("items for what is no dict")
        self.stack[-1].update(self._pairs(items))

    def _op_frozenset(self, _: None) -> None:
        self._push(frozenset(self._keys(self._pop_mark())))

    def _op_additems(self, _: None) -> None:
        items = self._keys(self._pop_mark())
        if not isinstance(self.stack[-1], set):
            raise TypeError("members for what is no set")
        self.stack[-1].update(items)

    def _pairs(self, items: list[Any]) -> dict[Any, Any]:
        return dict(zip(self._keys(items[::2]), items[1::2], strict=True))

    def _keys(self, keys: list[Any]) -> list[Any]:
        for key in keys:
            parts = key if type(key) is tuple else (key,)
            if not all(type(part) in _SIMPLE_KEYS for part in parts):
                raise TypeError("a key of a kind that no model file has")
        return keys

    # --- names, calls, state -----------------------------------------------------------------
    def _find(self, module: Any, name: Any) -> Any:
        if type(module) is not str or type(name) is not str:
            raise TypeError("a class name that is no text")
        key = (_PYTHON_2_NAMES.get(module, module), name)
        if key not in self.allowed:
            raise ForbiddenName(module, name)
        return self.allowed[key]

    def _op_global(self, label: str) -> None:
        self._push(self._find(*label.split(" ", 1)))

    def _op_stack_global(self, _: None) -> None:
        name = self.stack.pop()
        self._push(self._find(self.stack.pop(), name))

    def _call(self, function: Any, args: Any, keywords: Any) -> None:
        if id(function) not in self.callables:
            raise TypeError("a call of what the allow-list does not name")
        if type(args) is not tuple or type(keywords) is not dict:
            raise TypeError("arguments that are no tuple")
        self._push(function(*args, **keywords))

    def _op_reduce(self, _: None) -> None:
        args = self.stack.pop()
        self._call(self.stack.pop(), args, {})

    _op_newobj = _op_reduce

    def _op_newobj_ex(self, _: None) -> None:
        keywords = self.stack.pop()
        args = self.stack.pop()
        self._call(self.stack.pop(), args, keywords)

    def _op_obj(self, _: None) -> None:
        function, *args = self._pop_mark()
        self._call(function, tuple(args), {})

    def _op_inst(self, label: str) -> None:
        self._call(self._find(*label.split(" ", 1)), tuple(self._pop_mark()), {})

    def _op_build(self, _: None) -> None:
        state = self.stack.pop()
        target = self.stack[-1]
        if isinstance(target, type) or id(target) in self.callables:
            raise TypeError("state for a class")
        if type(target) not in _PLAIN_CONTAINERS:
            target.__setstate__(state)

    def _op_persid(self, reference: Any) -> None:
        if self.persistent_load is None:
            raise ValueError("a reference to outside data")
        self._push(self.persistent_load(reference))

    def _op_binpersid(self, _: None) -> None:
        self._op_persid(self.stack.pop())


_FRAMING = frozenset({"PROTO", "FRAME"})

_FRESH: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_SET": set,
    "EMPTY_TUPLE": tuple,
}

#: Opcodes whose decoded argument is the value itself.
_LITERALS = frozenset(
    {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"}
    | {"STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE"}
    | {"BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"}
)
