# SPDX-License-Identifier: GPL-3.0-or-later
"""Wrinkles of the skin that its sliders bring out, as bumps in the skin's material.

Drivers on the head turn its keys into amounts, custom properties that a node group in the material
reads off whatever object it shades: so copies of a head that share the material wrinkle each
on their own. The group's slider is their strength.

Names in .blend files say "folds" for them, as the first version did, and stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import bpy

from ...core.appearance.wrinkles import DEPTH, LEVEL, MOST, SIDES, TILES, UNIT, driving_keys
from ...core.heads.arkit import ARKIT_NAMES
from ...core.rigged_head import RiggedHead
from .pictures import packed, principled

#: Marks the group's node in the skin's material, whatever it is called in a translated Blender.
NODE = "Pixel3DMM Folds"
STRENGTH = "Strength"
STRONGEST = 2.0


def amounts_name(tile: str, side: str) -> str:
    """The head's custom property: how deep the three kinds of wrinkle of a tile are on a side."""
    return f"pixel3dmm_folds_{tile}_{side.lower()}"


AMOUNTS = tuple(amounts_name(tile, side) for tile in TILES for side in SIDES)


def add(material: bpy.types.Material, rigged: RiggedHead) -> None:
    """Puts the wrinkles, if the head has any, between the skin's relief and its shader."""
    if not rigged.folds_picture.size:
        return
    nodes, links = material.node_tree.nodes, material.node_tree.links
    shader = principled(material)
    node = nodes.new("ShaderNodeGroup")
    node.node_tree = _group(material.name, rigged)
    node.name = node.label = NODE
    node.location = (-220, -640)
    for link in list(shader.inputs["Normal"].links):
        links.new(link.from_socket, node.inputs["Normal"])
    links.new(node.outputs["Normal"], shader.inputs["Normal"])


def strength(material: bpy.types.Material | None) -> bpy.types.NodeSocket | None:
    """The slider of a skin that has wrinkles; None for any other material."""
    if material is None or material.node_tree is None:
        return None
    node = material.node_tree.nodes.get(NODE)
    return node.inputs.get(STRENGTH) if node is not None and node.type == "GROUP" else None


def skin_of(head: bpy.types.Object) -> bpy.types.Material | None:
    """The head's material with wrinkles, if it has one."""
    return next((m for m in head.data.materials if strength(m) is not None), None)


def drive(head: bpy.types.Object, rigged: RiggedHead, *, is_painted: bool) -> None:
    """Amounts that follow the head's keys, if its skin has wrinkles; again when its fit went on.

    A skin that was painted from the photo has the wrinkles of the photo's expression on it: they
    count from there.
    """
    if skin_of(head) is None or head.data.shape_keys is None:
        return
    painted: Mapping[str, float] = {}
    if is_painted:
        values = zip(map(str, rigged.key_names), map(float, rigged.key_values), strict=True)
        painted = {name: value for name, value in values if name in ARKIT_NAMES}
    keys = head.data.shape_keys
    for tile, kinds in TILES.items():
        for side in SIDES:
            name = amounts_name(tile, side)
            if name not in head:
                head[name] = [0.0] * len(kinds)
            for i, kind in enumerate(kinds):
                head.driver_remove(f'["{name}"]', i)
                driver = head.driver_add(f'["{name}"]', i).driver
                driver.type = "SCRIPTED"
                _follow(driver, keys, driving_keys(kind, side), painted)


def drop(head: bpy.types.Object) -> None:
    """Takes the amounts off a head that leaves for where nothing reads them."""
    for name in AMOUNTS:
        if name in head:
            for i in range(len(head[name])):
                head.driver_remove(f'["{name}"]', i)
            del head[name]


def strip(material: bpy.types.Material) -> None:
    """Takes the wrinkles out of a material; what came in before them goes on to the shader."""
    node = material.node_tree.nodes.get(NODE)
    if strength(material) is None or node is None:
        return
    before = [link.from_socket for link in node.inputs["Normal"].links]
    after = [link.to_socket for link in node.outputs["Normal"].links]
    material.node_tree.nodes.remove(node)
    for socket in after if before else ():
        material.node_tree.links.new(before[0], socket)


def _follow(
    driver: bpy.types.Driver,
    keys: bpy.types.Key,
    weights: Mapping[str, float],
    painted: Mapping[str, float],
) -> None:
    """A simple expression, which Blender evaluates without Python."""
    terms = []
    for letter, (name, weight) in zip("abcdefgh", weights.items(), strict=False):
        if name not in keys.key_blocks:
            continue
        variable = driver.variables.new()
        variable.name, variable.type = letter, "SINGLE_PROP"
        target = variable.targets[0]
        target.id_type, target.id = "KEY", keys
        target.data_path = f'key_blocks["{name}"].value'
        start = painted.get(name, 0.0)
        terms.append(f"{weight:g} * max(0, {letter} - {start:.6f})")
    driver.expression = f"min({MOST:g}, {' + '.join(terms) or '0'})"


def _group(name: str, rigged: RiggedHead) -> bpy.types.NodeTree:
    """Normal and strength in, normal out."""
    tree = bpy.data.node_groups.new(f"{name} folds", "ShaderNodeTree")
    slider = tree.interface.new_socket(STRENGTH, in_out="INPUT", socket_type="NodeSocketFloat")
    slider.default_value, slider.min_value, slider.max_value = 1.0, 0.0, STRONGEST
    slot = tree.interface.new_socket("Normal", in_out="INPUT", socket_type="NodeSocketVector")
    slot.hide_value = True
    tree.interface.new_socket("Normal", in_out="OUTPUT", socket_type="NodeSocketVector")
    make = _Maker(tree)
    start, end = make("NodeGroupInput", (-1400, 0)), make("NodeGroupOutput", (400, 0))
    place = make("ShaderNodeTexCoord", (-1400, 300)).outputs["UV"]
    image = packed(f"{name} folds", rigged.folds_picture)
    image.colorspace_settings.name = "Non-Color"
    u0, v0, u1, v1, right, left = (float(x) for x in rigged.folds_layout)
    split = make("ShaderNodeSeparateXYZ", (-1200, 520))
    make.link(place, split.inputs[0])
    # Which side of the face it is, 0 on the person's right.
    side = make("ShaderNodeMapRange", (-1000, 520), interpolation_type="SMOOTHSTEP")
    for end_name, value in (("From Min", right), ("From Max", left)):
        side.inputs[end_name].default_value = value
    make.link(split.outputs["X"], side.inputs["Value"])
    heights = []
    for i, (tile, kinds) in enumerate(TILES.items()):
        y = -600 * i
        top = 1.0 - i / len(TILES)
        window = make("ShaderNodeMapRange", (-1200, y), data_type="FLOAT_VECTOR", clamp=True)
        corners = ((u0, v0), (u1, v1), (0, top - 1 / len(TILES)), (1, top))
        # Sockets 7 to 10 are the vectors' ends; those of numbers bear the same names.
        for socket, (x, z) in zip(window.inputs[7:11], corners, strict=True):
            socket.default_value = (x, z, 0)
        window.inputs[8].default_value[2] = window.inputs[10].default_value[2] = 1.0
        make.link(place, window.inputs["Vector"])
        picture = make("ShaderNodeTexImage", (-1000, y), interpolation="Cubic", extension="EXTEND")
        picture.image = image
        make.link(window.outputs["Vector"], picture.inputs[0])
        level = make.vector("SUBTRACT", (-700, y), picture.outputs["Color"], [LEVEL / 255] * 3)
        both = make("ShaderNodeMix", (-700, y - 200), data_type="VECTOR")
        make.link(side.outputs["Result"], both.inputs[0])
        for at, which in zip((5, 4), SIDES, strict=True):
            read = make("ShaderNodeAttribute", (-1000, y - 150 * at + 400))
            read.attribute_type, read.attribute_name = "OBJECT", amounts_name(tile, which)
            make.link(read.outputs["Vector"], both.inputs[at])
        depth = [DEPTH[kind] * 255 / UNIT for kind in kinds]
        deep = make.vector("MULTIPLY", (-500, y - 200), both.outputs[1], depth)
        heights.append(make.vector("DOT_PRODUCT", (-300, y), level.outputs[0], deep.outputs[0]))
    total = make("ShaderNodeMath", (-100, 0), operation="ADD")
    for socket, height in zip(total.inputs, heights, strict=False):
        make.link(height.outputs["Value"], socket)
    scaled = make("ShaderNodeMath", (0, 200), operation="MULTIPLY")
    make.link(total.outputs[0], scaled.inputs[0])
    make.link(start.outputs[STRENGTH], scaled.inputs[1])
    bump = make("ShaderNodeBump", (200, 0))
    # Heights are in metres.
    bump.inputs["Strength"].default_value = bump.inputs["Distance"].default_value = 1.0
    make.link(scaled.outputs[0], bump.inputs["Height"])
    make.link(start.outputs["Normal"], bump.inputs["Normal"])
    make.link(bump.outputs["Normal"], end.inputs["Normal"])
    return tree


class _Maker:
    """Makes nodes in a tree."""

    def __init__(self, tree: bpy.types.NodeTree) -> None:
        self._tree = tree

    def __call__(self, kind: str, location: tuple[float, float], **settings: object) -> Any:
        """A node with settings."""
        node = self._tree.nodes.new(kind)
        node.location = location
        for name, value in settings.items():
            setattr(node, name, value)
        return node

    def vector(
        self,
        operation: str,
        location: tuple[float, float],
        first: bpy.types.NodeSocket,
        second: bpy.types.NodeSocket | list[float],
    ) -> bpy.types.Node:
        """Vector Math of two sockets, or of a socket and numbers."""
        node = self("ShaderNodeVectorMath", location, operation=operation)
        self.link(first, node.inputs[0])
        if isinstance(second, list):
            node.inputs[1].default_value = second
        else:
            self.link(second, node.inputs[1])
        return node

    def link(self, source: bpy.types.NodeSocket, target: bpy.types.NodeSocket) -> None:
        """Joins two sockets."""
        self._tree.links.new(source, target)
