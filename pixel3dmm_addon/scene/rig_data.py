# SPDX-License-Identifier: GPL-3.0-or-later
"""What a head in the scene remembers of its mesh, and the head read back as arrays to check.

Attributes of the mesh survive saving, copying and sculpting; whoever adds or removes vertices
makes the head another mesh, which is then said.
"""

from __future__ import annotations

import bpy
import numpy as np

from ...core.errors import ModelFileError
from ...core.geometry import axes
from ...core.heads.face_landmarks import LANDMARK_COUNT
from ...core.rig.correctives import PREFIX as DRIVEN
from ...core.rig.rig_arrays import RigArrays
from ...core.rigged_head import RiggedHead
from .rig import JOINT, bone_name

#: Attributes of the mesh: bits of regions and the mirror a vertex, the part a face.
REGIONS, MIRROR, PART = "pixel3dmm_regions", "pixel3dmm_mirror", "pixel3dmm_part"
#: Custom properties of the mesh.
_NAMES = "pixel3dmm_region_names"
_PARTS = "pixel3dmm_part_names"
VERTEX_COUNT = "pixel3dmm_vertex_count"
_LANDMARKS = ("pixel3dmm_landmark_vertices", "pixel3dmm_landmark_weights")
#: An integer attribute has a sign: 31 regions fit.
_MOST_REGIONS = 31
#: Characters of all names together.
_LONGEST_NAMES = 10_000


def remember(mesh: bpy.types.Mesh, rigged: RiggedHead) -> None:
    """Regions, parts, mirror and landmarks of a head's mesh."""
    names = [str(n) for n in rigged.region_names[:_MOST_REGIONS]]
    bits = sum((m.astype(np.int64) << k for k, m in enumerate(rigged.regions[: len(names)])),
               start=np.zeros(len(rigged.basis), np.int64))  # fmt: skip
    _write(mesh, REGIONS, "POINT", bits)
    if len(rigged.mirror):
        _write(mesh, MIRROR, "POINT", rigged.mirror)
    _write(mesh, PART, "FACE", rigged.face_part)
    mesh[_NAMES] = "\n".join(names)
    mesh[_PARTS] = "\n".join(str(n) for n in rigged.part_names)
    mesh[VERTEX_COUNT] = len(rigged.basis)
    if len(rigged.landmark_vertices):
        mesh[_LANDMARKS[0]] = rigged.landmark_vertices.ravel().tolist()
        mesh[_LANDMARKS[1]] = rigged.landmark_barycentric.ravel().tolist()


def rig_arrays(head: bpy.types.Object, rig: bpy.types.Object | None) -> RigArrays:
    """A head of ours as it stands in the scene, rest pose. Read the mesh outside of edit mode.

    Raises ModelFileError, one sentence, for a mesh that is no longer the one that was made.
    """
    mesh = head.data
    if PART not in mesh.attributes or REGIONS not in mesh.attributes:
        raise ModelFileError(
            f"{head.name} was made by an earlier version and cannot be checked: reconstruct it "
            "again."
        )
    if mesh.shape_keys is None or mesh.get(VERTEX_COUNT) != len(mesh.vertices):
        raise ModelFileError(
            f"{head.name} has lost its keys or was given other vertices: check the head before "
            "its mesh is changed."
        )
    keys = mesh.shape_keys.key_blocks
    if len(keys) < 2:
        raise _edited(head)
    part_names, region_names = _lines(head, _PARTS), _lines(head, _NAMES)
    parts = part_names[_read(head, PART, "FACE", 0, len(part_names))]
    bits = _read(head, REGIONS, "POINT")
    regions = {str(n): (bits >> k & 1).astype(bool) for k, n in enumerate(region_names[:32])}
    mirror = np.zeros(0, np.int32)
    if MIRROR in mesh.attributes:
        mirror = _read(head, MIRROR, "POINT", 0, len(mesh.vertices))
    vertices, shares = _landmarks(head)
    basis = _points(keys[0])
    deltas = np.stack([_points(k) - _points(k.relative_key) for k in keys[1:]])
    triangles, faces = _triangles(mesh)
    names, joints, weights = _bones(head, rig)
    return RigArrays(
        basis=basis,
        triangles=triangles,
        parts=parts[faces],
        key_names=tuple(k.name for k in keys[1:]),
        deltas=deltas,
        correctives=_drives([k.name for k in keys[1:]]),
        joint_names=names,
        joints=joints,
        weights=weights,
        regions=regions,
        mirror=mirror,
        landmark_vertices=vertices,
        landmark_barycentric=shares,
    )


def _edited(head: bpy.types.Object) -> ModelFileError:
    return ModelFileError(
        f"What {head.name} remembers of itself was changed beyond recognition: reconstruct it "
        "again."
    )


def _lines(head: bpy.types.Object, name: str) -> np.ndarray:
    """(n,) the names in a custom property of the mesh."""
    found = head.data.get(name)
    if not isinstance(found, str) or len(found) > _LONGEST_NAMES:
        raise _edited(head)
    return np.array(found.split("\n"))


def _landmarks(head: bpy.types.Object) -> tuple[np.ndarray, np.ndarray]:
    """(n, 3) vertices and shares of the landmarks; both empty where the mesh has none."""
    try:
        vertices, shares = (
            np.array(head.data.get(name, ()), np.float64).reshape(-1, 3) for name in _LANDMARKS
        )
    except (TypeError, ValueError) as error:
        raise _edited(head) from error
    if not vertices.size and not shares.size:
        return vertices.astype(np.int32), shares
    shape = (LANDMARK_COUNT, 3)
    if vertices.shape != shape or shares.shape != shape or not np.isfinite(shares).all():
        raise _edited(head)
    # Also false for nan.
    if not ((vertices >= -1) & (vertices < len(head.data.vertices))).all():
        raise _edited(head)
    return vertices.astype(np.int32), shares


def _drives(names: list[str]) -> np.ndarray:
    """(C, 3) of the driven keys: their names say what drives them."""
    rows = []
    for k, name in enumerate(names):
        sources = name[len(DRIVEN) :].split("_") if name.startswith(DRIVEN) else []
        if len(sources) == 2 and set(sources) <= set(names):
            rows.append([k, *(names.index(s) for s in sources)])
    return np.array(rows, np.int32).reshape(-1, 3)


def _bones(
    head: bpy.types.Object, rig: bpy.types.Object | None
) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """Names (J,), joints (J, 3) and weights (V, J) of the bones that the head follows."""
    if rig is None:
        return (), np.zeros((0, 3)), np.ones((len(head.data.vertices), 1))
    bones = [b for b in rig.data.bones if JOINT in b]
    column = {head.vertex_groups[b.name].index: j for j, b in enumerate(bones)
              if b.name in head.vertex_groups}  # fmt: skip
    weights = np.zeros((len(head.data.vertices), len(bones)))
    for i, vertex in enumerate(head.data.vertices):
        for group in vertex.groups:
            if group.group in column:
                weights[i, column[group.group]] = group.weight
    at = np.array([b.head_local for b in bones], np.float64).reshape(-1, 3)
    return tuple(str(b[JOINT]) for b in bones), axes.to_head(at), weights


def find_bone(rig: bpy.types.Object, joint: str) -> bpy.types.PoseBone | None:
    """The bone of a joint, whatever it is called now."""
    for bone in rig.pose.bones:
        if bone.bone.get(JOINT) == joint:
            return bone
    return rig.pose.bones.get(bone_name(joint))


def _points(key: bpy.types.ShapeKey) -> np.ndarray:
    flat = np.empty(len(key.data) * 3, np.float32)
    key.points.foreach_get("co", flat)
    return axes.to_head(flat.reshape(-1, 3))


def _triangles(mesh: bpy.types.Mesh) -> tuple[np.ndarray, np.ndarray]:
    """(T, 3) triangles, quads split along their first diagonal, and the face of each (T,)."""
    corners = np.empty(len(mesh.loops), np.int32)
    mesh.loops.foreach_get("vertex_index", corners)
    start, size = (np.empty(len(mesh.polygons), np.int32) for _ in range(2))
    mesh.polygons.foreach_get("loop_start", start)
    mesh.polygons.foreach_get("loop_total", size)
    fans = [(start + k, np.nonzero(size > k + 2)[0]) for k in range(int(size.max()) - 2)]
    triangles = [
        np.column_stack([corners[start[f]], corners[at[f] + 1], corners[at[f] + 2]])
        for at, f in fans
    ]
    faces = np.concatenate([f for _, f in fans])
    return np.concatenate(triangles), faces


def _write(mesh: bpy.types.Mesh, name: str, domain: str, values: np.ndarray) -> None:
    attribute = mesh.attributes.new(name, "INT", domain)
    attribute.data.foreach_set("value", values.astype(np.int32))


def _read(
    head: bpy.types.Object, name: str, domain: str, low: int | None = None, high: int = 0
) -> np.ndarray:
    """An attribute of ours, its values within low..high - 1 if that is asked."""
    attribute = head.data.attributes[name]
    if attribute.data_type != "INT" or attribute.domain != domain:
        raise _edited(head)
    values = np.empty(len(attribute.data), np.int32)
    attribute.data.foreach_get("value", values)
    if low is not None and values.size and not low <= values.min() <= values.max() < high:
        raise _edited(head)
    return values
