# SPDX-License-Identifier: GPL-3.0-or-later
"""The product's whole way, measured on photos of held-out people (see ``renderers``).

Nothing is simulated but the photo: MediaPipe itself finds the landmarks, the product's fit explains
them, the network sees the photo. Photos that face the camera are measured again with glasses, a
fringe over the brow, and a hand at the chin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from core.cues.dense_input import face_region
from core.cues.dense_predictor import DensePredictor
from core.cues.face_maps import with_maps, without_maps
from core.cues.mediapipe import MediaPipePredictor
from core.cues.mediapipe_cues import cues_from_face
from core.errors import FitError
from core.fitting import FitProblem, fit_head
from core.geometry.camera import Camera
from core.heads import HeadModel, load_open_head
from core.photos.colour import linear_from_srgb, srgb_from_linear

from .detail import moved
from .evaluate import MODES, off_by
from .occluders import Occluders
from .population import PHOTO

Array = NDArray[np.float64]
Image = NDArray[np.uint8]

#: After uv, towards the normals.
DETAIL = "detail"
EVERY = (*MODES, DETAIL)
OCCLUDERS = ("glasses", "fringe", "hand")
#: Degrees of yaw beyond which a hand or a fringe would not be where it is drawn.
FACING = 35.0


@dataclass(frozen=True)
class Row:
    """One fit of one photo. covered: by what, or nothing; tone: see Shot; yaw in degrees; mood:
    "rest", "smile" or "other"; millimetres: median over the face after a similarity, degrees: mean
    of its normals, nan where no head came out.
    """

    photo: str
    covered: str
    mode: str
    tone: float
    yaw: float
    mood: str
    millimetres: float
    degrees: float


def measure(folder: Path, weights: Path, *, covered: bool = True) -> list[Row]:
    """Every photo of a folder in every mode; covered: facing ones then with things before them,
    with landmarks alone and with uv.
    """
    head, detector, network = load_open_head(), MediaPipePredictor(), DensePredictor(weights)
    rows: list[Row] = []
    for path in sorted(folder.glob("photo-*.npz")):
        with np.load(path, allow_pickle=False) as z:
            a = {name: z[name] for name in z.files}
        camera = Camera.with_focal(float(a["focal"]), a["R"], a["t"], PHOTO, PHOTO)
        yaw = float(np.degrees(np.arctan2(camera.R[0, 2], -camera.R[2, 2])))
        takes = [("", a["pixels"], EVERY)]
        if covered and abs(yaw) < FACING:
            for number, what in enumerate(OCCLUDERS):
                rng = np.random.default_rng([len(rows), number])
                takes.append((what, _covered(head, a, camera, what, rng), MODES[:2]))
        for what, pixels, modes in takes:
            off = _off(head, detector, network, pixels, a["vertices"], modes)
            known = float(a["tone"]), yaw, _mood(head, a["expression"])
            rows += [Row(path.stem, what, mode, *known, *off[mode]) for mode in modes]
    return rows


def _off(
    head: HeadModel,
    detector: MediaPipePredictor,
    network: DensePredictor,
    pixels: Image,
    true: Array,
    modes: Iterable[str],
) -> dict[str, tuple[float, float]]:
    out = dict.fromkeys(modes, (np.nan, np.nan))
    faces = detector.faces(pixels, max_faces=1)
    if not faces:
        return out
    cues = cues_from_face(faces[0], PHOTO, PHOTO)
    try:
        plain = fit_head(FitProblem(head, [cues]))
        maps = network.cues(pixels, head, plain)
        both = with_maps(cues, maps)
        heads: dict[str, Array] = {}
        for mode in modes:
            fit = plain
            if mode in MODES[1:]:
                told = without_maps(both, uv=mode == "normals", normal=mode == "uv")
                fit = fit_head(FitProblem(head, [told]))
            heads[mode] = fit.photos[0].vertices
            if mode == DETAIL:
                heads[mode] = moved(head, heads["uv"], both)
            out[mode] = off_by(head, heads[mode], true)
    except FitError:
        pass  # what came out before it counts, the rest has no head
    return out


def _covered(
    head: HeadModel, a: dict[str, NDArray], camera: Camera, what: str, rng: np.random.Generator
) -> Image:
    """The photo with something drawn before the face, softened as by a lens."""
    linear = linear_from_srgb(a["pixels"] / 255.0)
    vertices = a["vertices"]
    marks = camera.project(head.landmarks(vertices))
    cheeks = np.clip(marks[[50, 280, 205, 425]], 0, PHOTO - 1).astype(int)
    tone = np.median(linear[cheeks[:, 1], cheeks[:, 0]], axis=0)
    side = face_region(head, vertices, camera).side
    drawn = linear.copy()
    things = Occluders(head, PHOTO, side / 128)
    things.draw(drawn, vertices, camera.project, (0.25 * tone, tone), rng, only=what)
    drawn = np.clip(cv2.GaussianBlur(drawn, (0, 0), 0.5), 0, 1)
    changed = np.abs(drawn - linear).max(axis=-1, keepdims=True) > 0.02
    shown = np.round(255 * srgb_from_linear(drawn))
    return np.where(changed, shown, a["pixels"]).astype(np.uint8)


def _mood(head: HeadModel, expression: Array) -> str:
    value = dict(zip(head.expression_names, expression, strict=True))
    if max(value["mouthSmileLeft"], value["mouthSmileRight"]) > 0.3:
        return "smile"
    strong = max(v for n, v in value.items() if not n.startswith("eyeLook"))
    return "other" if strong > 0.45 else "rest"


#: Groups of photos by name. Tones are thirds of what is drawn: from dark brown to pale.
GROUPS: dict[str, Callable[[Row], bool]] = {
    "all": lambda r: True,
    "skin: dark": lambda r: r.tone < 0.12,
    "skin: middle": lambda r: 0.12 <= r.tone < 0.27,
    "skin: pale": lambda r: r.tone >= 0.27,
    "yaw under 15": lambda r: abs(r.yaw) < 15,
    "yaw 15 to 35": lambda r: 15 <= abs(r.yaw) < 35,
    "yaw over 35": lambda r: abs(r.yaw) >= 35,
    "at rest": lambda r: r.mood == "rest",
    "smile": lambda r: r.mood == "smile",
    "other expressions": lambda r: r.mood == "other",
}


def table(rows: list[Row]) -> str:
    """Means over the photos that every mode has a head of, by group and by what covers the face;
    with the change by uv and its standard error.
    """
    plain = [r for r in rows if not r.covered]
    lines = [_heading("photos", EVERY)]
    lines += [_line(name, [r for r in plain if group(r)], EVERY) for name, group in GROUPS.items()]
    lines += ["", _heading("covered by", MODES[:2])]
    for what in OCCLUDERS:
        some = [r for r in rows if r.covered == what]
        lines.append(_line(what, some, MODES[:2]))
        names = {r.photo for r in some if np.isfinite(r.millimetres)}
        bare = [r for r in plain if r.photo in names and r.mode in MODES[:2]]
        lines.append(_line("  the same without", bare, MODES[:2]))
    return "\n".join(lines)


def _heading(first: str, modes: tuple[str, ...]) -> str:
    columns = "".join(f"{mode:>14}" for mode in modes)
    return f"{first:20}{'n':>4}{columns}{'uv changes by':>20}"


def _line(name: str, rows: list[Row], modes: tuple[str, ...]) -> str:
    by = {mode: {r.photo: r for r in rows if r.mode == mode} for mode in modes}
    kept = [p for p in by[modes[0]] if all(np.isfinite(by[m][p].millimetres) for m in modes)]
    if not kept:
        return f"{name:20}{0:4d}"
    off = {m: np.array([(by[m][p].millimetres, by[m][p].degrees) for p in kept]) for m in modes}
    cells = "".join("{:>14}".format("{:.2f}, {:.1f}".format(*off[m].mean(axis=0))) for m in modes)
    gain = off["uv"][:, 0] - off["landmarks"][:, 0]
    error = gain.std(ddof=1) / np.sqrt(len(kept)) if len(kept) > 1 else np.nan
    return f"{name:20}{len(kept):4d}{cells}{gain.mean():+13.3f} +- {error:.3f}"
