# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in the pickle of a torch checkpoint, rebuilt as descriptions and plain values.

No class of torch, Lightning or OmegaConf is imported: a tensor becomes the place of its bytes, a
configuration object the dict or list that it holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

#: torch's storage classes as safetensors calls their element type, and its size in bytes.
_STORAGES = {
    "DoubleStorage": ("F64", 8),
    "FloatStorage": ("F32", 4),
    "HalfStorage": ("F16", 2),
    "BFloat16Storage": ("BF16", 2),
    "LongStorage": ("I64", 8),
    "IntStorage": ("I32", 4),
    "ShortStorage": ("I16", 2),
    "CharStorage": ("I8", 1),
    "ByteStorage": ("U8", 1),
    "BoolStorage": ("BOOL", 1),
}
_PLAIN_DEPTH = 48
_PLAIN_VALUES = 500_000


@dataclass(frozen=True)
class StoredTensor:
    """A tensor in the file. dtype is safetensors' name for it; strides count elements."""

    dtype: str
    itemsize: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int
    storage: str

    @property
    def nbytes(self) -> int:
        """Bytes of the tensor itself, not of its storage."""
        return prod(self.shape) * self.itemsize

    @property
    def contiguous(self) -> bool:
        """True if its elements follow each other in C order."""
        expected = 1
        for size, stride in zip(reversed(self.shape), reversed(self.strides), strict=True):
            if size != 1 and stride != expected:
                return False
            expected *= size
        return True


def plain(value: Any) -> Any:
    """The value with OmegaConf's nodes unwrapped and tensors named, ready for JSON.

    What lies deeper than any configuration does, or is more than one could hold, becomes "...":
    a pickle may well refer to itself.
    """
    budget = iter(range(_PLAIN_VALUES))

    def unwrap(value: Any, depth: int) -> Any:
        if depth > _PLAIN_DEPTH or next(budget, None) is None:
            return "..."
        if isinstance(value, _ConfigNode):
            return unwrap(value.state.get("_content", value.state.get("_val")), depth + 1)
        if isinstance(value, dict):
            return {str(k): unwrap(v, depth + 1) for k, v in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [unwrap(v, depth + 1) for v in value]
        if isinstance(value, StoredTensor):
            return f"tensor {list(value.shape)} {value.dtype}"
        return value if isinstance(value, str | int | float | bool | type(None)) else str(value)

    return unwrap(value, 0)


class _ConfigNode:
    """Stands for every class of OmegaConf: keeps the state, does nothing with it."""

    __slots__ = ("state",)

    def __init__(self, *args: Any) -> None:
        self.state: dict[str, Any] = {}

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, dict):
            raise TypeError("state of an unknown form")
        self.state = state


@dataclass(frozen=True)
class _Storage:
    dtype: str
    itemsize: int
    key: str
    count: int


def persistent_load(reference: Any) -> _Storage:
    """The storage behind torch's persistent id: ("storage", class, key, device, count)."""
    kind, (dtype, itemsize), key, _, count = reference
    if kind != "storage" or not isinstance(key, str) or not key.isalnum():
        raise ValueError("a reference of an unknown form")
    return _Storage(dtype, itemsize, key, int(count))


def _rebuild_tensor(storage: _Storage, offset: int, shape: Any, strides: Any, *_: Any) -> Any:
    sizes = (offset, *shape, *strides)
    if not isinstance(storage, _Storage) or any(type(n) is not int or n < 0 for n in sizes):
        raise TypeError("a tensor of an unknown form")
    last = offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
    if prod(shape) > storage.count or (prod(shape) and last >= storage.count):
        raise ValueError("a tensor that is larger than its storage")
    return StoredTensor(
        storage.dtype, storage.itemsize, tuple(shape), tuple(strides), offset, storage.key
    )


def _rebuild_parameter(data: Any, *_: Any) -> Any:
    return data


def _mapping(*args: Any) -> dict[Any, Any]:
    """OrderedDict and defaultdict; what the latter would make for missing keys is dropped."""
    items = args[0] if args and isinstance(args[0], list) else ()
    return dict(items)


def allowed_names() -> dict[tuple[str, str], Any]:
    """The allow-list: what torch, Lightning and OmegaConf leave in a checkpoint, and no more."""
    names: dict[tuple[str, str], Any] = {
        ("collections", "OrderedDict"): _mapping,
        ("collections", "defaultdict"): _mapping,
        ("pytorch_lightning.utilities.parsing", "AttributeDict"): _mapping,
        ("lightning_fabric.utilities.data", "AttributeDict"): _mapping,
        ("lightning.fabric.utilities.data", "AttributeDict"): _mapping,
        ("builtins", "set"): set,
        ("torch", "Size"): tuple,
        ("torch._utils", "_rebuild_tensor"): _rebuild_tensor,
        ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
        ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
        ("omegaconf.dictconfig", "DictConfig"): _ConfigNode,
        ("omegaconf.listconfig", "ListConfig"): _ConfigNode,
        ("omegaconf.base", "ContainerMetadata"): _ConfigNode,
        ("omegaconf.base", "Metadata"): _ConfigNode,
        # Named as the type of a value, never called: their own names stand for them.
        ("typing", "Any"): "Any",
    }
    for name in ("dict", "list", "tuple", "str", "int", "long", "float", "bool", "bytes", "object"):
        names["builtins", name] = name
    for node in ("Any", "String", "Integer", "Float", "Boolean", "Bytes", "Path", "Enum"):
        names["omegaconf.nodes", node + "Node"] = _ConfigNode
    for storage, element in _STORAGES.items():
        names["torch", storage] = element
    return names
