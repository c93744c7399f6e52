# SPDX-License-Identifier: GPL-3.0-or-later
"""The ablation on a bench's public items, scored by the bench's own evaluator.

``truth`` stands for a perfect network: the ground truth's own normals on the same grid.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy import by_group, score
from core.cues.dense_input import GRID, draw, face_region, in_crop, normalised, to_crop_frame
from core.cues.dense_output import Prediction
from core.cues.dense_predictor import DensePredictor, cues_of
from core.cues.face_maps import with_maps, without_maps
from core.cues.mediapipe import MediaPipePredictor
from core.cues.mediapipe_cues import cues_from_face
from core.cues.screen_cues import ScreenCues
from core.files.ply import ply_bytes
from core.fitting import FitProblem, fit_head
from core.geometry.mesh import vertex_normals
from core.geometry.raster import rasterise
from core.heads import HeadModel, load_open_head
from core.heads.face_landmarks import SEVEN_LANDMARKS
from core.photos.photo import load_photo
from core.reconstruction import Reconstruction

from .detail import moved
from .evaluate import MODES
from .photos import DETAIL, EVERY

Array = NDArray[np.float64]

TRUTH = "truth"


def ablation(bench: Path, weights: Path, out: Path) -> dict[str, dict[str, dict[str, float]]]:
    """{mode: {group: mean scores}}; the meshes stay in ``out``."""
    head, landmarks, network = load_open_head(), MediaPipePredictor(), DensePredictor(weights)
    for camera in sorted(bench.glob("public/*/camera.json")):
        item = camera.parent
        photo = load_photo(item / "image.png")
        face = landmarks.faces(photo.pixels)[0]
        cues = cues_from_face(face, photo.width, photo.height)
        plain = fit_head(FitProblem(head, [cues], focal=[photo.focal_px]))
        _write(out / MODES[0] / item.name, head, plain)
        maps = network.cues(photo.pixels, head, plain)
        told = {
            "uv": without_maps(maps, uv=False),
            "normals": without_maps(maps, normal=False),
            "both": maps,
            TRUTH: without_maps(_true_maps(head, plain, item), normal=False),
        }
        for mode, said in told.items():
            fit = fit_head(FitProblem(head, [with_maps(cues, said)], focal=[photo.focal_px]))
            _write(out / mode / item.name, head, fit)
            if mode == "uv":
                seen = fit.photos[0]
                finer = replace(seen, vertices=moved(head, seen.vertices, with_maps(cues, maps)))
                _write(out / DETAIL / item.name, head, replace(fit, photos=(finer,)))
    return {mode: by_group(score(bench, out / mode)) for mode in (*EVERY, TRUTH)}


def table(means: dict[str, dict[str, dict[str, float]]]) -> str:
    """Median mm and degrees by group, as lines of text."""
    groups = sorted(next(iter(means.values())))
    lines = [f"{'cues':12}" + "".join(f"{group:>14}" for group in groups)]
    for mode, by in means.items():
        cells = (f"{by[g]['median']:.2f}, {by[g]['ang_mean']:.1f}" for g in groups)
        lines.append(f"{mode:12}" + "".join(f"{cell:>14}" for cell in cells))
    return "\n".join(lines)


def _write(folder: Path, head: HeadModel, fit: Reconstruction) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    photo, seven = fit.photos[0], np.array(SEVEN_LANDMARKS)
    in_camera = photo.camera.to_camera(photo.vertices)
    mesh = ply_bytes(in_camera, head.outer_triangles, "ablation")
    pixels = photo.camera.project(head.landmarks(photo.vertices, seven))
    (folder / "mesh.ply").write_bytes(mesh)
    (folder / "lm7.json").write_text(json.dumps(head.landmarks(in_camera, seven).tolist()))
    (folder / "lm7_px.json").write_text(json.dumps(pixels.tolist()))


def _true_maps(head: HeadModel, fit: Reconstruction, item: Path) -> ScreenCues:
    """Where the ground truth shows nothing, the confidence is zero."""
    import trimesh

    photo = fit.photos[0]
    vertices = head.pose(fit.identity, photo.expression, photo.rotations, correctives=False)
    region = face_region(head, vertices, photo.camera)
    drawn = draw(head, vertices, photo.camera, region)
    scan = trimesh.load(str(item / "gt_cam.ply"), process=False)
    points, triangles = np.asarray(scan.vertices, float), np.asarray(scan.faces)
    k = np.array(json.loads((item / "camera.json").read_text())["K"])
    pixels = (points @ k.T)[:, :2] / points[:, 2:]
    seen = rasterise(in_crop(pixels, region, GRID), points[:, 2], triangles, GRID, GRID)
    normals = vertex_normals(points, triangles) @ to_crop_frame(region).T
    normal = normalised(seen.interpolate(normals[triangles]))
    # Scans turn their triangles either way.
    normal = np.where(normal[..., 2:] > 0, -normal, normal)
    both = (seen.triangle >= 0) & drawn.mask
    normal = np.where(both[..., None], normal, drawn.normal)
    even = np.full((GRID, GRID), 0.05)
    said = Prediction(np.zeros((GRID, GRID, 2)), normal, even, even, both.astype(float))
    return cues_of(said, head, vertices, photo.camera, region, drawn)
