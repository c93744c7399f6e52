# SPDX-License-Identifier: GPL-3.0-or-later
"""From frames fitted each by itself to curves: smoothed shot by shot, closed, held where unseen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..fitting.points import eye_rotation
from ..fitting.state import PhotoState
from ..geometry.rotation import matrix_from_vector, nearest_rotation, vector_from_matrix
from ..heads.arkit import ARKIT_NAMES
from .contacts import touching, with_shut_lids
from .performance import Performance
from .person import Person
from .smoother import smooth, white_noise
from .spool import Spool
from .video import Clip

if TYPE_CHECKING:
    from .tracker import TrackOptions

Array = NDArray[np.float64]

#: How much more a curve is thought to flicker than its second differences say, since a frame's
#: errors hang together with its neighbours'; and a quiet step as a share of the flicker.
_NOISE, _NOISE_HEAD, _QUIET = 2.0, 1.5, 0.3
#: Below these no curve is steadied: sliders, radians, metres.
_FINEST = {"slider": 1e-3, "gaze": 1e-3, "turn": 2e-4, "shift": 2e-5}
#: Sliders that tell each other that something moves.
_GROUPS = ("eyeBlink", "eyeSquint", "eyeWide", "brow", "cheek", "nose", "jaw", "mouth", "tongue")
_GROUP_OF = {"eyeBlink": 0, "eyeSquint": 0, "eyeWide": 0, "brow": 1}
#: Shares of the eyes' distance: a frame whose fit is this far off, or whose two readings lie
#: this far apart, counts for half.
_DOUBT_ERROR, _DOUBT_SPREAD = 0.05, 0.06
#: Share of a clip's frames in which a slider is free of its bounds to tell its noise; and how many
#: such sliders are enough.
_FREE, _ENOUGH = 0.5, 3
#: Metres between the lips above what they are at rest that the eye does not see.
_SEAM = 0.0005


@dataclass(eq=False)
class Curves:
    """F frames as fitted: index, seconds, cuts (F,); R (F, 3, 3), t (F, 3), gaze (F, 4), sliders
    (F, E); error and spread (F,) in eye distances, inf and 0 where no face was seen; presence (F,);
    lids (F, 2) and lips (F,) how open, as core.track.contacts says. agreement (F,) as in FrameFit;
    slider_noise (E,): FrameFit.flicker of a usual frame.
    """

    index: NDArray[np.intp]
    seconds: Array
    cuts: NDArray[np.bool_]
    R: Array
    t: Array
    gaze: Array
    sliders: Array
    error: Array
    presence: Array
    spread: Array
    lids: Array
    lips: Array
    agreement: Array
    slider_noise: Array

    @classmethod
    def empty(cls, spool: Spool, sliders: int) -> Curves:
        """Nothing fitted yet."""
        n = len(spool)
        return cls(
            index=np.array(spool.index, dtype=np.intp),
            seconds=np.array(spool.seconds),
            cuts=np.array(spool.cuts),
            R=np.tile(np.diag([1.0, -1.0, -1.0]), (n, 1, 1)),
            t=np.tile([0.0, 0.0, 1.0], (n, 1)),
            gaze=np.zeros((n, 4)),
            sliders=np.zeros((n, sliders)),
            error=np.full(n, np.inf),
            presence=np.array(spool.presence),
            spread=np.array(spool.spread),
            lids=np.zeros((n, 2)),
            lips=np.zeros(n),
            agreement=np.ones(n),
            slider_noise=np.zeros(sliders),
        )

    def put(self, i: int, state: PhotoState, error: float) -> None:
        """One frame's fit."""
        self.R[i], self.t[i], self.gaze[i] = state.R, state.t, state.gaze
        self.sliders[i], self.error[i] = state.expression, error

    def shots(self) -> list[slice]:
        """Frames of each shot."""
        starts = sorted({0, *np.flatnonzero(self.cuts).tolist()})
        ends = [*starts[1:], len(self.index)]
        return [slice(a, b) for a, b in zip(starts, ends, strict=True)]

    def confidence(self) -> Array:
        """(F,) 0 where nothing was seen, else how far a frame is to be believed."""
        seen = np.isfinite(self.error)
        error = np.where(seen, self.error, 0.0) / _DOUBT_ERROR
        apart = self.spread / _DOUBT_SPREAD
        out = self.presence / (1 + error**4) / (1 + apart**4)
        return np.where(seen, np.clip(out, 0.02, 1.0), 0.0)


def finished(
    curves: Curves,
    person: Person,
    clip: Clip,
    options: TrackOptions,
    rest_frames: NDArray[np.intp],
) -> Performance:
    """Smoothed within each shot and put into ARKit's order."""
    confidence = curves.confidence()
    names = person.head.expression_names
    ahead = _ahead(curves, rest_frames)
    gaze, sliders = curves.gaze.copy(), curves.sliders.copy()
    R, t = curves.R.copy(), curves.t.copy()
    groups = np.array([_group(n) for n in names])
    noise = _slider_noise(curves, confidence > 0)
    for shot in curves.shots():
        sure = confidence[shot]
        sliders[shot] = _steady(
            sliders[shot],
            sure,
            groups,
            options.smooth_face,
            "slider",
            np.zeros(len(names)),
            noise,
        )
        gaze[shot] = _steady(gaze[shot], sure, np.zeros(4, int), options.smooth_face, "gaze", ahead)
        R[shot] = _steady_turns(R[shot], sure, options.smooth_head)
        t[shot] = _steady(t[shot], sure, np.zeros(3, int), options.smooth_head, "shift", None)
    sliders = np.clip(sliders, 0.0, 1.0)
    gaze = gaze - ahead
    if options.contacts:
        sliders = _closed(curves, person, sliders, confidence, rest_frames)
    for i in range(len(sliders)):
        sliders[i] = person.points.gaze_map.apply(sliders[i], gaze[i])
    values = np.zeros((len(sliders), len(ARKIT_NAMES)))
    for k, name in enumerate(ARKIT_NAMES):
        if name in names:
            values[:, k] = sliders[:, names.index(name)]
    eyes = np.array([[eye_rotation(*g[:2])[0], eye_rotation(*g[2:])[0]] for g in gaze])
    held = [[int(a), int(b)] for a, b in _spans(confidence == 0)]
    report: dict[str, Any] = {
        "frames": len(curves.index),
        "frames_with_a_face": int((confidence > 0).sum()),
        "not_seen": [[int(curves.index[a]), int(curves.index[b])] for a, b in held],
        "shots": [int(curves.index[s.start]) for s in curves.shots()],
        "rest_frames": curves.index[rest_frames].tolist(),
        "confidence": confidence.round(3).tolist(),
        "error_percent_of_eye_distance": round(
            100 * float(np.median(curves.error[confidence > 0])), 3
        ),
    }
    return Performance(
        frames=curves.index,
        times=curves.seconds,
        values=values,
        R=R,
        t=t,
        eyes=eyes,
        confidence=confidence,
        shots=tuple(s.start for s in curves.shots()),
        focal=person.focal_of(clip.width, clip.height),
        width=clip.width,
        height=clip.height,
        report=report,
    )


def _slider_noise(curves: Curves, seen: NDArray[np.bool_]) -> Array:
    """(E,) standard deviation of what flickers: the fit says it but for a factor, which the sliders
    tell that no bound holds still.
    """
    values = curves.sliders
    free = ((values > 1e-6) & (values < 1 - 1e-6))[seen].mean(axis=0) > _FREE
    free &= curves.slider_noise > 0
    if free.sum() < _ENOUGH:
        return np.zeros(values.shape[1])
    shown = white_noise(values, seen)[free] / curves.slider_noise[free]
    return float(np.median(shown)) * curves.slider_noise


def _ahead(curves: Curves, rest_frames: NDArray[np.intp]) -> Array:
    """(4,) the gaze of the frames at rest, which is straight ahead for all that anybody knows."""
    return np.clip(np.median(curves.gaze[rest_frames], axis=0), -0.15, 0.15)


def _group(name: str) -> int:
    start = next((g for g in _GROUPS if name.startswith(g)), "mouth")
    return _GROUP_OF.get(start, 2)


def _steady(
    curves: Array,
    confidence: Array,
    groups: NDArray[np.intp],
    strength: float,
    kind: str,
    fade_to: Array | None,
    noise: Array | None = None,
) -> Array:
    """Curves (T, K) of one shot, smoothed; with strength 0 only gaps are bridged. noise (K,) where
    it is known: curves that a bound holds half of the time do not show theirs.
    """
    finest = _FINEST[kind]
    if noise is None:
        noise = white_noise(curves, confidence > 0)
    return smooth(
        curves,
        confidence,
        groups,
        noise=np.maximum(
            (_NOISE if kind in ("slider", "gaze") else _NOISE_HEAD) * strength * noise,
            finest * max(strength, 1e-3),
        ),
        quiet_step=finest + _QUIET * noise,
        fade_to=fade_to,
    )


def _steady_turns(R: Array, confidence: Array, strength: float) -> Array:
    """Rotations (T, 3, 3) of one shot, as vectors from their mean."""
    seen = confidence > 0
    if not seen.any():
        return R
    mean = nearest_rotation(R[seen].mean(axis=0))
    vectors = np.array([vector_from_matrix(r @ mean.T) for r in R])
    steady = _steady(vectors, confidence, np.zeros(3, int), strength, "turn", None)
    out: Array = matrix_from_vector(steady) @ mean
    return out


def _closed(
    curves: Curves,
    person: Person,
    sliders: Array,
    confidence: Array,
    rest_frames: NDArray[np.intp],
) -> Array:
    """Sliders (F, E) whose lids and lips touch where they do in the picture."""
    names = person.head.expression_names
    at = {name: i for i, name in enumerate(names)}
    out, seen = sliders.copy(), confidence > 0
    rest = np.median(curves.lids[rest_frames], axis=0)
    for side, name in enumerate(("eyeBlinkLeft", "eyeBlinkRight")):
        if name in at:
            gap = np.where(seen, curves.lids[:, side], rest[side])
            out[:, at[name]] = with_shut_lids(out[:, at[name]], gap, float(rest[side]))
    if "mouthClose" in at:
        rate = _lip_gap_rate(person)
        shut = np.where(seen, touching(curves.lips, float(np.median(curves.lips[rest_frames]))), 0)
        excess = np.maximum(out @ rate - _SEAM, 0.0) * shut
        close = at["mouthClose"]
        if rate[close] < -1e-4:
            out[:, close] = np.clip(out[:, close] - excess / rate[close], 0.0, 1.0)
    return out


def _lip_gap_rate(person: Person) -> Array:
    """(E,) metres by which each slider opens the middle of the lips, on the head itself."""
    head = person.head
    upper, lower = head.landmarks(head.expression_basis, np.array([13, 14], np.int32))
    out: Array = upper[1] - lower[1]
    return out


def _spans(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.r_[False, mask, False].astype(int)))
    return [(int(a), int(b) - 1) for a, b in zip(edges[::2], edges[1::2], strict=True)]
