# SPDX-License-Identifier: GPL-3.0-or-later
"""The 52 blend shape names of Apple's ARKit, in the order of ARFaceAnchor.BlendShapeLocation."""

from __future__ import annotations

ARKIT_NAMES: tuple[str, ...] = (
    "browDownLeft",
    "browDownRight",
    "browInnerUp",
    "browOuterUpLeft",
    "browOuterUpRight",
    "cheekPuff",
    "cheekSquintLeft",
    "cheekSquintRight",
    "eyeBlinkLeft",
    "eyeBlinkRight",
    "eyeLookDownLeft",
    "eyeLookDownRight",
    "eyeLookInLeft",
    "eyeLookInRight",
    "eyeLookOutLeft",
    "eyeLookOutRight",
    "eyeLookUpLeft",
    "eyeLookUpRight",
    "eyeSquintLeft",
    "eyeSquintRight",
    "eyeWideLeft",
    "eyeWideRight",
    "jawForward",
    "jawLeft",
    "jawOpen",
    "jawRight",
    "mouthClose",
    "mouthDimpleLeft",
    "mouthDimpleRight",
    "mouthFrownLeft",
    "mouthFrownRight",
    "mouthFunnel",
    "mouthLeft",
    "mouthLowerDownLeft",
    "mouthLowerDownRight",
    "mouthPressLeft",
    "mouthPressRight",
    "mouthPucker",
    "mouthRight",
    "mouthRollLower",
    "mouthRollUpper",
    "mouthShrugLower",
    "mouthShrugUpper",
    "mouthSmileLeft",
    "mouthSmileRight",
    "mouthStretchLeft",
    "mouthStretchRight",
    "mouthUpperUpLeft",
    "mouthUpperUpRight",
    "noseSneerLeft",
    "noseSneerRight",
    "tongueOut",
)

#: Degrees that an eye turns where its eyeLook slider is 1: what the sculpted lids were made for.
LOOK_DEGREES = {"Up": 9.8, "Down": 11.4, "In": 15.3, "Out": 15.0}

PHOTO_RESIDUAL = "photoResidual"
#: The key of a neural head's detail, where there is one.
PHOTO_DETAIL = "photoDetail"


def mirrored_name(name: str) -> str:
    """The name on the other side of the face; the name itself if it has none."""
    for one, other in (("Left", "Right"), ("Right", "Left")):
        if name.endswith(one):
            return name[: -len(one)] + other
    # jawLeft and mouthLeft end in a side too and were answered above: they swap, as they must.
    return name
