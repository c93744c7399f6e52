# SPDX-License-Identifier: GPL-3.0-or-later
"""The painted skin in a material: packed textures of its colour, roughness and fine relief.

Its colour comes as in the photo and without the photo's light; a Mix node between the two is the
slider "Photo's Light". Engines know no such node: for export :func:`make_exportable` makes one of
the two.
"""

from __future__ import annotations

import bpy
import numpy as np

from ...core.photos.colour import mixed, srgb_from_linear
from ...core.rigged_head import RiggedHead
from . import wrinkles
from .pictures import named_texture, principled

#: Marks the nodes of ours, whatever they are called in a translated Blender.
PHOTO, ALBEDO, LIGHT = "Pixel3DMM Photo", "Pixel3DMM Albedo", "Pixel3DMM Photo's Light"
#: Lays the skin over an artist's own material by its alpha.
OVER = "Pixel3DMM Over"
ROUGHNESS, RELIEF = "Pixel3DMM Roughness", "Pixel3DMM Relief"

#: Of the relief that is read from the photo.
RELIEF_STRENGTH = 0.6


def dress(material: bpy.types.Material, rigged: RiggedHead) -> None:
    """Gives the skin's material its textures, if any were painted."""
    if not rigged.skin_albedo.size:
        return
    nodes, links = material.node_tree.nodes, material.node_tree.links
    shader = principled(material)
    mix = nodes.new("ShaderNodeMix")
    mix.name = mix.label = LIGHT
    mix.data_type = "RGBA"
    mix.location = (-220, 280)
    mix.inputs[0].default_value = 0.0
    for name, data, socket, y in (
        (ALBEDO, rigged.skin_albedo, mix.inputs[6], 420),
        (PHOTO, rigged.skin_photo, mix.inputs[7], 120),
    ):
        node = named_texture(material, name, data, y)
        links.new(node.outputs["Color"], socket)
    links.new(mix.outputs[2], shader.inputs["Base Color"])
    _add_surface(material, shader, rigged)
    # What a viewport in Solid mode shows where it is set to textures.
    nodes.active = nodes[ALBEDO]


def _add_surface(material: bpy.types.Material, shader: bpy.types.Node, rigged: RiggedHead) -> None:
    """Roughness and fine relief, as exporters know them."""
    nodes, links = material.node_tree.nodes, material.node_tree.links
    for name, data, y in (
        (ROUGHNESS, rigged.skin_roughness, -180),
        (RELIEF, rigged.skin_relief, -480),
    ):
        if not data.size:
            continue
        node = named_texture(material, name, data, y)
        node.image.colorspace_settings.name = "Non-Color"
        if name == ROUGHNESS:
            links.new(node.outputs["Color"], shader.inputs["Roughness"])
            continue
        normal = nodes.new("ShaderNodeNormalMap")
        normal.location = (-220, y)
        normal.inputs["Strength"].default_value = RELIEF_STRENGTH
        links.new(node.outputs["Color"], normal.inputs["Color"])
        links.new(normal.outputs["Normal"], shader.inputs["Normal"])


def light(material: bpy.types.Material | None) -> bpy.types.NodeSocket | None:
    """The slider of a dressed material; None for any other."""
    if material is None or material.node_tree is None:
        return None
    mix = material.node_tree.nodes.get(LIGHT)
    return mix.inputs[0] if mix is not None and mix.type == "MIX" else None


def skin_of(head: bpy.types.Object) -> bpy.types.Material | None:
    """The head's dressed material, if it has one."""
    return next((m for m in head.data.materials if light(m) is not None), None)


def is_special(material: bpy.types.Material | None) -> bool:
    """Whether it has nodes that only Blender knows."""
    return light(material) is not None or wrinkles.strength(material) is not None


def show(context: bpy.types.Context) -> None:
    """Lets viewports in Solid mode that show materials' colours show textures, in their tone."""
    for area in context.screen.areas if context.screen else ():
        for space in area.spaces:
            if space.type == "VIEW_3D" and space.shading.color_type == "MATERIAL":
                space.shading.color_type = "TEXTURE"
                # Under Default's lamps skin comes out half as bright as it is.
                if space.shading.light == "STUDIO" and space.shading.studio_light == "Default":
                    space.shading.studio_light = "paint.sl"


def make_exportable(mesh: bpy.types.Mesh, names: dict[bpy.types.ID, str]) -> None:
    """On a copy for export: one texture straight into Base Color, as engines read it, and no
    wrinkles.

    names: what materials are called that have stepped aside.
    """
    for slot, material in enumerate(mesh.materials):
        if material is None or not is_special(material):
            continue
        double = material.copy()
        double.name = name = names.get(material, material.name)
        mesh.materials[slot] = double
        wrinkles.strip(double)
        factor = light(double)
        if factor is None:
            continue
        nodes, links = double.node_tree.nodes, double.node_tree.links
        share = 0.0 if factor.is_linked else float(factor.default_value)
        keep, drop = (ALBEDO, PHOTO) if share < 0.5 else (PHOTO, ALBEDO)
        albedo, photo = (nodes[n].image if n in nodes else None for n in (ALBEDO, PHOTO))
        if keep not in nodes:
            continue
        if 1e-3 < share < 1 - 1e-3 and albedo is not None and photo is not None:
            nodes[keep].image = _blend(albedo, photo, share, name)
        if OVER in nodes:
            nodes[keep].image = _over(nodes[OVER].inputs[6], nodes[keep].image, name)
            nodes.remove(nodes[OVER])
        shader = principled(double)
        links.new(nodes[keep].outputs["Color"], shader.inputs["Base Color"])
        nodes.remove(nodes[LIGHT])
        if drop in nodes:
            nodes.remove(nodes[drop])


def _over(below: bpy.types.NodeSocket, image: bpy.types.Image, name: str) -> bpy.types.Image:
    """The skin's picture over what the socket reads: another picture, or a plain colour."""
    width, height = image.size
    flat = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(flat)
    top = flat.reshape(height, width, 4)
    source = below.links[0].from_node if below.links else None
    under = getattr(source, "image", None)
    if under is not None and 0 not in under.size:
        own = np.empty(under.size[0] * under.size[1] * 4, np.float32)
        under.pixels.foreach_get(own)
        pixels = own.reshape(under.size[1], under.size[0], 4)[..., :3]
        rows = np.arange(height) * under.size[1] // height
        columns = np.arange(width) * under.size[0] // width
        base = pixels[rows][:, columns]
    else:
        plain = srgb_from_linear(np.array(below.default_value[:3], np.float64))
        base = np.broadcast_to(plain.astype(np.float32), (height, width, 3))
    share = top[..., 3:]
    return _packed_picture(name, top[..., :3] * share + base * (1 - share))


def _blend(
    albedo: bpy.types.Image, photo: bpy.types.Image, share: float, name: str
) -> bpy.types.Image:
    width, height = albedo.size
    pixels = [np.empty(width * height * 4, np.float32) for _ in range(2)]
    for image, values in zip((albedo, photo), pixels, strict=True):
        image.pixels.foreach_get(values)
    first, second = (p.reshape(height, width, 4)[..., :3] for p in pixels)
    alpha = pixels[0].reshape(height, width, 4)[..., 3]
    return _packed_picture(name, mixed(first, second, share), alpha)


def _packed_picture(
    name: str, colours: np.ndarray, alpha: np.ndarray | None = None
) -> bpy.types.Image:
    """A new picture of sRGB colours (h, w, 3), opaque without an alpha (h, w)."""
    height, width = colours.shape[:2]
    name = bpy.path.clean_name(name)
    out = bpy.data.images.new(name, width, height)
    rgba = np.ones((height, width, 4), np.float32)
    rgba[..., :3] = colours
    if alpha is not None:
        rgba[..., 3] = alpha
    out.pixels.foreach_set(rgba.reshape(-1))
    out.file_format = "PNG"
    out.pack()
    out.filepath_raw = f"//{name}.png"
    return out
