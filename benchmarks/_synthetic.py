# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads, people and cameras that benchmarks of the fit draw, and how far a fit is from them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core.cues.rendered_cues import rendered_cues
from core.cues.screen_cues import ScreenCues
from core.fitting.points import GazeMap
from core.fitting.pose import similarity
from core.fitting.result import eye_rotations
from core.fitting.surface_samples import samples_from_uv
from core.geometry.camera import Camera, focal_from_35mm
from core.geometry.rotation import angle_between, matrix_from_vector
from core.heads import HeadModel, load_open_head
from core.reconstruction import Reconstruction

Array = NDArray[np.float64]

SIZE = 640


def flame_sized_head(seed: int = 0) -> HeadModel:
    """A head with FLAME's 300 identity and 100 nameless expression components, and more vertices.

    The open head has 100 and 52: to these come smooth random fields, sums of a few waves of 3 to
    12 cm over the skin, with the falling spreads that a PCA has; expressions are mixtures of the
    52 sliders and of such fields on the face. FLAME itself may not be shipped.
    """
    rng = np.random.default_rng(seed)
    head = load_open_head()
    more = _waves(head, 200, rng) * 4e-4 * np.linspace(1, 0.15, 200)
    mixed = head.expression_basis @ (rng.normal(size=(52, 52)) * 0.12)
    face = _falling_off(head)
    lively = _waves(head, 48, rng) * 6e-4 * np.linspace(1, 0.2, 48) * face[:, None, None]
    return replace(
        head,
        name="FLAME-sized",
        identity_basis=np.concatenate([head.identity_basis, more], axis=2),
        expression_basis=np.concatenate([mixed, lively], axis=2),
        expression_names=(),
        gaze_range={},
    )


def _waves(head: HeadModel, count: int, rng: np.random.Generator) -> Array:
    """(V, 3, count) smooth fields of about unit size."""
    waves = 6
    length = np.exp(rng.uniform(np.log(0.03), np.log(0.12), (waves, count)))
    direction = rng.normal(size=(3, waves, count))
    direction *= 2 * np.pi / length / np.linalg.norm(direction, axis=0)
    phase = rng.uniform(0, 2 * np.pi, (waves, count))
    along = rng.normal(size=(3, waves, count)) / np.sqrt(waves)
    values = np.cos(np.einsum("va,awc->vwc", head.template, direction) + phase)
    return np.einsum("vwc,awc->vac", values, along)


def _falling_off(head: HeadModel) -> Array:
    """(V,) one on the face, falling to zero within 3 cm around it."""
    face = head.template[head.regions["face"]][::8]
    near = np.min(np.linalg.norm(head.template[:, None] - face[None], axis=2), axis=1)
    return np.clip(1 - near / 0.03, 0, 1)


@dataclass(frozen=True, eq=False)
class Person:
    """identity (I,), expression (E,), joint rotations (J, 3), vertices (V, 3) head frame."""

    identity: Array
    expression: Array
    rotations: Array
    vertices: Array
    camera: Camera

    def cues(self, head: HeadModel, *, landmarks: bool = False) -> ScreenCues:
        """What a perfect predictor says."""
        return rendered_cues(
            head, self.identity, self.expression, self.rotations, self.camera, landmarks=landmarks
        )


def draw_person(head: HeadModel, rng: np.random.Generator, most_yaw: float = 60.0) -> Person:
    """A random head in front of a random camera.

    Identity standard normal; a fifth of the sliders between 0 and 0.6 (nameless components: half
    a sigma); gaze within some 10 degrees. Yaw even in +-most_yaw, pitch +-25, roll +-20 degrees,
    lens 24 to 110 mm (35 mm equivalent).
    """
    identity = rng.normal(size=head.identity_count)
    count = head.expression_count
    gaze = np.tile(rng.normal(0, 0.08, 2), 2)
    if head.expression_names:
        sliders = np.where(rng.random(count) < 0.2, rng.uniform(0, 0.6, count), 0.0)
        expression = GazeMap.of(head).apply(sliders, gaze)
    else:
        expression = 0.5 * rng.normal(size=count)
    rotations = eye_rotations(head, gaze)
    vertices = head.pose(identity, expression, rotations, correctives=False)
    return Person(identity, expression, rotations, vertices, draw_camera(rng, most_yaw))


def draw_camera(rng: np.random.Generator, most_yaw: float) -> Camera:
    """See :func:`draw_person`."""
    turn = np.eye(3)
    limits = (((0, 0, 1), 20.0), ((0, 1, 0), most_yaw), ((1, 0, 0), 25.0))
    for axis, most in limits:
        angle = np.radians(rng.uniform(-most, most))
        turn = matrix_from_vector(angle * np.array(axis, float)) @ turn
    r = np.diag([1.0, -1.0, -1.0]) @ turn
    focal = focal_from_35mm(float(np.exp(rng.uniform(np.log(24), np.log(110)))), SIZE, SIZE)
    distance = focal * 0.22 / (rng.uniform(0.4, 0.65) * SIZE)
    place = np.array([*(rng.uniform(-0.1, 0.1, 2) * distance * SIZE / focal), distance])
    return Camera.with_focal(focal, r, place - r @ np.array([0.0, -0.01, 0.06]), SIZE, SIZE)


@dataclass(frozen=True)
class Errors:
    """Of one fit. Millimetres over the face's vertices: ``median`` and ``p95`` as they lie in the
    head frame, ``fitted_median`` and ``fitted_p95`` after the similarity that fits them best, as
    one photo does not show a head's size; ``seen_median`` and ``seen_p95`` the same of those
    vertices that the cues show; degrees of pose; percent of the focal length.
    """

    median: float
    p95: float
    fitted_median: float
    fitted_p95: float
    seen_median: float
    seen_p95: float
    pose: float
    focal: float


def seen_vertices(head: HeadModel, exact: ScreenCues, cues: ScreenCues) -> NDArray[np.bool_]:
    """(V,) whether any pixel in which spoilt cues have some confidence shows a vertex."""
    samples = samples_from_uv(head, replace(exact, confidence=cues.confidence))
    seen = np.zeros(head.vertex_count, bool)
    seen[head.triangles[samples.triangle]] = True
    return seen


def errors(head: HeadModel, person: Person, fit: Reconstruction, seen: NDArray[np.bool_]) -> Errors:
    """How far the posed vertices, pose and lens of a fit to one photo are from the truth."""
    face = head.regions["face"]
    got, true = fit.photos[0].vertices, person.vertices
    plain = 1e3 * np.linalg.norm(got - true, axis=1)[face]

    def fitted(which: NDArray[np.bool_]) -> Array:
        scale, r, t = similarity(got[which], true[which], np.ones(int(which.sum())))
        return 1e3 * np.linalg.norm(scale * got[which] @ r.T + t - true[which], axis=1)

    camera = fit.photos[0].camera
    three = (plain, fitted(face), fitted(face & seen))
    return Errors(
        *(float(np.quantile(d, q)) for d in three for q in (0.5, 0.95)),
        pose=angle_between(camera.R, person.camera.R),
        focal=100 * abs(camera.focal / person.camera.focal - 1),
    )
