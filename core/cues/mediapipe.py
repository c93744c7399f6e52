# SPDX-License-Identifier: GPL-3.0-or-later
"""The embedded predictor: a photo's faces, each with 478 landmarks, by MediaPipe's nets.

``photo -> detections -> region -> landmarks -> better region -> landmarks ...``: each pass
centres the next one's crop on the landmarks found, which mends what a loose box spoils.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import NoFaceError
from .face_detector import Detection, same_face
from .face_mesh import FaceMesh, region_of_box, region_of_landmarks
from .face_search import FLOOR, LIKELY, QUARTER_TURNS, SURE, FaceSearch
from .image_warp import Image, Region
from .model_files import mediapipe_dir

Array = NDArray[np.float64]

#: Below this presence MediaPipe's own graph reports no face.
PRESENCE = 0.5
#: Of a face's longer side: mean distance between what the net says of a crop and of its mirror
#: image from which other rolls are tried. Faces have 0.004 to 0.013, faces seen askew and suits
#: 0.024 to 0.1.
UNSETTLED = 0.022
#: Radians between the detection's eyes and the landmarks' from which other rolls are tried.
DISAGREES = np.radians(35)
#: Rolls to try then, from that of the detection on.
_ROLLS = (0.0, np.pi / 4, -np.pi / 4, np.pi / 2, -np.pi / 2, np.pi)
#: Finds of one photo whose landmarks are read, the surest of them.
_MOST_READ = 64


@dataclass(frozen=True, eq=False)
class MediaPipeFace:
    """One face. Pixels of the photo: x right, y down, the top-left pixel's centre (0.5, 0.5).

    box (4,): x0, y0, x1, y1 as detected or as given; score: 0..1, how sure it is that this is a
    face and that it is seen the right way up, 1 for a given box (core.cues.face_search).
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
    def _search(self) -> FaceSearch:
        return FaceSearch(self._dir)

    @cached_property
    def mesh(self) -> FaceMesh:
        """The landmark net."""
        return FaceMesh(self._dir)

    def faces(
        self,
        image: Image,
        *,
        box: Sequence[float] | Array | None = None,
        max_faces: int = 8,
        passes: int = 3,
        flip_average: bool = True,
    ) -> list[MediaPipeFace]:
        """Faces of an RGB photo (H, W, 3) uint8 with landmarks, in the order of `rank`.

        Looked for upright in the whole photo by both nets, then (unless a sure one is found) in
        the photo turned, then in ever smaller tiles (core.cues.face_search).
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
        read: dict[int, tuple[Detection, MediaPipeFace]] = {}
        faces: list[MediaPipeFace] = []
        for finds, enough in self._search.stages(image):
            # Beside one that is sure, what is hardly a face is none.
            least = LIKELY if finds and finds[0].score >= SURE else FLOOR
            finds = [find for find in finds if find.score >= least][:_MOST_READ]
            for find in finds:
                if id(find) not in read:
                    read[id(find)] = find, self._settled(image, find, passes, flip_average)
            faces = _apart([read[id(find)][1] for find in finds])
            if any(face.score >= enough for face in faces):
                break
        return sorted(faces, key=rank, reverse=True)[:max_faces]

    def upright(self, image: Image) -> list[MediaPipeFace]:
        """What :meth:`faces` finds at once: faces that are upright and not small, by one pass."""
        image = _checked(image)
        found = []
        for find in self._search.upright(image):
            region = region_of_box(find.box, find.angle)
            face = self._face(image, region, find.box, find.score, 1, False)
            if face.presence >= PRESENCE:
                found.append(face)
        return sorted(found, key=rank, reverse=True)

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
        find = self._search.closest(image, box, 0.0)
        if find is not None:
            found = self._settled(image, find, passes, flip_average)
            if found.presence >= PRESENCE:
                return replace(found, box=np.array(box, float), score=1.0)
        around = region_of_box(box, 0.0)
        turned = [Region(around.centre, around.side, angle) for angle in (0.0, *QUARTER_TURNS)]
        start = max(turned, key=lambda region: self.mesh(image, region)[1])
        return self._face(image, start, box, 1.0, passes, flip_average)

    def _settled(
        self, image: Image, find: Detection, passes: int, flip_average: bool
    ) -> MediaPipeFace:
        """The face of a detection; where the landmarks disagree with it or among themselves, the
        one of several rolls that agrees best with its own mirror image. A doubtful detection was
        looked at from every side before: where the landmarks of an unlikely one disagree, there is
        no face.
        """
        rolls = iter(_ROLLS)
        best = self._rolled(image, find, next(rolls), passes, flip_average)
        if not _askew(best, find):
            return best
        if find.score < LIKELY:
            return replace(best, presence=0.0)
        if find.score < SURE:
            return best
        for roll in rolls:
            other = self._rolled(image, find, roll, passes, flip_average)
            best = min(best, other, key=_unsettled)
        return best

    def _rolled(
        self, image: Image, find: Detection, roll: float, passes: int, flip_average: bool
    ) -> MediaPipeFace:
        region = region_of_box(find.box, find.angle + roll)
        return self._face(image, region, find.box, find.score, passes, flip_average)

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


def rank(face: MediaPipeFace) -> float:
    """What faces are numbered by, the highest first: their size in pixels along a side, of doubtful
    ones a share that goes to nothing where the search would not call it a face.
    """
    low, high = face.landmarks[:, :2].min(axis=0), face.landmarks[:, :2].max(axis=0)
    certainty = np.clip((face.score - FLOOR) / (SURE - FLOOR), 0.0, 1.0)
    return float(np.sqrt(np.prod(high - low)) * certainty)


def _apart(faces: list[MediaPipeFace]) -> list[MediaPipeFace]:
    """Those that the net sees, each once, an earlier one before a later one."""
    kept: list[tuple[Array, MediaPipeFace]] = []
    for face in faces:
        xy = face.landmarks[:, :2]
        bounds = np.concatenate([xy.min(axis=0), xy.max(axis=0)])
        if face.presence >= PRESENCE and not any(same_face(bounds, b) for b, _ in kept):
            kept.append((bounds, face))
    return [face for _, face in kept]


def _unsettled(face: MediaPipeFace) -> float:
    """Mean spread in shares of the face's longer side; 0 if it has none, infinite for no face."""
    if face.presence < PRESENCE:
        return float("inf")
    return float(np.nan_to_num(face.spread).mean() / np.ptp(face.landmarks[:, :2], axis=0).max())


def _askew(face: MediaPipeFace, find: Detection) -> bool:
    """Whether the landmarks disagree with the detection's roll, or with their mirror image's."""
    turn = (np.radians(face.roll_degrees) - find.angle + np.pi) % (2 * np.pi) - np.pi
    return bool(abs(turn) > DISAGREES or _unsettled(face) > UNSETTLED)
