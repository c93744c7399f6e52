# SPDX-License-Identifier: GPL-3.0-or-later
"""What the house looks like from outside: ``python -m tools.structure [ROOT]``.

Read from the sources alone: which rooms import each other in a circle, the modules at core's root,
the longest file, and public names without a docstring. A room is a package or module directly in
``core`` or ``pixel3dmm_addon``; imports inside of functions and for types alone count as well.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HOUSES = ("core", "pixel3dmm_addon")


@dataclass(frozen=True)
class Import:
    """One import of a room by another: the importing file, from the root, and its line."""

    file: str
    line: int
    room: str
    imported: str


def imports(root: Path, house: str) -> list[Import]:
    """Imports between different rooms of a house below root; "" is the house's own __init__."""
    found = []
    for path in sorted((root / house).rglob("*.py")):
        file = path.relative_to(root).as_posix()
        package = path.relative_to(root).with_suffix("").parts[:-1]
        room = _room((root / house), path.relative_to(root / house).with_suffix("").parts)
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            for target in _targets(node, package):
                if target[:1] != (house,):
                    continue
                other = _room(root / house, target[1:])
                if other != room:
                    found.append(Import(file, node.lineno, room, other))  # type: ignore[attr-defined]
    return found


def _room(house: Path, parts: tuple[str, ...]) -> str:
    """The room that a dotted name within a house lies in."""
    if parts and ((house / parts[0]).is_dir() or (house / f"{parts[0]}.py").is_file()):
        return "" if parts[0] == "__init__" else parts[0]
    return ""


def _targets(node: ast.AST, package: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Dotted names, from the root, that a node imports. With ``from x import a``, x.a: whether a
    is a module or not does not matter to the room, unless x is the house itself.
    """
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield tuple(alias.name.split("."))
    elif isinstance(node, ast.ImportFrom):
        # Beyond the root lies the extension, whose package has a name of its own in Blender.
        base = package[: max(0, len(package) - node.level + 1)] if node.level else ()
        names = tuple((node.module or "").split(".")) if node.module else ()
        for alias in node.names:
            yield (*base, *names, alias.name)


def circles(edges: list[Import]) -> list[list[str]]:
    """Groups of rooms each of which reaches every other of its group, the largest first."""
    to: dict[str, set[str]] = {}
    for edge in edges:
        to.setdefault(edge.room, set()).add(edge.imported)
        to.setdefault(edge.imported, set())
    reach = {room: _reached(to, room) for room in to}
    groups = {tuple(sorted(b for b in reach[a] if a in reach[b])) for a in to if a in reach[a]}
    return sorted((list(group) for group in groups), key=lambda group: (-len(group), group))


def _reached(to: dict[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    waiting = list(to[start])
    while waiting:
        room = waiting.pop()
        if room not in seen:
            seen.add(room)
            waiting += to[room]
    return seen


def without_docstring(root: Path, house: str) -> list[str]:
    """Public modules, classes, functions and methods of a house that say nothing of themselves."""
    found = []
    for path in sorted((root / house).rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        file = path.relative_to(root).as_posix()
        if ast.get_docstring(tree) is None:
            found.append(file)
        found += [f"{file}: {name}" for name in _silent(tree.body)]
    return found


def _silent(body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef) or node.name.startswith("_"):
            continue
        if ast.get_docstring(node) is None:
            yield node.name
        if isinstance(node, ast.ClassDef):
            yield from (f"{node.name}.{name}" for name in _silent(node.body))


def lengths(root: Path) -> list[tuple[int, str]]:
    """Lines of every file of both houses, the longest first."""
    files = [path for house in HOUSES for path in (root / house).rglob("*.py")]
    return sorted(
        (
            (len(path.read_text(encoding="utf-8").splitlines()), path.relative_to(root).as_posix())
            for path in files
        ),
        reverse=True,
    )


def main(arguments: list[str]) -> int:
    """Prints the figures of a tree, of this one if none is named."""
    root = Path(arguments[0]) if arguments else Path(__file__).resolve().parents[1]
    for house in HOUSES:
        groups = circles(imports(root, house))
        words = "; ".join(" ".join(group) for group in groups) or "none"
        print(f"{house}: rooms in a circle: {sum(map(len, groups))} ({words})")
    modules = sorted(p.name for p in (root / "core").glob("*.py"))
    print(f"core: modules at the root: {len(modules)} ({' '.join(modules)})")
    longest = lengths(root)
    above = sum(count > 300 for count, _ in longest)
    print(f"longest file: {longest[0][1]}, {longest[0][0]} lines; {above} above 300")
    for house in HOUSES:
        silent = without_docstring(root, house)
        print(f"{house}: public names without a docstring: {len(silent)}")
        for name in silent[:20]:
            print(f"  {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
