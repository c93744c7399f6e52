# SPDX-License-Identifier: GPL-3.0-or-later
"""Yaw, pitch and roll of a recording as rotations: units and signs told by the eyes.

A file says neither whether its angles are degrees or radians nor which way they count, and some
converters write something else into the columns. But ARKit's eyeLook sliders tell the same gaze in
words: how far an eye turns for each of them gives the unit and the sign, and where the two do
not go together at all the sliders are believed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..geometry.rotation import matrix_from_vector
from ..heads.arkit import LOOK_DEGREES
from . import Array

PARTS = ("Head", "LeftEye", "RightEye")
KINDS = ("Yaw", "Pitch", "Roll")
TRACKS = {"Head": "head", "LeftEye": "eye_l", "RightEye": "eye_r"}
_EYES = (("LeftEye", "Left", 1.0), ("RightEye", "Right", -1.0))

#: Radians that an eye turns for a slider's full way, at most: more are degrees. People's eyes
#: turn by 0.3 to 0.8.
_STEEPEST = 2.0
#: Radians beyond which neither an eye nor a head can be turned and still be seen.
_EYE_MOST, _HEAD_MOST = 1.05, 1.6
#: Share of the moments that decide on a unit; the rest may be spikes.
_MOST_OF_IT = 0.99
#: Less movement than this, in radians and of a slider's way, says nothing of the signs.
_TELLING = 0.02
#: Of a slider's way: what it takes to say something of sizes.
_MOVES = 0.1
#: Radians by which an eye may stand aside while its sliders say that it looks straight ahead.
_ASIDE = 0.35
#: Radians for a slider's full way, at least: what turns less does not turn.
_FLATTEST = 0.05
#: Radians for a slider's full way where nothing better is known.
_USUAL = 0.3


@dataclass(frozen=True)
class Choices:
    """What a person knows better than the file.

    angles: AUTO, RADIANS or DEGREES; sliders: AUTO, UNIT or PERCENT; eyes: AUTO, ANGLES or
    SLIDERS; exchange: two of the head's angles that stand in each other's column: NONE, YAW_PITCH,
    YAW_ROLL or PITCH_ROLL; the flips turn, nod and tilt the other way; rate: frames a second in
    which timecodes count, 0 to find out.
    """

    angles: str = "AUTO"
    sliders: str = "AUTO"
    eyes: str = "AUTO"
    exchange: str = "NONE"
    flip_yaw: bool = False
    flip_pitch: bool = False
    flip_roll: bool = False
    rate: float = 0.0


@dataclass(frozen=True)
class _Pair:
    """One angle of one eye (F,) and what the sliders say of it (F,), 1 for a full way to the
    subject's left or up; known: the file has such sliders.
    """

    key: str
    angle: Array
    said: Array
    known: bool

    @property
    def agreement(self) -> float:
        """-1 to 1; 0 where one of both is still."""
        if min(np.ptp(self.angle), np.ptp(self.said)) <= _TELLING:
            return 0.0
        return float(np.corrcoef(self.angle, self.said)[0, 1])

    @property
    def slope(self) -> float | None:
        """How much the angle changes for a slider's full way; None where that is not known."""
        if not self.known or np.ptp(self.said) < _MOVES:
            return None
        away = self.said - self.said.mean()
        return float((away * self.angle).sum() / (away**2).sum())


def turns_of(
    angles: dict[str, Array], sliders: dict[str, Array], choices: Choices
) -> tuple[dict[str, Array], list[str]]:
    """Track ("head", "eye_l", "eye_r") -> (F, 3, 3) rotations in the head frame; sentences.

    angles: "headyaw" and so on -> (F,) as written; sliders: ARKit's names -> (F,), 0 to 1.
    """
    if not angles:
        return {}, ["Head and eyes do not turn in this recording: it holds sliders alone"]
    angles = {name: _unwound(track) for name, track in angles.items()}
    angles, notes = _exchanged(angles, sliders, choices)
    angles, said = _in_radians(angles, sliders, choices)
    notes += said
    pairs = _pairs(angles, sliders)
    has_eyes = any(f"{part}{kind}".lower() in angles for part, _, _ in _EYES for kind in KINDS)
    by_sliders = choices.eyes == "SLIDERS"
    if choices.eyes == "AUTO" and has_eyes and _contradicted(pairs):
        by_sliders = True
        notes.append("The eyes' angles do not fit their sliders: the eyes follow the sliders")
    # Unreal's angles: to the right and up are positive, and so is a tilt to the right.
    signs = {kind: _sign([p for p in pairs if p.key.endswith(kind)]) for kind in ("yaw", "pitch")}
    if not by_sliders and has_eyes and not all(signs.values()):
        notes.append("The eyes hardly move: if head or eyes turn the wrong way, flip them")
    elif not all(signs.values()) and "headyaw" in angles:
        notes.append("No eye tells which way angles count: if the head turns wrongly, flip it")
    usual = {"yaw": -1.0, "pitch": 1.0}
    flip = {k: -1.0 if getattr(choices, f"flip_{k}") else 1.0 for k in ("yaw", "pitch", "roll")}
    zero = np.zeros(len(next(iter(angles.values()))))
    out = {}
    for part in PARTS:
        names = [f"{part}{kind}".lower() for kind in KINDS]
        yaw, pitch, roll = (angles.get(name, zero) for name in names)
        own = {
            kind: _sign([p for p in pairs if p.key == f"{part}{kind}".lower()]) or signs[kind]
            for kind in usual
        }
        # What the sliders bear out of an eye is not for flipping.
        left, up = (
            (own[kind] or usual[kind]) * (flip[kind] if part == "Head" or not own[kind] else 1.0)
            for kind in usual
        )
        tilt = left * (flip["roll"] if part == "Head" else 1.0)
        if part != "Head" and by_sliders:
            out[TRACKS[part]] = _by_sliders(part, sliders, zero)
        elif any(name in angles for name in names):
            out[TRACKS[part]] = rotations(left * yaw, up * pitch, tilt * roll)
    return out, notes


def rotations(left: Array, up: Array, tilt: Array) -> Array:
    """(F, 3, 3) in the head frame: tilted about the line of sight, then up, then to the left.

    left, up, tilt (F,) in radians: positive to the subject's left, upward, and with the crown to
    the subject's left.
    """
    zero = np.zeros_like(left)
    turn = matrix_from_vector(np.stack([zero, left, zero], axis=1))
    nod = matrix_from_vector(np.stack([-up, zero, zero], axis=1))
    roll = matrix_from_vector(np.stack([zero, zero, -tilt], axis=1))
    out: Array = turn @ nod @ roll
    return out


def _pairs(angles: dict[str, Array], sliders: dict[str, Array]) -> list[_Pair]:
    """Yaw and pitch of both eyes beside their sliders."""
    out = []
    for part, side, outward in _EYES:
        words = {end: f"eyeLook{end}{side}" for end in LOOK_DEGREES}
        for kind, plus, minus, sign in (("yaw", "Out", "In", outward), ("pitch", "Up", "Down", 1)):
            key = f"{part}{kind}".lower()
            if key in angles:
                zero = np.zeros(len(angles[key]))
                said = sliders.get(words[plus], zero) - sliders.get(words[minus], zero)
                known = words[plus] in sliders and words[minus] in sliders
                out.append(_Pair(key, angles[key], sign * said, known))
    return out


def _sign(pairs: list[_Pair]) -> float:
    """1 if angles and sliders move together, -1 if against each other, 0 if they do not say."""
    agreement = sum(pair.agreement for pair in pairs)
    return float(np.sign(agreement)) if abs(agreement) >= 0.3 else 0.0


def _exchanged(
    angles: dict[str, Array], sliders: dict[str, Array], choices: Choices
) -> tuple[dict[str, Array], list[str]]:
    """Yaw and pitch of all parts, where the eyes' sliders show that a converter mixed them up; and
    what the person asks for of the head.
    """
    notes = []
    other = {"yaw": "pitch", "pitch": "yaw"}
    pairs = _pairs(angles, sliders)
    crossed = _pairs({_renamed(name, other): track for name, track in angles.items()}, sliders)
    straight = sum(abs(pair.agreement) for pair in pairs)
    across = sum(abs(pair.agreement) for pair in crossed)
    if across > 0.6 * len(pairs) and across > 2 * straight and len(pairs) > 1:
        angles = {_renamed(name, other): track for name, track in angles.items()}
        notes.append("Yaw and pitch stand in each other's column: they were exchanged")
    if choices.exchange != "NONE":
        one, two = choices.exchange.lower().split("_")
        swap = {one: two, two: one}
        angles = {
            _renamed(name, swap) if name.startswith("head") else name: track
            for name, track in angles.items()
        }
    return angles, notes


def _renamed(name: str, kinds: dict[str, str]) -> str:
    found = next((kind for kind in kinds if name.endswith(kind)), None)
    return name if found is None else name.removesuffix(found) + kinds[found]


def _in_radians(
    angles: dict[str, Array], sliders: dict[str, Array], choices: Choices
) -> tuple[dict[str, Array], list[str]]:
    """The same angles, whatever unit each group of them is in."""
    groups = {"head": ["headyaw", "headpitch"], "eye": [p.key for p in _pairs(angles, sliders)]}
    most = {
        group: max((_largest(angles[n]) for n in names if n in angles), default=0.0)
        for group, names in groups.items()
    }
    slopes = [abs(p.slope) for p in _pairs(angles, sliders) if _tells_unit(p) and p.slope]
    steep = float(np.median(slopes)) if slopes else None
    if steep is not None and steep < 1.0:
        eyes = False  # an eye far aside is no matter of units
    else:
        eyes = most["eye"] > _EYE_MOST or (steep is not None and steep > _STEEPEST)
    roll = _largest(angles["headroll"]) if "headroll" in angles else 0.0
    head = most["head"] > _HEAD_MOST or roll > 2 * np.pi or (eyes and bool(groups["eye"]))
    if steep is None and head:
        eyes = True
    if choices.angles != "AUTO":
        head = eyes = choices.angles == "DEGREES"
        said = ""
    elif head and (eyes or not groups["eye"]):
        said = "Angles were read as degrees"
    elif head:
        said = "The head's angles were read as degrees, the eyes' as radians"
    else:
        said = ""
    out = {
        name: np.radians(track) if (head if name.startswith("head") else eyes) else track
        for name, track in angles.items()
    }
    return out, [said] if said else []


def _tells_unit(pair: _Pair) -> bool:
    slope = pair.slope
    if slope is None or np.ptp(pair.angle) == 0:
        return False
    return abs(float(np.corrcoef(pair.angle, pair.said)[0, 1])) > 0.5 and abs(slope) > _FLATTEST


def _contradicted(pairs: list[_Pair]) -> bool:
    """An eye stands aside while its sliders say that it does not, or keeps still while they say
    that it moves.
    """
    pairs = [pair for pair in pairs if pair.known]
    slopes = [pair.slope for pair in pairs]
    still = [abs(s) < _FLATTEST for p, s in zip(pairs, slopes, strict=True)
             if s is not None and np.ptp(p.said) > 3 * _MOVES]  # fmt: skip
    if still and all(still):
        return True
    for pair, slope in zip(pairs, slopes, strict=True):
        if slope is None:
            # Of what does not move the usual way decides, in the direction that suits it.
            away = np.abs(np.median(pair.angle)) - _USUAL * np.abs(np.median(pair.said))
        else:
            away = np.abs(np.median(pair.angle - slope * pair.said))
        if float(away) > _ASIDE:
            return True
    return False


def _by_sliders(part: str, sliders: dict[str, Array], zero: Array) -> Array:
    """(F, 3, 3) of an eye that turns as far as its lids are sculpted for."""
    side, outward = next((s, sign) for name, s, sign in _EYES if name == part)
    far = {
        end: np.radians(degrees) * sliders.get(f"eyeLook{end}{side}", zero)
        for end, degrees in LOOK_DEGREES.items()
    }
    return rotations(outward * (far["Out"] - far["In"]), far["Up"] - far["Down"], zero)


def _unwound(track: Array) -> Array:
    """Without the jumps of angles that are counted from 0 to a full turn."""
    step = np.abs(np.diff(track))
    for turn in (2 * np.pi, 360.0):
        jumps = (np.abs(step - turn) < 0.15 * turn).sum()
        if jumps and np.abs(track).max() < 1.1 * turn and step.max() < 1.2 * turn:
            smooth = np.unwrap(track, period=turn)
            out: Array = smooth - turn * np.round(np.median(smooth) / turn)
            return out
    return track


def _largest(track: Array) -> float:
    return float(np.quantile(np.abs(track), _MOST_OF_IT))
