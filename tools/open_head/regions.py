# SPDX-License-Identifier: GPL-3.0-or-later
"""Named vertex masks, drawn with MediaPipe landmarks as fence posts on the frontal view.

Masks are exactly mirror symmetric.  Lids, lips and brows may overlap their neighbours only where
said; ``face`` holds all that lies inside MediaPipe's face oval and looks forward.
"""

from __future__ import annotations

import numpy as np

from .mesh import PART_NAMES, HeadMesh
from .rig import HEAD, JAW

_OVAL = (10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152,
         148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109)  # fmt: skip
_LIPS = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
_EYE_L = (359, 467, 260, 259, 257, 258, 286, 414, 463, 341, 256, 252, 253, 254, 339, 255)
_BROW_L = (276, 283, 282, 295, 285, 336, 296, 334, 293, 300)
_NOSE = (168, 417, 465, 343, 437, 420, 279, 358, 327, 326, 2, 97, 98, 129, 49, 198, 217, 114, 245, 193)
_CHIN_HALF_WIDTH = 0.024
_MARGIN_M = 0.002


def build_regions(
    mesh: HeadMesh,
    template: np.ndarray,
    weights: np.ndarray,
    landmarks: np.ndarray,
    ear_motion: np.ndarray,
) -> dict[str, np.ndarray]:
    """Boolean masks (V,) by name.

    Args:
        template: (V, 3) metres.
        weights: (V, 6) skin weights.
        landmarks: (478, 3) positions on the template.
        ear_motion: (V, 3) displacement of a target that scales both ears and moves nothing else.
    """
    n = len(template)
    x, y, z = template.T
    skin = np.zeros(n, bool)
    skin[mesh.spans["skin"]] = True
    inside_mouth = _only_in(mesh, "mouth_interior")
    outer = skin & ~inside_mouth
    front = outer & (z > landmarks[[234, 454], 2].mean() - 0.012)

    def inside(indices: tuple[int, ...], grow: float = _MARGIN_M) -> np.ndarray:
        return _in_polygon(template[:, :2], landmarks[list(indices), :2], grow)

    face = front & inside(_OVAL) & (weights[:, HEAD] + weights[:, JAW] > 0.5)
    ears = outer & (np.linalg.norm(ear_motion, axis=1) > 1e-4)
    eyes = outer & inside(_EYE_L) & (z > landmarks[468:, 2].min() - 0.03)
    brows = face & inside(_BROW_L, 0.003)
    lips = front & inside(_LIPS, 0.001) & (z > landmarks[[61, 291], 2].mean() - 0.012)
    nose = face & inside(_NOSE)
    neck = outer & (weights[:, HEAD] + weights[:, JAW] <= 0.5)
    left = x > 1e-6
    both = {"eye": eyes, "brow": brows}
    masks = {"face": face, "neck": neck, "nose": nose, "lips": lips, "mouth_interior": inside_mouth}
    for name, mask in both.items():
        masks[f"{name}_l"] = mask
        masks[f"{name}_r"] = mask[mesh.mirror]
    masks["ear_l"], masks["ear_r"] = ears & left, (ears & left)[mesh.mirror]
    for side in "lr":
        masks[f"eyeball_{side}"] = np.zeros(n, bool)
        masks[f"eyeball_{side}"][mesh.spans[f"eyeball_{side}"]] = True
    masks = {k: (m | m[mesh.mirror] if k[-2:] not in ("_l", "_r") else m) for k, m in masks.items()}

    taken = masks["nose"] | masks["lips"]
    for name in ("eye_l", "eye_r", "brow_l", "brow_r"):
        taken = taken | masks[name]
    rest = masks["face"] & ~taken
    brow_line, mouth_line = landmarks[[105, 334], 1].mean(), landmarks[[61, 291], 1].mean()
    nose_line = landmarks[2, 1]
    forehead = rest & (y > brow_line - 0.012) & (np.abs(x) < 0.055) | rest & (y > brow_line)
    below = rest & (y < mouth_line)
    chin = below & (np.abs(x) < _CHIN_HALF_WIDTH)
    cheek = rest & ~forehead & ~below & (np.abs(x) > 0.012)
    jaw = outer & ~neck & ~chin & (y < nose_line) & ~cheek & ~masks["lips"] & (z > -0.02)
    masks |= {"forehead": forehead, "chin": chin, "jaw": jaw, "cheek_l": cheek & left}
    masks["cheek_r"] = masks["cheek_l"][mesh.mirror]
    covered = np.any([m for k, m in masks.items() if k != "neck"], axis=0) | neck
    masks["scalp"] = outer & ~covered & (y > landmarks[[234, 454], 1].mean())
    for name, mask in masks.items():
        twin = masks[name[:-1] + {"l": "r", "r": "l"}[name[-1]]] if name[-2:] in ("_l", "_r") else mask
        if not np.array_equal(mask[mesh.mirror], twin):
            raise ValueError(f"region {name} is not mirror symmetric")
        if not mask.any():
            raise ValueError(f"region {name} is empty")
    return masks


def _only_in(mesh: HeadMesh, part: str) -> np.ndarray:
    """Vertices all of whose faces belong to one part."""
    inside = mesh.face_part == PART_NAMES.index(part)
    mask = np.zeros(len(mesh.positions), bool)
    mask[mesh.quads[inside].ravel()] = True
    outside = mesh.quads[~inside].ravel()
    mask[outside[outside >= 0]] = False
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
