# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate's rules on Python code: what runs a file or a text, what opens a network, what reaches
out of its part of the house.

A name is followed to where it was imported from, so that ``import numpy as anything`` and
``from pickle import load`` are seen for what they are. Words in comments and strings do no harm.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import PurePosixPath

Fault = tuple[int, str]

BLENDER_MODULES = frozenset({"bpy", "bpy_extras", "bmesh", "mathutils", "gpu", "blf", "bl_ext"})
MAY_USE_BLENDER = frozenset({"pixel3dmm_addon", "tests", "tools", "training", "benchmarks"})
#: What goes into the extension's zip.
SHIPPED = frozenset({"core", "pixel3dmm_addon"})

#: Modules that turn a file into objects by running it. Tests may make such files, not read them.
UNPICKLERS = frozenset(
    {"pickle", "_pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}
)
NETWORK = (
    "socket", "_socket", "socketserver", "ssl", "_ssl", "http", "urllib.request", "urllib.error",
    "urllib3", "ftplib", "smtplib", "poplib", "imaplib", "xmlrpc", "asyncio", "requests", "httpx",
    "aiohttp", "websocket", "websockets", "pycurl", "paramiko", "huggingface_hub", "webbrowser",
)  # fmt: skip

_TEXT_AS_CODE = "runs text as code"
_SHELL = "hands text to a shell"
_UNPICKLES = "runs whatever the file says; read it with the restricted reader"
FORBIDDEN_CALLS = {
    **dict.fromkeys(("eval", "exec", "builtins.eval", "builtins.exec"), _TEXT_AS_CODE),
    **dict.fromkeys(("os.system", "os.popen", "subprocess.getoutput"), _SHELL),
    "subprocess.getstatusoutput": _SHELL,
    **{f"{m}.{n}": _UNPICKLES for m in UNPICKLERS for n in ("load", "loads", "open", "Unpickler")},
    "pandas.read_pickle": _UNPICKLES,
}
#: Calls that are safe with one argument spelled out, and that argument.
SAFE_WITH = {
    "numpy.load": ("allow_pickle", False),
    "numpy.lib.format.read_array": ("allow_pickle", False),
    "torch.load": ("weights_only", True),
}
_SYSTEM_PATH = re.compile(
    r"/(?:usr|opt|etc|var|mnt|media|proc|sys|dev|bin|run|Applications|Library|Volumes)/|[A-Z]:[\\/]"
)


def code_faults(path: PurePosixPath, tree: ast.AST) -> Iterator[Fault]:
    """(line, fault) of one file's syntax tree. ``path`` is relative to the project's root."""
    top = path.parts[0]
    names = _imported_names(tree)
    for node in ast.walk(tree):
        for module in _imported(node):
            yield from ((node.lineno, fault) for fault in _import_faults(module, top))
        if isinstance(node, ast.Call):
            yield from ((node.lineno, fault) for fault in _call_faults(node, names))
        if top in SHIPPED and _starts_pip(node):
            yield node.lineno, "pip is started outside the one downloader"
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        name = _resolved(node, names) if isinstance(node, ast.Name | ast.Attribute) else ""
        if (name in SAFE_WITH or name in FORBIDDEN_CALLS) and id(node) not in called:
            yield node.lineno, f"{name} is passed on, where nobody sees what it is called with"
    if top in SHIPPED:
        yield from _path_faults(tree)


def _imported_names(tree: ast.AST) -> dict[str, str]:
    """Name in this file -> what it was imported as."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                names[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def _resolved(node: ast.expr, names: dict[str, str]) -> str:
    """The dotted name; empty for what is none."""
    if isinstance(node, ast.Name):
        # np is numpy even in a fragment.
        return names.get(node.id, {"np": "numpy"}.get(node.id, node.id))
    if isinstance(node, ast.Attribute):
        before = _resolved(node.value, names)
        return f"{before}.{node.attr}" if before else ""
    return ""


def _import_faults(module: str, top: str) -> Iterator[str]:
    first = module.split(".")[0]
    if first in BLENDER_MODULES and top not in MAY_USE_BLENDER:
        yield f"{module} is imported outside the add-on"
    if first in SHIPPED and top in SHIPPED:
        yield f"{module} is imported absolutely; inside Blender it has no such name"
    if first in UNPICKLERS and top != "tests":
        yield f"{module} is imported, which {_UNPICKLES}"
    if top != "tests" and any(module == m or module.startswith(m + ".") for m in NETWORK):
        yield f"{module} is imported, which opens the network"


def _call_faults(node: ast.Call, names: dict[str, str]) -> Iterator[str]:
    name = _resolved(node.func, names)
    options = {k.arg: k.value for k in node.keywords}
    if name in FORBIDDEN_CALLS:
        yield f"{name} {FORBIDDEN_CALLS[name]}"
    if name in SAFE_WITH:
        option, value = SAFE_WITH[name]
        if not _is_constant(options.get(option), value):
            yield f"{name} without {option}={value}"
    if "shell" in options and not _is_constant(options["shell"], False):
        yield f"shell=True {_SHELL}"


def _is_constant(node: ast.expr | None, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
        # "from urllib import request" names a module as well.
        within = [f"urllib.{a.name}" for a in node.names] if node.module == "urllib" else []
        return [node.module, *within]
    return []


def _starts_pip(node: ast.AST) -> bool:
    """[..., "-m", "pip", ...] or ["pip", ...]."""
    if not isinstance(node, ast.List | ast.Tuple):
        return False
    words = [e.value if isinstance(e, ast.Constant) else None for e in node.elts]
    return words[:1] in (["pip"], ["pip3"]) or ("-m", "pip") in pairwise(words)


def _path_faults(tree: ast.AST) -> Iterator[Fault]:
    """Text that begins like a path of one system; a sentence about one is no path."""
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and _SYSTEM_PATH.match(text) and " " not in text:
            yield node.lineno, f"an absolute path: {text}"
