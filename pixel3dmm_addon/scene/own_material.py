# SPDX-License-Identifier: GPL-3.0-or-later
"""What a head wears that was reconstructed on an artist's mesh: the artist's materials, where the
scene has them, with the person's skin laid over their colour by its alpha.
"""

from __future__ import annotations

import bpy
import numpy as np

from ...core.rigged_head import RiggedHead
from . import material, skin
from .pictures import principled


def add_slots(mesh: bpy.types.Mesh, rigged: RiggedHead) -> np.ndarray:
    """(F,) the slot of each face; one slot a material of the artist's, or a kind of part."""
    kinds = [material.kind_of_part(str(part)) for part in rigged.part_names]
    names = [str(n) for n in rigged.material_names]
    own = [bpy.data.materials.get(n) for n in names]
    order = list(dict.fromkeys(kinds))
    of_part = np.array([order.index(kind) for kind in kinds])
    # Materials come first in this numbering, kinds of parts after them.
    there = np.array([m is not None for m in own] + [False])
    wanted = np.where(
        there[rigged.own_material], rigged.own_material, len(own) + of_part[rigged.face_part]
    )
    used, slots = np.unique(wanted, return_inverse=True)
    for number in used.tolist():
        source = own[number] if number < len(own) else None
        if source is not None:
            made = source.copy()
            made.name = f"{mesh.name} {source.name}"
            wears_skin = True
        else:
            kind = order[number - len(own)]
            made = material.make_material(
                f"{mesh.name} {kind}", kind, material.colour_of(kind, rigged)
            )
            wears_skin = kind == "skin"
        if wears_skin and (rigged.face_part[wanted == number] == 0).any():
            lay_over(made, rigged)
        mesh.materials.append(made)
    return np.asarray(slots.reshape(-1), np.int32)


def lay_over(made: bpy.types.Material, rigged: RiggedHead) -> None:
    """The skin's pictures over the material's colour, if any were painted."""
    if not rigged.skin_albedo.size or not rigged.skin_photo.size:
        return
    if made.node_tree is None:
        made.use_nodes = True
    if not any(node.type == "BSDF_PRINCIPLED" for node in made.node_tree.nodes):
        return
    nodes, links = made.node_tree.nodes, made.node_tree.links
    base = principled(made).inputs["Base Color"]
    below = base.links[0].from_socket if base.links else None
    colour = tuple(base.default_value)
    skin.dress(made, rigged)
    over = nodes.new("ShaderNodeMix")
    over.name = over.label = skin.OVER
    over.data_type, over.location = "RGBA", (-60, 420)
    over.inputs[6].default_value = colour
    if below is not None:
        links.new(below, over.inputs[6])
    links.new(nodes[skin.LIGHT].outputs[2], over.inputs[7])
    links.new(nodes[skin.ALBEDO].outputs["Alpha"], over.inputs[0])
    links.new(over.outputs[2], base)
