# SPDX-License-Identifier: GPL-3.0-or-later
"""The person whose face is tracked: the points of a head that is known, as the net reports them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..cues.face_geometry import canonical_face, similarity
from ..errors import ModelFileError, VideoError
from ..fitting.landmark_model import load_landmark_model, view_features
from ..fitting.points import PointSet
from ..fitting.state import Layout, PhotoState
from ..heads.model import HeadModel
from ..reconstruct.continuation import Continuation
from ..reconstruct.photo_record import PhotoRecord
from .response import load_response

Array = NDArray[np.float64]

#: A photo whose strongest sliders are below this on average shows the person at rest.
AT_REST, STRONGEST = 0.4, 5
HEAD_CHANGED = (
    "The head was made with another version of the head model: reconstruct it again for a better "
    "fit."
)


@dataclass(frozen=True, eq=False)
class Person:
    """points of the head's landmarks ``ids`` (n,), identity folded in, expression as reported,
    drift the net's strays; bias (n, 3, 6) by the view; sigma (n,) metres; rest (3, n) metres, what
    the net reports of this person at rest beside all that; focal: pixels for a frame whose longer
    side has ``focal_side`` pixels; start: a state to begin from.
    """

    head: HeadModel
    ids: NDArray[np.int32]
    points: PointSet
    bias: Array
    sigma: Array
    rest: Array
    focal: float
    focal_side: int
    start: PhotoState
    identity: Array
    notes: tuple[str, ...] = ()

    @property
    def layout(self) -> Layout:
        """Of one frame's unknowns: there is no identity among them."""
        return Layout(0, self.head.expression_count, 1, self.points.drift.shape[2])

    def reported(self, R: Array) -> PointSet:
        """The points as the net reports them of a head that is seen with rotation R."""
        offset = (self.bias @ view_features(R)).T + self.rest
        return replace(self.points, base=self.points.base + offset)

    def focal_of(self, width: int, height: int) -> float:
        """Pixels, for a frame."""
        return self.focal * max(width, height) / self.focal_side

    def with_rest(self, rest: Array) -> Person:
        """The same with another rest."""
        return replace(self, rest=rest)

    def layout_distance(self, landmarks: Array) -> float:
        """How far landmarks (478, 3) are from this person's layout, in shares of its size."""
        weights = canonical_face().weights[self.ids[self.ids < 468]]
        own = self.points.base.T[self.ids < 468]
        seen = landmarks[self.ids[self.ids < 468]] * [1.0, -1.0, -1.0]
        if not np.isfinite(seen).all() or np.ptp(seen[:, 0]) < 1e-6:
            return np.inf
        placed = similarity(own, seen, weights)
        error = own @ placed[:3, :3].T + placed[:3, 3] - seen
        scale = np.linalg.norm(placed[:3, 0])
        rms = np.sqrt((weights[:, None] * error**2).sum() / weights.sum())
        return float(rms / max(scale, 1e-9) / 0.05)


def person_of(head: HeadModel, continuation: str, focal_px: float | None, side: int) -> Person:
    """From what a head.npz keeps of its fit. focal_px: of the clip, with ``side`` pixels as the
    longer side, if it is known; else the photo's is taken. Raises ModelFileError, VideoError.
    """
    last = Continuation.from_json(continuation)
    if last.head_name != head.name:
        raise ModelFileError(
            f"This head was made with {last.head_name}, which is not here: choose a head that was "
            f"reconstructed as {head.name}."
        )
    if not set(head.expression_names) & {"jawOpen", "eyeBlinkLeft"}:
        raise VideoError(f"{head.name} has no ARKit sliders that a clip could drive.")
    photo = last.photos[0]
    if photo.state is None:
        raise ModelFileError(
            "This head does not hold its fit: reconstruct it from its photo again."
        )
    fitted = photo.state
    ids = head.landmark_ids
    model, response = load_landmark_model().for_head(head), load_response()
    count = min(len(last.identity), head.identity_count)
    identity = last.identity[:count]
    plain = PointSet.of_landmarks(head, ids, count)
    base = plain.base + plain.identity @ identity
    known = min(count, model.identity.shape[2])
    base = base + np.moveaxis(model.identity[ids][:, :, :known], 1, 0) @ identity[:known]
    n = len(ids)
    points = PointSet(
        base=base,
        identity=np.zeros((3, n, 0)),
        expression=plain.expression + np.moveaxis(response.changed(head)[ids], 1, 0),
        eye=plain.eye,
        centre=plain.centre + plain.centre_identity @ identity,
        centre_identity=np.zeros((2, 3, 0)),
        gaze_map=plain.gaze_map,
        drift=np.moveaxis(response.strays[ids], 1, 0),
    )
    focal, longer = (fitted.focal, max(photo.width, photo.height))
    if focal_px is not None:
        focal, longer = focal_px, side
    neutral = np.zeros(head.expression_count)
    start = replace(fitted, expression=neutral, drift=np.zeros(points.drift.shape[2]))
    person = Person(
        head=head,
        ids=ids,
        points=points,
        bias=model.bias[ids],
        sigma=response.sigma[ids],
        rest=np.zeros((3, n)),
        focal=focal,
        focal_side=longer,
        start=start,
        identity=_whole(identity, head.identity_count),
        notes=() if head.digest == last.head_digest else (HEAD_CHANGED,),
    )
    return person.with_rest(_rest_of(person, photo, fitted))


def _whole(identity: Array, count: int) -> Array:
    out = np.zeros(count)
    out[: len(identity)] = identity
    return out


def _rest_of(person: Person, photo: PhotoRecord, fitted: PhotoState) -> Array:
    """What the net said of the photo beyond the head as it was fitted, or as it is at rest."""
    from .frame_fit import posed, rest_offset

    expression = fitted.expression[: person.head.expression_count]
    sliders = np.delete(expression, person.points.gaze_map.columns)
    if len(sliders) and np.sort(sliders)[-STRONGEST:].mean() < AT_REST:
        expression = np.zeros(person.head.expression_count)
    state = replace(person.start, expression=expression, log_focal=fitted.log_focal)
    centre = np.array([photo.width / 2, photo.height / 2])
    landmarks = photo.landmarks[person.ids]
    return rest_offset(person, posed(person, landmarks, state, centre), landmarks, centre)
