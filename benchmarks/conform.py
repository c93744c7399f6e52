# SPDX-License-Identifier: GPL-3.0-or-later
"""People on meshes of other makers: registered without a click, how near, how sound, how fast.

    python -m benchmarks.conform [MESH_OR_FOLDER ...] [--head HEAD.npz] [--profiles DIR]

Meshes are OBJ, or whatever trimesh reads (glTF); they are nobody's of ours and are read where they
lie. --profiles keeps
what was registered. Round trip: the person's face, sent to the mesh, registered anew and wrapped,
to the person's surface after a similarity.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from core.conform.check import rig_arrays
from core.conform.find_face import fit_similarity
from core.conform.mesh import OwnMesh
from core.conform.mesh_file import read_mesh
from core.conform.person import put_on
from core.conform.register import register_mesh
from core.conform.wrap import wrap
from core.errors import PersonError
from core.geometry.closest import closest_points
from core.heads import load_open_head
from core.heads.corners import is_skin
from core.reconstruct.resources import load_mediapipe
from core.rig.rig_check import check_rig
from core.rigged_head import RiggedHead

KINDS = (".obj", ".glb", ".gltf", ".vrm")
KEY_CHECKS = ("region", "direction", "amplitude")


def load(path: Path) -> OwnMesh:
    """One mesh of all that a file holds."""
    if path.suffix.lower() == ".obj":
        return read_mesh(path)
    import trimesh

    scene = trimesh.load(path, process=False, force="scene", file_type=path.suffix[1:])
    points, triangles, count = [], [], 0
    for node in scene.graph.nodes_geometry:
        matrix, name = scene.graph[node]
        part = scene.geometry[name]
        points.append(trimesh.transform_points(part.vertices, matrix))
        triangles.append(part.faces + count)
        count += len(part.vertices)
    return OwnMesh.of(path.stem, np.concatenate(points), np.concatenate(triangles))


def measure(path: Path, neutral: np.ndarray, profiles: Path | None) -> str:
    """One line of figures; the sentence of a mesh that was refused."""
    head, nets = load_open_head(), load_mediapipe()
    started = time.perf_counter()
    mesh = load(path)
    profile = register_mesh(head, mesh, nets)
    registered = time.perf_counter() - started
    if profiles is not None:
        profile.save(profiles / f"{mesh.name}.npz")
    put_on(head, profile, mesh, neutral)
    started = time.perf_counter()
    person = put_on(head, profile, mesh, neutral)
    seconds = time.perf_counter() - started
    check = check_rig(rig_arrays(head, profile, mesh, person))
    bad = {f.subject for f in check.failures if f.check in KEY_CHECKS}
    others = sorted({f.check for f in check.failures} - set(KEY_CHECKS))
    still = np.ones(len(mesh.vertices), bool)
    still[person.rows] = False
    moved = int((np.abs(person.vertices - mesh.vertices).max(axis=1) > 0)[still].sum())
    lips, lids = check.worst("lips"), check.worst("lids")
    worn = OwnMesh.of(mesh.name, person.vertices, mesh.triangles)
    back = wrap(head, register_mesh(head, worn, nets)).neutral
    face = head.regions["face"]
    place = fit_similarity(back[face], neutral[face], np.ones(int(face.sum())))
    skin = head.triangles[is_skin(head)]
    off = 1e3 * np.median(closest_points(place(back[face]), neutral, skin).distance)
    return (
        f"face {1e3 * profile.median:.2f} mm, {registered:.1f} s; keys {52 - len(bad)} of 52"
        f"{', also beyond: ' + ', '.join(others) if others else ''}; lips cross "
        f"{lips.value if lips else 0:.1f} mm, lids {lids.value if lids else 0:.1f} mm; "
        f"{still.sum()} of {len(still)} vertices outside the face, {moved} of them moved; "
        f"person in {seconds:.2f} s; round trip {off:.2f} mm"
    )


def main() -> None:
    """Prints a line a mesh."""
    parser = argparse.ArgumentParser()
    parser.add_argument("meshes", nargs="*", type=Path)
    parser.add_argument("--head", type=Path, help="whose face; one at random without it")
    parser.add_argument("--profiles", type=Path)
    args = parser.parse_args()
    head = load_open_head()
    if args.head is None:
        neutral = head.neutral(np.random.default_rng(2).normal(scale=0.7, size=40))
    else:
        neutral = RiggedHead.load(args.head).basis.astype(np.float64)
    paths = [
        p
        for given in args.meshes
        for p in (sorted(given.iterdir()) if given.is_dir() else [given])
        if p.suffix.lower() in KINDS
    ]
    if not paths:
        print("no meshes were named: give OBJ or glTF files, or folders of them")
        return
    for path in paths:
        try:
            print(f"{path.name}: {measure(path, neutral, args.profiles)}", flush=True)
        except PersonError as error:
            print(f"{path.name}: refused: {error}", flush=True)


if __name__ == "__main__":
    main()
