# SPDX-License-Identifier: GPL-3.0-or-later
"""Expressions and mouth shapes of speech as values of the 52 named keys.

POSES are starting points for an animator's pose library; VISEMES are the fifteen mouth shapes
that lip-sync tools send, by the names of Oculus' audio-to-viseme table (sil, PP, FF, ...).
Values are ours, between 0 and 1, set by eye on the open head. A name without a side in these
tables stands for both sides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..heads.arkit import ARKIT_NAMES

Pose = dict[str, float]


def _both(**values: float) -> Pose:
    """Fills in sides: mouthSmile becomes mouthSmileLeft and mouthSmileRight."""
    pose: Pose = {}
    for name, value in values.items():
        names = [name] if name in ARKIT_NAMES else [f"{name}Left", f"{name}Right"]
        for side in names:
            if side not in ARKIT_NAMES:
                raise KeyError(name)
            pose[side] = value
    return pose


POSES: dict[str, Pose] = {
    "Neutral": {},
    "Smile": _both(mouthSmile=0.55, cheekSquint=0.35, eyeSquint=0.2),
    "Broad smile": _both(
        mouthSmile=0.8, cheekSquint=0.6, eyeSquint=0.35, mouthUpperUp=0.25, jawOpen=0.12
    ),
    "Laugh": _both(
        mouthSmile=0.75, cheekSquint=0.7, eyeSquint=0.55, jawOpen=0.45, mouthUpperUp=0.3,
        mouthLowerDown=0.2, browInnerUp=0.15,
    ),
    "Smirk": {**_both(eyeSquint=0.15), "mouthSmileLeft": 0.55, "mouthDimpleLeft": 0.4,
              "mouthLeft": 0.15, "cheekSquintLeft": 0.25},
    "Sad": _both(
        mouthFrown=0.55, browInnerUp=0.7, mouthShrugLower=0.3, eyeLookDown=0.25, eyeSquint=0.15
    ),
    "Crying": _both(
        mouthFrown=0.6, browInnerUp=0.8, mouthStretch=0.4, eyeSquint=0.55, cheekSquint=0.4,
        jawOpen=0.15, mouthLowerDown=0.25, noseSneer=0.25,
    ),
    "Angry": _both(
        browDown=0.8, eyeSquint=0.35, noseSneer=0.35, mouthPress=0.4, mouthFrown=0.3,
        jawForward=0.15,
    ),
    "Shouting": _both(
        browDown=0.75, noseSneer=0.5, jawOpen=0.7, mouthUpperUp=0.45, mouthLowerDown=0.5,
        mouthStretch=0.35, eyeSquint=0.3,
    ),
    "Surprised": _both(
        browInnerUp=0.8, browOuterUp=0.75, eyeWide=0.65, jawOpen=0.4, mouthFunnel=0.15
    ),
    "Afraid": _both(
        browInnerUp=0.85, browOuterUp=0.35, eyeWide=0.7, mouthStretch=0.5, jawOpen=0.2,
        mouthLowerDown=0.2,
    ),
    "Disgusted": _both(
        noseSneer=0.8, mouthUpperUp=0.5, browDown=0.5, eyeSquint=0.4, mouthFrown=0.3,
        cheekSquint=0.35,
    ),
    "Contempt": {"mouthSmileLeft": 0.3, "mouthDimpleLeft": 0.55, "mouthPressLeft": 0.4,
                 "browOuterUpRight": 0.3, **_both(eyeSquint=0.2)},
    "Doubt": {**_both(mouthShrugLower=0.35, mouthPress=0.3, eyeSquint=0.2),
              "browOuterUpLeft": 0.7, "browDownRight": 0.5},
    "Thinking": {**_both(mouthPress=0.35, browDown=0.25), "mouthLeft": 0.3,
                 "eyeLookUpLeft": 0.4, "eyeLookUpRight": 0.4, "eyeLookOutLeft": 0.3,
                 "eyeLookInRight": 0.3},
    "Tired": _both(eyeBlink=0.4, browInnerUp=0.2, mouthFrown=0.15, eyeLookDown=0.2, jawOpen=0.05),
    "Pain": _both(
        eyeSquint=0.75, cheekSquint=0.6, browDown=0.6, noseSneer=0.4, mouthStretch=0.4,
        mouthUpperUp=0.3, jawOpen=0.1,
    ),
    "Kiss": _both(mouthPucker=0.85, mouthFunnel=0.15, eyeSquint=0.1),
    "Pout": _both(mouthPucker=0.35, mouthShrugLower=0.55, mouthFrown=0.3, browInnerUp=0.3),
    "Cheeks puffed": _both(cheekPuff=0.9, mouthPress=0.3, mouthPucker=0.2),
    "Lips pressed": _both(mouthPress=0.7, mouthRollLower=0.35, mouthRollUpper=0.3),
    "Eyes closed": _both(eyeBlink=1.0),
    "Eyes squeezed": _both(eyeBlink=1.0, eyeSquint=0.7, cheekSquint=0.6, browDown=0.4),
    "Wink": {"eyeBlinkLeft": 1.0, "cheekSquintLeft": 0.5, "mouthSmileLeft": 0.4,
             "browDownLeft": 0.2},
    "Look up": _both(eyeLookUp=0.9, browInnerUp=0.2, browOuterUp=0.2),
    "Look down": _both(eyeLookDown=0.9, eyeBlink=0.1),
    "Look left": {"eyeLookOutLeft": 0.9, "eyeLookInRight": 0.9},
    "Look right": {"eyeLookInLeft": 0.9, "eyeLookOutRight": 0.9},
    "Mouth open": _both(jawOpen=0.6),
    "Jaw left": {"jawLeft": 0.8, "jawOpen": 0.1, "mouthLeft": 0.2},
    "Jaw right": {"jawRight": 0.8, "jawOpen": 0.1, "mouthRight": 0.2},
    "Tongue out": _both(tongueOut=1.0, jawOpen=0.45),
}  # fmt: skip

VISEMES: dict[str, Pose] = {
    "sil": {},
    "PP": _both(mouthClose=0.12, jawOpen=0.12, mouthPress=0.5, mouthRollLower=0.25,
                mouthRollUpper=0.2),
    "FF": _both(jawOpen=0.08, mouthRollLower=0.45, mouthUpperUp=0.3, mouthShrugUpper=0.1),
    "TH": _both(jawOpen=0.16, mouthUpperUp=0.2, mouthLowerDown=0.2, tongueOut=0.35),
    "DD": _both(jawOpen=0.14, mouthUpperUp=0.15, mouthLowerDown=0.3, mouthStretch=0.1),
    "kk": _both(jawOpen=0.2, mouthLowerDown=0.25, mouthUpperUp=0.15, mouthStretch=0.1),
    "CH": _both(jawOpen=0.12, mouthFunnel=0.55, mouthPucker=0.2, mouthUpperUp=0.15),
    "SS": _both(jawOpen=0.06, mouthStretch=0.3, mouthLowerDown=0.35, mouthUpperUp=0.2,
                mouthSmile=0.1),
    "nn": _both(jawOpen=0.14, mouthLowerDown=0.2, mouthUpperUp=0.1),
    "RR": _both(jawOpen=0.14, mouthFunnel=0.35, mouthPucker=0.3),
    "aa": _both(jawOpen=0.5, mouthLowerDown=0.2, mouthUpperUp=0.1),
    "E": _both(jawOpen=0.25, mouthStretch=0.3, mouthSmile=0.2, mouthLowerDown=0.25,
               mouthUpperUp=0.15),
    "ih": _both(jawOpen=0.18, mouthStretch=0.25, mouthSmile=0.25, mouthLowerDown=0.2),
    "oh": _both(jawOpen=0.35, mouthFunnel=0.55, mouthPucker=0.25),
    "ou": _both(jawOpen=0.16, mouthPucker=0.65, mouthFunnel=0.35),
}  # fmt: skip


def common_pairs(
    count: int = 200, tables: Iterable[Mapping[str, Pose]] = (POSES, VISEMES)
) -> list[tuple[str, str]]:
    """The pairs of keys that our poses and visemes use together most, strongest first.

    A pair's weight is the sum over the tables of the smaller of its two values; pairs of equal
    weight stand in the order of ARKIT_NAMES.
    """
    weight: dict[tuple[str, str], float] = {}
    for table in tables:
        for pose in table.values():
            names = [name for name in ARKIT_NAMES if pose.get(name, 0.0) > 0]
            for i, one in enumerate(names):
                for other in names[i + 1 :]:
                    both = min(pose[one], pose[other])
                    weight[one, other] = weight.get((one, other), 0.0) + both
    ranked = sorted(weight, key=lambda pair: -round(weight[pair], 6))
    return ranked[:count]
