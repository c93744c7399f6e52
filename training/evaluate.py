# SPDX-License-Identifier: GPL-3.0-or-later
"""What the maps do to the whole fit, on held-out synthetic people: the table of the ablation.

Each subject's landmarks are drawn as in training and fitted by the product's own ``fit_head``; the
network sees the crop around that fit; the head is fitted again to landmarks with uv, normals or
both. The face is compared with the true surface, after a similarity, and its normals beside.
Nothing here is tuned on any benchmark.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.cues.dense_input import draw, face_region, network_input
from core.cues.dense_output import read_output
from core.cues.dense_predictor import cues_of
from core.cues.face_maps import with_maps, without_maps
from core.cues.screen_cues import ScreenCues
from core.cues.tensor_program import TensorProgram
from core.fitting import FitProblem, fit_head
from core.geometry.mesh import vertex_normals
from core.heads import HeadModel
from core.reconstruction import Reconstruction

from .examples import Studio
from .landmark_fit import Fit
from .population import Subject, similarity

Array = NDArray[np.float64]

#: Of placing and sliding.
ROUNDS = 5
MODES = ("landmarks", "uv", "normals", "both")


def evaluate(weights: Path, count: int, seed: int) -> dict[str, Array]:
    """{mode: (n, 2)}: median millimetres and mean degrees over the face, a row a subject."""
    studio, network = Studio(), TensorProgram(weights)
    rows: dict[str, list[tuple[float, float]]] = {mode: [] for mode in MODES}
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        subject = studio.population.draw(rng)
        seen = studio.fitter.report(subject, rng)
        cues, focal = studio.fitter.cues(seen, subject), seen.focal
        plain = fit_head(FitProblem(studio.head, [cues], focal=[focal]))
        maps = _maps(studio, network, subject, plain, rng)
        for mode in MODES:
            fit = plain
            if mode != "landmarks":
                told = without_maps(
                    with_maps(cues, maps), uv=mode == "normals", normal=mode == "uv"
                )
                fit = fit_head(FitProblem(studio.head, [told], focal=[focal]))
            rows[mode].append(off_by(studio.head, fit.photos[0].vertices, subject.vertices))
    return {mode: np.array(values) for mode, values in rows.items()}


def table(scores: dict[str, Array]) -> str:
    """Means over the subjects, as lines of text."""
    lines = [f"{'cues':12}{'median mm':>12}{'degrees':>10}{'better than landmarks':>24}"]
    for mode, values in scores.items():
        share = float((values[:, 0] < scores["landmarks"][:, 0]).mean())
        mm, degrees = values.mean(axis=0)
        lines.append(f"{mode:12}{mm:12.3f}{degrees:10.2f}{100 * share:22.0f} %")
    return "\n".join(lines)


def _maps(
    studio: Studio,
    network: TensorProgram,
    subject: Subject,
    fit: Reconstruction,
    rng: np.random.Generator,
) -> ScreenCues:
    head, photo = studio.head, fit.photos[0]
    vertices = head.pose(fit.identity, photo.expression, photo.rotations, correctives=False)
    shown = Fit(fit.identity, photo.expression, vertices, photo.camera)
    colors = studio.render(subject, shown, rng).colors[0]
    region = face_region(head, vertices, photo.camera)
    drawn = draw(head, vertices, photo.camera, region)
    tensor = network_input(colors, drawn.normal, drawn.place, drawn.mask)
    (output,) = network(tensor[None]).values()
    said = read_output(output[0], drawn.normal)
    return cues_of(said, head, vertices, photo.camera, region, drawn)


def off_by(head: HeadModel, own: Array, true: Array) -> tuple[float, float]:
    """Median millimetres and mean degrees over the face, of vertices (V, 3) after a similarity.

    The distance is that from the true surface, along its normal: a vertex may slide, as it may
    where a scan is the truth.
    """
    face, triangles = head.regions["face"], head.triangles
    p, q, normal = own[face], true[face], vertex_normals(true, triangles)[face]
    goal = q
    for _ in range(ROUNDS):
        placed = similarity(p, goal)
        away = ((placed - q) * normal).sum(axis=1)
        goal = placed - away[:, None] * normal
    cosine = (turned_onto(vertex_normals(own, triangles)[face], normal) * normal).sum(axis=1)
    degrees = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    return float(1e3 * np.median(np.abs(away))), float(degrees.mean())


def turned_onto(vectors: Array, onto: Array) -> Array:
    """Directions (n, 3) turned nearest to others, all alike."""
    u, _, vt = np.linalg.svd(onto.T @ vectors)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    out: Array = vectors @ ((u * sign) @ vt).T
    return out
