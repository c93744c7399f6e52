# SPDX-License-Identifier: GPL-3.0-or-later
"""The 52 ARKit face shapes, and the gaze and jaw rotations that their sculpts imply.

Names are Apple's (ARFaceAnchor.BlendShapeLocation).  eyeLook shapes carry the lids' motion only;
the eyeballs are turned by their joints.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .lip_seal import LipSeal
from .mesh import HeadMesh
from .remade import remade
from .source import Source

ARKIT_NAMES = (
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight",
    "cheekPuff", "cheekSquintLeft", "cheekSquintRight",
    "eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight", "eyeLookInLeft",
    "eyeLookInRight", "eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight",
    "eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight",
    "jawForward", "jawLeft", "jawOpen", "jawRight",
    "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft", "mouthFrownRight",
    "mouthFunnel", "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthPressLeft",
    "mouthPressRight", "mouthPucker", "mouthRight", "mouthRollLower", "mouthRollUpper",
    "mouthShrugLower", "mouthShrugUpper", "mouthSmileLeft", "mouthSmileRight", "mouthStretchLeft",
    "mouthStretchRight", "mouthUpperUpLeft", "mouthUpperUpRight", "noseSneerLeft",
    "noseSneerRight", "tongueOut",
)  # fmt: skip
_CLOSED_MOUTH = (
    "cheekPuff",
    "mouthDimpleLeft",
    "mouthDimpleRight",
    "mouthPressLeft",
    "mouthPressRight",
)
"""Shapes of a closed mouth; on sealed lips their sculpts would open a slit of up to 0.5 mm."""
GAZE_NAMES = tuple(n for n in ARKIT_NAMES if n.startswith("eyeLook"))


@dataclass(frozen=True)
class Expressions:
    """The face shapes and the joint rotations that belong to them."""

    directions: np.ndarray
    """(52, V, 3) metres at full strength, in the order of ARKIT_NAMES."""
    gaze_rotvec: np.ndarray
    """(8, 3) radians: rotation of the eye joint that goes with each of GAZE_NAMES at 1.0."""
    jaw_open_rotvec: np.ndarray
    """(3,) radians: rotation of the jaw joint that goes with jawOpen at 1.0."""

    def __getitem__(self, name: str) -> np.ndarray:
        return self.directions[ARKIT_NAMES.index(name)]


def mirror_name(name: str) -> str:
    """The shape of the other side; jawLeft mirrors jawRight, mouthLeft mirrors mouthRight."""
    for here, there in (("Left", "Right"), ("Right", "Left")):
        if name.endswith(here):
            return name[: -len(here)] + there
    return name


def read_expressions(source: Source, mesh: HeadMesh, seal: LipSeal) -> Expressions:
    """Read the face units, make left and right exact mirror images, and close the lips where due.

    mouthClose must undo jawOpen at the lips, so it is their sum that is sealed.
    """
    eyeballs = [mesh.spans["eyeball_l"], mesh.spans["eyeball_r"]]
    units = {}
    for name in ARKIT_NAMES:
        units[name] = mesh.displacement(source.face_unit(name), with_eyes=False)
        for span in eyeballs:
            units[name][span] = 0.0
    units |= remade(source, mesh, units)
    even = {n: (units[n] + mesh.mirrored(units[mirror_name(n)])) / 2 for n in ARKIT_NAMES}
    even["mouthClose"] = seal.close(even["jawOpen"] + even["mouthClose"]) - even["jawOpen"]
    for name in _CLOSED_MOUTH:
        even[name] = seal.close(even[name])
    gaze = {
        n: _helper_rotation(source, n, f"helper-{'l' if n.endswith('Left') else 'r'}-eye")
        for n in GAZE_NAMES
    }
    flip = np.array([1.0, -1.0, -1.0])
    jaw = _helper_rotation(source, "jawOpen", "helper-lower-teeth")
    return Expressions(
        directions=np.stack(list(even.values())),
        gaze_rotvec=np.stack([(gaze[n] + flip * gaze[mirror_name(n)]) / 2 for n in GAZE_NAMES]),
        jaw_open_rotvec=jaw * [1.0, 0.0, 0.0],
    )


def jaw_turned(
    shapes: Expressions, seal: LipSeal, share: np.ndarray, moved: np.ndarray, joint: np.ndarray
) -> Expressions:
    """jawOpen, sculpted as a turn of the jaw on one face, as the same turn on another; mouthClose
    goes on undoing as much of it as before.

    share (V,): weight of the jaw; moved (V, 3) and joint (3,): from the one to the other, metres.
    """
    turn = rotation_matrix(shapes.jaw_open_rotvec) - np.eye(3)
    moved = moved - joint
    directions = shapes.directions.copy()
    opened, closed = ARKIT_NAMES.index("jawOpen"), ARKIT_NAMES.index("mouthClose")
    more = share[:, None] * (moved @ turn.T)
    undone = -(directions[opened] * directions[closed]).sum(axis=1)
    undone = np.clip(undone / np.maximum((directions[opened] ** 2).sum(axis=1), 1e-12), 0, 1)
    directions[opened] += more
    both = directions[opened] + directions[closed] - undone[:, None] * more
    directions[closed] = seal.close(both) - directions[opened]
    return replace(shapes, directions=directions)


def rotation_matrix(rotvec: np.ndarray) -> np.ndarray:
    """(3, 3) rotation of a rotation vector in radians (Rodrigues)."""
    angle = np.linalg.norm(rotvec)
    x, y, z = rotvec / angle
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def _helper_rotation(source: Source, unit: str, group: str) -> np.ndarray:
    """Rotation vector of the rigid motion (Kabsch) that a face unit gives to a helper part."""
    rest = source.positions[source.group_vertices(group)]
    moved = rest + source.face_unit(unit)[source.group_vertices(group)]
    left, _, right = np.linalg.svd((rest - rest.mean(axis=0)).T @ (moved - moved.mean(axis=0)))
    handed = np.diag([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    rotation = right.T @ handed @ left.T
    angle = np.arccos(np.clip((np.trace(rotation) - 1) / 2, -1, 1))
    axis = np.array([rotation[2, 1], rotation[0, 2], rotation[1, 0]]) - [
        rotation[1, 2],
        rotation[2, 0],
        rotation[0, 1],
    ]
    return axis / np.linalg.norm(axis) * angle
