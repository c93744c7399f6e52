# SPDX-License-Identifier: GPL-3.0-or-later
"""The open head and the training's paint as tensors on a device."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from core.fitting.points import GazeMap
from core.heads.corners import triangle_part
from core.heads.face_landmarks import SKIN_LANDMARKS
from core.heads.model import STRIP_PARTS, HeadModel

from ..appearance import Paint
from ..drawing import MOODS, TIMID
from ..quick_studio import above_hairline
from .network import COMPONENTS

#: What a triangle belongs to, by the first letters of its part; 0 is anything else.
KINDS = ("skin", "eyeball", "iris", "pupil", "teeth", "tongue", "mouth")
SKIN, EYEBALL, IRIS, PUPIL, TEETH, TONGUE, MOUTH = range(1, len(KINDS) + 1)
#: Values at a vertex, in this order.
LIPS, BEARD, RED, NECK, SKY, FOLD, LID = range(7)
#: Landmarks along the folds from the nose's wings past the mouth's corners.
_FOLDS = ((129, 203, 206, 216, 212), (358, 423, 426, 436, 432))
#: Metres from the middle of an eye to its lids' edges, roughly.
_EYE = 0.012
#: Vertices of the face in which errors are measured.
MEASURED = 1500


@dataclass(frozen=True, eq=False)
class HeadArrays:
    """template (V, 3); identity (3V, I) of all components, and expression (3V, E); triangles (T, 3)
    without strips of hair, their ``kind`` (T,) and ``uv`` (T, 3, 2); ``atlas`` (3, s, s): distance
    from brow, upper and lower lashes; ``bank`` of noise; ``vertex`` (V, 7) as numbered above:
    FOLD is a distance in metres, LID how far an eye's vertex lies above its middle;
    ``hairy`` (V,); eyes: ``eye_joint`` (2, V) and ``eye_weight`` (V, 2); gaze: ``gaze_columns`` and
    ``gaze_rate`` (k, 4); landmarks: ``mark_vertices`` and ``mark_weights`` (468, 3); ``metric``
    (COMPONENTS, COMPONENTS): mean square millimetres over the face of a difference of identities;
    moods (m, E), most (E,) a slider goes, pairs (2, p) left and right.
    """

    template: Tensor
    identity: Tensor
    expression: Tensor
    triangles: Tensor
    kind: Tensor
    uv: Tensor
    atlas: Tensor
    bank: Tensor
    vertex: Tensor
    hairy: Tensor
    eye_joint: Tensor
    eye_weight: Tensor
    gaze_columns: Tensor
    gaze_rate: Tensor
    mark_vertices: Tensor
    mark_weights: Tensor
    around: Tensor
    metric: Tensor
    moods: Tensor
    most: Tensor
    pairs: Tensor
    blinks: tuple[int, int]
    jaw: int
    closed: int

    @classmethod
    def of(cls, head: HeadModel, device: torch.device) -> HeadArrays:
        """Reads and bakes everything once; some seconds."""
        paint, gaze = Paint(head), GazeMap.of(head)
        part = triangle_part(head)
        strips = [i for i, n in enumerate(head.part_names) if n in STRIP_PARTS]
        solid = np.flatnonzero(~np.isin(part, strips))
        kind = np.zeros(len(head.part_names), np.int64)
        for i, name in enumerate(head.part_names):
            kind[i] = next((k + 1 for k, n in enumerate(KINDS) if name.startswith(n)), 0)
        eyes = [head.joint_names.index(n) for n in ("eye_l", "eye_r")]
        names = list(head.expression_names)
        moods = np.zeros((len(MOODS), len(names)))
        for i, mood in enumerate(MOODS):
            for name, value in mood.items():
                moods[i, names.index(name)] = value
        pairs = [
            (i, names.index(n[:-4] + "Right"))
            for i, n in enumerate(names)
            if n.endswith("Left") and not n.startswith(("jaw", "mouthLe"))
        ]

        def real(values: NDArray) -> Tensor:
            return torch.as_tensor(np.ascontiguousarray(values, np.float32), device=device)

        def whole(values: object) -> Tensor:
            return torch.as_tensor(np.array(values, np.int64), device=device)

        triangles = head.triangles[solid]
        flat = len(head.template) * 3
        return cls(
            template=real(head.template),
            identity=real(head.identity_basis.reshape(flat, -1)),
            expression=real(head.expression_basis.reshape(flat, -1)),
            triangles=whole(triangles),
            kind=whole(kind[part[solid]]),
            uv=real(paint.uv[solid]),
            atlas=real(np.minimum(np.stack([paint.brow, paint.upper, paint.lower]), 99)),
            bank=real(paint.bank),
            vertex=real(np.column_stack([paint.vertex, *_lines(head, eyes)])),
            hairy=real(np.clip(above_hairline(head.template) / 0.02, 0, 1)),
            eye_joint=real(head.joint_regressor[eyes]),
            eye_weight=real(head.skin_weights[:, eyes]),
            gaze_columns=whole(gaze.columns),
            gaze_rate=real(gaze.rate),
            mark_vertices=whole(head.landmark_vertices[:SKIN_LANDMARKS]),
            mark_weights=real(head.landmark_barycentric[:SKIN_LANDMARKS]),
            around=whole(_around(triangles, len(head.template))),
            metric=real(metric(head)),
            moods=real(moods),
            most=real(np.array([TIMID.get(n, 1.0) for n in names])),
            pairs=whole(pairs).T,
            blinks=(names.index("eyeBlinkLeft"), names.index("eyeBlinkRight")),
            jaw=names.index("jawOpen"),
            closed=names.index("mouthClose"),
        )

    def normals(self, vertices: Tensor) -> Tensor:
        """(n, V, 3) of vertices (n, V, 3)."""
        a, b, c = (vertices[:, self.triangles[:, k]] for k in range(3))
        face = torch.cross(b - a, c - a, dim=-1)
        face = torch.cat([face, torch.zeros_like(face[:, :1])], 1)
        return normalize(face[:, self.around].sum(2), dim=-1)

    def marks(self, vertices: Tensor) -> Tensor:
        """(n, 468, 3): the skin's landmarks of vertices (n, V, 3)."""
        return torch.einsum("nlkc,lk->nlc", vertices[:, self.mark_vertices], self.mark_weights)


def _lines(head: HeadModel, eyes: list[int]) -> tuple[NDArray, NDArray]:
    """(V,) distance from the folds beside the mouth, and height in an eye."""
    template, distance = head.template, np.full(len(head.template), np.inf)
    for line in _FOLDS:
        points = head.landmarks(template, np.array(line, np.int32))
        t = np.linspace(0, len(points) - 1, 8 * len(points))
        for point in np.column_stack([np.interp(t, np.arange(len(line)), c) for c in points.T]):
            distance = np.minimum(distance, np.linalg.norm(template - point, axis=1))
    middle = head.joint_regressor[eyes] @ template
    height = (template[:, 1] - middle[:, 1].mean()) / _EYE
    return np.minimum(distance, 0.05), np.clip(height, -3, 3)


def metric(head: HeadModel) -> NDArray[np.float64]:
    """(COMPONENTS, COMPONENTS) of which d @ metric @ d is a difference's mean square, mm^2."""
    face = np.flatnonzero(head.regions["face"])
    at = np.sort(np.random.default_rng(0).permutation(face)[:MEASURED])
    basis = 1e3 * head.identity_basis[at][:, :, :COMPONENTS].reshape(-1, COMPONENTS)
    return basis.T @ basis / len(at)


def _around(triangles: NDArray, vertices: int) -> NDArray[np.int64]:
    """(V, most) the triangles at each vertex, filled up with the number of triangles."""
    corner = triangles.ravel().astype(np.int64)
    owner = np.repeat(np.arange(len(triangles)), 3)
    order = np.argsort(corner, kind="stable")
    corner, owner = corner[order], owner[order]
    count = np.bincount(corner, minlength=vertices)
    out = np.full((vertices, count.max()), len(triangles))
    out[corner, np.arange(len(corner)) - (np.cumsum(count) - count)[corner]] = owner
    return out
