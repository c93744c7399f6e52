# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands before faces, for a batch: glasses as lenses in space, hanging hair, hands, and blobs
that may be cups or microphones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from .dice import Dice
from .hair import Hanging
from .people import Cameras
from .pixels import Pixels, mixed
from .skin import COVER, GLASSES, HAIR

#: Outer and inner corners of the subject's right and left eye, and points along the hairline.
_EYES = ((33, 133), (263, 362))
#: Metres from the eyes' corners to the lenses.
_BEFORE = (0.012, 0.022)
#: Fingers of a hand, and its share of the pictures.
_FINGERS, _HANDS = 4, 0.07


@dataclass(frozen=True)
class Scene:
    """A picture (n, S, S, 3), radiance, and the label (n, S, S) of each pixel; see skin.LABELS."""

    image: Tensor
    label: Tensor

    def covered(self, color: Tensor, share: Tensor, label: int) -> Scene:
        """With something of a colour before it as far as share (n, S, S) says."""
        label_ = torch.where(share > 0.5, label, self.label)
        return Scene(mixed(self.image, color, share), label_)


def cover(
    cameras: Cameras,
    at: Pixels,
    scene: Scene,
    hanging: Hanging,
    light: Tensor,
    marks: Tensor,
    dice: Dice,
) -> Scene:
    """A scene with things before it; light (n, 1, 1, 3): the radiance of the skin; marks (n, 468,
    3): landmarks in the head frame.
    """
    scene = Scene(scene.image * (1 - hanging.shadow[..., None]), scene.label)
    scene = scene.covered(hanging.radiance, hanging.before, HAIR)
    scene = _with_glasses(marks, cameras, at, scene, light, dice)
    return _with_blobs(at, _with_hands(at, scene, light, dice), light, dice)


def _with_glasses(
    marks: Tensor, cameras: Cameras, at: Pixels, scene: Scene, light: Tensor, dice: Dice
) -> Scene:
    """Both lenses lie in one plane before the eyes, which rays meet in true perspective; what of
    the face stands out further, such as a nose from the side, hides them.
    """
    corners = marks[:, [i for pair in _EYES for i in pair]]
    middle = corners.mean(1)
    tilt = dice.uniform(1, low=-0.05, high=0.12)
    facing = torch.cat([torch.zeros_like(tilt), -torch.sin(tilt), torch.cos(tilt)], 1)
    up = torch.cat([torch.zeros_like(tilt), torch.cos(tilt), torch.sin(tilt)], 1)
    deep = (corners * facing[:, None]).sum(-1).amax(1, keepdim=True)
    level = deep + dice.uniform(1, low=_BEFORE[0], high=_BEFORE[1])
    ray, eye = cameras.rays(at.size), cameras.centre
    along = (level - (eye * facing).sum(1, keepdim=True))[:, None] / (
        (ray * facing[:, None, None]).sum(-1).clamp(max=-1e-4)
    )
    meets = eye[:, None, None] + along[..., None] * ray
    # A ray's last component in the camera frame is one, so that `along` is a depth.
    before = ((along > 0) & (along < at.depth)).float()
    x, y = meets[..., 0], ((meets - middle[:, None, None]) * up[:, None, None]).sum(-1)
    wide, high = dice.uniform(1, 1, low=0.020, high=0.029), dice.uniform(1, 1, low=0.6, high=1.0)
    power, rim = dice.uniform(1, 1, low=2, high=5), dice.uniform(1, 1, low=0.0008, high=0.004)
    frame, glass = torch.zeros_like(x), torch.zeros_like(x)
    for pair in range(2):
        centre = corners[:, 2 * pair : 2 * pair + 2, 0].mean(1)[:, None, None]
        from_centre = ((x - centre).abs() / wide) ** power
        from_centre = from_centre + ((y + 0.004).abs() / (wide * high)) ** power
        from_centre = from_centre ** (1 / power)
        frame = torch.maximum(frame, ((from_centre - 1).abs() * wide * high < rim).float())
        glass = torch.maximum(glass, (from_centre < 1).float())
    inner = corners[:, [1, 3], 0].abs().amin(1)[:, None, None]
    bridge = (x.abs() < inner) & ((y - 0.002).abs() < rim)
    frame = torch.maximum(frame, bridge.float())
    some = dice.chance(0.2, 1, 1) * before
    color = dice.uniform(1, 1, 3) ** 2 * light.mean(-1, keepdim=True)
    color = color * dice.uniform(1, 1, 1, low=0.05, high=1.2)
    tinted = glass * dice.uniform(1, 1) ** 3 * 0.8 * dice.chance(0.3, 1, 1)
    scene = Scene(mixed(scene.image, color, tinted * some), scene.label)
    # A window or a lamp in the glass: a slanted stripe of light.
    slant, place = dice.normal(1, 1), dice.uniform(1, 1, low=-0.05, high=0.05)
    stripe = ((x + slant * y - place).abs() < dice.uniform(1, 1, high=0.012)).float() * glass
    bright = light.amax(-1, keepdim=True) * dice.uniform(1, 1, 1, low=0.5, high=2.5)
    glare = stripe * some * 0.5 * dice.chance(0.35, 1, 1)
    scene = Scene(mixed(scene.image, bright, glare), scene.label)
    dark = torch.where((tinted * some) > 0.4, GLASSES, scene.label)
    return Scene(scene.image, dark).covered(color, frame * some, GLASSES)


def _with_hands(at: Pixels, scene: Scene, light: Tensor, dice: Dice) -> Scene:
    """Fingers side by side reach in from a border."""
    size, fingers = at.size, _FINGERS
    grid = torch.arange(size, device=dice.device) + 0.5
    x, y = torch.meshgrid(grid, grid, indexing="xy")
    angle = 2 * math.pi * dice.uniform(1)
    out = torch.cat([torch.cos(angle), torch.sin(angle)], 1)
    across = torch.stack([-out[:, 1], out[:, 0]], 1)
    thick = dice.uniform(1, low=0.028, high=0.05) * size
    tip = size / 2 + out * dice.uniform(1, low=0.12, high=0.45) * size
    tone = light * torch.exp(0.2 * dice.normal(1, 1, 3))
    some = dice.chance(_HANDS, 1, 1)
    for k in range(fingers):
        shift = (k - (fingers - 1) / 2) * 1.9 * thick * across
        start = tip + shift + dice.uniform(1, high=0.06) * size * out
        dx, dy = x - start[:, 0, None, None], y - start[:, 1, None, None]
        turn = 0.08 * dice.normal(1) * (k - 1.5)
        way = out + turn * across
        along = (dx * way[:, 0, None, None] + dy * way[:, 1, None, None]).clamp(min=0)
        px, py = dx - along * way[:, 0, None, None], dy - along * way[:, 1, None, None]
        far = (px * px + py * py).sqrt() / thick[..., None]
        scene = scene.covered(
            tone * (1.15 - 0.75 * far**2).clamp(min=0.2)[..., None], (far < 1).float() * some, COVER
        )
    return scene


def _with_blobs(at: Pixels, scene: Scene, light: Tensor, dice: Dice) -> Scene:
    """Ellipses of skin or of anything, near the border more often than not."""
    size = at.size
    grid = torch.arange(size, device=dice.device) + 0.5
    x, y = torch.meshgrid(grid, grid, indexing="xy")
    for _ in range(2):
        middle = dice.uniform(2) * size
        radius = dice.uniform(1, 1, low=0.05, high=0.22) * size
        angle = dice.uniform(1, 1, high=math.pi)
        dx, dy = x - middle[:, 0, None, None], y - middle[:, 1, None, None]
        p = dx * torch.cos(angle) + dy * torch.sin(angle)
        q = dy * torch.cos(angle) - dx * torch.sin(angle)
        flat = radius * dice.uniform(1, 1, low=0.3)
        far = (p / radius) ** 2 + (q / flat) ** 2
        skin = light * torch.exp(0.2 * dice.normal(1, 1, 3)) * (1.2 - 0.5 * far)[..., None]
        other = dice.uniform(1, 1, 3) ** 1.5 * light.mean(-1, keepdim=True) * 2
        color = torch.where(dice.chance(0.5, 1, 1, 1) > 0, skin.clamp(min=0), other)
        scene = scene.covered(color, (far < 1).float() * dice.chance(0.08, 1, 1), COVER)
    return scene
