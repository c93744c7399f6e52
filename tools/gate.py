# SPDX-License-Identifier: GPL-3.0-or-later
"""House rules that a machine can check and the usual linters do not.

Python files are judged by their syntax tree, so that words in comments and strings do no harm;
paths and host names are looked for in the text of every file.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

SPDX = "# SPDX-License-Identifier: GPL-3.0-or-later"
SKIPPED_FOLDERS = frozenset({"__pycache__", "out", "dist"})
LICENCE_TEXTS = frozenset({"LICENSE", "LICENSE.txt", "COPYING"})
BLENDER_MODULES = frozenset({"bpy", "bpy_extras", "bmesh", "mathutils", "gpu", "blf", "bl_ext"})
MAY_USE_BLENDER = frozenset({"pixel3dmm_addon", "tests", "tools", "benchmarks"})
ONLY_RELATIVE = frozenset({"core", "pixel3dmm_addon"})
FORBIDDEN_CALLS = {
    "eval": "eval runs text as code",
    "exec": "exec runs text as code",
    "pickle.load": "pickle.load runs whatever the file says; read it with the restricted reader",
    "pickle.loads": "pickle.loads runs whatever the data says; read it with the restricted reader",
}
ABSOLUTE_PATH = re.compile(
    r"(?<![\w./~:$}-])/(?:root|home|Users|work|tmp)/[\w.]|(?<!\w)[A-Z]:\\+Users\\"
)
REGISTRY = re.compile(
    r"pypi\.org|python" r"hosted\.org|conda\.anaconda\.org|download\.pytorch\.org"
)


def check_tree(root: Path) -> list[str]:
    """Faults of all files under the root as "path:line: what is wrong", sorted by path."""
    faults: list[str] = []
    for path in project_files(root):
        relative = PurePosixPath(path.relative_to(root).as_posix())
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        faults += [f"{relative}:{line}: {what}" for line, what in check_file(relative, text)]
    return faults


def project_files(root: Path) -> Iterator[Path]:
    """Files of the project: no build output, no folder whose name starts with a dot but .ci."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(
            f for f in folders if f == ".ci" or not (f.startswith(".") or f in SKIPPED_FOLDERS)
        )
        yield from (Path(folder, name) for name in sorted(names))


def check_file(path: PurePosixPath, text: str) -> list[tuple[int, str]]:
    """(line, fault) of one file. ``path`` is relative to the project's root."""
    faults = [] if path.name in LICENCE_TEXTS else list(_text_faults(text))
    if path.suffix == ".py":
        if SPDX not in "\n".join(text.splitlines()[:2]):
            faults.append((1, f'the file does not start with "{SPDX}"'))
        faults += _tree_faults(path, ast.parse(text, str(path)))
    return sorted(faults)


def _text_faults(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        if ABSOLUTE_PATH.search(line):
            yield number, "an absolute path of one machine"
        if REGISTRY.search(line):
            yield number, "the host name of a package registry"


def _tree_faults(path: PurePosixPath, tree: ast.AST) -> Iterator[tuple[int, str]]:
    top = path.parts[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from ((node.lineno, fault) for fault in _call_faults(node))
        for module in _imported(node):
            if module.split(".")[0] in BLENDER_MODULES and top not in MAY_USE_BLENDER:
                yield node.lineno, f"{module} is imported outside the add-on"
            if module.split(".")[0] in ONLY_RELATIVE and top in ONLY_RELATIVE:
                yield (
                    node.lineno,
                    f"{module} is imported absolutely; inside Blender it has no such name",
                )


def _call_faults(node: ast.Call) -> Iterator[str]:
    name = ast.unparse(node.func)
    options = {k.arg: k.value for k in node.keywords}
    if name in FORBIDDEN_CALLS:
        yield FORBIDDEN_CALLS[name]
    if name in ("np.load", "numpy.load") and not _is_constant(options.get("allow_pickle"), False):
        yield "np.load without allow_pickle=False"
    if "shell" in options and not _is_constant(options["shell"], False):
        yield "shell=True hands text to a shell"


def _is_constant(node: ast.expr | None, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
        return [node.module]
    return []
