# SPDX-License-Identifier: GPL-3.0-or-later
"""A mesh of the artist's own as what Reconstruct Face makes: a rigged head on its vertices.

The fit is the open head's, and goes on as such under pins and further photos. What is made of it is
carried to the mesh: the face as it is in the photo, before the photo's own camera, every key at the
photo's value, bones and weights for all of the mesh, the painted skin in its own layout.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MeshError
from ..files.png import encode_png
from ..heads.model import HeadModel, skinned
from ..heads.open_head import OPEN_HEAD_NAME, load_open_head
from ..likeness.source_and_bound import INFERRED
from ..options import Options
from ..rig.bone_tails import joint_tails
from ..rigged_head import RiggedHead
from .carry import bridge_of, carry, facing_out, joint_weights
from .check import parts_on, regions_on
from .faces import corners_of
from .person import brought_over
from .profile import KINDS, HeadProfile, load_profile
from .rebake import decode_own_png, rebaked

Array = NDArray[np.float64]
Index = NDArray[np.integer[Any]]

#: Vertices beyond which 80 keys for all of them would not fit into memory and into a .blend.
_MOST = 150_000
NO_HAIR = "Hair is not put on a mesh of your own: reconstruct the face on the Open Head for it."
#: Part names, in the order of ``face_part``.
_PARTS = ("skin", "eyeball_l", "eyeball_r", "teeth_upper", "teeth_lower", "mouth_interior", "other")


def target_of(options: Options) -> HeadProfile | None:
    """The profile that the options name, if any. Raises MeshError for one that is of no use."""
    if options.head_mesh is None:
        return None
    profile = load_profile(Path(options.head_mesh))
    profile.check_head(load_open_head().digest)
    if len(profile.mesh.vertices) > _MOST:
        raise MeshError(
            f"{profile.name} has {len(profile.mesh.vertices)} vertices, and a face can be "
            f"reconstructed on at most {_MOST}: use Send to My Mesh, or decimate it."
        )
    return profile


def on_target(profile: HeadProfile | None, rigged: RiggedHead) -> RiggedHead:
    """The head on the mesh of the profile; itself without one. Raises MeshError."""
    return rigged if profile is None else on_own_mesh(load_open_head(), profile, rigged)


def on_own_mesh(head: HeadModel, profile: HeadProfile, rigged: RiggedHead) -> RiggedHead:
    """A rigged open head as one on the vertices of a mesh of the artist's."""
    profile.check_head(head.digest)
    if rigged.head_name != OPEN_HEAD_NAME or len(rigged.basis) != head.vertex_count:
        raise MeshError(
            f"{rigged.name} is a {rigged.head_name} head, and only people on the Open Head can be "
            "put on another mesh: reconstruct the photo with the Open Head."
        )
    mesh, neutral = profile.mesh, rigged.basis.astype(np.float64)
    laid = profile.laid.astype(np.float64)
    # The mesh comes to the person: the photo's camera stands before the person's own head.
    to_person = brought_over(head, neutral, laid).inverse
    placed, laid = to_person.after(profile.to_head)(mesh.vertices), to_person(laid)
    bridge = bridge_of(head, laid, neutral)
    done = carry(head, profile, mesh, placed, laid, bridge, rigged.key_deltas.astype(np.float64))
    deltas = np.zeros((len(rigged.key_names), len(placed), 3), np.float32)
    deltas[:, done.rows] = done.deltas
    weights = joint_weights(head, profile)
    joints = head.joints(bridge)
    joints[[head.joint("eye_l"), head.joint("eye_r")]] = done.eyes
    shape = done.at_rest.copy()
    shape[done.rows] += np.tensordot(rigged.key_values.astype(np.float64), done.deltas, 1)
    rotations = rigged.joint_rotations.astype(np.float64)
    posed = skinned(shape, joints, rotations, weights.astype(np.float64), head.parents)
    inside_out = facing_out(head, profile, mesh, done.at_rest, bridge) is not mesh.triangles
    regions = regions_on(head, profile)
    changed: dict[str, Any] = {
        **_faces(profile, inside_out),
        **_trust(profile, rigged),
        **_skin(head, profile, rigged),
        **_words(profile, rigged),
        **_nothing_of_ours(),
    }
    return replace(
        rigged,
        head_name=f"{profile.name} ({OPEN_HEAD_NAME})",
        basis=done.at_rest.astype(np.float32),
        part_names=np.array(_PARTS),
        key_deltas=deltas,
        joints=joints.astype(np.float32),
        joint_tails=joint_tails(head, bridge, joints).astype(np.float32),
        weights=weights,
        posed=posed.astype(np.float32),
        region_names=np.array(list(regions)),
        regions=np.array(list(regions.values()), bool),
        landmark_vertices=profile.landmark_vertices,
        landmark_barycentric=profile.landmark_share.astype(np.float32),
        mirror=np.zeros(0, np.int32),
        material_names=np.array(mesh.materials) if mesh.materials else np.zeros(0, "U1"),
        **changed,
    )


@lru_cache(maxsize=4)
def _faces(profile: HeadProfile, inside_out: bool) -> dict[str, NDArray[Any]]:
    """quads, uv, uv_quads, face_part and own_material; wound so that normals point outwards."""
    mesh = profile.mesh
    corners = corners_of(mesh)
    if inside_out:
        turned = np.where(corners[:, 3:] >= 0, corners[:, [3, 2, 1, 0]], corners[:, [2, 1, 0, 3]])
        corners = turned
    row = corners[:, 0] // 3
    quads = np.where(corners >= 0, mesh.triangles.ravel()[corners], -1).astype(np.int32)
    if len(mesh.uv):
        layout = mesh.uv.reshape(-1, 2).astype(np.float32)
        uv, which = np.unique(layout, axis=0, return_inverse=True)
        uv_quads = np.where(corners >= 0, which.reshape(-1)[corners], -1).astype(np.int32)
    else:
        uv = np.zeros((1, 2), np.float32)
        uv_quads = np.where(corners >= 0, 0, -1).astype(np.int32)
    parts = parts_on(profile, mesh.triangles)
    number = {name: i for i, name in enumerate(_PARTS)}
    face_part = np.array([number[p] for p in parts[row]], np.int8)
    material = mesh.material[row].astype(np.int32)
    return {"quads": quads, "uv": uv, "uv_quads": uv_quads, "face_part": face_part,
            "own_material": material}  # fmt: skip


def _trust(profile: HeadProfile, rigged: RiggedHead) -> dict[str, NDArray[Any]]:
    """uncertainty, and what the photo measured; beyond the face nothing is the person's."""
    on_face = (profile.kind == KINDS.index("skin")) & (profile.mask > 0.5)
    at = profile.nearest
    doubt = rigged.uncertainty
    out: dict[str, NDArray[Any]] = {
        "uncertainty": np.where(on_face, doubt[at], doubt.max()).astype(np.float32)
    }
    if len(rigged.likeness_source):
        bound = rigged.likeness_bound
        source = np.where(on_face, rigged.likeness_source[at], INFERRED)
        out["likeness_source"] = source.astype(np.int8)
        out["likeness_bound"] = np.where(on_face, bound[at], bound.max()).astype(np.float32)
    return out


def _skin(head: HeadModel, profile: HeadProfile, rigged: RiggedHead) -> dict[str, NDArray[Any]]:
    """The skin's colour in the mesh's own layout, clear where the artist's own is to be seen."""
    none = np.zeros(0, np.uint8)
    out = {"skin_photo": none, "skin_albedo": none, "skin_relief": none, "skin_roughness": none}
    names = [n for n in ("skin_photo", "skin_albedo") if getattr(rigged, n).size]
    if not names or not len(profile.mesh.uv):
        return out
    pictures = [decode_own_png(getattr(rigged, n).tobytes()) for n in names]
    made = rebaked(head, profile, profile.mesh, pictures, len(pictures[0]))
    for name, picture in zip(names, made, strict=True):
        out[name] = np.frombuffer(encode_png(picture, effort=1), np.uint8)
    return out


def _words(profile: HeadProfile, rigged: RiggedHead) -> dict[str, str]:
    """Report and recipe say which mesh it is."""
    report, recipe = rigged.report, rigged.recipe
    notes = [] if not rigged.hair_json else [NO_HAIR]
    if rigged.skin_albedo.size and not len(profile.mesh.uv):
        notes.append(f"{profile.name} has no texture layout, so no texture was drawn.")
    report["head_mesh"] = {
        "name": profile.name,
        "vertices": len(profile.mesh.vertices),
        "median_mm": round(1e3 * profile.median, 4),
        "warnings": notes,
    }
    recipe["head_mesh"] = {"name": profile.name, "sha256": profile.digest}
    return {
        "report_json": json.dumps(report, sort_keys=True),
        "recipe_json": json.dumps(recipe, sort_keys=True),
    }


def notes_of(rigged: RiggedHead) -> list[str]:
    """What is to be said of a head on a mesh of the artist's, as sentences."""
    return [str(s) for s in rigged.report.get("head_mesh", {}).get("warnings", [])]


def _nothing_of_ours() -> dict[str, Any]:
    """What is laid out for the open head alone."""
    picture, three = np.zeros(0, np.uint8), np.zeros((0, 0, 3), np.float32)
    return {
        "skin_coverage": np.zeros((0, 0), np.uint8),
        "eye_picture": picture,
        "mouth_picture": picture,
        "folds_picture": picture,
        "folds_layout": np.zeros(0, np.float32),
        "hair_guides": three,
        "hair_root_triangle": np.zeros(0, np.int32),
        "hair_root_place": np.zeros((0, 3), np.float32),
        "hair_density": np.zeros(0, np.float32),
        "hair_strands": np.zeros((0, 0, 3), np.int16),
        "hair_uv": np.zeros((0, 2), np.float32),
        "hair_json": "",
    }
