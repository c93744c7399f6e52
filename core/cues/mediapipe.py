# SPDX-License-Identifier: GPL-3.0-or-later
"""The embedded predictor: a photo's faces, each with 478 landmarks, by MediaPipe's nets.

``photo -> detections -> region -> landmarks -> better region -> landmarks ...``: each pass
centres the next one's crop on the landmarks found, which mends what a loose box spoils.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import NoFaceError
from .face_detector import FULL_RANGE, SHORT_RANGE, Detection, FaceDetector, distinct, same_face
from .face_mesh import FaceMesh, region_of_box, region_of_landmarks
from .image_warp import Image, Region
from .model_files import mediapipe_dir

Array = NDArray[np.float64]

#: Below this presence MediaPipe's own graph reports no face.
PRESENCE = 0.5
#: Faces that both stand upright and are plain to see score more than this; faces that lie on
#: their side or head score less (at most 0.82 where upright they have 0.87 to 0.94).
SURE = 0.85
QUARTER_TURNS = (np.pi / 2, np.pi, -np.pi / 2)
#: Tiles have the photo's long side divided by these; the last reaches faces of 1 % of it.
TILE_LEVELS = (2, 4, 8)
TILE_OVERLAP = 0.25
#: Pixels; the full-range net's input.
SMALLEST_TILE = 192


@dataclass(frozen=True, eq=False)
class MediaPipeFace:
    """One face. Pixels of the photo: x right, y down, the top-left pixel's centre (0.5, 0.5).

    box (4,): x0, y0, x1, y1 as detected or as given; score: the detector's, 1 for a given box.
    landmarks (478, 3): x, y, and z in the same pixels, relative to the middle of the head,
    negative towards the camera. presence: 0..1, how sure the net is that there is a face (it
    does not flag bad landmarks). spread (478,): pixels between two opinions on each landmark,
    those on the crop and on its mirror image, or with ``flip_average=False`` those of the last
    two passes (nan if there was one). roll_degrees: of the line of the eyes, clockwise positive.
    """

    box: Array
    score: float
    landmarks: Array
    presence: float
    spread: Array
    roll_degrees: float


class MediaPipePredictor:
    """Finds faces and their landmarks; the nets load when first needed and stay for reuse.

    ``models_dir``: the folder of converted files, by default the one shipped with the package.
    All methods raise `core.errors.ModelFileError` if a file there is missing or damaged.
    """

    def __init__(self, models_dir: Path | None = None) -> None:
        self._dir = mediapipe_dir() if models_dir is None else Path(models_dir)

    @cached_property
    def _short(self) -> FaceDetector:
        return FaceDetector(SHORT_RANGE, self._dir)

    @cached_property
    def _full(self) -> FaceDetector:
        return FaceDetector(FULL_RANGE, self._dir)

    @cached_property
    def mesh(self) -> FaceMesh:
        """The landmark net."""
        return FaceMesh(self._dir)

    def detect(self, image: Image) -> list[Detection]:
        """Faces of an RGB photo (H, W, 3) uint8, the largest first; empty if there is none.

        Looked for upright in the whole photo by both nets, then (unless those are sure) in the
        photo turned by quarter turns, then in ever smaller tiles, until some stage finds one.
        """
        return next(self._stages(_checked(image)), [])

    def faces(
        self,
        image: Image,
        *,
        box: Sequence[float] | Array | None = None,
        max_faces: int = 8,
        passes: int = 3,
        flip_average: bool = True,
    ) -> list[MediaPipeFace]:
        """Faces of an RGB photo (H, W, 3) uint8 with landmarks, the largest first.

        No face gives an empty list. With ``box`` (x0, y0, x1, y1) in pixels there is always one
        face: the one detected in it or, if none is, whatever the landmark net sees there.
        ``passes``: 1 is MediaPipe's static mode, each further one a frame of its video mode.
        ``flip_average``: the last pass also looks at the mirror image and takes the mean, and
        places landmarks without the half sample by which MediaPipe's are off; False gives
        MediaPipe's own answer. Raises `core.errors.NoFaceError` for a box outside the photo.
        """
        image = _checked(image)
        if passes < 1:
            raise ValueError("at least one pass is needed")
        if box is not None:
            return [self._face_in_box(image, np.asarray(box, float), passes, flip_average)]
        for detections in self._stages(image):
            found: list[tuple[Array, MediaPipeFace]] = []
            for detection in detections:
                region = region_of_box(detection.box, detection.angle)
                face = self._face(
                    image, region, detection.box, detection.score, passes, flip_average
                )
                xy = face.landmarks[:, :2]
                bounds = np.concatenate([xy.min(axis=0), xy.max(axis=0)])
                if face.presence >= PRESENCE and not any(same_face(bounds, b) for b, _ in found):
                    found.append((bounds, face))
                if len(found) == max_faces:
                    break
            if found:
                return [f for _, f in sorted(found, key=lambda pair: -_area(pair[0]))]
        return []

    def upright(self, image: Image) -> list[MediaPipeFace]:
        """What :meth:`faces` finds at once: faces that are upright and not small, by one pass."""
        image = _checked(image)
        height, width = image.shape[:2]
        photo = Region(np.array([width / 2, height / 2]), float(max(height, width)))
        found = []
        for detection in self._look(image, photo):
            region = region_of_box(detection.box, detection.angle)
            face = self._face(image, region, detection.box, detection.score, 1, False)
            if face.presence >= PRESENCE:
                found.append(face)
        return sorted(found, key=lambda face: -_area(face.box))

    def _stages(self, image: Image) -> Iterator[list[Detection]]:
        """What each stage of the search finds, the largest first; empty stages left out."""
        height, width = image.shape[:2]
        photo = Region(np.array([width / 2, height / 2]), float(max(height, width)))
        for stage in self._searches(image, photo):
            if faces := distinct(stage):
                yield sorted(faces, key=lambda face: -_area(face.box))

    def _searches(self, image: Image, photo: Region) -> Iterator[list[Detection]]:
        upright = self._look(image, photo)
        if upright and min(face.score for face in upright) >= SURE:
            yield upright
        # The short-range net also sees a face that lies on its side or head, but with poor
        # keypoints; the same face upright scores higher, and the best view of each is kept.
        # Turns come before tiles: they cost a tenth, and the tiles of a photo that lies on its
        # side would show parts of its large face.
        views = [Region(photo.centre, photo.side, angle) for angle in QUARTER_TURNS]
        yield _surest([*upright, *(f for view in views for f in self._look(image, view))])
        for level in TILE_LEVELS:
            tiles = _tiles(image, photo.side / level)
            yield _surest([face for tile in tiles for face in self._full(image, tile)])

    def _look(self, image: Image, region: Region) -> list[Detection]:
        """Both nets on a region; where both see a face, the short-range one's box counts."""
        return distinct([*self._short(image, region), *self._full(image, region)])

    def _face_in_box(
        self, image: Image, box: Array, passes: int, flip_average: bool
    ) -> MediaPipeFace:
        """The face in a box that a person gave, which says where but not how it is turned."""
        height, width = image.shape[:2]
        if (
            box.shape != (4,)
            or not np.isfinite(box).all()
            or (box[:2] >= np.minimum(box[2:], [width, height])).any()
            or (box[2:] <= 0).any()
        ):
            raise NoFaceError(
                "The face box is empty or lies outside the photo; "
                f"draw it within the photo's {width} x {height} pixels."
            )
        around = region_of_box(box, 0.0)
        turned = [Region(around.centre, around.side, angle) for angle in (0.0, *QUARTER_TURNS)]
        for region in turned:
            seen = [face for face in self._look(image, region) if same_face(face.box, box)]
            if seen:
                best = max(seen, key=lambda face: face.score)
                start = region_of_box(best.box, best.angle)
                break
        else:
            start = max(turned, key=lambda region: self.mesh(image, region)[1])
        return self._face(image, start, box, 1.0, passes, flip_average)

    def _face(
        self,
        image: Image,
        region: Region,
        box: Array,
        score: float,
        passes: int,
        flip_average: bool,
    ) -> MediaPipeFace:
        """The passes over one face, from a first region; box and score are handed on."""
        mesh = self.mesh
        points, presence = mesh(image, region)
        landmarks = mesh.to_photo(points, region, centred=False)
        second = np.full_like(landmarks, np.nan)
        for _ in range(passes - 1):
            region, second = region_of_landmarks(landmarks), landmarks
            points, presence = mesh(image, region)
            landmarks = mesh.to_photo(points, region, centred=False)
        spread = np.linalg.norm(landmarks[:, :2] - second[:, :2], axis=1)
        if flip_average:
            mirrored, _ = mesh(image, region, mirrored=True)
            difference = np.linalg.norm(points[:, :2] - mirrored[:, :2], axis=1)
            spread = difference * (region.side / mesh.size)
            landmarks = mesh.to_photo((points + mirrored) / 2, region, centred=True)
        return MediaPipeFace(
            box=np.array(box, float),
            score=score,
            landmarks=landmarks,
            presence=presence,
            spread=spread,
            roll_degrees=float(np.degrees(region_of_landmarks(landmarks).angle)),
        )


def _checked(image: Image) -> Image:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise ValueError(f"expected an RGB photo (H, W, 3) uint8, got {image.shape} {image.dtype}")
    return image


def _area(box: Array) -> float:
    return float(np.prod(box[2:] - box[:2]))


def _surest(faces: list[Detection]) -> list[Detection]:
    """By falling score: of several views of one face the best one is to be kept."""
    return sorted(faces, key=lambda face: -face.score)


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
