# SPDX-License-Identifier: GPL-3.0-or-later
"""States of a head that no file can hold, each by its name and with the next step.

The comparison at the end would find them too, but it knows figures alone.
"""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Matrix

from ...core.errors import OutputError
from .family import family, rigs_of
from .presets import Preset

#: glTF stores so many bones of a vertex.
_GLTF_BONES = 4


def refuse(head: bpy.types.Object, preset: Preset) -> None:
    """Raises OutputError where an export makes no sense; a .blend holds everything as it is."""
    if not len(head.data.polygons):
        raise OutputError(f"{head.name} has no faces: there is nothing to export.")
    if preset.format == "BLEND":
        return
    keys = head.data.shape_keys
    if keys is not None and not keys.use_relative:
        raise OutputError(
            f"The shape keys of {head.name} are absolute, which no file knows: tick Relative in "
            "Object Data > Shape Keys."
        )
    if not _finite(head):
        raise OutputError(
            f"Vertices of {head.name} have no place (not a number): undo the step that moved them."
        )
    for obj in family(head):
        _refuse_scale(obj)


def _refuse_scale(obj: bpy.types.Object) -> None:
    determinant = obj.matrix_world.determinant()
    if determinant > 0:
        return
    if determinant == 0:
        raise OutputError(f"{obj.name} is scaled to nothing: give it a scale.")
    owner = _mirror(obj)
    scale = ", ".join(f"{s:g}" for s in owner.matrix_local.to_scale())
    if owner.scale[0] * owner.scale[1] * owner.scale[2] < 0:
        scale = ", ".join(f"{s:g}" for s in owner.scale)
    raise OutputError(
        f"{owner.name} is mirrored (scale {scale}), and no file holds a mirrored rig: make its "
        "scale positive."
    )


def _mirror(obj: bpy.types.Object) -> bpy.types.Object:
    """The object itself or the nearest above it that brings the negative scale in."""
    here: bpy.types.Object | None = obj
    while here is not None:
        if here.scale[0] * here.scale[1] * here.scale[2] < 0:
            return here
        here = here.parent
    return obj


def reasons(head: bpy.types.Object, preset: Preset) -> list[str]:
    """Why what was read back may differ: sentences on what files do not know of this head."""
    out = []
    for modifier in (m for m in head.modifiers if m.type == "ARMATURE"):
        if modifier.use_deform_preserve_volume:
            out.append(f"untick Preserve Volume of the modifier {modifier.name}")
        if modifier.use_bone_envelopes:
            out.append(f"untick Bone Envelopes of the modifier {modifier.name}")
        if modifier.vertex_group:
            out.append(f"take the vertex group off the modifier {modifier.name}")
        if modifier.use_multi_modifier:
            out.append(f"untick Multi Modifier of the modifier {modifier.name}")
    for rig in rigs_of(head):
        bendy = [b.name for b in rig.data.bones if b.bbone_segments > 1]
        if bendy:
            out.append(f"give the bendy bone {bendy[0]} one segment")
    if any(_leans(obj.matrix_world) for obj in family(head)):
        out.append("apply the scale of what carries the head: it is stretched aslant")
    used = np.zeros(len(head.data.vertices), bool)
    corners = np.empty(len(head.data.loops), np.int32)
    head.data.loops.foreach_get("vertex_index", corners)
    used[corners] = True
    if not used.all():
        out.append(f"delete {int((~used).sum())} vertices that belong to no face")
    if preset.format == "GLB" and _most_bones(head) > _GLTF_BONES:
        out.append(f"limit vertex groups to {_GLTF_BONES} a vertex (Weights > Limit Total)")
    return out


def _finite(head: bpy.types.Object) -> bool:
    keys = head.data.shape_keys
    blocks = [k.points for k in keys.key_blocks] if keys is not None else [head.data.vertices]
    for points in blocks:
        co = np.empty(3 * len(points), np.float32)
        points.foreach_get("co", co)
        if not np.isfinite(co).all():
            return False
    return True


def _leans(world: Matrix) -> bool:
    """Its axes are not square to each other."""
    axes = np.array(world.to_3x3())
    axes = axes / np.linalg.norm(axes, axis=0)
    return bool(np.abs(axes.T @ axes - np.eye(3)).max() > 1e-4)


def _most_bones(head: bpy.types.Object) -> int:
    bones = {b.name for rig in rigs_of(head) for b in rig.data.bones}
    known = {g.index for g in head.vertex_groups if g.name in bones}
    return max(
        (sum(g.group in known and g.weight > 0 for g in v.groups) for v in head.data.vertices),
        default=0,
    )
