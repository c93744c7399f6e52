# SPDX-License-Identifier: GPL-3.0-or-later
"""People on meshes of other makers: registered without a click, how near, how sound, how fast.

    python -m benchmarks.conform [MESH_OR_FOLDER ...] [--head HEAD.npz] [--profiles DIR]

Meshes are OBJ, or whatever trimesh reads (glTF); they are nobody's of ours and are read where they
lie. --profiles keeps what was registered. Round trip: the person's face, sent to the mesh and
wrapped back, by the mesh's own profile or registered anew, to the person's surface after a
similarity.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np

from core.conform.check import rig_arrays
from core.conform.find_face import fit_similarity
from core.conform.mesh import OwnMesh
from core.conform.mesh_file import read_mesh
from core.conform.person import Conformed, put_on
from core.conform.profile import HeadProfile
from core.conform.rebake import rebake
from core.conform.register import profile_of, register_mesh
from core.conform.wrap import wrap
from core.errors import PersonError
from core.geometry.bilinear import bilinear
from core.geometry.closest import closest_points
from core.geometry.raster import rasterise
from core.heads import load_open_head
from core.heads.corners import is_skin, triangle_uv
from core.heads.model import HeadModel
from core.reconstruct.resources import load_mediapipe
from core.rig.rig_arrays import RigArrays
from core.rig.rig_check import check_rig
from core.rigged_head import RiggedHead

KINDS = (".obj", ".glb", ".gltf", ".vrm")
KEY_CHECKS = ("region", "direction", "amplitude")
HEADER = (
    "| mesh | vertices | face off, mm | keys | lips, lids apart, mm | moved beyond the face | "
    "round trip by its profile, anew, mm | seam of 255, time | registered, s | person, s |"
)


def load(path: Path) -> OwnMesh:
    """One mesh of all that a file holds."""
    if path.suffix.lower() == ".obj":
        return read_mesh(path)
    import trimesh

    scene = trimesh.load(path, process=False, force="scene", file_type=path.suffix[1:])
    points, triangles, layouts, count = [], [], [], 0
    for node in scene.graph.nodes_geometry:
        matrix, name = scene.graph[node]
        part = scene.geometry[name]
        points.append(trimesh.transform_points(part.vertices, matrix))
        triangles.append(part.faces + count)
        count += len(part.vertices)
        layouts.append(_layout(part))
    uv = None if any(u is None for u in layouts) else np.concatenate(layouts)
    return OwnMesh.of(path.stem, np.concatenate(points), np.concatenate(triangles), uv)


def _layout(part: Any) -> np.ndarray | None:
    """(T, 3, 2) of one geometry of trimesh's."""
    uv = getattr(part.visual, "uv", None)
    return None if uv is None else np.asarray(uv)[part.faces]


def measure(path: Path, neutral: np.ndarray, profiles: Path | None) -> str:
    """A row of the table; the sentence of a mesh that was refused."""
    head, nets = load_open_head(), load_mediapipe()
    mesh = load(path)
    started = time.perf_counter()
    profile = register_mesh(head, mesh, nets)
    registered = time.perf_counter() - started
    if profiles is not None:
        profile.save(profiles / f"{mesh.name}.npz")
    put_on(head, profile, mesh, neutral)
    started = time.perf_counter()
    person = put_on(head, profile, mesh, neutral)
    seconds = time.perf_counter() - started
    rig = rig_arrays(head, profile, mesh, person)
    check = check_rig(rig)
    bad = {f.subject for f in check.failures if f.check in KEY_CHECKS}
    others = sorted({f.check for f in check.failures} - set(KEY_CHECKS))
    lips, lids = gaps(rig)
    worn = OwnMesh.of(mesh.name, person.vertices, mesh.triangles)
    anew = back(head, register_mesh(head, worn, nets), neutral)
    followed = back(head, profile_of(head, worn, nets, profile), neutral)
    return (
        f"{len(mesh.vertices)} | {1e3 * profile.median:.2f} | {52 - len(bad)} of 52"
        f"{' (' + ', '.join(others) + ')' if others else ''} | {lips:.2f}, {lids:.2f} | "
        f"{moved(profile, mesh, person)} | {followed:.2f}, {anew:.2f} | {baked(head, profile)} | "
        f"{registered:.1f} | {seconds:.2f}"
    )


def gaps(rig: RigArrays) -> tuple[float, float]:
    """Millimetres by which lips are further apart under jawOpen with mouthClose than at rest, and
    that a blink leaves between the lids, the wider of both eyes.
    """
    names = list(rig.key_names)
    delta = dict(zip(names, rig.deltas, strict=True))

    def apart(shape: np.ndarray, one: int, other: int) -> float:
        ids = np.array([one, other])
        at = np.einsum(
            "nk,nkc->nc", rig.landmark_barycentric[ids], shape[rig.landmark_vertices[ids]]
        )
        return float(1e3 * np.linalg.norm(at[0] - at[1]))

    shut = rig.basis + delta["jawOpen"] + delta["mouthClose"]
    pair = {names.index("jawOpen"), names.index("mouthClose")}
    shut = shut + sum(rig.deltas[k] for k, *two in rig.correctives if set(two) == pair)
    lips = apart(shut, 13, 14) - apart(rig.basis, 13, 14)
    lids = [
        apart(rig.basis + delta[f"eyeBlink{side}"], *ids)
        for side, ids in (("Left", (386, 374)), ("Right", (159, 145)))
    ]
    return max(lips, 0.0), max(lids)


def moved(profile: HeadProfile, mesh: OwnMesh, person: Conformed) -> str:
    """How many vertices of scalp, body and clothes the person or a key moved, of how many."""
    still = profile.kind == 0
    changed = np.abs(person.vertices - mesh.vertices).max(axis=1) > 0
    changed[person.rows] |= np.abs(person.deltas).max(axis=(0, 2)) > 0
    return f"{int((changed & still).sum())} of {int(still.sum())}"


def back(head: HeadModel, profile: HeadProfile, neutral: np.ndarray) -> float:
    """Millimetres, median over the face, of the wrapped mesh from the person who was put on it."""
    made, face = wrap(head, profile).neutral, head.regions["face"]
    place = fit_similarity(made[face], neutral[face], np.ones(int(face.sum())))
    skin = head.triangles[is_skin(head)]
    return float(1e3 * np.median(closest_points(place(made[face]), neutral, skin).distance))


def baked(head: HeadModel, profile: HeadProfile) -> str:
    """A picture that tells places by its colour, drawn into the mesh's own layout: of 255, how
    much both sides of a cut differ (95 of 100 cuts), and seconds.
    """
    mesh = profile.mesh
    if not len(mesh.uv):
        return "-"
    side = 1024
    layout = triangle_uv(head)
    points = np.stack([layout[..., 0], 1 - layout[..., 1]], axis=-1).reshape(-1, 2) * side
    drawn = rasterise(
        points, np.ones(len(points)), np.arange(len(points)).reshape(-1, 3), side, side
    )
    low, size = head.template.min(axis=0), np.ptp(head.template, axis=0)
    places = drawn.interpolate(((head.template - low) / size)[head.triangles])
    picture = np.where((drawn.triangle >= 0)[..., None], 255 * places, 0).astype(np.uint8)
    started = time.perf_counter()
    out = rebake(head, profile, mesh, picture, 2048)
    seconds = time.perf_counter() - started
    of = mesh.welded.of_vertex[mesh.triangles]
    on_face = (profile.mask[mesh.triangles] > 0.5).all(axis=1) & (
        profile.kind[mesh.triangles] == 1
    ).all(axis=1)
    seen: dict[tuple[int, int], np.ndarray] = {}
    steps = []
    for row in np.nonzero(on_face)[0]:
        for k in range(3):
            a, b = sorted(((of[row, k], k), (of[row, (k + 1) % 3], (k + 1) % 3)))
            uv = (mesh.uv[row, a[1]] + mesh.uv[row, b[1]]) / 2
            other = seen.setdefault((int(a[0]), int(b[0])), uv)
            if np.abs(other - uv).max() > 1e-5:
                at = np.array([[u * 2048, (1 - v) * 2048] for u, v in (uv, other)])
                pair = bilinear(out[..., :3], at)
                steps.append(float(np.abs(pair[0] - pair[1]).max()))
    error = f"{np.quantile(steps, 0.95):.1f} at {len(steps)} cuts" if steps else "no cut"
    return f"{error}, {seconds:.1f} s"


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
    print(HEADER)
    for path in paths:
        try:
            print(f"| {path.name} | {measure(path, neutral, args.profiles)} |", flush=True)
        except PersonError as error:
            print(f"| {path.name} | refused: {error} |", flush=True)


if __name__ == "__main__":
    main()
