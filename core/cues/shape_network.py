# SPDX-License-Identifier: GPL-3.0-or-later
"""The shape network: what a crop of the face says of the open head's identity, and how surely.

The crop is a square about the landmark fit's face. The network gives mean and spread of each
identity component; how its errors go together was measured on people that it had not seen, by
yaw, in units of its own spread. Where it was not trained it is believed less, down to not at all:
tiny faces, profiles, faces that the photo cuts off or that masks cover, landmarks that the head
cannot explain.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFileError
from ..geometry.camera import Camera
from ..geometry.smooth_step import smooth_step
from ..heads.model import HeadModel
from ..reconstruction import PhotoFit
from .face_region import face_region
from .image_warp import Region, crop
from .model_files import damaged
from .shape_cue import ShapeCue
from .tensor_program import TensorProgram

Array = NDArray[np.float64]

#: Side of the crop in pixels, and over the longer side of the box around the face's landmarks.
SIZE, CROP_SCALE = 128, 1.2
#: Crops of photos that show more are sampled finer and averaged.
_FINE, _FINER, _LARGE = 256, 512, 600
#: What pixels in 0..1 are shifted and divided by, and bounds of the log of a spread: as trained.
MIDDLE, CONTRAST = 0.45, 0.25
LEAST_LOG, MOST_LOG = -3.0, 1.0
#: How far the network's knowledge beyond the prior is believed: 1 / temper ** 2 times.
TEMPER = 0.7
#: Metres between the pupils, for the size of a face in a photo.
_PUPILS = 0.063
#: Where a reason to doubt the network begins and where it is complete.
SMALL_PX = (40.0, 20.0)
YAW_DEGREES = (60.0, 75.0)
PITCH_DEGREES = (35.0, 55.0)
OUTSIDE_SHARE = (0.25, 0.6)
RESIDUAL_PERCENT = (6.0, 14.0)
COVERED_SHARE = (0.2, 0.5)
VARIATION = (0.05, 0.02)
#: Trust below which the network is left out altogether.
LEAST_TRUST = 0.02
#: By how much the head's components may differ from those that were trained on.
_OTHER_HEAD = 0.02
_BESIDE = ("yaw_from", "error_covariance", "component_mm")


def shape_path() -> Path:
    """The weights that come with this package."""
    return Path(__file__).resolve().parents[2] / "vendor" / "posterior" / "posterior.npz"


@dataclass(frozen=True)
class Doubt:
    """trust in [0, 1], and why it is less than one, as parts of a sentence."""

    trust: float
    reasons: tuple[str, ...] = field(default=())


class ShapeNetwork:
    """Ready to run; keeps no state between calls; ``sha256`` is its file's.

    Raises ModelFileError if the file is missing, damaged or of another size.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = shape_path() if path is None else path
        self._program = TensorProgram(self.path, beside=_BESIDE)
        self.sha256 = hashlib.sha256(self.path.read_bytes()).hexdigest()
        kept = {n: np.asarray(a, np.float64) for n, a in self._program.beside.items()}
        self._yaw_from, self._covariance, self._component_mm = (kept[n] for n in _BESIDE)
        k, bins = len(self._component_mm), len(self._yaw_from)
        outputs = set(self._program.output_names)
        if self._program.input_shape != (1, SIZE, SIZE, 3) or outputs != {"mean", "log_sigma"}:
            raise damaged(self.path, "not a shape network of this version")
        if self._covariance.shape != (bins, k, k) or not bins or self._yaw_from[0] != 0:
            raise damaged(self.path, "covariances of another size")
        if not all(np.isfinite(a).all() for a in kept.values()):
            raise damaged(self.path, "covariances that are not finite")
        least = min(float(np.linalg.eigvalsh(c)[0]) for c in self._covariance)
        if not least > 1e-3 or (np.diff(self._yaw_from) <= 0).any():
            raise damaged(self.path, "covariances that are none")

    @property
    def components(self) -> int:
        """How many identity components it speaks of."""
        return len(self._component_mm)

    def check_head(self, head: HeadModel) -> None:
        """Raises ModelFileError for a head of other components than those it was trained on."""
        k = self.components
        if head.identity_count >= k:
            size = component_size(head, k)
            if (np.abs(size - self._component_mm) <= _OTHER_HEAD * self._component_mm).all():
                return
        raise ModelFileError(
            f"The shape network ({self.path.name}) belongs to another head model; "
            "reinstall Pixel3DMM."
        )

    def posterior(self, colors: NDArray[np.floating], yaw: float) -> tuple[Array, Array]:
        """Mean (I,) and covariance (I, I) of a crop (SIZE, SIZE, 3), 0..255; yaw in degrees."""
        tensor = (np.asarray(colors, np.float32) / np.float32(255) - MIDDLE) / CONTRAST
        said = self._program(tensor[None].astype(np.float32))
        mean = said["mean"].reshape(-1).astype(np.float64)
        log_sigma = said["log_sigma"].reshape(-1).astype(np.float64)
        if not (len(mean) == len(log_sigma) == self.components):
            raise damaged(self.path, "outputs of another size")
        if not (np.isfinite(mean).all() and np.isfinite(log_sigma).all()):
            raise damaged(self.path, "outputs that are not finite")
        sigma = np.exp(np.clip(log_sigma, LEAST_LOG, MOST_LOG))
        at = int(np.searchsorted(self._yaw_from, abs(yaw), side="right")) - 1
        return mean, sigma[:, None] * self._covariance[at] * sigma

    def cue(
        self, pixels: NDArray[np.uint8], head: HeadModel, fit: PhotoFit
    ) -> tuple[ShapeCue | None, Doubt]:
        """What a photo (H, W, 3) says around a landmark fit; None where it is not believed.

        Raises ModelFileError, and FitError if the face is not in front of the camera.
        """
        region = face_region(head, fit.vertices, fit.camera, CROP_SCALE)
        colors = sampled(pixels, region)
        doubt = doubts(region, fit, colors)
        if doubt.trust < LEAST_TRUST:
            return None, doubt
        mean, covariance = self.posterior(colors, yaw_of(fit.camera))
        believed = 1 / TEMPER**2
        cue = ShapeCue.of_posterior(mean, covariance, believed=believed, trust=doubt.trust)
        return cue, doubt


def sampled(pixels: NDArray[np.uint8], region: Region) -> NDArray[np.float32]:
    """The crop (SIZE, SIZE, 3), 0..255: means of finer samples, each at its true place."""
    fine = _FINE if region.side < _LARGE else _FINER
    true = Region(region.centre - region.centring(fine), region.side, region.angle)
    n = fine // SIZE
    out: NDArray[np.float32] = (
        crop(pixels, true, fine).reshape(SIZE, n, SIZE, n, 3).mean(axis=(1, 3), dtype=np.float32)
    )
    return out


def component_size(head: HeadModel, count: int) -> Array:
    """(count,) millimetres (root mean square over the face) of the first identity components."""
    face = head.regions["face"]
    square = (head.identity_basis[face, :, :count] ** 2).sum(axis=1)
    return np.asarray(1e3 * np.sqrt(square.mean(axis=0)), dtype=np.float64)


def yaw_of(camera: Camera) -> float:
    """Degrees by which the camera stands beside the face, in 0..180."""
    x, _, z = -camera.R.T @ np.array([0.0, 0.0, 1.0])
    return abs(float(np.degrees(np.arctan2(x, z))))


def doubts(region: Region, fit: PhotoFit, colors: NDArray[np.floating]) -> Doubt:
    """How far a network that has seen such faces alone as training drew may be believed.

    colors (SIZE, SIZE, 3): the crop.
    """
    camera = fit.camera
    apart = _PUPILS * camera.focal / max(float(camera.t[2]), 1e-6)
    pitch = float(np.degrees(np.arcsin(np.clip((-camera.R.T @ [0.0, 0.0, 1.0])[1], -1, 1))))
    residual = float(fit.report.get("reprojection_percent_of_eye_distance", 0.0))
    outside = outside_share(region, camera.width, camera.height)
    parts = [
        (_ramp(apart, SMALL_PX), f"the face is small ({apart:.0f} pixels between the eyes)"),
        (_ramp(yaw_of(camera), YAW_DEGREES), "it is seen from the side"),
        (_ramp(abs(pitch), PITCH_DEGREES), "it is seen from far above or below"),
        (_ramp(outside, OUTSIDE_SHARE), "the photo cuts it off"),
        (_ramp(float(fit.unseen.mean()), COVERED_SHARE), "much of it is covered"),
        (_ramp(residual, RESIDUAL_PERCENT), "the landmarks fit no face well"),
        (_ramp(variation(colors), VARIATION), "it has as little shading as a drawing"),
    ]
    trust = float(np.prod([share for share, _ in parts]))
    return Doubt(trust, tuple(why for share, why in parts if share < 1))


def variation(colors: NDArray[np.floating]) -> float:
    """How much a face's brightness changes from one place to the next: the median, over the middle
    of a crop (SIZE, SIZE, 3), 0..255, of the change of its log along a 64th of the diagonal.
    Photos have 0.06 and more, pencil drawings 0.03 and less.
    """
    cells = colors.reshape(SIZE // 2, 2, SIZE // 2, 2, 3).mean(axis=(1, 3)) / 255
    light = np.log((cells**2.2).mean(axis=2) + 0.01)
    at = np.linspace(-1, 1, SIZE // 2 - 1)
    face = (at[None] / 0.6) ** 2 + (at[:, None] / 0.75) ** 2 < 1
    return float(np.median(np.abs(light[1:, 1:] - light[:-1, :-1])[face]))


def outside_share(region: Region, width: int, height: int) -> float:
    """The share of a crop that lies outside the photo."""
    at = (np.arange(32) + 0.5) / 32 * SIZE
    x, y = np.meshgrid(at, at)
    matrix = region.matrix(SIZE)
    places = np.stack([x.ravel(), y.ravel(), np.ones(x.size)]).T @ matrix.T
    inside = ((places >= 0) & (places <= [width, height])).all(axis=1)
    return float(1 - inside.mean())


def _ramp(value: float, bounds: tuple[float, float]) -> float:
    """1 at the first of the bounds and before, 0 at the second and beyond, smooth between."""
    low, high = bounds
    sign = 1.0 if high > low else -1.0
    return 1 - float(smooth_step(np.array(sign * value), sign * low, sign * high))
