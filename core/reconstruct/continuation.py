# SPDX-License-Identifier: GPL-3.0-or-later
"""What a fitted head keeps so that its fit can go on: with pins, and with further photos.

For each photo the landmarks as detected and where the fit ended; no pixels. As JSON it lives in
a custom property of the head, where anybody may have written anything: reading checks all of it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cues.photo_matches import MOST, PhotoMatches
from ..errors import FitError, ModelFileError
from ..fitting.pins import SURFACE, Pin
from ..heads.face_landmarks import LANDMARK_COUNT
from ..rigged_head import MAX_VERTICES
from .json_numbers import array, number, numbers, positive, short_text, vector
from .photo_record import PhotoRecord

Array = NDArray[np.float64]

#: What is written: 1 where there is no pin on the surface, so that earlier versions read it too.
SCHEMA = 2
#: More than any head has; a damaged file cannot exhaust memory. As many photos as fit on a line of
#: core.protocol.
MAX_PHOTOS, MAX_TEXT = 30, 4_000_000


@dataclass(frozen=True, eq=False)
class Continuation:
    """head_name and head_digest of the head model; identity (I,); photos, the first of which the
    mesh in the scene shows; pins that the fit obeyed; matches between the photos.
    """

    head_name: str
    head_digest: str
    identity: Array
    photos: tuple[PhotoRecord, ...]
    pins: tuple[Pin, ...] = ()
    matches: tuple[PhotoMatches, ...] = ()

    def with_pins(self, pins: Sequence[Pin]) -> Continuation:
        """The same photos under other pins."""
        return replace(self, pins=tuple(pins))

    def to_json(self) -> str:
        """Compact; a tenth of a thousandth of a pixel and nine digits of an unknown are kept."""
        return json.dumps(
            {
                "schema": SCHEMA if any(p.landmark == SURFACE for p in self.pins) else 1,
                "head": {"name": self.head_name, "sha256": self.head_digest},
                "identity": numbers(self.identity),
                "photos": [p.to_json() for p in self.photos],
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
            if schema not in (1, SCHEMA) or isinstance(schema, bool):
                raise damaged
            photos = data["photos"]
            if not isinstance(photos, list) or not 1 <= len(photos) <= MAX_PHOTOS:
                raise damaged
            return cls(
                head_name=short_text(data["head"]["name"]),
                head_digest=short_text(data["head"]["sha256"]),
                identity=vector(data["identity"]),
                photos=tuple(PhotoRecord.from_json(p) for p in photos),
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
    """[photo, landmark, x, y] each; of one on the surface [photo, -1, x, y, three corners, two of
    their weights].
    """
    return [
        [p.photo, p.landmark, round(p.x, 4), round(p.y, 4), *p.corners, *p.weights[:2]]
        for p in pins
    ]


def pins_from_json(data: object, photo_count: int) -> tuple[Pin, ...]:
    """Inverse of pins_to_json; a place has one pin a photo at most. Raises ValueError."""
    if not isinstance(data, list) or len(data) > MAX_PHOTOS * LANDMARK_COUNT:
        raise ValueError("pins")
    out: dict[tuple[object, ...], Pin] = {}
    for entry in data:
        photo, landmark, x, y, *place = entry
        whole = (photo, landmark, *place[:3])
        if any(isinstance(n, bool) or not isinstance(n, int) for n in whole):
            raise ValueError("pins")
        if not (0 <= photo < photo_count and SURFACE <= landmark < LANDMARK_COUNT):
            raise ValueError("pins")
        if not (abs(number(x)) < 1e6 and abs(number(y)) < 1e6):
            raise ValueError("pins")
        if len(place) != (5 if landmark == SURFACE else 0):
            raise ValueError("pins")
        if place:
            pin = Pin.on_surface(photo, place[:3], [number(w) for w in place[3:]], x, y)
            if not (min(pin.corners) >= 0 and max(pin.corners) < MAX_VERTICES):
                raise ValueError("pins")
            if min(pin.weights) < -1e-3:
                raise ValueError("pins")
        else:
            pin = Pin(photo, landmark, float(x), float(y))
        out[pin.place] = pin
    return tuple(out.values())


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
        at, three = array(entry["at"], (count, 4)), array(entry["covariance"], (count, 3))
        covariance = three[:, [0, 1, 1, 2]].reshape(-1, 2, 2)
        spread = positive(entry["spread"])
        out.append(PhotoMatches(first, second, at[:, :2], at[:, 2:], covariance, spread))
    return tuple(out)
