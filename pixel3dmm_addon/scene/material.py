# SPDX-License-Identifier: GPL-3.0-or-later
"""Materials by part of the head: skin in the photo's tint, eyes, teeth, tongue."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from ...core.rigged_head import RiggedHead
from . import skin, wrinkles
from .pictures import packed, principled

Colour = tuple[float, float, float]

#: Which material a part of a head model gets, by the part's name without its side.
KIND_OF_PART = {
    "skin": "skin",
    "mouth_interior": "mouth",
    "teeth_upper": "teeth",
    "teeth_lower": "teeth",
    "gums_upper": "gums",
    "gums_lower": "gums",
    "tongue": "tongue",
    "eyeball": "sclera",
    "iris": "iris",
    "pupil": "pupil",
    "lashes": "lashes",
    "brows": "brows",
    "neck_cut": "neck cut",
    "tears": "tears",
    "other": "neck cut",
}
#: What one picture covers where a head's eyes are laid out for it.
_OF_EYES = ("sclera", "iris", "pupil")
_OF_MOUTH = ("teeth", "gums")
#: On a material: its kind, which stays when somebody renames it.
KIND = "pixel3dmm_kind"

#: Linear RGB of what the photo says nothing of.
_COLOURS: dict[str, Colour] = {
    "mouth": (0.48, 0.16, 0.135),
    "teeth": (0.92, 0.86, 0.74),
    "gums": (0.50, 0.16, 0.14),
    "tongue": (0.56, 0.21, 0.19),
    "sclera": (0.72, 0.69, 0.66),
    "pupil": (0.004, 0.004, 0.004),
    "eye": (0.72, 0.69, 0.66),
    "lashes": (0.012, 0.009, 0.007),
    "brows": (0.030, 0.020, 0.014),
    "neck cut": (0.045, 0.045, 0.048),
    "tears": (0.80, 0.66, 0.60),
}

#: Principled BSDF, by input name. Scattering lengths are metres: a scale of 4 mm lets red light
#: travel as far as it does in skin, where Blender's own 5 cm would make wax of a head.
_SURFACE: dict[str, dict[str, Any]] = {
    "skin": {
        "Roughness": 0.48,
        "Subsurface Weight": 0.25,
        "Subsurface Radius": (1.0, 0.35, 0.2),
        "Subsurface Scale": 0.004,
    },
    "mouth": {"Roughness": 0.28, "Subsurface Weight": 0.3, "Subsurface Scale": 0.004},
    "teeth": {
        "Roughness": 0.16,
        "IOR": 1.6,
        "Subsurface Weight": 0.7,
        "Subsurface Radius": (1.0, 0.85, 0.6),
        "Subsurface Scale": 0.004,
        "Coat Weight": 0.25,
        "Coat Roughness": 0.06,
    },
    "gums": {
        "Roughness": 0.25,
        "Subsurface Weight": 0.3,
        "Subsurface Scale": 0.003,
        "Coat Weight": 0.4,
        "Coat Roughness": 0.1,
    },
    "tongue": {"Roughness": 0.38, "Subsurface Weight": 0.3, "Subsurface Scale": 0.004},
    # The coat stands for the film of tears: the highlight that makes an eye alive.
    "sclera": {"Roughness": 0.35, "Coat Weight": 0.6, "Coat Roughness": 0.05},
    "iris": {"Roughness": 0.4, "Coat Weight": 1.0, "Coat Roughness": 0.03},
    "pupil": {"Roughness": 0.4, "Coat Weight": 1.0, "Coat Roughness": 0.03},
    "eye": {"Roughness": 0.35, "Coat Weight": 1.0, "Coat Roughness": 0.03},
    "lashes": {"Roughness": 0.45},
    "brows": {"Roughness": 0.55},
    "neck cut": {"Roughness": 0.6},
    # Clear by alpha, which FBX, glTF and USD all know, where refraction is known to one of them.
    "tears": {
        "Roughness": 0.04,
        "IOR": 1.6,
        "Coat Weight": 1.0,
        "Coat Roughness": 0.02,
        "Alpha": 0.4,
    },
}


def kind_of_part(part: str) -> str:
    """The material's kind for a part's name; parts of another name are skin."""
    for suffix in ("_l", "_r"):
        part = part.removesuffix(suffix)
    return KIND_OF_PART.get(part, "skin")


def add_slots(mesh: bpy.types.Mesh, rigged: RiggedHead) -> np.ndarray:
    """One slot for every kind of part the head has; slot number of each part, (P,)."""
    kinds = [kind_of_part(str(part)) for part in rigged.part_names]
    if rigged.eye_picture.size:
        kinds = ["eye" if kind in _OF_EYES else kind for kind in kinds]
    order = list(dict.fromkeys(kinds))
    mouth = None
    if rigged.mouth_picture.size and set(_OF_MOUTH) & set(order):
        mouth = packed(f"{mesh.name} teeth and gums", rigged.mouth_picture)
    for kind in order:
        material = make_material(f"{mesh.name} {kind}", kind, colour_of(kind, rigged))
        if kind == "skin":
            skin.dress(material, rigged)
            wrinkles.add(material, rigged)
        elif kind == "eye":
            _wear(material, packed(material.name, rigged.eye_picture))
        elif kind in _OF_MOUTH and mouth is not None:
            _wear(material, mouth)
        mesh.materials.append(material)
    return np.array([order.index(kind) for kind in kinds])


def colour_of(kind: str, rigged: RiggedHead) -> Colour:
    """Linear RGB: the photo's for skin and iris, a common one for the rest."""
    taken = {"skin": rigged.skin_color, "iris": rigged.iris_color}.get(kind)
    if taken is None:
        return _COLOURS[kind]
    r, g, b = (float(channel) for channel in taken)
    return r, g, b


def make_material(name: str, kind: str, colour: Colour) -> bpy.types.Material:
    """A Principled BSDF that renders in Cycles and EEVEE and survives FBX and glTF."""
    material = bpy.data.materials.new(name)
    if material.node_tree is None:  # from 5.0 on every material has nodes
        material.use_nodes = True
    material[KIND] = kind
    material.diffuse_color = (*colour, 1.0)
    material.roughness = _SURFACE[kind]["Roughness"]
    shader = principled(material)
    shader.inputs["Base Color"].default_value = (*colour, 1.0)
    for socket, value in _SURFACE[kind].items():
        shader.inputs[socket].default_value = value
    return material


def _wear(material: bpy.types.Material, image: bpy.types.Image) -> None:
    """A picture straight into Base Color, where every format looks for it: of an eye with sclera,
    limbal ring, iris and pupil, or of teeth and gums, which share one.
    """
    nodes, links = material.node_tree.nodes, material.node_tree.links
    shader = principled(material)
    node = nodes.new("ShaderNodeTexImage")
    node.location = (-320, 300)
    node.image = image
    links.new(node.outputs["Color"], shader.inputs["Base Color"])
    nodes.active = node
