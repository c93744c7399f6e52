# SPDX-License-Identifier: GPL-3.0-or-later
"""People in front of cameras: shapes, expressions, gazes, hair, poses and lenses, for a batch."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from .dice import Dice
from .head_arrays import BEARD, HeadArrays
from .network import COMPONENTS

#: Smooth bends that no component makes: how many waves, their lengths in metres, degrees of tilt.
_WAVES, _LENGTHS, _TILT = 10, (0.025, 0.16), 3.0
#: The crop's side over the longer side of the box around the landmarks, as the product's, and by
#: how much a landmark fit misplaces it: size, share of the side, degrees.
CROP_SCALE, _MISPLACED = 1.2, (0.035, 0.02, 2.5)
#: Middle of the head, at which cameras look, metres.
_MIDDLE = (0.0, -0.01, 0.06)


@dataclass(frozen=True)
class People:
    """identity (n, COMPONENTS); neutral and vertices (n, V, 3), head frame, metres, the latter with
    expression (n, E) and gaze; surface (n, V, 3) with hair on it, and its normals; beard (n, 1) how
    dense in 0..1; hat (n, 1) 0 or 1.
    """

    identity: Tensor
    neutral: Tensor
    expression: Tensor
    vertices: Tensor
    surface: Tensor
    normals: Tensor
    beard: Tensor
    hat: Tensor


@dataclass(frozen=True)
class Cameras:
    """focal (n,) pixels of a photo 512 wide; R (n, 3, 3), t (n, 3); yaw (n,) degrees; the crop:
    turn (n, 2, 2), middle (n, 2) and side (n,) pixels about the photo's centre.
    """

    focal: Tensor
    R: Tensor
    t: Tensor
    yaw: Tensor
    turn: Tensor
    middle: Tensor
    side: Tensor

    @property
    def centre(self) -> Tensor:
        """(n, 3) head frame."""
        return -(self.R.transpose(1, 2) @ self.t[..., None])[..., 0]

    def seen(self, points: Tensor, size: int) -> Tensor:
        """(n, m, 3): points (n, m, 3) as pixels of a crop of size x size, and depth."""
        there = points @ self.R.transpose(1, 2) + self.t[:, None]
        flat = there[..., :2] / there[..., 2:] * self.focal[:, None, None]
        at = (flat @ self.turn - self.middle[:, None]) / self.side[:, None, None] + 0.5
        return torch.cat([at * size, there[..., 2:]], -1)

    def rays(self, size: int) -> Tensor:
        """(n, size, size, 3): directions of the crop's pixels, head frame, not of unit length."""
        at = (torch.arange(size, device=self.t.device) + 0.5) / size - 0.5
        grid = torch.stack(torch.meshgrid(at, at, indexing="xy"), -1)
        flat = grid[None] * self.side[:, None, None, None] + self.middle[:, None, None]
        flat = torch.einsum("nhwi,nji->nhwj", flat, self.turn) / self.focal[:, None, None, None]
        there = torch.cat([flat, torch.ones_like(flat[..., :1])], -1)
        return torch.einsum("nhwi,nij->nhwj", there, self.R)


def draw_people(head: HeadArrays, dice: Dice) -> People:
    """As many as the dice are for."""
    count, vertices = dice.count, len(head.template)
    every = dice.normal(head.identity.shape[1])
    neutral = head.template + (every @ head.identity.T).reshape(count, vertices, 3)
    neutral = neutral + _bends(head, dice)
    gaze = torch.cat([dice.normal(2) * dice.constant(0.07, 0.12)] * 2, 1)
    gaze = gaze + 0.01 * dice.normal(4)
    expression = _expression(head, dice)
    expression[:, head.gaze_columns] = (gaze @ head.gaze_rate.T).clamp(0, 1)
    shaped = neutral + (expression @ head.expression.T).reshape(count, vertices, 3)
    for eye in range(2):
        centre = (head.eye_joint[eye] @ neutral)[:, None]
        turn = rotation(1, gaze[:, 2 * eye + 1]) @ rotation(0, gaze[:, 2 * eye])
        turned = (shaped - centre) @ turn.transpose(1, 2) + centre
        shaped = shaped + head.eye_weight[:, eye][None, :, None] * (turned - shaped)
    beard = dice.uniform(1, low=0.1) * dice.chance(0.3, 1)
    hat = dice.chance(0.06, 1)
    surface = _with_hair(head, shaped, beard, hat, dice)
    normals, identity = head.normals(surface), every[:, :COMPONENTS].contiguous()
    return People(identity, neutral, expression, shaped, surface, normals, beard, hat)


def draw_cameras(head: HeadArrays, people: People, dice: Dice) -> Cameras:
    """One for each of the people, and the crop that a landmark fit would lead to."""
    focal = dice.spread(24, 135) / 36 * 512
    yaw = torch.where(dice.uniform() < 0.75, 20 * dice.normal(), dice.uniform(low=-70, high=70))
    yaw = yaw.clamp(-80, 80)
    # Seen from above or below now and then, as selfies and photos of the tall and small are.
    pitch = torch.where(dice.uniform() < 0.75, 10 * dice.normal(), 24 * dice.normal())
    turn = rotation(2, torch.deg2rad(8 * dice.normal())) @ rotation(0, torch.deg2rad(pitch))
    turn = turn @ rotation(1, torch.deg2rad(yaw))
    R = torch.diag(dice.constant(1.0, -1.0, -1.0)) @ turn
    distance = focal * 0.22 / (dice.uniform(low=0.45, high=0.8) * 512)
    aside = dice.uniform(2, low=-0.08, high=0.08) * (distance * 512 / focal)[:, None]
    t = torch.cat([aside, distance[:, None]], 1) - R @ dice.constant(*_MIDDLE)
    marks = head.marks(people.vertices) @ R.transpose(1, 2) + t[:, None]
    flat = marks[..., :2] / marks[..., 2:] * focal[:, None, None]
    size, shift, degrees = _MISPLACED
    angle = torch.atan2(R[:, 0, 1], -R[:, 1, 1]) + math.radians(degrees) * dice.normal()
    c, s = torch.cos(angle), torch.sin(angle)
    axes = torch.stack([c, -s, s, c], -1).reshape(-1, 2, 2)
    along = flat @ axes
    low, high = along.amin(1), along.amax(1)
    side = CROP_SCALE * (high - low).amax(1) * torch.exp(size * dice.normal())
    middle = (low + high) / 2 + shift * side[:, None] * dice.normal(2)
    return Cameras(focal, R, t, yaw, axes, middle, side)


def rotation(axis: int, angle: Tensor) -> Tensor:
    """(n, 3, 3) about an axis by angles (n,)."""
    c, s, o, z = torch.cos(angle), torch.sin(angle), torch.ones_like(angle), torch.zeros_like(angle)
    rows = {
        0: [o, z, z, z, c, -s, z, s, c],
        1: [c, z, s, z, o, z, -s, z, c],
        2: [c, -s, z, s, c, z, z, z, o],
    }[axis]
    return torch.stack(rows, -1).reshape(-1, 3, 3)


def _bends(head: HeadArrays, dice: Dice) -> Tensor:
    length = dice.spread(*_LENGTHS, _WAVES)
    waves = normalize(dice.normal(_WAVES, 3), dim=-1) * (2 * math.pi / length)[..., None]
    tilt = torch.deg2rad(dice.uniform(1) * _TILT) * math.sqrt(2 / _WAVES)
    amplitude = tilt * length / (2 * math.pi)
    phase = torch.einsum("vc,nwc->nvw", head.template, waves) + 2 * math.pi * dice.uniform(
        1, _WAVES
    )
    return torch.einsum(
        "nvw,nwc->nvc", torch.sin(phase), dice.normal(_WAVES, 3) * amplitude[..., None]
    )


def _expression(head: HeadArrays, dice: Dice) -> Tensor:
    sliders = len(head.most)
    out = torch.where(dice.uniform(sliders) < 0.1, dice.uniform(sliders) * 0.5, 0.0)
    mood = head.moods[dice.whole(len(head.moods))] * dice.uniform(1, low=0.3)
    out = torch.minimum(torch.maximum(out, mood), head.most)
    left, right = head.pairs
    alike = dice.chance(0.8, len(left)) > 0
    paired = (out[:, left] * dice.uniform(len(left), low=0.8, high=1.2)).clamp(0, 1)
    out[:, right] = torch.where(alike, paired, out[:, right])
    # The lips cannot close further than the jaw has opened.
    out[:, head.closed] *= out[:, head.jaw]
    out = out * dice.chance(0.65, 1)
    lids = 0.35 * dice.uniform(1) * dice.chance(0.75, 1)
    for lid in head.blinks:
        out[:, lid : lid + 1] = torch.maximum(out[:, lid : lid + 1], lids)
    return out


def _with_hair(
    head: HeadArrays, vertices: Tensor, beard: Tensor, hat: Tensor, dice: Dice
) -> Tensor:
    """Hair is a mass on the scalp, uneven in tufts, a hat a smooth one, and a beard has some
    millimetres.
    """
    normals = head.normals(vertices)
    tufts = 1 + 0.3 * torch.sin(head.template @ (60 * dice.normal(3, 3))).mean(-1)
    fine = 1 + 0.25 * torch.sin(head.template @ (260 * dice.normal(3, 4))).mean(-1)
    thick = dice.uniform(1, low=0.003, high=0.045) * dice.chance(0.65, 1)
    thick = torch.where(hat > 0, 0.5 * thick + 0.006, thick * tufts * fine)
    full = beard**2 * dice.uniform(1, high=0.016) * dice.chance(0.7, 1)
    grown = head.vertex[:, BEARD].clamp(0, 1) * full * fine
    return vertices + normals * (head.hairy * thick + grown)[..., None]
