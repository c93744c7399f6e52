# SPDX-License-Identifier: GPL-3.0-or-later
"""Moves the embedded landmarks along the head to where the detector reports them.

A point that is embedded a few millimetres beside what the network means by it is not only wrong in
the picture, which a bias could mend: its depth is compared with that of another place. So each
landmark slides on the surface by what brings its projections closest to all reports. What the
detector places by an outline (the face's oval and what lies beside it), by our paint (brows) or by
which lip is which (the lips' inner edge) stays as it was registered.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.geometry.mesh import vertex_normals
from core.heads import HeadModel, load_open_head
from core.heads.face_landmarks import FACE_OVAL

from .solve import GROSS, load_samples, reported_error
from .truth import SKIN_POINTS, posed_vertices, true_points

Array = NDArray[np.float64]

BROWS = (70, 63, 105, 66, 107, 55, 65, 52, 53, 46, 300, 293, 334, 296, 336, 285, 295, 282, 283, 276)
INNER_LIPS = (
    78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95,
)  # fmt: skip
MEASURED = (
    " measured_vertices and measured_bary: the same after most landmarks were moved along the head "
    "to where MediaPipe's face mesh reports them on renders of the head (tools.calibration)."
)
#: A slide changes what the normal is and which renders agree, so that it is found anew.
ROUNDS = 3
#: Renders seen further from the side than this show little of one half (sine of the yaw).
SIDEWAYS = 0.5
#: Reports further from the middle one than this count less; and the pull towards not moving.
ROBUST, PULL = 3e-3, 1.0
#: Where the skin turns away from the camera (z of its normal below this), what the network says is
#: a matter of the outline, and a little across is a long way along the skin.
FACING = 0.7
#: A landmark stays on its own sheet of skin: near, and facing about the same way.
NEAR, ALIKE = 15e-3, 0.2


def embed(folder: Path, source: Path) -> None:
    """Writes the moved landmarks beside the registered ones; prints how far they went."""
    head, samples = load_open_head(), load_samples(folder)
    with np.load(source, allow_pickle=False) as z:
        arrays = dict(z)
    with np.load(source.with_name("open_head.npz"), allow_pickle=False) as z:
        base_number, mirror = z["mh_index"], z["lmk_mirror"]
    number = np.full(base_number.max() + 1, -1, np.int32)
    number[base_number[base_number >= 0]] = np.flatnonzero(base_number >= 0)
    # From where they were registered, whatever an earlier run has moved.
    head.landmark_vertices[:SKIN_POINTS] = number[arrays["base_vertices"]]
    head.landmark_barycentric[:SKIN_POINTS] = arrays["bary"]
    vertices = posed_vertices(head, samples)
    moving = np.ones(SKIN_POINTS, bool)
    moving[list(FACE_OVAL + BROWS + INNER_LIPS)] = False
    moving &= _normals(head)[: len(moving), 2] > FACING
    before = head.landmarks(head.template)[:SKIN_POINTS]
    for _ in range(ROUNDS):
        head = _slid(head, samples, vertices, moving, mirror)
    moved = np.linalg.norm(head.landmarks(head.template)[:SKIN_POINTS] - before, axis=1)[moving]
    arrays["measured_vertices"] = base_number[head.landmark_vertices[:SKIN_POINTS]]
    arrays["measured_bary"] = head.landmark_barycentric[:SKIN_POINTS].astype(np.float32)
    registered = str(arrays["provenance"]).split(MEASURED)[0]
    arrays["provenance"] = np.array(registered + MEASURED)
    np.savez_compressed(source, **arrays)
    print(
        f"{moving.sum()} landmarks moved by {1e3 * np.sqrt((moved**2).mean()):.1f} mm (rms), "
        f"{1e3 * moved.max():.1f} mm at most"
    )


def _slid(
    head: HeadModel,
    samples: dict[str, Array],
    vertices: Array,
    moving: NDArray[np.bool_],
    mirror: NDArray[np.int32],
) -> HeadModel:
    """The head after one round."""
    error = reported_error({**samples, "true": true_points(head, samples, vertices)})
    good = np.linalg.norm(error, axis=2).mean(axis=1) < GROSS
    good &= np.abs(samples["R"][:, 2, 0]) < SIDEWAYS
    normal = _normals(head)
    slide = np.zeros((len(mirror), 3))
    for k in np.flatnonzero(moving):
        across = np.cross(normal[k], [0.0, 1.0, 0.0])
        across /= np.linalg.norm(across)
        tangents = np.stack([across, np.cross(normal[k], across)], axis=1)
        a = samples["R"][good][:, :2] @ tangents
        y = error[good, k, :2]
        w = 1 / (1 + ((y - np.median(y, axis=0)) ** 2).sum(axis=1) / ROBUST**2)
        square = np.einsum("nij,n,nik->jk", a, w, a) + PULL * np.eye(2)
        slide[k] = tangents @ np.linalg.solve(square, np.einsum("nij,n,ni->j", a, w, y))
    slide = (slide + slide[mirror] * [-1, 1, 1]) / 2
    target = head.landmarks(head.template) + slide
    corners, barycentric = head.landmark_vertices.copy(), head.landmark_barycentric.copy()
    for k in np.flatnonzero(moving):
        corners[k], barycentric[k] = _on_skin(head, target[k], normal[k])
    return replace(head, landmark_vertices=corners, landmark_barycentric=barycentric)


def _normals(head: HeadModel) -> Array:
    """(478, 3) of the skin under the landmarks of the mean head."""
    normal = head.landmarks(vertex_normals(head.template, head.triangles))
    out: Array = normal / np.linalg.norm(normal, axis=1, keepdims=True)
    return out


def _on_skin(head: HeadModel, point: Array, normal: Array) -> tuple[Array, Array]:
    """Corners (3,) and barycentric weights (3,) of the skin's point next to a point (3,)."""
    from trimesh.triangles import closest_point, points_to_barycentric

    skin = np.flatnonzero(head.face_part == head.part_names.index("skin"))
    quads = head.quads[skin]
    triangles = np.concatenate([quads[:, :3], quads[quads[:, 3] >= 0][:, [0, 2, 3]]])
    corners = head.template[triangles]
    facing = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    facing /= np.maximum(np.linalg.norm(facing, axis=1, keepdims=True), 1e-12)
    near = np.linalg.norm(corners.mean(axis=1) - point, axis=1) < NEAR
    kept = np.flatnonzero(near & (facing @ normal > ALIKE))
    found = closest_point(corners[kept], np.repeat(point[None], len(kept), axis=0))
    best = int(((found - point) ** 2).sum(axis=1).argmin())
    weights = points_to_barycentric(corners[kept[best]][None], found[best][None])[0]
    weights = np.clip(weights, 0, 1)
    return triangles[kept[best]], weights / weights.sum()
