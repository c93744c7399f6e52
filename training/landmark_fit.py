# SPDX-License-Identifier: GPL-3.0-or-later
"""The landmark fit of a synthetic photo: by the product itself, or nearly so in a hundredth of a
second.

The detector's report is drawn from the calibrated model of its errors (see
core.fitting.landmark_model). ``product_fit`` gives it to the product's own ``fit_head``. ``fit``
is the quick one: what the product knows of the errors (bias, and how identities are pulled)
cancels and is left out on both sides; habits and noise are drawn. Then identity, sliders, pose,
focal length and habits are found by Gauss-Newton steps on the same residuals and priors as
``core.fitting`` has, without its robust weights. So this fit is wrong as the real one is: toward
the average head in all that the picture's plane does not show. The tests compare the two.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core.cues.screen_cues import ScreenCues
from core.errors import FitError
from core.fitting import FitProblem, fit_head
from core.fitting.landmark_model import LandmarkModel, load_landmark_model
from core.fitting.prior_blocks import (
    KNOWN_FOCAL_SIGMA,
    TYPICAL_FOCAL_MM,
    TYPICAL_FOCAL_SIGMA,
    expression_sigma,
)
from core.geometry.camera import Camera, focal_from_35mm
from core.geometry.rotation import cross_matrix, matrix_from_vector
from core.heads.face_landmarks import LANDMARK_COUNT
from core.heads.model import HeadModel

from .population import Subject

Array = NDArray[np.float64]

#: Landmarks of the skin.
SKIN = 468
STEPS = 7
#: Median reprojection error, in standard deviations, of a fit that found no face.
ASTRAY = 6.0
#: What the model's components are worth, drawn for each fit: real people are not of the model's
#: population, so that the product's fit explains less of them than of the model's own heads.
WORTH = (0.5, 1.0)
#: Share of photos whose focal length is known.
KNOWN_FOCAL = 0.25
#: Pixels of spread that make a landmark worthless.
_WORTHLESS = 1e6


@dataclass(frozen=True, eq=False)
class Fit:
    """identity (I,), expression (E,), vertices (V, 3) posed in the head frame and camera, as
    fitted.
    """

    identity: Array
    expression: Array
    vertices: Array
    camera: Camera


@dataclass(frozen=True, eq=False)
class Report:
    """pixels (n, 2) and depth (n,), metres from their mean; focal in pixels if it is known."""

    pixels: Array
    depth: Array
    focal: float | None


class LandmarkFitter:
    """Fits of one head model; landmarks that it lacks are left out."""

    def __init__(self, head: HeadModel, canonical: Array) -> None:
        model: LandmarkModel = load_landmark_model().for_head(head)
        self.head, self.canonical, self.model = head, canonical, model
        self.ids = head.landmark_ids[head.landmark_ids < SKIN]
        self.rest = head.landmarks(head.template, self.ids)
        self.shape = np.concatenate(
            [
                head.landmarks(head.identity_basis, self.ids),
                head.landmarks(head.expression_basis, self.ids),
                model.habits[self.ids],
            ],
            axis=2,
        )
        self.sigma, self.depth_sigma = model.sigma[self.ids], model.depth_sigma[self.ids]
        self.habits = model.habits[self.ids]
        counts = head.identity_count, head.expression_count, self.habits.shape[2]
        self.spread = np.concatenate(
            [
                np.ones(counts[0]),
                expression_sigma(head),
                np.ones(counts[2]),
            ]
        )
        self.sliders = slice(counts[0], counts[0] + counts[1])

    def report(self, subject: Subject, rng: np.random.Generator) -> Report:
        """What a detector says of a subject. Its depth is half its own idea of a face."""
        camera = subject.camera
        points = self.head.landmarks(subject.vertices, self.ids)
        strayed = points + self.habits @ rng.normal(size=self.habits.shape[2])
        scale = camera.focal / camera.t[2]
        noise = rng.normal(size=(len(points), 2)) * self.sigma[:, None] * scale
        usual = points + self.head.landmarks(
            self.head.identity_basis @ (self.canonical - subject.identity), self.ids
        )
        depth = camera.to_camera(0.5 * (points + usual))[:, 2]
        depth = depth + rng.normal(size=len(depth)) * 0.5 * self.depth_sigma
        known = rng.random() < KNOWN_FOCAL
        return Report(
            camera.project(strayed) + noise,
            depth - depth.mean(),
            camera.focal * np.exp(rng.normal(0, 0.5 * KNOWN_FOCAL_SIGMA)) if known else None,
        )

    def known_error(self, subject: Subject) -> Array:
        """(n, 3) metres in the head frame: what the product's fit knows of a detector's errors,
        and what reports here lack.
        """
        by_view = self.model.offset(subject.camera.R)[self.ids]
        return by_view + self.model.identity[self.ids] @ subject.identity

    def cues(self, seen: Report, subject: Subject) -> ScreenCues:
        """A report as a detector gives it: with the errors that the product's fit knows of."""
        camera = subject.camera
        scale = camera.focal / camera.t[2]
        # What the report lacks (the irises) lies in the middle of the face and counts nothing.
        pixels = np.tile(seen.pixels.mean(axis=0), (LANDMARK_COUNT, 1))
        depth = np.zeros(LANDMARK_COUNT)
        spread = np.full(LANDMARK_COUNT, _WORTHLESS)
        known = self.known_error(subject) @ camera.R.T
        pixels[self.ids] = seen.pixels + scale * known[:, :2]
        depth[self.ids], spread[self.ids] = scale * seen.depth, 0.0
        return ScreenCues(camera.width, camera.height, "synthetic", pixels, depth, spread)

    def product_fit(self, subject: Subject, rng: np.random.Generator) -> Fit | None:
        """The product's fit to a report of a subject, None if there is none."""
        seen = self.report(subject, rng)
        return self._fitted(self.cues(seen, subject), seen.focal)

    def fit_to(self, cues: ScreenCues, subject: Subject, rng: np.random.Generator) -> Fit | None:
        """The product's fit to cues of a subject's photo, of whatever size; its camera is that of
        the photo at the subject's size.
        """
        share = cues.width / subject.camera.width
        known = rng.random() < KNOWN_FOCAL
        fit = self._fitted(cues, share * subject.camera.focal if known else None)
        if fit is None:
            return None
        c = fit.camera
        size = subject.camera.width, subject.camera.height
        return replace(fit, camera=Camera.with_focal(c.focal / share, c.R, c.t, *size))

    def landmarks(self, subject: Subject) -> Array:
        """(n, 3) true places of the landmarks of the skin, head frame."""
        return self.head.landmarks(subject.vertices, self.ids)

    def _fitted(self, cues: ScreenCues, focal: float | None) -> Fit | None:
        try:
            fit = fit_head(FitProblem(self.head, [cues], focal=[focal]))
        except FitError:
            return None
        photo = fit.photos[0]
        vertices = self.head.pose(
            fit.identity, photo.expression, photo.rotations, correctives=False
        )
        return Fit(fit.identity, photo.expression, vertices, photo.camera)

    def fit(self, subject: Subject, rng: np.random.Generator) -> Fit | None:
        """The quick fit to a report of a subject, None if it went astray. The pose starts a few
        degrees beside the true one, where the product's closed form would start it.
        """
        seen, true = self.report(subject, rng), subject.camera
        typical = focal_from_35mm(TYPICAL_FOCAL_MM, true.width, true.height)
        log_prior, log_sigma = np.log(seen.focal or typical), TYPICAL_FOCAL_SIGMA
        if seen.focal:
            log_sigma = KNOWN_FOCAL_SIGMA
        turn = matrix_from_vector(np.radians(3) * rng.normal(size=3)) @ true.R
        log_focal, shift = log_prior, true.t * [1, 1, np.exp(log_prior) / true.focal]
        spread = self.spread.copy()
        spread[: self.sliders.start] *= rng.uniform(*WORTH)
        x = np.zeros(self.shape.shape[2])
        centre = np.array([true.width / 2, true.height / 2])
        for _ in range(STEPS):
            rows, r = self._rows(seen, x, turn, shift, log_focal, centre)
            n = len(x)
            prior = np.concatenate([1 / spread, np.zeros(6), [1 / log_sigma]])
            off = np.concatenate([x / spread, np.zeros(6), [(log_focal - log_prior) / log_sigma]])
            square = rows.T @ rows
            square[np.diag_indices_from(square)] += prior**2 + 1e-6
            gradient = rows.T @ r + prior * off
            held = np.zeros(len(gradient), bool)
            held[self.sliders] = (x[self.sliders] <= 0) & (gradient[self.sliders] > 0)
            free = np.flatnonzero(~held)
            step = np.zeros(len(gradient))
            step[free] = -np.linalg.solve(square[np.ix_(free, free)], gradient[free])
            # Steps stay where the linearisation means something.
            step *= min(1.0, 0.3 / max(np.linalg.norm(step[n : n + 3]), 1e-9))
            step *= min(1.0, 0.3 * shift[2] / max(np.linalg.norm(step[n + 3 : n + 6]), 1e-9))
            x = x + step[:n]
            x[self.sliders] = np.clip(x[self.sliders], 0, 1)
            turn = matrix_from_vector(step[n : n + 3]) @ turn
            shift = shift + step[n + 3 : n + 6]
            log_focal += float(np.clip(step[n + 6], -0.3, 0.3))
        head, k = self.head, self.head.identity_count
        identity, expression = x[:k], x[self.sliders]
        neutral = head.neutral(identity)
        shaped = neutral + head.expression_basis @ expression
        # The eyes are not fitted here: they show no skin.
        vertices = head.skin(shaped, head.joints(neutral), subject.rotations)
        camera = Camera.with_focal(float(np.exp(log_focal)), turn, shift, true.width, true.height)
        off = np.linalg.norm(r.reshape(-1, 3)[:, :2], axis=1)
        if not np.isfinite(off).all() or np.median(off) > ASTRAY:
            return None
        return Fit(identity, expression, vertices, camera)

    def _rows(
        self, seen: Report, x: Array, turn: Array, shift: Array, log_focal: float, centre: Array
    ) -> tuple[Array, Array]:
        """Residuals (3 n,) in standard deviations and their derivatives by shape, turn, shift and
        log focal. The depth's residual ignores the focal length, as its zero is arbitrary.
        """
        points = (self.rest + self.shape @ x) @ turn.T
        at = points + shift
        focal = np.exp(log_focal)
        ratio = at[:, :2] / at[:, 2:]
        by_point = np.zeros((len(at), 3, 3))
        by_point[:, 0, 0] = by_point[:, 1, 1] = 1
        by_point[:, :2, 2] = -ratio
        # In units of the landmark's own spread, whose pixels scale with the face.
        by_point[:, :2] *= (shift[2] / (at[:, 2:] * self.sigma[:, None]))[:, :, None]
        by_point[:, 2, 2] = 1 / self.depth_sigma
        scale = focal / shift[2] * self.sigma[:, None]
        r = np.concatenate(
            [
                (focal * ratio + centre - seen.pixels) / scale,
                ((points[:, 2] - points[:, 2].mean() - seen.depth) / self.depth_sigma)[:, None],
            ],
            axis=1,
        )
        rows = np.zeros((len(at), 3, self.shape.shape[2] + 7))
        n = self.shape.shape[2]
        rows[:, :, :n] = (by_point @ turn) @ self.shape
        rows[:, :, n : n + 3] = -by_point @ cross_matrix(points)
        rows[:, :2, n + 3 : n + 6] = by_point[:, :2]
        rows[:, :2, n + 6] = focal * ratio / scale
        return rows.reshape(3 * len(at), -1), r.ravel()
