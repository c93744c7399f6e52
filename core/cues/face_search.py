# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a photo shows faces, however it is turned, and how sure that is.

The detectors like a face that is upright and plain to see; they give doubtful scores to faces that
lie on their side, and to suits, ears and leaves. So what scores under `SURE` is looked at again,
closer and turned every way: a face then scores well at one of the rolls, anything else at none.
What is left in doubt never ends the search before a stage that may find a surer face.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .face_detector import FULL_RANGE, SHORT_RANGE, Detection, FaceDetector, distinct, same_face
from .image_warp import Image, Region

Array = NDArray[np.float64]

#: Faces that both stand upright in a look and are plain to see score more than this: of 19 photos
#: looked at closely within 22 degrees of upright, all but a profile did (0.87 to 0.98); faces that
#: lie on their side or head score less, and of 150 places without a face the best had 0.77.
SURE = 0.85
#: From here on a find ends a search that found none that is sure; below the second it is no face.
LIKELY, FLOOR = 0.78, 0.66
#: Turns of a look, radians, the likelier first: quarter turns, then those between.
QUARTER_TURNS = (np.pi / 2, -np.pi / 2, np.pi)
ODD_TURNS = (np.pi / 4, -np.pi / 4, 3 * np.pi / 4, -3 * np.pi / 4)
#: The closer look has the side of the find's box times this.
CLOSER = 3.0
#: Radians between a find's eyes and the look's level from which the look is not upright to it.
LEVEL = np.radians(30)
#: Tiles have the photo's long side divided by these; the last reaches faces of 1 % of it.
TILE_LEVELS = (2, 4, 8)
TILE_OVERLAP = 0.25
#: Pixels; the full-range net's input.
SMALLEST_TILE = 192


class FaceSearch:
    """The two detectors on a whole photo, on the photo turned, and on its tiles."""

    def __init__(self, models_dir: Path) -> None:
        self._dir = models_dir

    @cached_property
    def _short(self) -> FaceDetector:
        return FaceDetector(SHORT_RANGE, self._dir)

    @cached_property
    def _full(self) -> FaceDetector:
        return FaceDetector(FULL_RANGE, self._dir)

    def upright(self, image: Image) -> list[Detection]:
        """What is found at first sight in the whole photo; where both nets see a face, the
        short-range one's box counts.
        """
        whole = _whole(image)
        return distinct([*self._short(image, whole), *self._full(image, whole)])

    def stages(self, image: Image) -> Iterator[tuple[list[Detection], float]]:
        """All that was found up to each stage, the surest first, and the score from which one of
        them makes a further stage needless. Each stage is searched when it is asked for.
        """
        seen: list[Detection] = []
        for found, enough in self._searches(image):
            seen = distinct(_surest([*seen, *(self._again(image, find) for find in found)]))
            yield [find for find in seen if find.score >= FLOOR], enough

    def _searches(self, image: Image) -> Iterator[tuple[list[Detection], float]]:
        """What each stage finds at first sight; see `stages`."""
        photo = _whole(image)
        yield self.upright(image), SURE
        # The short-range net is a seventh of the other's work, and sees large faces at any turn.
        # Turns come before tiles: the tiles of a photo that lies on its side would show parts of
        # its large face.
        for net, turns in (
            (self._short, QUARTER_TURNS),
            (self._short, ODD_TURNS),
            (self._full, QUARTER_TURNS),
        ):
            views = [Region(photo.centre, photo.side, angle) for angle in turns]
            enough = LIKELY if net is self._full else SURE
            yield _surest([find for view in views for find in net(image, view)]), enough
        for level in TILE_LEVELS:
            tiles = _tiles(image, photo.side / level)
            yield _surest([find for tile in tiles for find in self._full(image, tile)]), LIKELY

    def _again(self, image: Image, find: Detection) -> Detection:
        """A find that is not sure, as a closer look at the best roll shows it; its score is that
        look's, so that finds in tiles are judged as all others are.
        """
        if find.score >= SURE:
            return find
        return self.closest(image, find.box, find.angle) or replace(find, score=0.0)

    def closest(self, image: Image, box: Array, angle: float) -> Detection | None:
        """The surest find in a box (4,) of close looks at every roll, from ``angle`` on, radians.

        None if no look shows a face there.
        """
        centre, side = (box[:2] + box[2:]) / 2, float((box[2:] - box[:2]).max())
        best: Detection | None = None
        for turn in (0.0, *QUARTER_TURNS, *ODD_TURNS):
            look = Region(centre, CLOSER * side, angle + turn)
            for find in self._short(image, look):
                if not same_face(find.box, box):
                    continue
                if best is None or find.score > best.score:
                    best = find
                if find.score >= SURE and abs(_turn(find.angle - look.angle)) < LEVEL:
                    return find
        return best


def _whole(image: Image) -> Region:
    height, width = image.shape[:2]
    return Region(np.array([width / 2, height / 2]), float(max(height, width)))


def _turn(angle: float) -> float:
    """An angle in -pi .. pi."""
    return float((angle + np.pi) % (2 * np.pi) - np.pi)


def _surest(finds: list[Detection]) -> list[Detection]:
    """By falling score: of several views of one face the best one is to be kept."""
    return sorted(finds, key=lambda find: -find.score)


def _tiles(image: Image, side: float) -> list[Region]:
    """Squares that cover the photo, neighbours sharing at least `TILE_OVERLAP` of their side.

    None where a tile would be smaller than the net's input: there is nothing more to see.
    """
    if side < SMALLEST_TILE:
        return []
    starts = []
    for length in (image.shape[1], image.shape[0]):
        room = max(length - side, 0.0)
        count = int(np.ceil(room / (side * (1 - TILE_OVERLAP)))) + 1
        starts.append(np.linspace(0, room, count))
    return [Region(np.array([x, y]) + side / 2, side) for y in starts[1] for x in starts[0]]
