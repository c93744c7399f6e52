# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of a head's materials, packed into the .blend file, and the shader that wears them."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np


def packed(name: str, data: np.ndarray) -> bpy.types.Image:
    """An image that lives in the .blend file as the PNG that it came as."""
    # Without spaces: the USD exporter of 4.5 names files after the image and looks for them under
    # its path, in which it replaces spaces.
    name = bpy.path.clean_name(name)
    image = bpy.data.images.new(name, 1, 1)
    image.pack(data=data.tobytes(), data_len=int(data.size))
    image.source = "FILE"
    image.filepath_raw = f"//{name}.png"
    return image


def principled(material: bpy.types.Material) -> bpy.types.Node:
    """The shader that each of our materials has."""
    return next(n for n in material.node_tree.nodes if n.type == "BSDF_PRINCIPLED")


def named_texture(material: bpy.types.Material, name: str, data: np.ndarray, height: float) -> Any:
    """A new node, marked with a name of ours, of a picture that is called after its last word."""
    node = material.node_tree.nodes.new("ShaderNodeTexImage")
    node.name = node.label = name
    node.location = (-540, height)
    node.extension = "EXTEND"
    node.image = packed(f"{material.name} {name.split()[-1].lower()}", data)
    return node
