# SPDX-License-Identifier: GPL-3.0-or-later
"""All shape keys of one fitted person: the 52, the photo's residual, and those that are driven.

What the photo shows does not change by it: the values are those at which the person's own keys
come nearest to what was fitted with the template's, and the residual holds what is left.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..heads.arkit import ARKIT_NAMES, PHOTO_DETAIL, PHOTO_RESIDUAL
from ..heads.corners import triangle_part
from ..heads.lid_zone import away_from_lids
from ..heads.model import HeadModel
from ..reconstruction import PhotoFit
from .contacts import EyeView, Fold, Index, lid_fold, lip_fold
from .correctives import PREFIX, corrective_name, corrective_pairs, corrective_shapes
from .eye_clearance import Socket
from .lids import close_blink
from .lips import GIVES_WAY, part_lips
from .solve_keys import key_solver
from .tear_line import settle, settled, tear_lines, wet_vertices

Array = NDArray[np.float64]

#: The jaw's turn, radians about +x, at which its corrective is fully there.
JAW_TURN = float(np.radians(20.0))
JAW_KEY = f"{PREFIX}jaw"
#: What the names of a FLAME file's own components start with; they are in sigma units.
COMPONENT = "flame_"
_BLINKS = (("l", "eyeBlinkLeft"), ("r", "eyeBlinkRight"))
#: What the keys' names start with that move a lid over the ball.
_LID_KEYS = ("eye", "cheekSquint", "browDown")
_BALL_PARTS = ("eyeball", "iris", "pupil")


@dataclass(frozen=True, eq=False)
class PersonKeys:
    """names (K,); deltas (K, V, 3) from the neutral face; values (K,) as in the photo;
    correctives (C, 3): key and the two keys whose product drives it; bone_keys (B, 2): key and
    the joint that drives it; bone_turns (B, 3): the rotation vector at which it is 1.
    """

    names: tuple[str, ...]
    deltas: Array
    values: Array
    correctives: NDArray[np.int32]
    bone_keys: NDArray[np.int32]
    bone_turns: Array

    def with_detail(self, detail: Array) -> PersonKeys:
        """Also what a neural head adds, (V, 3) metres, switched on."""
        return replace(
            self,
            names=(*self.names, PHOTO_DETAIL),
            deltas=np.concatenate([self.deltas, detail[None]]),
            values=np.append(self.values, 1.0),
        )

    def with_components(self, head: HeadModel) -> PersonKeys:
        """Also the components of the head model's own file, at zero."""
        own = head.own_components
        if own is None:
            return self
        count = own.shape[2]
        return replace(
            self,
            names=(*self.names, *(f"{COMPONENT}{i:03d}" for i in range(count))),
            deltas=np.concatenate([self.deltas, own.transpose(2, 0, 1)]),
            values=np.concatenate([self.values, np.zeros(count)]),
        )


def person_keys(head: HeadModel, fit: PhotoFit) -> PersonKeys:
    """The keys of a fitted head; ValueError for one that lacks one of the 52 names."""
    solver = key_solver(head)
    keys, shapes = _at_rest(head, fit.neutral)
    pairs = [pair for pair in corrective_pairs() if pair in shapes]
    values, left = _revalued(head, fit, solver.deltas, keys)
    driven = np.array([values[ARKIT_NAMES.index(a)] * values[ARKIT_NAMES.index(b)]
                       for a, b in pairs])  # fmt: skip
    for value, pair in zip(driven, pairs, strict=True):
        if value:
            left = left - value * shapes[pair]
    names = [*ARKIT_NAMES, PHOTO_RESIDUAL, *(corrective_name(*pair) for pair in pairs)]
    deltas = [keys, left[None], *(shapes[pair][None] for pair in pairs)]
    first = len(ARKIT_NAMES) + 1
    drives = [[first + c, *(ARKIT_NAMES.index(n) for n in p)] for c, p in enumerate(pairs)]
    values = np.concatenate([values, [1.0], driven])
    jaw = _jaw_corrective(head)
    bones, turns = np.zeros((0, 2), np.int32), np.zeros((0, 3))
    _wet_photo(head, fit, values, deltas)
    if jaw is not None:
        bones = np.array([[len(names), head.joint("jaw")]], np.int32)
        turns = np.array([[JAW_TURN, 0.0, 0.0]])
        names.append(JAW_KEY)
        deltas.append(solver.carried(fit.neutral, jaw)[None])
        values = np.append(values, 0.0)
    return PersonKeys(
        tuple(names),
        np.concatenate(deltas),
        values,
        np.array(drives, np.int32).reshape(-1, 3),
        bones,
        turns,
    )


def rest_keys(head: HeadModel, neutral: Array) -> dict[str, Array]:
    """(V, 3) of every key by name for a person at rest, neutral (V, 3); no photo's residual."""
    keys, shapes = _at_rest(head, neutral)
    out = dict(zip(ARKIT_NAMES, keys, strict=True))
    out.update((corrective_name(*pair), shape) for pair, shape in shapes.items())
    jaw = _jaw_corrective(head)
    if jaw is not None:
        out[JAW_KEY] = key_solver(head).carried(neutral, jaw)
    return out


def _at_rest(head: HeadModel, neutral: Array) -> tuple[Array, dict[tuple[str, str], Array]]:
    """The 52 keys (52, V, 3) of a person at rest, and the correctives of their pairs."""
    keys = key_solver(head).solve(neutral)
    lids = _lids(head)
    for side, name in _BLINKS:
        fold, view = lids[side], _eye(head, neutral, side)
        if fold is not None and view is not None:
            k = ARKIT_NAMES.index(name)
            keys[k] = head.led(close_blink(neutral, keys[k], fold, view))
    mouth = _mouth(head)
    if mouth is not None:
        for name, lip in GIVES_WAY.items():
            k = ARKIT_NAMES.index(name)
            parted = part_lips(neutral, keys[k], mouth, lip)
            keys[k] = head.led(np.where(_skin(head)[:, None], parted, keys[k]))
    _clear_eyes(head, neutral, keys)
    by_name = dict(zip(ARKIT_NAMES, keys, strict=True))
    shapes = corrective_shapes(neutral, by_name, lids)
    shapes = {pair: head.led(shape) for pair, shape in shapes.items()}
    _wet(head, neutral, by_name, shapes)
    return keys, shapes


def _wet(
    head: HeadModel, neutral: Array, keys: dict[str, Array], shapes: dict[tuple[str, str], Array]
) -> None:
    """Keys (V, 3), and then the correctives of pairs, in place: each takes the line of tears from
    where it is at rest to where it belongs.
    """
    rows = wet_vertices(head)
    if not len(rows):
        return
    lids = np.unique(np.concatenate([line.lids.ravel() for line in tear_lines(head)]))
    moving = [name for name, key in keys.items() if key[lids].any()]
    gaze = {
        head.joint(joint): [
            np.stack([np.zeros(3), _gaze(head, name) if name.endswith(side) else np.zeros(3)])
            for name in moving
        ]
        for joint, side in (("eye_l", "Left"), ("eye_r", "Right"))
    }
    there = [neutral + keys[name] for name in moving]
    for name, places in zip(moving, settle(head, neutral, there, gaze), strict=True):
        keys[name][rows] = places - neutral[rows]
    pairs = [pair for pair, shape in shapes.items() if shape[lids].any()]
    if pairs:
        there = [neutral + keys[one] + keys[other] + shapes[one, other] for one, other in pairs]
        for pair, shape, places in zip(pairs, there, settle(head, neutral, there), strict=True):
            shapes[pair][rows] += places - shape[rows]


def _gaze(head: HeadModel, name: str) -> Array:
    """(3,) the turn of the eye that a key's lids were made for, none for other keys."""
    return np.asarray(head.gaze_range.get(name, np.zeros(3)))


def eyes_clear(head: HeadModel, neutral: Array) -> Array:
    """A person at rest (V, 3) whose eyes do not come through their lids, which are wet."""
    joints = head.joints(neutral)
    for side, socket in _sockets(head).items():
        lift = socket.lift(neutral, joints[head.joint(f"eye_{side}")])
        if lift is not None:
            neutral = neutral + lift
    return settled(head, neutral)


def _clear_eyes(head: HeadModel, neutral: Array, keys: Array) -> None:
    """Keys (52, V, 3), in place, under which no eye comes through, looking ahead or along."""
    joints = head.joints(neutral)
    for side, socket in _sockets(head).items():
        if not len(socket.tucked):
            continue
        joint = head.joint(f"eye_{side}")
        for k, name in enumerate(ARKIT_NAMES):
            if not name.startswith(_LID_KEYS) or np.abs(keys[k, socket.tucked]).max() < 1e-4:
                continue
            turns = [np.zeros(3)]
            if name in head.gaze_range:
                turns.append(head.gaze_range[name])
            for turn in turns:
                rotations = np.zeros((len(joints), 3))
                rotations[joint] = turn
                posed = head.skin(neutral + keys[k], joints, rotations)
                lift = socket.lift(posed, joints[joint])
                if lift is not None:
                    keys[k] += lift


@lru_cache(maxsize=2)
def _sockets(head: HeadModel) -> dict[str, Socket]:
    """By side; none where the head tells no eyeball."""
    out = {}
    centres = head.joints(head.template)
    for side, _ in _BLINKS:
        ball = _part(head, tuple(f"{name}_{side}" for name in _BALL_PARTS))
        if len(ball) and f"eye_{side}" in head.joint_names:
            centre = centres[head.joint(f"eye_{side}")]
            out[side] = Socket.of(head.template, _part(head, ("skin",)), ball, centre)
    return out


def _revalued(head: HeadModel, fit: PhotoFit, old: Array, new: Array) -> tuple[Array, Array]:
    """Values (52,) of the person's keys for the photo, and the residual (V, 3) they leave."""
    order = [head.expression_names.index(name) for name in ARKIT_NAMES]
    fitted = fit.expression[order]
    used = np.nonzero(fitted)[0]
    values = np.zeros(len(fitted))
    size = np.array([np.vdot(new[k], new[k]) for k in used])
    along = np.array([np.vdot(new[k], old[k]) for k in used])
    share = np.divide(along, size, out=np.ones_like(size), where=size > 0)
    # A slider that was fitted beyond its end stays there: it is not our place to clip it.
    values[used] = np.clip(fitted[used] * share, np.minimum(fitted[used], 0),
                           np.maximum(fitted[used], 1))  # fmt: skip
    for side in fit.closed:
        values[ARKIT_NAMES.index(f"eyeBlink{side.capitalize()}")] = 1.0
    left = fit.residual + np.tensordot(fitted, old, 1) - np.tensordot(values, new, 1)
    return values, head.led(left * away_from_lids(head, fit.neutral, fit.closed)[:, None])


def _wet_photo(head: HeadModel, fit: PhotoFit, values: Array, deltas: list[Array]) -> None:
    """In the photo too the line of tears is where it belongs: the residual takes it there."""
    rows = wet_vertices(head)
    if not len(rows):
        return
    shape = fit.neutral.copy()
    for value, delta in zip(values, (d for several in deltas for d in several), strict=True):
        if value:
            shape += value * delta
    gaze = {line.joint: [fit.rotations[line.joint][None]] for line in tear_lines(head)}
    residual = deltas[1][0]
    residual[rows] += settle(head, fit.neutral, [shape], gaze)[0] - shape[rows]


@lru_cache(maxsize=2)
def _lids(head: HeadModel) -> dict[str, Fold | None]:
    """Which triangles are the lids; None where the head tells no lids or landmarks."""
    at = head.landmarks(head.template, np.arange(len(head.landmark_vertices), dtype=np.int32))
    present = head.landmark_vertices[:, 0] >= 0
    none = np.zeros(head.vertex_count, bool)
    skin = _part(head, ("skin",))
    out: dict[str, Fold | None] = {}
    for side, _ in _BLINKS:
        around = head.regions.get(f"eye_{side}", none)
        around = around | head.regions.get(f"eye_socket_{side}", none)
        out[side] = lid_fold(head.template, skin, around, at, present, side)
    return out


@lru_cache(maxsize=2)
def _mouth(head: HeadModel) -> Fold | None:
    """Which triangles are the lips; None where the head tells no lips or landmarks."""
    at = head.landmarks(head.template, np.arange(len(head.landmark_vertices), dtype=np.int32))
    present = head.landmark_vertices[:, 0] >= 0
    lips = head.regions.get("lips", np.zeros(head.vertex_count, bool))
    return lip_fold(head.template, _part(head, ("skin",)), lips, at, present)


@lru_cache(maxsize=2)
def _skin(head: HeadModel) -> NDArray[np.bool_]:
    """(V,) skin and the inside of the mouth: what gives way, as gums and teeth do not."""
    out = np.zeros(head.vertex_count, bool)
    out[_part(head, ("skin", "mouth_interior"))] = True
    return out


def _eye(head: HeadModel, neutral: Array, side: str) -> EyeView | None:
    ball = _part(head, tuple(f"{name}_{side}" for name in _BALL_PARTS))
    return EyeView.of(neutral, _part(head, ("skin",)), ball)


@lru_cache(maxsize=8)
def _part(head: HeadModel, names: tuple[str, ...]) -> Index:
    numbers = [i for i, name in enumerate(head.part_names) if name in names]
    return head.triangles[np.isin(triangle_part(head), numbers)]


@lru_cache(maxsize=2)
def _jaw_corrective(head: HeadModel) -> Array | None:
    """(V, 3) what plain skinning lacks where the jaw is turned; None for a jaw that does not."""
    if "jaw" not in head.joint_names or "jaw" in head.locked_joints:
        return None
    rotations = np.zeros((len(head.joint_names), 3))
    rotations[head.joint("jaw"), 0] = JAW_TURN
    shape = head.pose_correction(rotations)
    return shape if np.abs(shape).max() > 1e-5 else None
