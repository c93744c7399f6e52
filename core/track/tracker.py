# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole way from a clip to a Performance on one page: read, learn the person's habits, fit,
smooth, close what touches.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..cues.mediapipe import MediaPipePredictor
from ..errors import VideoError
from ..fitting.pose import initial_pose
from ..fitting.state import PhotoState
from ..progress import Progress, part, silent
from .contacts import LIDS, LIPS, opening
from .face_reader import FaceReader
from .finish import Curves, finished
from .frame_fit import STEPS, USUAL, FrameFitter, posed, rest_offset, slider_precision
from .performance import Performance
from .person import AT_REST, STRONGEST, Person
from .pictures import face_crop
from .spool import Spool
from .texture import MOST_AT_REST, Texture, texture_of
from .video import Clip

Array = NDArray[np.float64]

READING, FITTING, SMOOTHING = "Following the face", "Fitting the frames", "Smoothing the curves"
#: Fewer frames with a face are no performance.
FEWEST = 5
#: Frames from which is learnt what the person does in this clip.
LEARNT_FROM = 120
#: Of a slider's spread over the clip: within these, and this much more than was seen.
_LEAST, _MOST, _MORE = 0.15, 0.3, 1.5


@dataclass(frozen=True)
class TrackOptions:
    """first, last: frames (None: all); face: which of several by falling size, 0 is the largest
    (None: the one most like the head); rest: a frame in which the person is at rest (None: found);
    smooth_face, smooth_head: 0 for none, 1 as measured, more for more; contacts: lids and lips
    that touch in the picture touch on the head; mirror: look at every frame's mirror image too,
    which steadies the landmarks and takes twice as long.
    """

    first: int = 0
    last: int | None = None
    face: int | None = None
    rest: int | None = None
    smooth_face: float = 1.0
    smooth_head: float = 1.0
    contacts: bool = True
    mirror: bool = True

    def __post_init__(self) -> None:
        """Raises VideoError for what makes no sense."""
        if self.first < 0 or (self.last is not None and self.last < self.first):
            raise VideoError("The first frame must be 0 or more, and the last one not before it.")
        if not (0 <= self.smooth_face <= 10 and 0 <= self.smooth_head <= 10):
            raise VideoError("Smoothing goes from 0 (none) to 10.")


def track(
    clip: Clip,
    person: Person,
    predictor: MediaPipePredictor,
    options: TrackOptions | None = None,
    *,
    progress: Progress = silent,
    stop: Callable[[], bool] = lambda: False,
) -> Performance:
    """``stop`` is asked at every frame; when it says so, what was read until then is tracked.

    Raises VideoError if hardly a face was seen.
    """
    options = options or TrackOptions()
    began = time.perf_counter()
    spool = Spool()
    try:
        others = read(clip, person, predictor, options, spool, part(progress, 0.0, 0.7), stop)
        reading = time.perf_counter() - began
        if spool.seen().sum() < FEWEST:
            raise VideoError(_too_few(clip, int(spool.seen().sum()), len(spool)))
        person, spread, rest_frames = habits(clip, person, options, spool)
        texture = rest_texture(clip, person, spool, rest_frames)
        curves = fit_all(clip, person, spread, spool, part(progress, 0.7, 0.95), texture)
    finally:
        spool.close()
    progress(SMOOTHING, 0.95)
    done = finished(curves, person, clip, options, rest_frames)
    seconds = time.perf_counter() - began
    report = {
        **done.report,
        "clip": clip.name,
        "rate": clip.rate,
        "frames_announced": clip.count,
        "others_in_the_picture": others,
        "seconds": {"reading": round(reading, 3), "all": round(seconds, 3)},
        "frames_per_second": round(len(curves.index) / max(seconds, 1e-9), 2),
        "warnings": [*clip.notes, *person.notes, *_warnings(clip, curves, others, stop())],
    }
    progress(SMOOTHING, 1.0)
    return replace(done, report=report)


def read(
    clip: Clip,
    person: Person,
    predictor: MediaPipePredictor,
    options: TrackOptions,
    spool: Spool,
    progress: Progress,
    stop: Callable[[], bool],
) -> int:
    """Every frame's landmarks into the spool; how many other faces were about."""
    end = clip.count - 1 if options.last is None else min(options.last, clip.count - 1)
    reader = FaceReader(
        predictor, layout=person.layout_distance, face=options.face, mirror=options.mirror
    )
    began = time.perf_counter()
    try:
        for frame in clip.frames(options.first, options.last):
            reading = reader.read(frame.pixels)
            crop = None
            if reading is not None and frame.pixels is not None:
                crop = face_crop(frame.pixels, reading.landmarks)
            spool.add(frame.index, frame.seconds, reading, reader.cut, crop)
            speed = len(spool) / max(time.perf_counter() - began, 1e-3)
            done = (frame.index - options.first + 1) / max(end - options.first + 1, 1)
            progress(f"{READING}, {speed:.0f} frames a second", min(done, 1.0))
            if stop():
                break
    finally:
        reader.close()
    if not len(spool):
        raise VideoError(f"{clip.name} has no frame {options.first}: choose an earlier one.")
    return reader.others


def habits(
    clip: Clip, person: Person, options: TrackOptions, spool: Spool
) -> tuple[Person, Array, NDArray[np.intp]]:
    """The person with the rest that the clip shows, the spread (E,) of each slider in it, and the
    frames, as indices, that show the rest.

    A slider that hardly moves in a first look at some frames is not believed to move in the
    others (automatic relevance determination; MacKay, "Bayesian interpolation", 1992).
    """
    seen = np.flatnonzero(spool.seen())
    some = seen[np.unique(np.linspace(0, len(seen) - 1, LEARNT_FROM).astype(int))]
    usual = np.full(person.head.expression_count, USUAL)
    person, rest_frames = rested(clip, person, options, spool, some, usual)
    values = _first_look(clip, person, spool, some, usual)
    spread = np.sqrt(_MORE * (values**2).mean(axis=0) + 0.02**2)
    spread = np.clip(spread, _LEAST, _MOST)
    spread[person.points.gaze_map.columns] = USUAL
    return person, spread, rest_frames


def rested(
    clip: Clip,
    person: Person,
    options: TrackOptions,
    spool: Spool,
    some: NDArray[np.intp],
    spread: Array,
) -> tuple[Person, NDArray[np.intp]]:
    """The person with the rest taken from the clip, if it shows one, and the frames that show it.

    By choice it is one frame and its neighbours; found, it is the tenth of the frames whose
    sliders are lowest by the rest of the head's own photo, unless even those are far from it.
    """
    centre = np.array([clip.width / 2, clip.height / 2])
    if options.rest is not None:
        index = np.array(spool.index)
        near = np.flatnonzero((np.abs(index - options.rest) <= 1) & spool.seen())
        if not len(near):
            raise VideoError(f"No face is seen in frame {options.rest}: choose another rest frame.")
        chosen = near
    else:
        values = _first_look(clip, person, spool, some, spread)
        free = np.delete(values, person.points.gaze_map.columns, axis=1)
        energy = np.sort(free, axis=1)[:, -STRONGEST:].mean(axis=1)
        order = np.argsort(energy, kind="stable")[: max(1, len(some) // 10)]
        if np.median(energy[order]) > AT_REST:
            return person, some[order]
        chosen = some[order]
    offsets = []
    state = _begin(person, clip, spool.landmarks(int(chosen[0])))
    for i in chosen:
        landmarks = spool.landmarks(int(i))[person.ids, :2]
        state = posed(person, landmarks, replace(state, expression=0 * state.expression), centre)
        offsets.append(rest_offset(person, state, landmarks, centre))
    return person.with_rest(np.median(offsets, axis=0)), chosen


def _first_look(
    clip: Clip, person: Person, spool: Spool, some: NDArray[np.intp], spread: Array
) -> Array:
    """(n, E) sliders of some frames."""
    centre = np.array([clip.width / 2, clip.height / 2])
    fitter = FrameFitter(person, centre, slider_precision(person, spread))
    state, out, before = None, [], -1
    cuts = np.cumsum(spool.cuts)
    for i in some:
        landmarks = spool.landmarks(int(i))
        if state is None or cuts[i] != cuts[before]:
            state = _begin(person, clip, landmarks)
        state = fitter.fit(landmarks[:, :2], state).state
        out.append(state.expression)
        before = int(i)
    return np.array(out)


def rest_texture(
    clip: Clip, person: Person, spool: Spool, rest_frames: NDArray[np.intp]
) -> Texture | None:
    """How the face looks in the frames at rest; None where no crops were kept."""
    centre = np.array([clip.width / 2, clip.height / 2])
    crops, states = [], []
    for i in rest_frames[:MOST_AT_REST]:
        crop, landmarks = spool.crop(int(i)), spool.landmarks(int(i))
        if crop is None:
            return None
        state = _begin(person, clip, landmarks)
        state = replace(state, expression=np.zeros_like(state.expression))
        states.append(posed(person, landmarks[person.ids, :2], state, centre))
        crops.append(crop)
    first = spool.landmarks(int(rest_frames[0]))
    return texture_of(person, crops, states, first, centre)


def fit_all(
    clip: Clip,
    person: Person,
    spread: Array,
    spool: Spool,
    progress: Progress,
    texture: Texture | None = None,
) -> Curves:
    """Every frame by itself, each from the one before."""
    centre = np.array([clip.width / 2, clip.height / 2])
    fitter = FrameFitter(person, centre, slider_precision(person, spread), texture)
    count, seen = len(spool), spool.seen()
    curves = Curves.empty(spool, person.head.expression_count)
    state: PhotoState | None = None
    for i in range(count):
        progress(FITTING, i / count)
        if spool.cuts[i]:
            state = None
        if not seen[i]:
            continue
        landmarks = spool.landmarks(i)
        fresh = state is None
        if state is None:
            state = _begin(person, clip, landmarks)
        crop = None if texture is None else spool.crop(i)
        fit = fitter.fit(landmarks[:, :2], state, crop, steps=6 if fresh else STEPS)
        state = fit.state
        if not (0.02 < state.t[2] < 1e3) or not np.isfinite(state.t).all():
            curves.error[i], state = np.inf, None
            continue
        if not curves.slider_noise.any():
            curves.slider_noise[:] = fit.flicker()
        curves.put(i, state, fit.error)
        curves.agreement[i] = fit.agreement
        curves.lids[i] = [opening(landmarks, LIDS["Left"]), opening(landmarks, LIDS["Right"])]
        curves.lips[i] = opening(landmarks, LIPS)
    return curves


def _begin(person: Person, clip: Clip, landmarks: Array) -> PhotoState:
    """A state from nothing but the landmarks (478, 3)."""
    focal = person.focal_of(clip.width, clip.height)
    centre = np.array([clip.width / 2, clip.height / 2])
    at = landmarks[person.ids]
    sigma = person.sigma
    r, t = initial_pose(person.points.base.T, at[:, :2], at[:, 2], sigma, focal, centre)
    state = replace(person.start, R=r, t=t, log_focal=float(np.log(focal)), gaze=np.zeros(4))
    return posed(person, at[:, :2], state, centre)


def _too_few(clip: Clip, seen: int, frames: int) -> str:
    if not seen:
        return (
            f"No face was found in the {frames} frames of {clip.name}: choose a clip that shows "
            "the face larger and from the front."
        )
    return (
        f"A face is seen in only {seen} of {frames} frames of {clip.name}: a performance needs at "
        f"least {FEWEST}."
    )


def _warnings(clip: Clip, curves: Curves, others: int, stopped: bool) -> list[str]:
    out = []
    count = len(curves.index)
    if stopped:
        out.append(f"Stopped by request: {count} frames were tracked.")
    elif clip.count > 0 and curves.index[-1] < clip.count - 2 and not clip.pictures:
        out.append(
            f"{clip.name} ends at frame {int(curves.index[-1])} of {clip.count}: the rest cannot "
            "be read."
        )
    hidden = int((~np.isfinite(curves.error)).sum())
    if hidden:
        out.append(f"The face was not seen in {hidden} of {count} frames: the curves are held.")
    if others:
        out.append(f"{others + 1} faces were in the picture at once: one of them was followed.")
    if clip.rate < 10:
        out.append(f"{clip.rate:g} frames a second are too few for blinks and speech.")
    return out
