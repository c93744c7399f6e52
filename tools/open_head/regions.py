# SPDX-License-Identifier: GPL-3.0-or-later
"""Named vertex masks, drawn with MediaPipe landmarks as fence posts on the frontal view.

Masks are exactly mirror symmetric.  ``face`` holds all that lies inside MediaPipe's face oval;
forehead, cheeks, chin, nose, lips, brows and lids are parts of it and may overlap at their borders.
``eye_l`` is the visible skin of the lids, ``eye_socket_l`` what the lids hide.
"""

from __future__ import annotations

import numpy as np

from core.heads.face_landmarks import FACE_OVAL

from .mesh import PART_NAMES, HeadMesh
from .rig import HEAD, JAW

_LIPS = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
_EYE_L = (359, 467, 260, 259, 257, 258, 286, 414, 463, 341, 256, 252, 253, 254, 339, 255)
_BROW_L = (276, 283, 282, 295, 285, 336, 296, 334, 293, 300)
_NOSE = (
    168,
    417,
    465,
    343,
    437,
    420,
    279,
    358,
    327,
    326,
    2,
    97,
    98,
    129,
    49,
    198,
    217,
    114,
    245,
    193,
)
_CHIN_HALF_WIDTH = 0.024
_EAR_SHARE = 0.98
"""The ears are what a target that shifts them carries along whole, not just draws along."""


def build_regions(
    mesh: HeadMesh,
    template: np.ndarray,
    weights: np.ndarray,
    landmarks: np.ndarray,
    ear_motion: np.ndarray,
) -> dict[str, np.ndarray]:
    """Boolean masks (V,) by name.

    Args:
        mesh: the head.
        template: (V, 3) metres.
        weights: (V, 6) skin weights.
        landmarks: (478, 3) positions on the template.
        ear_motion: (V, 3) displacement of a target that shifts both ears upwards.

    """
    x, y, z = template.T
    skin = np.zeros(len(template), bool)
    skin[mesh.spans["skin"]] = True
    bag = _only_in(mesh, np.flatnonzero(mesh.face_part == PART_NAMES.index("mouth_interior")))
    sockets = {side: _only_in(mesh, faces) for side, faces in mesh.sockets.items()}
    outer = skin & ~bag & ~sockets["l"] & ~sockets["r"]
    on_head = weights[:, HEAD] + weights[:, JAW] > 0.5

    def inside(indices: tuple[int, ...], grow: float) -> np.ndarray:
        return outer & _in_polygon(template[:, :2], landmarks[list(indices), :2], grow)

    def height(*indices: int) -> float:
        return float(landmarks[list(indices), 1].mean())

    ear = np.linalg.norm(ear_motion, axis=1)
    ears = outer & (ear > _EAR_SHARE * ear.max())
    front = z > landmarks[[234, 454], 2].mean() - 0.012
    face = inside(FACE_OVAL, 0.002) & front & on_head & ~ears
    lips = inside(_LIPS, 0.001) & (z > landmarks[[61, 291], 2].mean() - 0.012)
    masks = {
        "face": face,
        "neck": outer & ~on_head,
        "nose": face & inside(_NOSE, 0.002),
        "lips": lips,
    }
    masks |= {"mouth_interior": bag}
    for side, left in (("l", x > 1e-6), ("r", x < -1e-6)):
        masks[f"ear_{side}"] = ears & left
        masks[f"eye_socket_{side}"] = sockets[side]
        masks[f"eyeball_{side}"] = mesh.in_span(f"eyeball_{side}")
        twin = slice(None) if side == "l" else mesh.mirror
        masks[f"eye_{side}"] = (inside(_EYE_L, 0.002) & (z > 0.05))[twin]
        masks[f"brow_{side}"] = (face & inside(_BROW_L, 0.003))[twin]

    taken = np.any(
        [masks[n] for n in ("nose", "lips", "eye_l", "eye_r", "brow_l", "brow_r")], axis=0
    )
    rest = face & ~taken
    forehead = rest & (y > np.where(np.abs(x) < 0.055, height(105, 334) - 0.012, height(105, 334)))
    below = rest & (y < height(61, 291))
    chin = below & (np.abs(x) < _CHIN_HALF_WIDTH)
    cheeks = rest & ~forehead & ~below & (np.abs(x) > 0.012)
    masks |= {"forehead": forehead, "chin": chin}
    masks |= {"cheek_l": cheeks & (x > 0), "cheek_r": cheeks & (x < 0)}
    free = outer & on_head & ~taken & ~forehead & ~chin & ~cheeks & ~ears
    masks["jaw"] = free & (y < height(2)) & (z > 0.01) & (below | ~rest)
    masks["scalp"] = free & ~face & ~masks["jaw"]
    for name, mask in masks.items():
        twin = name[:-1] + {"l": "r", "r": "l"}[name[-1]] if name[-2:] in ("_l", "_r") else name
        if not mask.any() or not np.array_equal(mask[mesh.mirror], masks[twin]):
            raise ValueError(f"region {name} is empty or not mirror symmetric")
    return masks


def _only_in(mesh: HeadMesh, faces: np.ndarray) -> np.ndarray:
    """Vertices that belong to none but the given faces."""
    mask = np.zeros(len(mesh.positions), bool)
    mask[mesh.quads[faces].ravel()] = True
    others = np.delete(mesh.quads, faces, axis=0).ravel()
    mask[others[others >= 0]] = False
    return mask


def _in_polygon(points: np.ndarray, polygon: np.ndarray, grow: float) -> np.ndarray:
    """Points (n, 2) inside a polygon or within ``grow`` of its border."""
    inside = np.zeros(len(points), bool)
    near = np.full(len(points), np.inf)
    for a, b in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        crosses = (a[1] > points[:, 1]) != (b[1] > points[:, 1])
        with np.errstate(divide="ignore", invalid="ignore"):
            at = a[0] + (points[:, 1] - a[1]) / (b[1] - a[1]) * (b[0] - a[0])
        inside ^= crosses & (points[:, 0] < at)
        along = np.clip((points - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
        near = np.minimum(near, np.linalg.norm(points - a - along[:, None] * (b - a), axis=1))
    return inside | (near < grow)
