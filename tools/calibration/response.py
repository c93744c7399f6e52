# SPDX-License-Identifier: GPL-3.0-or-later
"""How the landmark net answers expressions: renders of heads at rest and in motion, and from them
vendor/calibration/response.npz (see core/track/response.py).

Each person is shown once at rest and then in ``TAKES`` expressions, in one skin and one light, the
head turning. What the net says beyond the true points, less what it said at rest, is the response:
exactly what tracking is left with once a person's rest is taken out. Needs OpenCV.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.cues.face_mesh import region_of_landmarks
from core.cues.mediapipe import MediaPipePredictor
from core.fitting.landmark_model import load_landmark_model, view_features
from core.fitting.points import GazeMap
from core.fitting.result import eye_rotations
from core.geometry.camera import Camera
from core.geometry.rotation import matrix_from_vector
from core.heads import load_open_head
from core.heads.arkit import mirrored_name
from training.drawing import MOODS
from training.population import PHOTO, Subject
from training.quick_studio import Studio

Array = NDArray[np.float64]

TAKES, SIZE = 6, 256
#: Ridge of a slider's change, in takes; errors that come together.
RIDGE, STRAYS = 15.0, 6
#: A take whose points are further off than this on average, metres, was not read as this face.
GROSS = 0.012
#: Of the mouth in speech: how often each moves beside the jaw.
_SPEECH = (
    ("mouthFunnel", 0.35), ("mouthPucker", 0.35), ("mouthStretch", 0.3), ("mouthSmile", 0.3),
    ("mouthLowerDown", 0.4), ("mouthUpperUp", 0.35), ("mouthPress", 0.2), ("mouthRollLower", 0.2),
    ("mouthRollUpper", 0.2), ("mouthClose", 0.4), ("mouthShrugUpper", 0.1),
    ("mouthShrugLower", 0.1),
)  # fmt: skip


def expression(names: list[str], rng: np.random.Generator) -> Array:
    """(E,) a mood, or a moment of speech, and a few sliders that have nothing to do with it."""
    e = np.zeros(len(names))

    def put(name: str, value: float) -> None:
        for one in (name,) if name in names else (f"{name}Left", f"{name}Right"):
            e[names.index(one)] = max(e[names.index(one)], value)

    kind = rng.random()
    if kind < 0.35:
        mood, strength = MOODS[rng.integers(len(MOODS))], rng.uniform(0.2, 1)
        for name, value in mood.items():
            put(name, value * strength)
    elif kind < 0.75:
        jaw = rng.uniform(0, 0.7)
        put("jawOpen", jaw)
        for name, often in _SPEECH:
            if rng.random() < often:
                shut = jaw * rng.uniform(0.3, 1)
                put(name, shut if name == "mouthClose" else rng.uniform(0, 0.8))
    for i in np.flatnonzero(rng.random(len(names)) < 0.07):
        name, value = names[i], rng.uniform(0, 0.9)
        if name.startswith("eyeLook") or (name == "tongueOut" and rng.random() < 0.6):
            continue
        e[i] = max(e[i], value)
        other = mirrored_name(name)
        if name not in ("jawLeft", "jawRight", "mouthLeft", "mouthRight") and rng.random() < 0.7:
            j = names.index(other)
            e[j] = max(e[j], np.clip(value * rng.uniform(0.8, 1.2), 0, 1))
    if rng.random() < 0.25:
        put("eyeBlink", rng.uniform(0.2, 1))
    # The lips cannot close further than the jaw has opened.
    close, jaw_open = names.index("mouthClose"), names.index("jawOpen")
    e[close] = min(e[close], e[jaw_open])
    return np.clip(e, 0, 1)


def render(count: int, seed: int, out: Path) -> None:
    """Writes what the net says of ``count`` persons to ``out/response_<seed>.npz``."""
    out.mkdir(parents=True, exist_ok=True)
    head = load_open_head()
    studio, names, gaze_map = Studio(head), list(head.expression_names), GazeMap.of(head)
    rows: list[dict[str, object]] = []
    began = time.monotonic()
    for person in range(count):
        rng = np.random.default_rng([seed, person])
        subject, look = studio.population.draw(rng), int(rng.integers(1 << 31))
        yaw, pitch, roll = rng.normal(0, [5, 5, 3])
        for take in range(TAKES + 1):
            e, gaze, turn = np.zeros(len(names)), np.zeros(4), np.array([yaw, pitch, roll])
            if take:
                if rng.random() < 0.6:
                    gaze += np.tile(rng.normal(0, [0.1, 0.16]), 2)
                e = gaze_map.apply(expression(names, rng), gaze)
                turn += rng.normal(0, [7, 6, 4])
                if rng.random() < 0.35:
                    turn[0] = rng.uniform(-50, 50)
            camera = _turned(subject.camera, turn)
            shot = _shot(studio, subject, e, gaze, camera, look)
            rows.append({"person": person, "take": take, **shot})
        if (person + 1) % 10 == 0 or person + 1 == count:
            path = out / f"response_{seed}.npz"
            columns = {k: np.array([r[k] for r in rows]) for k in rows[0]}
            with open(path.with_suffix(".tmp"), "wb") as file:
                np.savez_compressed(file, **columns)
            os.replace(path.with_suffix(".tmp"), path)
            each = (time.monotonic() - began) / len(rows)
            print(f"{person + 1}/{count} persons, {each:.2f} s a picture", flush=True)


def _turned(base: Camera, degrees: Array) -> Camera:
    """The camera before which the head is turned by yaw, pitch and roll, at the same distance."""
    turn = np.eye(3)
    for axis, angle in zip(((0, 1, 0), (1, 0, 0), (0, 0, 1)), degrees, strict=True):
        turn = matrix_from_vector(np.radians(angle) * np.array(axis, float)) @ turn
    r, centre = np.diag([1.0, -1.0, -1.0]) @ turn, np.array([0, -0.01, 0.06])
    t = base.R @ centre + base.t - r @ centre
    return Camera.with_focal(base.focal, r, t, base.width, base.height)


@lru_cache(maxsize=1)
def _detector() -> MediaPipePredictor:
    return MediaPipePredictor()


def _shot(
    studio: Studio, subject: Subject, e: Array, gaze: Array, camera: Camera, look: int
) -> dict[str, object]:
    head, mesh = studio.head, _detector().mesh
    turns = eye_rotations(head, gaze)
    shaped = subject.neutral + head.expression_basis @ e
    vertices = head.skin(shaped, head.joints(subject.neutral), turns)
    shown = replace(subject, expression=e, vertices=vertices, camera=camera, rotations=turns)
    pixels, _ = studio.photo(shown, SIZE, np.random.default_rng(look))
    points = head.landmarks(vertices, head.landmark_ids)
    landmarks = np.zeros((478, 3))
    landmarks[head.landmark_ids, :2] = camera.project(points) * (SIZE / PHOTO)
    found, _ = mesh(pixels, region_of_landmarks(landmarks))
    region = region_of_landmarks(mesh.to_photo(found, region_of_landmarks(landmarks), centred=True))
    found, presence = mesh(pixels, region)
    mirrored, _ = mesh(pixels, region, mirrored=True)
    return {
        "expression": e,
        "R": camera.R,
        "focal": camera.focal * SIZE / PHOTO,
        "true": camera.to_camera(points),
        "landmarks": mesh.to_photo((found + mirrored) / 2, region, centred=True),
        "presence": presence,
    }


def solve(folder: Path, out: Path) -> None:
    """Fits the response and writes it; prints what is left unexplained."""
    head = load_open_head()
    left, e, r = _against_rest(folder, head.landmark_ids)
    count, _, points = left.shape
    for i in range(count):
        modes = _rigid_modes(head.landmarks(head.template, head.landmark_ids), r[i])
        flat = left[i].ravel()
        left[i] = (flat - modes @ (modes.T @ flat)).reshape(2, points)
    before = _rms(left)
    rows = np.einsum("nab,ne->nabe", r[:, :2], e).reshape(2 * count, -1)
    gram = rows.T @ rows + RIDGE * np.eye(rows.shape[1])
    change = np.linalg.solve(gram, rows.T @ left.reshape(2 * count, points))
    change = change.reshape(3, e.shape[1], points).transpose(2, 0, 1)
    rest = left - np.einsum("kab,nbe,ke->kan", r[:, :2], change, e)
    lifted = np.einsum("kab,kan->kbn", r[:, :2], rest).reshape(count, -1)
    lifted -= lifted.mean(axis=0)
    _, s, vt = np.linalg.svd(lifted, full_matrices=False)
    strays = (vt[:STRAYS].T * (s[:STRAYS] / np.sqrt(count))).reshape(3, points, STRAYS)
    noise = (lifted - lifted @ vt[:STRAYS].T @ vt[:STRAYS]).reshape(count, 3, points)
    sigma = np.sqrt((noise**2).sum(axis=1).mean(axis=0) / 2)
    ids = head.landmark_ids
    arrays = {
        "change": np.zeros((478, 3, e.shape[1])),
        "strays": np.zeros((478, 3, STRAYS)),
        "sigma": np.full(478, 2e-3),
    }
    arrays["change"][ids], arrays["sigma"][ids] = change, sigma
    arrays["strays"][ids] = np.moveaxis(strays, 0, 1)
    floats = {k: a.astype(np.float16) for k, a in arrays.items()}
    np.savez_compressed(out, names=np.array(head.expression_names), **floats)
    print(f"{count} takes: rms {before:.2f} mm, {_rms(rest):.2f} mm after the sliders' change")


def _against_rest(folder: Path, ids: NDArray[np.int32]) -> tuple[Array, Array, Array]:
    """(N, 2, n) metres in the camera's plane: what the net says beyond truth and beyond the same
    person's rest; expressions (N, E); rotations (N, 3, 3).
    """
    files = sorted(folder.glob("response_*.npz"))
    if not files:
        raise SystemExit(f"No takes in {folder}: run the response step first.")
    bias = load_landmark_model().bias[ids]
    left, expressions, turns = [], [], []
    for file in files:
        a = dict(np.load(file, allow_pickle=False))

        def beyond(i: int, a: dict[str, Array] = a) -> Array:
            true, r = a["true"][i], a["R"][i]
            pixels = a["focal"][i] * true[:, :2] / true[:, 2:] + SIZE / 2
            across = (a["landmarks"][i][ids, :2] - pixels) * true[:, 2:] / a["focal"][i]
            flat = np.column_stack([across, np.zeros(len(ids))])
            return np.asarray((flat @ r).T - (bias @ view_features(r)).T)

        for person in np.unique(a["person"]):
            takes = np.flatnonzero((a["person"] == person) & (a["presence"] > 0.5))
            if not len(takes) or a["take"][takes[0]] != 0:
                continue
            rest = beyond(takes[0])
            for i in takes[1:]:
                moved = (a["R"][i] @ (beyond(i) - rest))[:2]
                if np.sqrt((moved**2).sum(axis=0).mean()) < GROSS:
                    left.append(moved)
                    expressions.append(a["expression"][i])
                    turns.append(a["R"][i])
    return np.array(left), np.array(expressions), np.array(turns)


def _rigid_modes(points: Array, r: Array) -> Array:
    """(2n, 6) orthonormal: what turning, shifting and scaling the head does, which pose answers."""
    x = r @ (points - points.mean(axis=0)).T
    modes = [np.cross(axis, x.T).T[:2] for axis in np.eye(3)]
    modes += [np.outer(axis, np.ones(x.shape[1])) for axis in np.eye(2)]
    modes.append(x[:2])
    out: Array = np.linalg.qr(np.array(modes).reshape(6, -1).T)[0]
    return out


def _rms(values: Array) -> float:
    return float(1e3 * np.sqrt((values**2).mean()))
