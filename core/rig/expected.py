# SPDX-License-Identifier: GPL-3.0-or-later
"""What each of the 52 keys must do: where it moves, which way, and about how far.

Amplitudes are those of ICT FaceKit's shapes (ICT-VGL/ICT-FaceKit, MIT; Li et al., "Learning
formation of physically-based face attributes", CVPR 2020), a rig made from scans, measured on
its generic face; only these figures are taken from it. Directions and regions are ours; ICT's
shapes meet all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..heads.arkit import mirrored_name

X, Y, Z = 0, 1, 2


@dataclass(frozen=True)
class Expected:
    """regions that hold most of the motion; the motion of a landmark (less that of another one,
    where there is one) along an axis with a sign; reference_mm: the furthest a vertex goes.
    """

    regions: tuple[str, ...]
    landmark: int
    minus: int | None
    axis: int
    sign: int
    reference_mm: float


_BROWS = ("brow_l", "brow_r", "forehead", "eye_l", "eye_r", "nose")
_EYES = ("eye_l", "eye_r", "cheek_l", "cheek_r", "brow_l", "brow_r")
_JAW = ("chin", "jaw", "lips", "cheek_l", "cheek_r", "neck")
_MOUTH = ("lips", "chin", "cheek_l", "cheek_r", "jaw", "nose")
_CHEEKS = ("cheek_l", "cheek_r", "eye_l", "eye_r", "nose", "lips", "chin", "jaw")
_SNEER = (*_BROWS, "cheek_l", "cheek_r", "lips")

#: The left one of a pair stands for both.
_LEFT: dict[str, Expected] = {
    "browDownLeft": Expected(_BROWS, 336, None, Y, -1, 6.5),
    "browInnerUp": Expected(_BROWS, 336, None, Y, 1, 6.3),
    "browOuterUpLeft": Expected(_BROWS, 300, None, Y, 1, 8.6),
    "cheekPuff": Expected(_CHEEKS, 425, None, Z, 1, 14.1),
    "cheekSquintLeft": Expected(_CHEEKS, 347, None, Y, 1, 6.3),
    "eyeBlinkLeft": Expected(_EYES, 386, 374, Y, -1, 9.6),
    "eyeLookDownLeft": Expected(_EYES, 386, None, Y, -1, 7.7),
    "eyeLookInLeft": Expected(_EYES, 386, None, X, -1, 2.5),
    "eyeLookOutLeft": Expected(_EYES, 386, None, X, 1, 2.5),
    "eyeLookUpLeft": Expected(_EYES, 386, None, Y, 1, 3.7),
    "eyeSquintLeft": Expected(_EYES, 374, 386, Y, 1, 3.7),
    "eyeWideLeft": Expected(_EYES, 386, None, Y, 1, 3.5),
    "jawForward": Expected(_JAW, 152, None, Z, 1, 11.2),
    "jawLeft": Expected(_JAW, 152, None, X, 1, 8.9),
    "jawOpen": Expected(_JAW, 14, 13, Y, -1, 42.0),
    "jawRight": Expected(_JAW, 152, None, X, -1, 8.9),
    "mouthClose": Expected(_JAW, 14, 13, Y, 1, 41.8),
    "mouthDimpleLeft": Expected(_MOUTH, 291, None, Z, -1, 8.9),
    "mouthFrownLeft": Expected(_MOUTH, 291, None, Y, -1, 6.1),
    "mouthFunnel": Expected(_MOUTH, 13, 14, Y, 1, 11.7),
    "mouthLeft": Expected(_MOUTH, 13, None, X, 1, 18.8),
    "mouthLowerDownLeft": Expected(_MOUTH, 321, None, Y, -1, 4.6),
    "mouthPressLeft": Expected(_MOUTH, 17, 0, Y, 1, 4.3),
    "mouthPucker": Expected(_MOUTH, 291, 61, X, -1, 12.4),
    "mouthRight": Expected(_MOUTH, 13, None, X, -1, 18.8),
    "mouthRollLower": Expected(_MOUTH, 14, None, Z, -1, 14.2),
    "mouthRollUpper": Expected(_MOUTH, 13, None, Z, -1, 11.6),
    "mouthShrugLower": Expected(_MOUTH, 17, None, Y, 1, 11.3),
    "mouthShrugUpper": Expected(_MOUTH, 0, None, Y, 1, 6.2),
    "mouthSmileLeft": Expected(_MOUTH, 291, None, Y, 1, 15.8),
    "mouthStretchLeft": Expected(_MOUTH, 291, None, X, 1, 10.3),
    "mouthUpperUpLeft": Expected(_MOUTH, 270, None, Y, 1, 8.8),
    "noseSneerLeft": Expected(_SNEER, 279, None, Y, 1, 10.3),
}

#: The same landmarks on the other side of the face.
_RIGHT_LANDMARK = {
    336: 107, 300: 70, 425: 205, 347: 118, 386: 159, 374: 145, 291: 61, 321: 91, 270: 40, 279: 49,
}  # fmt: skip


def expected(name: str) -> Expected | None:
    """What is asked of a key; None for tongueOut, which moves no skin."""
    if name in _LEFT:
        return _LEFT[name]
    other = _LEFT.get(mirrored_name(name))
    if other is None:
        return None
    flip = -1 if other.axis == X else 1
    return Expected(
        other.regions,
        _RIGHT_LANDMARK.get(other.landmark, other.landmark),
        None if other.minus is None else _RIGHT_LANDMARK.get(other.minus, other.minus),
        other.axis,
        flip * other.sign,
        other.reference_mm,
    )


def side_of(name: str) -> int:
    """1 for a key of the subject's left half of the face, -1 for the right one's, 0 for both.

    jawLeft and mouthLeft say whereto the whole of it goes, not where.
    """
    if name.startswith(("jaw", "mouthLeft", "mouthRight")) or mirrored_name(name) == name:
        return 0
    return 1 if name.endswith("Left") else -1
