# SPDX-License-Identifier: GPL-3.0-or-later
"""Follows one face through a clip: landmarks of a frame from where the face was in the last one.

The detectors, which cost as much as the landmark net many times over, look only at the first frame
of a shot and when the face is lost. Of several faces the one that lies where the face was last,
and whose layout is the person's, is the right one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..cues.face_mesh import region_of_landmarks
from ..cues.mediapipe import PRESENCE, MediaPipePredictor

Array = NDArray[np.float64]
Image = NDArray[np.uint8]

#: Samples on a side of the thumbnail by which cuts are found.
_THUMB = 24
#: Grey levels by which a thumbnail changes at a cut: at least so many, and so many times what
#: the last frames changed.
_CUT, _CUT_TIMES, _RECENT = 14.0, 5.0, 12
#: A face that is lost is looked for in every frame for so long, then in every so many-th.
_EAGER, _PATIENT = 8, 5
#: Of the box's side: how far a face moves, and how much it grows, from frame to frame.
_FARTHEST, _LARGEST = 0.8, 1.6
#: Of the eyes' distance: layouts that differ more are other people's.
_OTHER_PERSON = 0.35
_RIGHT, _LEFT = 33, 263


@dataclass(frozen=True, eq=False)
class Reading:
    """landmarks (478, 3) as in MediaPipeFace; presence 0..1; spread (478,) pixels between what the
    net says of the frame and of its mirror image.
    """

    landmarks: Array
    presence: float
    spread: Array


class FaceReader:
    """One pass over a clip, frame by frame in order.

    layout: says how far a face's landmarks (478, 3) are from the person's, in eye distances, or
    None to take any face. face: which one by falling size to begin with. mirror: look at the
    mirror image too, which halves the noise and doubles the time.
    """

    def __init__(
        self,
        predictor: MediaPipePredictor,
        *,
        layout: Callable[[Array], float] | None = None,
        face: int | None = None,
        mirror: bool = True,
    ) -> None:
        self._predictor, self._layout, self._face = predictor, layout, face
        self._mirror = mirror
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="face") if mirror else None
        self._last: Array | None = None
        self._lost = 0
        self._thumb: Array | None = None
        self._changes: deque[float] = deque(maxlen=_RECENT)
        self.others = 0
        self.cut = False

    def close(self) -> None:
        """Ends the threads."""
        if self._pool is not None:
            self._pool.shutdown()

    def read(self, pixels: Image | None) -> Reading | None:
        """The face in the next frame, or None. ``cut`` says whether a new shot begins with it."""
        self.cut = False
        if pixels is None:
            return None
        self.cut = self._changed(pixels)
        if self.cut:
            self._lost = 0
        followed = None
        if self._last is not None and not self.cut:
            followed = self._at(pixels, self._last)
            if not self._goes_on(followed, self._last):
                followed = None
        if followed is None and self._due():
            followed = self._found(pixels)
        if followed is None:
            self._lost += 1
            if self._lost > 1:
                self._last = None
            return None
        self._lost, self._last = 0, followed.landmarks
        return followed

    def _due(self) -> bool:
        """Whether to look for a face that is lost."""
        return self._lost < _EAGER or self._lost % _PATIENT == 0

    def _at(self, pixels: Image, landmarks: Array) -> Reading:
        net, region = self._predictor.mesh, region_of_landmarks(landmarks)
        if self._pool is None:
            points, presence = net(pixels, region)
            return Reading(net.to_photo(points, region, centred=True), presence, np.zeros(478))
        one = self._pool.submit(net, pixels, region)
        two = self._pool.submit(lambda: net(pixels, region, mirrored=True))
        (points, presence), (mirrored, _) = one.result(), two.result()
        spread = np.linalg.norm(points[:, :2] - mirrored[:, :2], axis=1)
        middle = net.to_photo((points + mirrored) / 2, region, centred=True)
        return Reading(middle, presence, spread * (region.side / net.size))

    def _goes_on(self, reading: Reading, last: Array) -> bool:
        """Whether it is the same face, moved as faces move."""
        if reading.presence < PRESENCE:
            return False
        (a, b), (c, d) = _box(last), _box(reading.landmarks)
        side = float((b - a).max())
        moved = float(np.linalg.norm((a + b - c - d) / 2))
        grown = float((d - c).max()) / max(side, 1e-9)
        return moved < _FARTHEST * side and 1 / _LARGEST < grown < _LARGEST

    def _found(self, pixels: Image) -> Reading | None:
        """By the detectors: the person among the faces."""
        thorough = self._lost in (0, _EAGER - 1)
        faces = self._predictor.upright(pixels)
        if not faces and thorough:
            faces = self._predictor.faces(pixels, max_faces=4)
        if not faces:
            return None
        self.others = max(self.others, len(faces) - 1)
        if self._face is not None and self._last is None and len(faces) > self._face:
            best = faces[self._face]
        else:
            best = min(faces, key=lambda face: self._strangeness(face.landmarks))
        reading = self._at(pixels, best.landmarks)
        return reading if reading.presence >= PRESENCE else None

    def _strangeness(self, landmarks: Array) -> float:
        """Small for the face that is followed; faces come by falling size, which breaks ties."""
        out = 0.0
        if self._layout is not None:
            out += self._layout(landmarks) / _OTHER_PERSON
        if self._last is not None:
            (a, b), (c, d) = _box(self._last), _box(landmarks)
            side = max(float((b - a).max()), 1e-9)
            out += float(np.linalg.norm((a + b - c - d) / 2)) / side
            out += abs(float(np.log(max(float((d - c).max()), 1e-9) / side)))
        return out

    def _changed(self, pixels: Image) -> bool:
        """Whether this frame begins another shot."""
        height, width = pixels.shape[:2]
        rows = np.linspace(0, height - 1, 2 * _THUMB).astype(int)
        columns = np.linspace(0, width - 1, 2 * _THUMB).astype(int)
        grey = pixels[np.ix_(rows, columns)].mean(axis=2)
        thumb = grey.reshape(_THUMB, 2, _THUMB, 2).mean(axis=(1, 3))
        last, self._thumb = self._thumb, thumb
        if last is None:
            return False
        change = float(np.abs(thumb - last).mean())
        usual = float(np.median(self._changes)) if self._changes else 0.0
        self._changes.append(change)
        cut = change > max(_CUT, _CUT_TIMES * usual)
        if cut:
            self._changes.clear()
        return cut


def _box(landmarks: Array) -> tuple[Array, Array]:
    xy = landmarks[:, :2]
    return xy.min(axis=0), xy.max(axis=0)


def relative_spread(reading: Reading) -> float:
    """The mean spread in distances between the eyes' outer corners."""
    eyes = np.linalg.norm(reading.landmarks[_RIGHT, :2] - reading.landmarks[_LEFT, :2])
    return float(reading.spread.mean()) / max(float(eyes), 1e-9)
