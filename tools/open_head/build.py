# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole build in order: mesh, identity, expressions, rig, landmarks, regions, arrays.

What the files hold (V vertices, F faces, T triangles, U uv vertices; metres, head frame):

``open_head.npz``
    Mesh: v_template (V,3); quads (F,4), a triangle has -1 in its fourth place; triangles (T,3) and
    triangle_quad (T,), the face each comes from; part_names and face_part (F,); uv (U,2) with v
    upwards and uv_quads (F,4); mirror (V,); neck_loop, the boundary in face orientation.
    Shapes: shapedirs (V,3,130) per sigma, the 100 components of real people first, and
    shape_std_mm (130,); exprdirs (V,3,52), expr_names.
    Rig: posedirs (V,3,45) per entry of R_j - I, row-major, joints 1..5; J_regressor (6,V), weights
    (V,6), parents, joint_names; gaze_names, gaze_rotvec (8,3) and jaw_open_rotvec (3,), radians.
    What is put on (teeth, gums, lashes, brows, the cut of the neck, tears): the last n of the V
    vertices. shapedirs, exprdirs, posedirs and J_regressor hold the first V - n; those after them
    follow: vertex V - n + i moves by the sum of follow_weight times the motion of follow_leader,
    rows follow_start[i]:follow_start[i + 1].
    Places: region_names and regions (R,V); lmk_vertices (478,3), lmk_bary (478,3), lmk_mirror
    (478,); mh_index (V,), vertex number in MakeHuman's base.obj or -1; eye_ring (V,), ring of the
    eyeball from the pupil's middle outwards or -1.
``named_shapes.npz``
    Sparse shapes: of shape i the rows ptr[i]:ptr[i+1] of index (vertex) and delta_10um (int16 steps
    of 10 micrometres); names; slider_names, slider_groups, slider_negative and slider_positive
    (shape names joined by "|"), slider_sigma; name_to_pca (420,130), the least-squares coefficients
    of each shape.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from core.heads.open_head import build_head
from core.rig.person_keys import rest_keys

from .add_ons import assemble
from .atlas import build_atlas
from .embedding import landmark_embedding
from .expressions import (
    ARKIT_NAMES,
    GAZE_NAMES,
    jaw_turned,
    mirror_name,
    read_expressions,
)
from .hairs import brow, lashes
from .identity_basis import principal_components, sample_population
from .identity_targets import Slider, read_shapes, read_sliders, shape_names
from .lip_contact import part_lips
from .lip_seal import make_lip_seal
from .mesh import PART_NAMES, HeadMesh, build_mesh, split_quads
from .neck_cut import neck_cut
from .people import read_people
from .population import Seats, even_or_odd, people_population
from .regions import build_regions
from .rig import (
    EYE_L,
    JAW,
    JOINT_NAMES,
    PARENTS,
    joint_centres,
    joint_regressor,
    pose_correctives,
    skin_weights,
)
from .source import Source
from .tears import tears
from .teeth import affinely, arches, ridges, seat, settle, teeth

PEOPLE = Path(__file__).parents[2] / "vendor" / "people" / "people.npz"
"""Statistics of real people: see ``people``."""
COMPONENTS = 100
_REGRESSOR_HEADS = 300
_ORIGIN_BELOW_EYES, _ORIGIN_BEHIND_EYES = 0.0323, 0.0832
_EAR_TARGETS = ("ears/l-ear-trans-up", "ears/r-ear-trans-up")


def build(
    source: Source, registration: Path, people: Path | None, say: Callable[[str], None]
) -> tuple[dict, dict]:
    """Build the arrays of ``open_head.npz`` and of ``named_shapes.npz``.

    people: the file of statistics of real people; without it the head is MakeHuman's average and
    its components those of a population that MakeHuman's sliders were drawn for, by guess.
    """
    mesh = build_mesh(source)
    say(f"mesh: {len(mesh.positions)} vertices, {len(mesh.quads)} faces")

    sliders = read_sliders(source)
    names = shape_names(sliders)
    joint_vertices = joint_centres(source)
    shapes, joint_shapes = read_shapes(source, mesh, names, list(joint_vertices.values()))
    say(f"identity: {len(names)} named shapes, {len(sliders)} sliders")
    weights_of_people = sample_population(sliders, names)
    mean = mesh.positions + np.einsum("s,svc->vc", weights_of_people.mean(axis=0), shapes)
    seal = make_lip_seal(mesh, (mean + mesh.mirrored(mean)) / 2)
    shapes = np.stack([seal.close(s) for s in shapes])
    basis = principal_components(mesh, shapes, weights_of_people, COMPONENTS)
    say(f"identity: {COMPONENTS} components explain {basis.explained[-1]:.2%} of the population")

    template = seal.close(mesh.positions) + basis.mean
    template = (template + mesh.mirrored(template)) / 2
    components, average, moved = basis.components, template, np.zeros_like(template)
    weights = skin_weights(source, mesh)
    some = weights_of_people[:_REGRESSOR_HEADS]
    heads = mesh.positions + np.einsum("ns,svc->nvc", some, shapes)
    rest = np.stack([source.positions[v].mean(axis=0) for v in joint_vertices.values()])
    joints = rest + np.einsum("ns,sjc->njc", some, joint_shapes)
    of_joint = dict(zip(joint_vertices, joints.transpose(1, 0, 2), strict=True))
    regressor = joint_regressor(mesh, template, heads, of_joint)
    ears = sum(mesh.displacement(source.identity_target(*n.split("/"))) for n in _EAR_TARGETS)
    if people is not None:
        seats = Seats(mesh, template, seal)
        outside = _outside(mesh, template, weights, registration, ears)
        of_people = read_people(people, len(template))
        population = people_population(mesh, seats, of_people, outside, shapes, weights_of_people)
        template = template + population.mean
        # Where lips of this average touch is told by itself.
        for _ in range(2):
            seal = make_lip_seal(mesh, template)
            template = seal.close(template)
        template = (template + mesh.mirrored(template)) / 2
        moved = template - average
        shapes = np.stack([seal.close(s) for s in shapes])
        components = np.moveaxis(
            np.stack([seal.close(c) for c in np.moveaxis(population.components, 2, 0)]), 0, 2
        )
        components = even_or_odd(mesh, components)
        say(f"identity: {components.shape[2]} components about the average of people")
    expressions = read_expressions(source, mesh, seal)
    expressions = jaw_turned(expressions, seal, weights[:, JAW], moved, regressor[JAW] @ moved)
    origin = _origin(mesh, template)
    template = template - origin

    correctives = pose_correctives(template, weights, regressor, expressions)
    say(
        "rig: joints "
        + ", ".join(
            f"{n} {p.round(3)}" for n, p in zip(JOINT_NAMES, regressor @ template, strict=True)
        )
    )

    lmk_vertices, lmk_bary, _ = landmark_embedding(mesh, template, registration, measured=False)
    landmarks = np.einsum("nk,nkc->nc", lmk_bary.astype(float), template[lmk_vertices])
    regions = build_regions(mesh, template, weights, landmarks, ears)

    triangles, triangle_quad = mesh.triangles()
    skin = triangles[mesh.face_part[triangle_quad] == PART_NAMES.index("skin")]
    directions = part_lips(
        template, skin, regions["lips"], landmarks, mesh.mirrored, expressions.directions
    )
    say("expressions: lips parted")

    uv, uv_quads = build_atlas(mesh, template)
    say(f"atlas: {len(uv)} uv vertices")
    both = arches(mesh, template, landmarks[[13, 14], 1].mean())
    banded, template = template, ridges(mesh, template, both)
    directions = settle(mesh, banded, template, directions)
    correctives = affinely(mesh, banded, template, correctives)
    seated = seat(mesh, banded, template, components)
    size_mm = 1000 * np.sqrt((seated**2).sum(axis=(0, 1)) / len(seated))
    named = seat(mesh, banded, template, shapes.transpose(1, 2, 0)).transpose(2, 0, 1)
    places = lmk_vertices, lmk_bary.astype(float)
    put_on = [
        *teeth(mesh, template, both),
        lashes(mesh, template, weights, places, regressor[EYE_L] @ template),
        brow(mesh, template, weights, places),
        neck_cut(mesh, template, weights),
        tears(mesh, template, weights, regressor[EYE_L] @ template),
    ]
    add = assemble(put_on, mesh, len(uv))
    say(f"added: {len(add.points)} vertices, {len(add.quads)} faces")

    lmk_vertices, lmk_bary, lmk_mirror = landmark_embedding(
        mesh, template, registration, measured=True
    )
    more, owner = split_quads(add.quads)
    none = np.full(len(add.points), -1)
    nowhere = np.zeros(len(add.points), bool)
    head = {
        "v_template": np.concatenate([template, add.points]).astype(np.float32),
        "quads": np.concatenate([mesh.quads, add.quads]),
        "triangles": np.concatenate([triangles, more]),
        "triangle_quad": np.concatenate([triangle_quad, owner + np.int32(len(mesh.quads))]),
        "part_names": np.array(PART_NAMES),
        "face_part": np.concatenate([mesh.face_part, add.face_part]),
        "uv": np.concatenate([uv, add.uv]).astype(np.float32),
        "uv_quads": np.concatenate([uv_quads, add.uv_quads]),
        "follow_start": add.follow_start,
        "follow_leader": add.follow_leader,
        "follow_weight": add.follow_weight,
        "shapedirs": seated.astype(np.float16),
        "shape_std_mm": size_mm.astype(np.float32),
        "exprdirs": directions.transpose(1, 2, 0).astype(np.float16),
        "expr_names": np.array(ARKIT_NAMES),
        "posedirs": correctives.astype(np.float16),
        "J_regressor": regressor.astype(np.float32),
        "weights": np.concatenate([weights, add.weights]).astype(np.float32),
        "parents": np.array(PARENTS, np.int32),
        "joint_names": np.array(JOINT_NAMES),
        "mirror": np.concatenate([mesh.mirror, add.mirror]),
        "neck_loop": mesh.neck_loop,
        "region_names": np.array(list(regions)),
        "regions": np.stack([np.concatenate([m, nowhere]) for m in regions.values()]),
        "lmk_vertices": lmk_vertices,
        "lmk_bary": lmk_bary,
        "lmk_mirror": lmk_mirror,
        "gaze_names": np.array(GAZE_NAMES),
        "gaze_rotvec": expressions.gaze_rotvec.astype(np.float32),
        "jaw_open_rotvec": expressions.jaw_open_rotvec.astype(np.float32),
        "mh_index": np.concatenate([mesh.mh_index, none]).astype(np.int32),
        "eye_ring": np.concatenate([mesh.eye_ring, none]).astype(np.int8),
    }
    own = own_keys(head, mesh)
    head["exprdirs"] = own.astype(np.float16)
    to_components = _in_components(shapes, components)
    return head, _named_shapes(names, named, sliders, to_components)


def own_keys(head: dict, mesh: HeadMesh) -> np.ndarray:
    """(V, 3, 52) what the product makes of the shapes for somebody who is the average: lips and
    lids that keep out of each other; exactly mirrored. Blinks stay as sculpted, farther than this
    average's eyes need, so that they close other people's too.
    """
    model = build_head(head, "")
    keys = rest_keys(model, model.template)
    for name in ("eyeBlinkLeft", "eyeBlinkRight"):
        keys[name] = model.expression_basis[:, :, ARKIT_NAMES.index(name)]
    count = len(mesh.positions)
    even = [
        (keys[n][:count] + mesh.mirrored(keys[mirror_name(n)][:count])) / 2 for n in ARKIT_NAMES
    ]
    return np.stack(even, axis=2)


def _origin(mesh: HeadMesh, template: np.ndarray) -> np.ndarray:
    """FLAME's place for the origin: inside the head, below and behind the eyes' centres."""
    ball = template[mesh.spans["eyeball_l"]]
    eye = (ball.max(axis=0) + ball.min(axis=0)) / 2
    return np.array([0.0, eye[1] - _ORIGIN_BELOW_EYES, eye[2] - _ORIGIN_BEHIND_EYES])


def _outside(
    mesh: HeadMesh, template: np.ndarray, weights: np.ndarray, registration: Path, ears: np.ndarray
) -> np.ndarray:
    """(V,) ears, skull and neck of MakeHuman's average (V, 3) in MakeHuman's origin."""
    template = template - _origin(mesh, template)
    vertices, bary, _ = landmark_embedding(mesh, template, registration, measured=False)
    landmarks = np.einsum("nk,nkc->nc", bary.astype(float), template[vertices])
    regions = build_regions(mesh, template, weights, landmarks, ears)
    return np.any([regions[n] for n in ("ear_l", "ear_r", "scalp", "neck")], axis=0)


def _named_shapes(
    names: list[str], shapes: np.ndarray, sliders: list[Slider], to_components: np.ndarray
) -> dict:
    steps = np.round(shapes / 1e-5)
    if np.abs(steps).max() > np.iinfo(np.int16).max:
        raise ValueError("a named shape moves further than int16 steps of 10 um can say")
    moved = [np.flatnonzero(s.any(axis=1)) for s in steps]
    return {
        "names": np.array(names),
        "ptr": np.cumsum([0] + [len(m) for m in moved]).astype(np.int32),
        "index": np.concatenate(moved).astype(np.uint16),
        "delta_10um": np.concatenate([s[m] for s, m in zip(steps, moved, strict=True)]).astype(
            np.int16
        ),
        "slider_names": np.array([s.name for s in sliders]),
        "slider_groups": np.array([s.group for s in sliders]),
        "slider_negative": np.array(["|".join(s.negative) for s in sliders]),
        "slider_positive": np.array(["|".join(s.positive) for s in sliders]),
        "slider_sigma": np.array([s.sigma for s in sliders], np.float32),
        "name_to_pca": to_components.astype(np.float32),
    }


def _in_components(shapes: np.ndarray, components: np.ndarray) -> np.ndarray:
    """(n, K) least-squares coefficients of shapes (n, V, 3)."""
    flat = components.reshape(-1, components.shape[2])
    out = np.linalg.solve(flat.T @ flat, flat.T @ shapes.reshape(len(shapes), -1).T).T
    # Rounded, so that the noise of different BLAS versions around zero is not part of the file.
    return np.round(out, 6) + 0.0
