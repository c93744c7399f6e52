# SPDX-License-Identifier: GPL-3.0-or-later
"""A head in the scene as numbers: what core.rig.round_trip compares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import bpy
import numpy as np

from ...core.rig.round_trip import MeshFacts, SceneFacts
from ..scene.head import PREFIX
from .lods import key_positions

_BESIDE = 0.1
#: Frames in which whole meshes are compared; keys and bones are in all of them.
_POSES = 3


def gather(
    scene: bpy.types.Scene,
    meshes: Sequence[bpy.types.Object],
    rigs: Sequence[bpy.types.Object],
    frames: Sequence[float],
    *,
    animated: bool,
    axes: np.ndarray | None = None,
) -> SceneFacts:
    """frames: the current one, then those of the animation, if there is one. axes (3, 3): the
    rotation and scale of an object that has none of its own.

    The scene must be the window's; it is left at the current frame. Other modifiers than
    armatures are switched off meanwhile: they make vertices of their own.
    """
    with _armatures_alone(meshes):
        return _gather(scene, meshes, rigs, frames, animated, np.eye(3) if axes is None else axes)


@contextmanager
def _armatures_alone(meshes: Sequence[bpy.types.Object]) -> Iterator[None]:
    others = [m for mesh in meshes for m in mesh.modifiers if m.type != "ARMATURE"]
    shown = [m.show_viewport for m in others]
    try:
        for modifier in others:
            modifier.show_viewport = False
        yield
    finally:
        for modifier, show in zip(others, shown, strict=True):
            modifier.show_viewport = show


def _gather(
    scene: bpy.types.Scene,
    meshes: Sequence[bpy.types.Object],
    rigs: Sequence[bpy.types.Object],
    frames: Sequence[float],
    animated: bool,
    axes: np.ndarray,
) -> SceneFacts:
    played = list(frames[1:]) if animated else []
    chosen = {0, *np.linspace(0, max(len(played) - 1, 0), _POSES).astype(int)} if played else set()
    curves, turns = [], []
    posed: dict[str, list[np.ndarray]] = {mesh.name: [] for mesh in meshes}
    head = max(meshes, key=lambda m: len(m.data.vertices), default=None)
    bones = [(rig, bone) for rig in rigs for bone in rig.pose.bones]
    _go(scene, frames[0])
    rest = {rig: np.array(rig.matrix_world) for rig in rigs}
    for i, frame in enumerate(played):
        _go(scene, frame)
        curves.append([b.value for b in keys_of(head)])
        turns.append([_carried(rest[rig], rig, bone) for rig, bone in bones])
        if i in chosen:
            for mesh in meshes:
                posed[mesh.name].append(_evaluated(mesh))
    _go(scene, frames[0])
    if not played:
        for mesh in meshes:
            posed[mesh.name].append(_evaluated(mesh))
    return SceneFacts(
        meshes=tuple(_mesh_facts(mesh, posed[mesh.name]) for mesh in meshes),
        bone_heads={b.name: np.array(r.matrix_world @ b.bone.head_local) for r, b in bones},
        frames=tuple(int(f) for f in played),
        curve_keys=tuple(b.name for b in keys_of(head)),
        curves=np.array(curves, dtype=float).reshape(len(played), len(keys_of(head))),
        turns=np.array(turns, dtype=float).reshape(len(played), len(bones), 4, 3),
        stamps=_stamps(scene),
        transforms=tuple(
            (obj.name, np.array(obj.matrix_world)[:3, :3] @ np.linalg.inv(axes))
            for obj in (*rigs, *meshes)
        ),
    )


def _mesh_facts(mesh: bpy.types.Object, posed: list[np.ndarray]) -> MeshFacts:
    rest, moved = key_positions(mesh)
    world = np.array(mesh.matrix_world)
    points = np.concatenate([rest[None], moved]) @ world[:3, :3].T + world[:3, 3]
    keys = keys_of(mesh)
    bones, weights = _weights(mesh)
    return MeshFacts(
        name=mesh.name,
        keys=tuple(k.name for k in keys),
        positions=points,
        posed=np.array(posed),
        bones=bones,
        weights=weights,
        values=np.array([k.value for k in keys]),
        ranges=np.array([(k.slider_min, k.slider_max) for k in keys]).reshape(-1, 2),
    )


def _stamps(scene: bpy.types.Scene) -> dict[str, str]:
    """The add-on's custom properties, wherever they are: Blender's glTF importer puts those of an
    animated mesh on an empty.
    """
    return {
        name: value
        for obj in scene.objects
        for name, value in obj.items()
        if name.startswith(PREFIX) and isinstance(value, str)
    }


def _weights(mesh: bpy.types.Object) -> tuple[tuple[str, ...], np.ndarray]:
    """Of the groups that are bones, rows summing to one as the deformation has them."""
    rigs = [m.object for m in mesh.modifiers if m.type == "ARMATURE" and m.object is not None]
    known = {bone.name for rig in rigs for bone in rig.data.bones}
    names = [g.name for g in mesh.vertex_groups]
    out = np.zeros((len(mesh.data.vertices), len(names)))
    for vertex in mesh.data.vertices:
        for group in vertex.groups:
            if group.group < len(names):
                out[vertex.index, group.group] = group.weight
    kept = [i for i, name in enumerate(names) if name in known and out[:, i].any()]
    out = out[:, kept]
    total = out.sum(axis=1, keepdims=True)
    out = np.divide(out, total, out=np.zeros_like(out), where=total > 0)
    return tuple(names[i] for i in kept), out


def _carried(place: np.ndarray, rig: bpy.types.Object, bone: bpy.types.PoseBone) -> np.ndarray:
    """(4, 3): where the bone carries its resting head and points beside it, in the scene.

    place (4, 4): the rig's world matrix in the frame that counts as rest.
    """
    rest, now = np.array(bone.bone.matrix_local), np.array(bone.matrix)
    points = (place @ rest)[:3, 3] + np.concatenate([np.zeros((1, 3)), _BESIDE * np.eye(3)])
    change = np.array(rig.matrix_world) @ now @ np.linalg.inv(rest) @ np.linalg.inv(place)
    return points @ change[:3, :3].T + change[:3, 3]


def _evaluated(mesh: bpy.types.Object) -> np.ndarray:
    """World positions (V, 3) after keys and armature."""
    shown = mesh.evaluated_get(bpy.context.evaluated_depsgraph_get())
    co = np.empty(len(shown.data.vertices) * 3, np.float32)
    shown.data.vertices.foreach_get("co", co)
    world = np.array(shown.matrix_world)
    return co.reshape(-1, 3) @ world[:3, :3].T + world[:3, 3]


def keys_of(mesh: bpy.types.Object | None) -> list[bpy.types.ShapeKey]:
    """All but the first, which is the shape at rest."""
    keys = mesh.data.shape_keys if mesh is not None else None
    return list(keys.key_blocks)[1:] if keys is not None else []


def _go(scene: bpy.types.Scene, frame: float) -> None:
    whole = int(np.floor(frame))
    scene.frame_set(whole, subframe=frame - whole)
