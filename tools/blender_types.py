# SPDX-License-Identifier: GPL-3.0-or-later
"""What mypy needs to check the add-on: the types of Blender's module mended, and a package's name.

fake-bpy-module (seen in 20250130 to 20260730) writes generics and aliases as Python 3.12 has them
(PEP 695), which mypy cannot parse under 3.11. What else its stubs get wrong, or what no stub can
say, is named here, once.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from .processes import ROOT, clean_variables

FOLDER = ROOT / ".build" / "types"
#: The extension's name for mypy: its parts import each other relatively, beyond their own package.
PACKAGE = "pixel3dmm"

_ALIAS = re.compile(r"^type (\w+) = ", re.MULTILINE)
_FUNCTION = re.compile(r"^(\s*def \w+)\[[^]]*\]\(", re.MULTILINE)
_CLASS = re.compile(r"^(\s*class \w+)\[([^]]*)\](\(([^)]*)\))?:", re.MULTILINE)
_VARIABLES = ("_GenericType1", "_GenericType2")
_ANY = "typing.Any"

#: Stub -> class ("" for functions) -> name -> type of the attribute, or of what a call returns.
TYPES: dict[str, dict[str, dict[str, str]]] = {
    "bpy-stubs/types/__init__.pyi": {
        # Custom properties: the stubs say that reading one returns None.
        "bpy_struct": {
            "get": _ANY,
            "pop": _ANY,
            "keys": "list[str]",
            "values": f"list[{_ANY}]",
            "items": f"list[tuple[str, {_ANY}]]",
        },
        # There is always one, in background mode, too.
        "Context": {
            "scene": "Scene",
            "view_layer": "ViewLayer",
            "window_manager": "WindowManager",
            "preferences": "Preferences",
        },
        "AddonPreferences": {"layout": "UILayout"},
        "Header": {"layout": "UILayout"},
        "Menu": {"layout": "UILayout"},
        "Operator": {"layout": "UILayout"},
        "Panel": {"layout": "UILayout"},
        "UILayout": {"panel": "tuple[UILayout, UILayout | None]"},
        # What these are depends on the kind of the object, node, editor or modifier.
        "Object": {
            "data": _ANY,
            "pose": "Pose",
            "modifiers": _ANY,
            "constraints": _ANY,
            "find_armature": "Object | None",
        },
        "PoseBone": {"constraints": _ANY},
        "Mesh": {"attributes": _ANY, "color_attributes": _ANY, "shape_keys": _ANY},
        "Material": {"node_tree": _ANY},
        "World": {"node_tree": _ANY},
        "NodeTree": {"nodes": _ANY, "interface": _ANY},
        "BlendData": {"node_groups": _ANY, "lights": _ANY, "libraries": _ANY},
        "Area": {"spaces": _ANY},
        "FCurve": {"driver": "Driver"},
        "Image": {"pixels": _ANY, "colorspace_settings": _ANY},
        "Scene": {"view_settings": _ANY},
        # None where there is nothing of that name, and no armature.
        "bpy_prop_collection": {"get": _ANY},
        "ID": {"library": "Library | None", "asset_data": "AssetMetaData"},
        # Bytes, and arrays with foreach_get and foreach_set.
        "PackedFile": {"data": "bytes"},
        "ImagePreview": {"image_pixels_float": _ANY, "icon_pixels_float": _ANY},
        # The stubs know EEVEE alone, and no text but as Python's own.
        "RenderSettings": {"engine": "str"},
    },
    "bpy-stubs/props/__init__.pyi": {
        "": {
            f"{kind}Property": _ANY
            for kind in ("Bool", "Collection", "Enum", "Float", "Int", "Pointer", "String")
        }
    },
    "bpy-stubs/app/__init__.pyi": {"": {"is_job_running": "bool"}},
    "bpy-stubs/app/translations/__init__.pyi": {"": {"pgettext_iface": "str"}},
    "bpy_extras-stubs/io_utils/__init__.pyi": {"": {"axis_conversion": "mathutils.Matrix"}},
    "gpu-stubs/shader/__init__.pyi": {"": {"from_builtin": "gpu.types.GPUShader"}},
}
#: Stub -> class -> members that it lacks.
MEMBERS = {
    "bpy-stubs/types/__init__.pyi": {
        "bpy_struct": "    def __contains__(self, key: str) -> bool: ...\n",
        # What we animate is always of a subclass that has it.
        "ID": "    animation_data: AnimData | None\n",
        "NodeSocket": f"    default_value: {_ANY}\n",
        # The extension's own, and of Blender's add-on Cycles.
        "Scene": f"    pixel3dmm: {_ANY}\n    cycles: {_ANY}\n",
        "Object": f"    pixel3dmm: {_ANY}\n",
        # From 4.4 on.
        "Action": f"    slots: {_ANY}\n    layers: {_ANY}\n",
        "AnimData": f"    action_slot: {_ANY}\n",
    },
    "bpy_extras-stubs/io_utils/__init__.pyi": {
        "ExportHelper": "    filepath: str\n",
        "ImportHelper": "    filepath: str\n",
    },
    "mathutils-stubs/__init__.pyi": dict.fromkeys(
        ("Euler", "Quaternion", "Vector"), "    def __iter__(self) -> typing.Iterator[float]: ...\n"
    ),
}
#: Stub -> (text, what it has to be).
TEXTS = {
    "bpy-stubs/types/__init__.pyi": (
        (
            "subset: collections.abc.Sequence | None,\n        key_types: set[str] | None,\n"
            "        value_types: set[str] | None,\n",
            f"subset: {_ANY} = ...,\n        key_types: {_ANY} = ...,\n"
            f"        value_types: {_ANY} = ...,\n",
        ),
        ('def pack(self, data: str = ""', 'def pack(self, data: str | bytes = ""'),
    ),
    "bpy_extras-stubs/io_utils/__init__.pyi": (
        ("def check(self, _context) -> None:", "def check(self, context: typing.Any) -> bool:"),
        (
            "def invoke(self, context, _event) -> None:",
            "def invoke(self, context: typing.Any, event: typing.Any) -> typing.Any:",
        ),
    ),
}


def extension_package() -> Path:
    """A folder in which the extension lies as the package PACKAGE; mypy is run there."""
    package = FOLDER / PACKAGE
    shutil.rmtree(package, ignore_errors=True)
    package.mkdir(parents=True)
    for name in ("__init__.py", "core", "pixel3dmm_addon"):
        source, target = ROOT / name, package / name
        try:
            target.symlink_to(source)
        except OSError:  # Windows asks for a privilege
            shutil.copytree(source, target) if source.is_dir() else shutil.copyfile(source, target)
    return FOLDER


def mend_stubs(python: str) -> None:
    """Mends the stubs that are installed beside the interpreter ``python``.

    What was installed is kept beside each as .orig, so that other mendings start from it.
    """
    asked = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    found = subprocess.run(
        [python, "-c", asked], capture_output=True, text=True, check=True, env=clean_variables()
    )
    folder = Path(found.stdout.strip())
    for kind in ("bpy", "bmesh", "bpy_extras", "gpu", "mathutils"):
        for path in (folder / f"{kind}-stubs").rglob("*.pyi"):
            now = path.read_text(encoding="utf-8")
            original = path.with_name(f"{path.name}.orig")
            text = original.read_text(encoding="utf-8") if original.exists() else now
            wanted = mended(path.relative_to(folder).as_posix(), text)
            if wanted != now:
                original.write_text(text, encoding="utf-8")
                path.write_text(wanted, encoding="utf-8")


def mended(name: str, text: str) -> str:
    """A stub's text as mypy needs it; name: its path in the environment."""
    text = without_pep_695(text)
    for old, new in TEXTS.get(name, ()):
        text = text.replace(old, new)
    for cls, members in TYPES.get(name, {}).items():
        for member, kind in members.items():
            text = _with_type(text, cls, member, kind)
    for cls, lines in MEMBERS.get(name, {}).items():
        text = re.sub(rf"(^class {cls}\b.*:\n)", rf"\1{lines}", text, count=1, flags=re.M)
    if name == "bpy-stubs/ops/__init__.pyi":
        text += f"\npixel3dmm: {_ANY}\n"
    return text


def without_pep_695(text: str) -> str:
    """A stub's text with type variables and aliases of the older kind; bounds are lost."""
    text = _ALIAS.sub(r"\1 = ", text)
    found = _CLASS.sub(_generic_class, _FUNCTION.sub(r"\1(", text))
    if found == text:
        return text
    made = "".join(f'{name} = typing.TypeVar("{name}")\n' for name in _VARIABLES)
    return found.replace("import typing\n", f"import typing\n{made}", 1)


def _generic_class(match: re.Match[str]) -> str:
    bases = f"{match[4]}, " if match[4] else ""
    return f"{match[1]}({bases}typing.Generic[{match[2]}]):"


def _with_type(text: str, cls: str, member: str, kind: str) -> str:
    """The attribute gets this type, or the function returns it; ``cls``: "" for the module."""
    start, end, indent = 0, len(text), ""
    if cls:
        found = re.search(rf"^class {cls}\b(?:.*\n)(?:(?!class ).*\n)*", text, re.M)
        if found is None:
            raise ValueError(f"The stubs have no class {cls}.")
        (start, end), indent = found.span(), "    "
    body, count = re.subn(
        rf"^({indent}def {member}\((?:[^()]|\([^()]*\))*\)) -> [^:]+:",
        lambda m: f"{m[1]} -> {kind}:",
        text[start:end],
        flags=re.M,
    )
    if not count:
        body, count = re.subn(
            rf"^{indent}{member}: (?:\(\n(?:.*\n)*?{indent}\)|.+)$",
            f"{indent}{member}: {kind}",
            body,
            count=1,
            flags=re.M,
        )
    if not count:
        raise ValueError(f"The stubs have no {cls}.{member}.")
    return text[:start] + body + text[end:]
