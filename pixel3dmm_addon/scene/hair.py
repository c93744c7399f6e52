# SPDX-License-Identifier: GPL-3.0-or-later
"""Hair on a head: a Curves object that follows the scalp, its material, and what it remembers.

Blender's own node "Deform Curves on Surface" moves each curve with the place of the skin that its
root has in a texture layout. The head's own layout is shared by eyes, teeth and tongue, so that
a place in it is not one place: hair has a layout of its own, in which only the skin lies.
"""

from __future__ import annotations

import json
from typing import Any

import bpy
import numpy as np

from ...core.geometry.axes import to_scene
from ...core.hair.hair import STEP
from ...core.rigged_head import RiggedHead

#: On the head: its hair. On the hair's data: style, colour and sliders, and what it was grown from.
HAIR = "pixel3dmm_hair"
LAYOUT = "Pixel3DMM Hair"
_GUIDES, _TRIANGLE = "pixel3dmm_hair_guides", "pixel3dmm_hair_triangle"
_PLACE, _DENSITY = "pixel3dmm_hair_place", "pixel3dmm_hair_density"
_STORED = {
    "hair_guides": _GUIDES, "hair_root_triangle": _TRIANGLE, "hair_root_place": _PLACE,
    "hair_density": _DENSITY,
}  # fmt: skip
_FOLLOW = "Pixel3DMM Hair Follows"
#: Metres: a strand's radius where as many are drawn as _USUAL, and its tip's share of it.
_RADIUS, _USUAL, _TIP = 7e-5, 30_000, 0.35


def hair_of(head: bpy.types.Object) -> bpy.types.Object | None:
    """The head's hair, if it has some."""
    hair = head.get(HAIR)
    return hair if isinstance(hair, bpy.types.Object) and hair.type == "CURVES" else None


def about(hair: bpy.types.Object) -> dict[str, Any]:
    """Style, colour and sliders; empty where somebody changed them beyond reading."""
    try:
        found = json.loads(str(hair.data.get(HAIR, "{}")))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def shader(hair: bpy.types.Object | None) -> bpy.types.Node | None:
    """The node of hair's own colour, if it is still there."""
    material = hair.data.materials[0] if hair is not None and hair.data.materials else None
    if material is None or material.node_tree is None:
        return None
    nodes = material.node_tree.nodes
    return next((n for n in nodes if n.type == "BSDF_HAIR_PRINCIPLED"), None)


def drop_layout(head: bpy.types.Object) -> None:
    """On a copy for export: without the layout that only hair needs."""
    layer = head.data.uv_layers.get(LAYOUT)
    if layer is not None:
        head.data.uv_layers.remove(layer)
    if HAIR in head:
        del head[HAIR]


def grown_from(hair: bpy.types.Object) -> dict[str, np.ndarray]:
    """Guides, their roots and the density, by the names of RiggedHead's fields."""
    found = {name: np.array(hair.data.get(key, [])) for name, key in _STORED.items()}
    guides = found["hair_guides"]
    count = len(found["hair_root_triangle"])
    if count and guides.size % (3 * count) == 0:
        found["hair_guides"] = guides.reshape(count, -1, 3)
        found["hair_root_place"] = found["hair_root_place"].reshape(-1, 3)
    return found


def add(
    collection: bpy.types.Collection, head: bpy.types.Object, rigged: RiggedHead
) -> bpy.types.Object | None:
    """The hair of a head in the scene; None where the fields hold none."""
    if not len(rigged.hair_strands):
        return None
    fields = {name: getattr(rigged, name) for name in (*_STORED, "hair_strands", "hair_uv")}
    return put_on(collection, head, fields, rigged.hair_json)


def put_on(
    collection: bpy.types.Collection,
    head: bpy.types.Object,
    fields: dict[str, np.ndarray],
    text: str,
) -> bpy.types.Object:
    """Hair by RiggedHead's fields and its ``hair_json``, in place of what the head has."""
    take_off(head)
    name = f"{head.name} hair"
    data = bpy.data.hair_curves.new(name)
    _draw(data, fields["hair_strands"], fields["hair_uv"])
    data[HAIR] = text
    for field, key in _STORED.items():
        data[key] = fields[field].ravel().tolist()
    hair = bpy.data.objects.new(name, data)
    collection.objects.link(hair)
    hair.parent = head
    _add_layout(head.data)
    data.surface, data.surface_uv_map = head, LAYOUT
    # The node compares the surface as it is with the surface at rest.
    head.add_rest_position_attribute = True
    modifier = hair.modifiers.new(_FOLLOW, "NODES")
    modifier.node_group = _follow()
    data.materials.append(_material(name, about(hair)))
    head[HAIR] = hair
    return hair


def take_off(head: bpy.types.Object) -> None:
    """No hair, and nothing of it left behind."""
    hair = hair_of(head)
    if hair is not None:
        data, materials = hair.data, list(hair.data.materials)
        bpy.data.objects.remove(hair)
        if not data.users:
            bpy.data.hair_curves.remove(data)
        for material in materials:
            if material is not None and not material.users:
                bpy.data.materials.remove(material)
    if HAIR in head:
        del head[HAIR]
    layer = head.data.uv_layers.get(LAYOUT)
    if layer is not None:
        head.data.uv_layers.remove(layer)


def _draw(data: bpy.types.Curves, strands: np.ndarray, uv: np.ndarray) -> None:
    count, points = strands.shape[:2]
    data.add_curves([points] * count)
    places = to_scene(strands.reshape(-1, 3) * STEP)
    _fill(data, "position", "FLOAT_VECTOR", "POINT", places)
    thick = _RADIUS * float(np.sqrt(_USUAL / count)) * np.linspace(1.0, _TIP, points)
    _fill(data, "radius", "FLOAT", "POINT", np.tile(thick, count))
    _fill(data, "surface_uv_coordinate", "FLOAT2", "CURVE", uv)
    data.update_tag()


def _fill(data: bpy.types.Curves, name: str, kind: Any, domain: Any, values: np.ndarray) -> None:
    attribute: Any = data.attributes.get(name) or data.attributes.new(name, kind, domain)
    word = "value" if kind == "FLOAT" else "vector"
    attribute.data.foreach_set(word, np.ascontiguousarray(values, np.float32).ravel())


def _add_layout(mesh: bpy.types.Mesh) -> None:
    """The first layout, with all but the skin moved out of the way."""
    first = mesh.uv_layers[0]
    uv = np.empty(2 * len(mesh.loops), np.float32)
    first.uv.foreach_get("vector", uv)
    slots = np.empty(len(mesh.polygons), np.int32)
    mesh.polygons.foreach_get("material_index", slots)
    sizes = np.empty(len(mesh.polygons), np.int32)
    mesh.polygons.foreach_get("loop_total", sizes)
    skin = {i for i, m in enumerate(mesh.materials) if m is not None and _is_skin(m)}
    other = np.repeat(~np.isin(slots, list(skin)), sizes)
    uv[np.repeat(other, 2)] = -1.0
    active = mesh.uv_layers.active_index
    layer = mesh.uv_layers.new(name=LAYOUT, do_init=False)
    layer.uv.foreach_set("vector", uv)
    mesh.uv_layers.active_index = active


def _is_skin(material: bpy.types.Material) -> bool:
    return material.get("pixel3dmm_kind") == "skin"


def _follow() -> bpy.types.NodeTree:
    """The node group that lets curves follow the skin, one for all heads."""
    found = bpy.data.node_groups.get(_FOLLOW)
    if found is not None and found.bl_idname == "GeometryNodeTree":
        return found
    group = bpy.data.node_groups.new(_FOLLOW, "GeometryNodeTree")
    for way in ("INPUT", "OUTPUT"):
        group.interface.new_socket("Geometry", in_out=way, socket_type="NodeSocketGeometry")
    start, end = group.nodes.new("NodeGroupInput"), group.nodes.new("NodeGroupOutput")
    node = group.nodes.new("GeometryNodeDeformCurvesOnSurface")
    start.location, end.location = (-220, 0), (220, 0)
    group.links.new(start.outputs[0], node.inputs[0])
    group.links.new(node.outputs[0], end.inputs[0])
    return group


def _material(name: str, values: dict[str, Any]) -> bpy.types.Material:
    """Hair's own shader for Cycles, a plain one for EEVEE, and a colour for Solid view."""
    material = bpy.data.materials.new(name)
    if material.node_tree is None:  # from 5.0 on every material has nodes
        material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    nodes.clear()
    colour = [float(c) for c in values.get("colour", (0.1, 0.06, 0.03))]
    strand = nodes.new("ShaderNodeBsdfHairPrincipled")
    strand.parametrization = "MELANIN"
    for socket, value in (
        ("Melanin", values.get("melanin", 0.6)), ("Melanin Redness", values.get("redness", 0.2)),
        ("Roughness", 0.3), ("Radial Roughness", 0.35), ("Random Roughness", 0.2),
        ("Random Color", 0.25),
    ):  # fmt: skip
        strand.inputs[socket].default_value = float(value)
    plain = nodes.new("ShaderNodeBsdfPrincipled")
    plain.inputs["Base Color"].default_value = (*colour, 1.0)
    plain.inputs["Roughness"].default_value = 0.45
    for shader, engine, height in ((strand, "CYCLES", 300), (plain, "EEVEE", -300)):
        shader.location = (0, height)
        output = nodes.new("ShaderNodeOutputMaterial")
        output.target, output.location = engine, (320, height)
        links.new(shader.outputs[0], output.inputs["Surface"])
    material.diffuse_color = (*colour, 1.0)
    return material
