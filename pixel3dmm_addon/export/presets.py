# SPDX-License-Identifier: GPL-3.0-or-later
"""Which program gets what: file format, axes, units, names, and the options that suit it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Literal

from ...core.errors import OutputError

#: VRM's names of humanoid bones, by the joint that a bone is.
_HUMANOID = {"eye_l": "leftEye", "eye_r": "rightEye", "neck": "neck", "head": "head", "jaw": "jaw"}


#: Bytes of an object's name in a file. Blender has 63, and within them must fit "_LOD2", " rig" and
#: what USD's exporter puts behind a name.
_LONGEST = 48


def short_name(name: str) -> str:
    """The name, its middle left out where it is too long: beginnings and ends tell things apart."""
    data = name.encode()
    if len(data) <= _LONGEST:
        return name
    half = (_LONGEST - 3) // 2
    return data[:half].decode(errors="ignore") + "..." + data[-half:].decode(errors="ignore")


def unique_names(names: list[str]) -> list[str]:
    """The same, where one is there twice with a number of its own behind it."""
    out: list[str] = []
    for name in names:
        new, number = name, 2
        while new in out or (new != name and new in names):
            new, number = f"{name[:56]}_{number}", number + 1
        out.append(new)
    return out


def same_name(bone: str, joint: str) -> str:
    """The artist's."""
    return bone


def identifier_name(bone: str, joint: str) -> str:
    """A name of letters, digits and underscores: Unreal and USD change any other by themselves."""
    name = re.sub(r"\W", "_", bone, flags=re.ASCII)
    return f"_{name}" if name[:1].isdigit() else name


def humanoid_name(bone: str, joint: str) -> str:
    """VRM's name where it has one."""
    return _HUMANOID.get(joint, bone)


@dataclass(frozen=True)
class Options:
    """What the artist chooses.

    animation: keys, bones and drivers as baked curves; without it the current frame alone. lods:
    two coarser meshes with the same keys. check: read the file back and compare.
    """

    animation: bool = True
    lods: bool = False
    embed_textures: bool = True
    tangents: bool = False
    morph_normals: bool = False
    check: bool = True


Axis = Literal["X", "Y", "Z", "-X", "-Y", "-Z"]


@dataclass(frozen=True)
class Preset:
    """A program, and how it likes its heads.

    format: FBX, GLB, USD or BLEND. forward, up: FBX axes that become the scene's Y and Z, as
    Blender's exporter names them. applied: the data itself is turned and scaled into the file's
    axes and centimetres, so that no object in the file has a rotation or a scale. rig_name: the
    armature's name in the file, empty to keep it. lods_in_one_file: the program understands
    _LOD0, _LOD1 in one file. bone_name: a bone's name in the file, by its name in the scene and the
    joint that it is (empty if it is none of ours). sparse: only moved vertices are stored for each
    key. unit: of the file's numbers, and which axis is up, in words.
    """

    identifier: str
    label: str
    description: str
    format: str
    options: Options
    forward: Axis = "-Z"
    up: Axis = "Y"
    applied: bool = False
    rig_name: str = ""
    lods_in_one_file: bool = False
    bone_name: Callable[[str, str], str] = same_name
    sparse: bool = True
    unit: str = "metres, Y up"

    def options_with(self, chosen: Mapping[str, bool]) -> Options:
        """The program's own options but for those that were chosen. Raises OutputError."""
        known = [field.name for field in fields(Options)]
        for name in chosen:
            if name not in known:
                raise OutputError(f"There is no option {name!r}: use one of {', '.join(known)}.")
        return replace(self.options, **chosen)

    @property
    def suffix(self) -> str:
        """What its files' names end in."""
        return _SUFFIXES[self.format][0]

    def named(self, path: Path) -> Path:
        """The path with an ending of the format: another format's is replaced, none is added."""
        if path.suffix.lower() in _SUFFIXES[self.format]:
            return path
        others = {suffix for suffixes in _SUFFIXES.values() for suffix in suffixes}
        name = path.stem if path.suffix.lower() in others else path.name
        return path.with_name(name + self.suffix)


#: The first is what a new file gets.
_SUFFIXES = {
    "FBX": (".fbx",),
    "GLB": (".glb",),
    "USD": (".usdc", ".usd", ".usda", ".usdz"),
    "BLEND": (".blend",),
}

PRESETS = (
    Preset(
        "UNREAL",
        "Unreal Engine",
        "FBX in centimetres with Z up, no scale on any bone, bone names as Unreal keeps them",
        "FBX",
        Options(tangents=True),
        forward="Y",
        up="Z",
        applied=True,
        # Unreal leaves out a parent of the skeleton that has this very name; any other becomes
        # one more root bone.
        rig_name="Armature",
        bone_name=identifier_name,
        unit="centimetres, Z up",
    ),
    Preset(
        "UNITY",
        "Unity",
        "FBX with Y up, no rotation and no scale on any object; levels of detail as one LOD Group",
        "FBX",
        Options(tangents=True),
        applied=True,
        lods_in_one_file=True,
        unit="centimetres, Y up",
    ),
    Preset(
        "GODOT",
        "Godot, glTF",
        "Binary glTF with textures inside, keys stored by the vertices that they move",
        "GLB",
        Options(),
    ),
    Preset(
        "VRM",
        "VRM-Ready glTF",
        "Binary glTF with VRM's bone names and the 52 keys that Perfect Sync looks for, unanimated",
        "GLB",
        Options(animation=False),
        bone_name=humanoid_name,
        sparse=False,
    ),
    Preset(
        "BLENDER",
        "Blender Asset",
        "A .blend file with the head, rig, camera and materials as they are, marked as an asset",
        "BLEND",
        Options(),
        unit="metres, Z up",
    ),
    Preset(
        "USD",
        "USD",
        "USD with blend shapes and skeleton, for Omniverse, Houdini and Maya",
        "USD",
        Options(),
        bone_name=identifier_name,
        unit="metres, Z up",
    ),
    Preset(
        "FBX",
        "FBX, Other Programs",
        "FBX with Blender's own axes and units, for Maya, 3ds Max, MotionBuilder and Blender",
        "FBX",
        Options(),
        unit="centimetres, Y up",
    ),
)

BY_IDENTIFIER = {preset.identifier: preset for preset in PRESETS}

#: What a file gets whose program is not known, by its ending.
_BY_FORMAT = {"FBX": "FBX", "GLB": "GODOT", "USD": "USD", "BLEND": "BLENDER"}


def preset_for(path: Path, identifier: str | None = None) -> Preset:
    """The preset of that name, or what suits the path's ending. Raises OutputError for neither."""
    if identifier is not None:
        if identifier not in BY_IDENTIFIER:
            known = ", ".join(BY_IDENTIFIER)
            raise OutputError(f"There is no preset {identifier!r}: use one of {known}.")
        return BY_IDENTIFIER[identifier]
    for kind, suffixes in _SUFFIXES.items():
        if path.suffix.lower() in suffixes:
            return BY_IDENTIFIER[_BY_FORMAT[kind]]
    endings = ", ".join(suffix for suffixes in _SUFFIXES.values() for suffix in suffixes)
    raise OutputError(f"{path.name} has no ending of a known format: use one of {endings}.")
