# SPDX-License-Identifier: GPL-3.0-or-later
"""What a fitted head keeps so that its fit can go on: with pins, and with further photos.

For each photo the landmarks as detected and where the fit ended; no pixels. As JSON it lives in
a custom property of the head, where anybody may have written anything: reading checks all of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cues.photo_matches import MOST, PhotoMatches
from ..cues.screen_cues import ScreenCues
from ..errors import FitError, ModelFileError
from ..fitting.pins import Pin
from ..fitting.state import PhotoState
from ..geometry.rotation import matrix_from_vector, vector_from_matrix
from ..heads.face_landmarks import LANDMARK_COUNT
from ..photos.photo import MAX_PIXELS

Array = NDArray[np.float64]

SCHEMA = 1
#: More than any head has; a damaged file cannot exhaust memory. As many photos as fit on a line of
#: core.protocol.
MAX_PHOTOS, MAX_UNKNOWNS, MAX_TEXT = 30, 2000, 4_000_000
_LARGEST = 1e12


@dataclass(frozen=True, eq=False)
class SeenPhoto:
    """One photo as its predictor saw it, and the fit's unknowns for it.

    name and sha256 of the photo, width and height in pixels; landmarks (478, 2), depth (478,)
    and sigma (478,) as in ScreenCues; dense: the fit also had maps, which are not kept; focal
    (pixels, None if unknown) and focal_source as the fit was given; skin and iris (3,) linear
    RGB; landmarks_fit (478, 2) pixels, nan where the head has no such point; state.
    """

    name: str
    sha256: str
    width: int
    height: int
    predictor: str
    landmarks: Array
    depth: Array
    sigma: Array
    dense: bool
    focal: float | None
    focal_source: str
    skin: Array
    iris: Array
    landmarks_fit: Array
    state: PhotoState

    @property
    def cues(self) -> ScreenCues:
        """Without maps."""
        return ScreenCues(
            width=self.width,
            height=self.height,
            predictor=self.predictor,
            landmarks=self.landmarks,
            landmark_depth=self.depth,
            landmark_sigma=self.sigma,
        )


@dataclass(frozen=True, eq=False)
class Continuation:
    """head_name and head_digest of the head model; identity (I,); photos, the first of which the
    mesh in the scene shows; pins that the fit obeyed; matches between the photos.
    """

    head_name: str
    head_digest: str
    identity: Array
    photos: tuple[SeenPhoto, ...]
    pins: tuple[Pin, ...] = ()
    matches: tuple[PhotoMatches, ...] = ()

    def with_pins(self, pins: Sequence[Pin]) -> Continuation:
        """The same evidence under other pins."""
        return replace(self, pins=tuple(pins))

    def to_json(self) -> str:
        """Compact; a tenth of a thousandth of a pixel and nine digits of an unknown are kept."""
        photos = []
        for p in self.photos:
            fit = [None if not np.isfinite(row).all() else row.round(3).tolist()
                   for row in p.landmarks_fit]  # fmt: skip
            photos.append(
                {
                    "name": p.name,
                    "sha256": p.sha256,
                    "width": p.width,
                    "height": p.height,
                    "predictor": p.predictor,
                    "landmarks": p.landmarks.round(4).tolist(),
                    "depth": p.depth.round(4).tolist(),
                    "sigma": p.sigma.round(5).tolist(),
                    "dense": p.dense,
                    "focal": p.focal,
                    "focal_source": p.focal_source,
                    "skin": [round(float(x), 6) for x in p.skin],
                    "iris": [round(float(x), 6) for x in p.iris],
                    "landmarks_fit": fit,
                    "state": {
                        "turn": _numbers(vector_from_matrix(p.state.R)),
                        "t": _numbers(p.state.t),
                        "log_focal": float(p.state.log_focal),
                        "gaze": _numbers(p.state.gaze),
                        "expression": _numbers(p.state.expression),
                        "drift": _numbers(p.state.drift),
                    },
                }
            )
        return json.dumps(
            {
                "schema": SCHEMA,
                "head": {"name": self.head_name, "sha256": self.head_digest},
                "identity": _numbers(self.identity),
                "photos": photos,
                "pins": pins_to_json(self.pins),
                "matches": [_from_matches(m) for m in self.matches],
            },
            allow_nan=False,
            separators=(",", ":"),
        )

    @classmethod
    def from_json(cls, text: object) -> Continuation:
        """Raises ModelFileError in one sentence for what is missing, newer or damaged."""
        if not isinstance(text, str) or not text:
            raise ModelFileError(
                "This head does not hold what its fit would go on from, since it was made by an "
                "earlier version: reconstruct it from its photo again."
            )
        damaged = ModelFileError(
            "What this head keeps of its fit is damaged: reconstruct it from its photo again."
        )
        if len(text) > MAX_TEXT:
            raise damaged
        try:
            data = json.loads(text)
            if not isinstance(data, dict):
                raise damaged
            schema = data.get("schema")
            if isinstance(schema, int) and schema > SCHEMA:
                raise ModelFileError(
                    "This head was made by a newer version of Pixel3DMM: update the extension to "
                    "go on with its fit."
                )
            if schema != SCHEMA:
                raise damaged
            photos = data["photos"]
            if not isinstance(photos, list) or not 1 <= len(photos) <= MAX_PHOTOS:
                raise damaged
            return cls(
                head_name=_text(data["head"]["name"]),
                head_digest=_text(data["head"]["sha256"]),
                identity=_vector(data["identity"]),
                photos=tuple(_photo(p) for p in photos),
                pins=pins_from_json(data.get("pins", []), len(photos)),
                matches=_all_matches(data.get("matches", []), len(photos)),
            )
        # OverflowError: JSON knows integers of any length.
        except (ArithmeticError, FitError, AttributeError, LookupError) as error:
            raise damaged from error
        except (RecursionError, TypeError, ValueError) as error:
            raise damaged from error


def with_first(text: str, photo: int) -> str:
    """The JSON of a Continuation without pins, with another photo as its first."""
    if not text or photo == 0:
        return text
    whole = Continuation.from_json(text)
    order = [photo, *(i for i in range(len(whole.photos)) if i != photo)]
    return replace(
        whole,
        photos=tuple(whole.photos[i] for i in order),
        matches=tuple(
            replace(m, first=order.index(m.first), second=order.index(m.second))
            for m in whole.matches
        ),
    ).to_json()


def pins_to_json(pins: Sequence[Pin]) -> list[list[float]]:
    """[photo, landmark, x, y] each."""
    return [[p.photo, p.landmark, round(p.x, 4), round(p.y, 4)] for p in pins]


def pins_from_json(data: object, photo_count: int) -> tuple[Pin, ...]:
    """Inverse of pins_to_json; a landmark has one pin a photo at most. Raises ValueError."""
    if not isinstance(data, list) or len(data) > MAX_PHOTOS * LANDMARK_COUNT:
        raise ValueError("pins")
    out: dict[tuple[int, int], Pin] = {}
    for entry in data:
        photo, landmark, x, y = entry
        if isinstance(photo, bool) or not (isinstance(photo, int) and isinstance(landmark, int)):
            raise ValueError("pins")
        if not (0 <= photo < photo_count and 0 <= landmark < LANDMARK_COUNT):
            raise ValueError("pins")
        if not (abs(_number(x)) < 1e6 and abs(_number(y)) < 1e6):
            raise ValueError("pins")
        out[photo, landmark] = Pin(photo, landmark, float(x), float(y))
    return tuple(out.values())


def _photo(data: Mapping[str, Any]) -> SeenPhoto:
    width, height, state = data["width"], data["height"], data["state"]
    if not (isinstance(width, int) and isinstance(height, int)):
        raise ValueError("size")
    if width < 1 or height < 1 or width * height > MAX_PIXELS:
        raise ValueError("size")
    none = [float("nan")] * 2
    fit = np.array([none if row is None else row for row in data["landmarks_fit"]], np.float64)
    if fit.shape != (LANDMARK_COUNT, 2) or (np.abs(fit) > 1e6).any():
        raise ValueError("landmarks_fit")
    sigma = _array(data["sigma"], (LANDMARK_COUNT,))
    t = _array(state["t"], (3,))
    log_focal = _number(state["log_focal"])
    if (sigma < 0).any() or not t[2] > 1e-3 or abs(log_focal - 10) > 10:
        raise ValueError("state")
    return SeenPhoto(
        name=_text(data["name"]),
        sha256=_text(data["sha256"]),
        width=width,
        height=height,
        predictor=_text(data["predictor"]),
        landmarks=_array(data["landmarks"], (LANDMARK_COUNT, 2)),
        depth=_array(data["depth"], (LANDMARK_COUNT,)),
        sigma=sigma,
        dense=bool(data["dense"]),
        focal=None if data["focal"] is None else _positive(data["focal"]),
        focal_source=_text(data["focal_source"]),
        skin=_array(data["skin"], (3,)),
        iris=_array(data["iris"], (3,)),
        landmarks_fit=fit,
        state=PhotoState(
            R=matrix_from_vector(_array(state["turn"], (3,))),
            t=t,
            log_focal=log_focal,
            gaze=_array(state["gaze"], (4,)),
            expression=_vector(state["expression"]),
            drift=_vector(state["drift"]),
        ),
    )


def _from_matches(m: PhotoMatches) -> dict[str, Any]:
    """A hundredth of a pixel and four digits of the covariance are kept."""
    three = m.covariance[:, [0, 0, 1], [0, 1, 1]]
    return {
        "photos": [m.first, m.second],
        "at": np.column_stack([m.at_first, m.at_second]).round(2).tolist(),
        "covariance": [[float(f"{x:.4g}") for x in row] for row in three],
        "spread": float(f"{m.spread_second:.6g}"),
    }


def _all_matches(data: object, photo_count: int) -> tuple[PhotoMatches, ...]:
    """Raises ValueError, LookupError, TypeError or FitError for what is none."""
    if not isinstance(data, list) or len(data) > MAX_PHOTOS**2:
        raise ValueError("matches")
    out = []
    for entry in data:
        first, second = entry["photos"]
        if not all(type(i) is int and 0 <= i < photo_count for i in (first, second)):
            raise ValueError("matches")
        count = len(entry["at"])
        if not 0 < count <= MOST:
            raise ValueError("matches")
        at, three = _array(entry["at"], (count, 4)), _array(entry["covariance"], (count, 3))
        covariance = three[:, [0, 1, 1, 2]].reshape(-1, 2, 2)
        spread = _positive(entry["spread"])
        out.append(PhotoMatches(first, second, at[:, :2], at[:, 2:], covariance, spread))
    return tuple(out)


def _numbers(values: Array) -> list[float]:
    return [float(f"{x:.9g}") for x in values]


def _number(value: object) -> float:
    # Compared, not asked for its finiteness: JSON knows integers that no float can hold.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("number")
    if not -_LARGEST < value < _LARGEST:
        raise ValueError("number")
    return float(value)


def _positive(value: object) -> float:
    if _number(value) <= 0:
        raise ValueError("focal")
    return _number(value)


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > 500:
        raise ValueError("text")
    return value


def _vector(value: object) -> Array:
    out = np.array(value, dtype=np.float64)
    if out.ndim != 1 or len(out) > MAX_UNKNOWNS or not (np.abs(out) < 1e4).all():
        raise ValueError("vector")
    return out


def _array(value: object, shape: tuple[int, ...]) -> Array:
    out = np.array(value, dtype=np.float64)
    # Also false for nan.
    if out.shape != shape or not (np.abs(out) < 1e6).all():
        raise ValueError("array")
    return out
