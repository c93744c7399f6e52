# SPDX-License-Identifier: GPL-3.0-or-later
"""The neural head of a fitted person: codes, detail for the rig, and the raw surface."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cues.screen_cues import ScreenCues
from ..geometry.mesh import vertex_normals
from ..heads.model import HeadModel
from ..progress import Progress, silent
from ..reconstruction import NeuralDetail, Reconstruction
from .decoder import NEGLIGIBLE, UNITS
from .fit import NeuralFit, fit_codes
from .observe import observe
from .onto_rig import HEIGHT, TEXELS, detail_maps, detail_mask, directions, project
from .placement import Placement, place
from .regressor import Regressor, front_map
from .surface import extract
from .weights import NeuralHead

Array = NDArray[np.float64]

#: Step of the raw surface and margin of its box around the head, metres.
CELL, _MARGIN = 0.002, 0.03
#: Texels on a side of the maps.
MAP = TEXELS
STAGE = "Fitting the neural head"
#: Where a regressor trained for the decoder lies, in the models folder.
REGRESSOR = "nphm_regressor.npz"
NO_NORMALS = (
    "The photo was read by MediaPipe, which gives no normals: the neural head follows the mesh, "
    "and its detail is what its people have in common."
)


def neural_detail(
    head: HeadModel,
    neural: NeuralHead,
    fit: Reconstruction,
    cues: Sequence[ScreenCues],
    regressor: Regressor | None = None,
    progress: Progress = silent,
) -> NeuralDetail:
    """Of a person's fit; cues: of each photo. Raises FitError."""
    where = place(head, neural.decoder)
    posed = bool(neural.decoder.sizes.expression)
    progress(STAGE, 0.0)
    seen = [
        observe(head, photo, cue, where, posed=posed)
        for photo, cue in zip(fit.photos, cues, strict=True)
    ]
    start = None
    if regressor is not None and posed:
        start = _start(head, neural, regressor, fit, where)
    codes = fit_codes(neural, seen, start)
    progress(STAGE, 0.4)
    mask = detail_mask(head, fit.photos[0].neutral)
    done, fields = [], []
    for i, photo in enumerate(fit.photos):
        field = neural.decoder.field(codes.codes(neural, i))
        fields.append(field)
        shape = photo.vertices if posed else photo.neutral
        done.append(project(field, where, head, shape, mask))
        progress(STAGE, 0.4 + 0.3 * (i + 1) / len(fit.photos))
    along = np.mean([d.along for d in done], axis=0)
    first = fit.photos[0]
    shape = first.vertices if posed else first.neutral
    maps = detail_maps(fields[0], where, head, shape, done[0], MAP)
    progress(STAGE, 0.8)
    there, margin = where.to_units(shape), _MARGIN * UNITS
    raw = extract(
        lambda p: fields[0].distance(p, NEGLIGIBLE),
        there.min(axis=0) - margin,
        there.max(axis=0) + margin,
        CELL * UNITS,
    )
    progress(STAGE, 1.0)
    report = _report(neural, where, codes, done[0].reached, along, mask, len(raw.vertices))
    report["start"] = "regressor" if start is not None else "mean code"
    notes = () if any(c.normal is not None for c in cues) else (NO_NORMALS,)
    return NeuralDetail(
        detail=along[:, None] * directions(head, first.neutral),
        posed=tuple(along[:, None] * directions(head, p.vertices) for p in fit.photos),
        normal_map=maps.normal,
        height_map=np.clip(0.5 + 0.5 * maps.height / HEIGHT, 0, 1).astype(np.float32),
        vertices=where.to_metres(raw.vertices),
        triangles=raw.triangles.astype(np.int32),
        title=neural.title,
        digest=neural.digest,
        licence=dict(neural.description["licence"]),
        report=report,
        notes=(*notes, *(str(n) for n in neural.description.get("notes", ()))),
    )


def load_regressor(folder: Path) -> Regressor | None:
    """The regressor in a models folder, if there is one. Raises ModelFileError if it is damaged."""
    path = folder / REGRESSOR
    return Regressor.load(path) if path.is_file() else None


def _start(
    head: HeadModel, neural: NeuralHead, regressor: Regressor, fit: Reconstruction, where: Placement
) -> NeuralFit:
    """Identity as the mean over photos of what the regressor reads, a face of each."""
    starts = []
    for photo in fit.photos:
        normals = vertex_normals(photo.vertices, head.outer_triangles)
        view = front_map(
            where.to_units(photo.vertices),
            head.outer_triangles,
            where.turned(normals),
            np.ones(head.vertex_count),
        )
        starts.append(regressor.start(view, neural.statistics))
    identity = np.mean([s.identity for s in starts], axis=0)
    return NeuralFit(identity, tuple(s.faces[0] for s in starts), ())


def _report(
    neural: NeuralHead,
    where: Placement,
    codes: NeuralFit,
    reached: float,
    along: Array,
    mask: Array,
    vertices: int,
) -> dict[str, Any]:
    inside = mask > 0.5
    moved = np.abs(along[inside]) if inside.any() else np.zeros(1)
    return {
        "decoder": neural.title,
        "anchors_apart_mm": round(where.gap * 1000, 3),
        "identity_spread": round(float(np.sqrt((codes.identity**2).mean())), 3),
        "cost": [round(c, 3) for c in codes.costs],
        "reached": round(reached, 4),
        "detail_mean_mm": round(float(moved.mean()) * 1000, 3),
        "detail_p95_mm": round(float(np.percentile(moved, 95)) * 1000, 3),
        "surface_vertices": vertices,
    }
