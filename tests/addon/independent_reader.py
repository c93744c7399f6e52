# SPDX-License-Identifier: GPL-3.0-or-later
"""What readers that are not Blender's find in a file: ``python independent_reader.py FILE``.

Runs in an environment of its own and prints one JSON object.
"""

from __future__ import annotations

import gc
import json
import os
import sys


def read_fbx(path: str) -> dict:
    """By ufbx. Lengths in metres, axes the file's."""
    import ufbx

    scene = keep(ufbx.load_file(path))
    metres = scene.settings.unit_meters
    nodes = all_of(scene.nodes)
    bones = [node.name for node in nodes if keep(node.bone) is not None]
    meshes = {}
    for node in nodes:
        mesh = keep(node.mesh)
        if mesh is None:
            continue
        stamps = {p.name: p.value_str for p in all_of(keep(node.props).props)}
        meshes[node.name] = {
            "vertices": mesh.num_vertices,
            "faces": mesh.num_faces,
            "points": [[metres * x for x in (v.x, v.y, v.z)] for v in all_of(mesh.vertices)],
            "stamps": {k: v for k, v in stamps.items() if k.startswith("pixel3dmm_")},
        }
    moved = {}
    for shape in all_of(scene.blend_shapes):
        where = [int(i) for i in all_of(shape.offset_vertices)]
        offsets = [[metres * x for x in (o.x, o.y, o.z)] for o in all_of(shape.position_offsets)]
        moved[shape.name] = dict(zip(where, offsets, strict=True))
    still = [n.name for n in nodes if n.name not in bones and is_identity(keep(n.local_transform))]
    return {
        "unit": metres,
        "meshes": meshes,
        "keys": [c.name for d in all_of(scene.blend_deformers) for c in all_of(d.channels)],
        "moved": moved,
        "bones": bones,
        "weighted": [c.name for d in all_of(scene.skin_deformers) for c in all_of(d.clusters)],
        "curves": len(all_of(scene.anim_curves)),
        "takes": [(stack.time_begin, stack.time_end) for stack in all_of(scene.anim_stacks)],
        "still_nodes": still,
    }


#: The objects of ufbx 0.0.5's binding crash Python when they are given back: none ever is.
_kept: list = []


def keep(thing):
    """The thing itself."""
    _kept.append(thing)
    return thing


def all_of(things) -> list:
    """What a list of the binding's holds."""
    keep(things)
    return [keep(things[i]) for i in range(len(things))]


def is_identity(transform) -> bool:
    """No shift, no turn, no scale."""
    t, r, s = transform.translation, transform.rotation, transform.scale
    off = [t.x, t.y, t.z, r.x, r.y, r.z, abs(r.w) - 1, s.x - 1, s.y - 1, s.z - 1]
    return max(map(abs, off)) < 1e-6


def read_glb(path: str) -> dict:
    """By pygltflib."""
    from pygltflib import GLTF2

    file = GLTF2().load(path)
    meshes = {}
    for node in file.nodes:
        if node.mesh is None:
            continue
        mesh = file.meshes[node.mesh]
        meshes[node.name] = {
            "keys": mesh.extras["targetNames"],
            "targets": [len(p.targets) for p in mesh.primitives],
            "vertices": sum(file.accessors[p.attributes.POSITION].count for p in mesh.primitives),
            "triangles": sum(file.accessors[p.indices].count // 3 for p in mesh.primitives),
            "tangents": all(p.attributes.TANGENT is not None for p in mesh.primitives),
            "normals": all("NORMAL" in t for p in mesh.primitives for t in targets(p)),
            "stamps": {k: v for k, v in node.extras.items() if k.startswith("pixel3dmm_")},
        }
    names = [node.name for node in file.nodes]
    moving = [names[c.target.node] for a in file.animations for c in a.channels]
    return {
        "copyright": file.asset.copyright,
        "scenes": len(file.scenes),
        "meshes": meshes,
        "bones": [names[i] for skin in file.skins for i in skin.joints],
        "animations": len(file.animations),
        "moving": sorted(set(moving)),
        "images": len(file.images),
    }


def targets(primitive) -> list:
    """Morph targets as plain dictionaries."""
    return [t if isinstance(t, dict) else vars(t) for t in primitive.targets]


if __name__ == "__main__":
    gc.disable()
    reader = read_fbx if sys.argv[1].endswith(".fbx") else read_glb
    sys.stdout.write(json.dumps(reader(sys.argv[1])))
    sys.stdout.flush()
    os._exit(0)
