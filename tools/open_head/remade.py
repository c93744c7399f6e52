# SPDX-License-Identifier: GPL-3.0-or-later
"""Face shapes that the face units do not sculpt as ARKit means them, composed anew.

The parts are MakeHuman's own expression units and other face units, all CC0. Weights were set by
eye and by how well the result agrees in direction with a rig made from scans (docs/rig.md).
"""

from __future__ import annotations

import numpy as np

from .mesh import HeadMesh
from .source import Source

_SIDES = ("Left", "Right")
#: Half the width, metres, of the middle in which a one-sided key of the lips fades in.
_FADE = 0.008


def remade(source: Source, mesh: HeadMesh, units: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Displacements (V, 3) by name, of mouthFunnel and both sides of noseSneer, mouthPress,
    mouthDimple and mouthLowerDown.

    units: the face units, (V, 3) by name. Not yet symmetric.
    """

    def unit(name: str) -> np.ndarray:
        shape = mesh.displacement(source.expression_unit(name), with_eyes=False)
        for side in "lr":
            shape[mesh.spans[f"eyeball_{side}"]] = 0.0
        return shape

    # Lips part and stand off the teeth all round, as for "sh"; the corners come in.
    funnel = 0.75 * unit("mouth-parling") + 0.55 * units["mouthPucker"]
    funnel += 0.3 * unit("mouth-protusion")
    shapes = {
        "mouthFunnel": funnel + 0.25 * (units["mouthLowerDownLeft"] + units["mouthLowerDownRight"])
    }
    left = np.clip(mesh.positions[:, 0] / (2 * _FADE) + 0.5, 0, 1)
    left = left * left * (3 - 2 * left)
    for side, share in zip(_SIDES, (left, 1 - left), strict=True):
        # The wing of the nose goes up and takes the lip along, the brow's head comes down.
        sneer = 1.2 * unit(f"nose-{side.lower()}-elevation")
        sneer += 0.75 * units[f"mouthUpperUp{side}"] + 0.4 * units[f"noseSneer{side}"]
        sneer += 0.3 * unit(f"eyebrows-{side.lower()}-down") + 0.25 * units[f"eyeSquint{side}"]
        shapes[f"noseSneer{side}"] = sneer + 0.2 * units[f"cheekSquint{side}"]
        # Lips pressed onto each other roll in a little; the face unit pulls the corner out.
        rolled = 0.4 * units["mouthRollLower"] + 0.25 * units["mouthRollUpper"]
        # The corner is drawn back against the teeth more than outwards.
        shapes[f"mouthDimple{side}"] = units[f"mouthDimple{side}"] * [0.55, 1.0, 1.35]
        # One half of the lip, so that both halves make the whole.
        lowered = units["mouthLowerDownLeft"] + units["mouthLowerDownRight"]
        shapes[f"mouthLowerDown{side}"] = share[:, None] * lowered
        shapes[f"mouthPress{side}"] = share[:, None] * rolled + 0.25 * units[f"mouthPress{side}"]
    return shapes
