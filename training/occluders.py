# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands before a face: glasses, fringes, hands, hats, things; drawn flat in the crop.

Each is a colour and how much of the pixel it covers; nothing of it is to be told as skin.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from core.heads.model import HeadModel

Array = NDArray[np.float64]
Single = NDArray[np.float32]

_EYES = ((33, 133, 1.0), (362, 263, 1.0))
#: Landmarks that a hand goes to: chin, cheeks, lip, forehead.
FINGERED = (152, 50, 280, 205, 425, 17, 10)
_SHIFT = 4  # fixed-point bits of OpenCV's drawing


class Occluders:
    """Draws on crops. project takes points of the head frame to the crop's pixels."""

    def __init__(self, head: HeadModel, size: int, unit: float | None = None) -> None:
        """unit: pixels that are one in a crop of 128; without it the picture is a crop."""
        self.head, self.size, self.unit = head, size, size / 128 if unit is None else unit

    def draw(
        self,
        picture: Array,
        vertices: Array,
        project: Callable[[Array], Array],
        colors: tuple[Array, Array],
        rng: np.random.Generator,
        only: str | None = None,
    ) -> Single:
        """Draws into a linear picture (s, s, 3) in place; returns what is covered, (s, s).

        colors: of the hair and of the skin, as they are lit. only: "glasses", "fringe", or "hand"
        (at the chin), instead of what chance brings.
        """
        covered = np.zeros(picture.shape[:2], np.float32)
        marks = self.head.landmarks(vertices)
        at = project(marks)

        def wanted(kind: str, share: float) -> bool:
            return bool(rng.random() < share) if only is None else kind == only

        if wanted("glasses", 0.25):
            self._glasses(picture, covered, marks, project, rng)
        if wanted("fringe", 0.22):
            self._fringe(picture, covered, at, colors[0], rng, full=only is not None)
        if wanted("hand", 0.12):
            self._fingers(picture, covered, at, colors[1], rng, at_chin=only is not None)
        if wanted("hat", 0.08):
            self._hat(picture, covered, at, rng)
        if wanted("thing", 0.08):
            self._thing(picture, covered, at, rng)
        return covered

    def _cover(self, picture: Array, covered: Single, mask: Single, color: Array) -> None:
        picture += mask[..., None] * (color - picture)
        np.maximum(covered, mask, out=covered)

    def _mask(self) -> NDArray[np.uint8]:
        return np.zeros((self.size, self.size), np.uint8)

    def _polygon(self, points: Array, soft: float = 0.0) -> Single:
        mask = self._mask()
        cv2.fillPoly(mask, [_fixed(points)], 255, cv2.LINE_AA, _SHIFT)
        out = mask.astype(np.float32) / 255
        return cv2.GaussianBlur(out, (0, 0), soft) if soft else out

    def _lines(self, lines: list[Array], width: float, *, closed: bool = False) -> Single:
        # Thin lines are drawn a pixel wide and lightly.
        mask = self._mask()
        fixed = [_fixed(line) for line in lines]
        cv2.polylines(mask, fixed, closed, 255, max(1, round(width)), cv2.LINE_AA, _SHIFT)
        return mask.astype(np.float32) / 255 * min(1.0, width)

    def _glasses(
        self,
        picture: Array,
        covered: Single,
        marks: Array,
        project: Callable[[Array], Array],
        rng: np.random.Generator,
    ) -> None:
        color = rng.random(3) ** 2 * rng.choice([0.05, 0.6])
        width, height = rng.uniform(0.022, 0.029), rng.uniform(0.016, 0.024)
        power = rng.uniform(2, 5)  # from oval to square
        t = np.linspace(0, 2 * np.pi, 40, endpoint=False)
        c, s = np.cos(t), np.sin(t)
        ring = np.column_stack(
            [
                width * np.sign(c) * np.abs(c) ** (2 / power),
                height * np.sign(s) * np.abs(s) ** (2 / power),
                -0.006 * np.abs(c),
            ]
        )
        front = marks[168, 2] + rng.uniform(-0.004, 0.006)
        rims = []
        for a, b, _ in _EYES:
            middle = (marks[a] + marks[b]) / 2
            centre = np.array([1.06 * middle[0], middle[1] - rng.uniform(0.0, 0.004), front])
            rims.append(project(ring + centre))
        thick = rng.uniform(0.6, 3.5) * self.unit
        if rng.random() < 0.35:
            tint, strength = rng.random(3) ** 2 * 0.1, rng.uniform(0.3, 0.95)
            for rim in rims:
                self._cover(picture, covered, self._polygon(rim) * np.float32(strength), tint)
        elif rng.random() < 0.4:
            for rim in rims:  # a window mirrored in the glass
                glare = self._polygon(rim) * self._polygon(rim + rng.normal(0, 8, 2) * self.unit)
                self._cover(picture, covered, glare * np.float32(rng.uniform(0, 0.4)), np.ones(3))
        right, left = rims
        inner = [right[np.argmax(right[:, 0])], left[np.argmin(left[:, 0])]]
        bars = [np.array(inner)]
        for side, rim in ((234, right), (454, left)):
            outer = rim[np.argmin(rim[:, 0])] if side == 234 else rim[np.argmax(rim[:, 0])]
            bars.append(np.array([outer, project(marks[side] + [0, 0.03, -0.01])]))
        self._cover(picture, covered, self._lines([right, left], thick, closed=True), color)
        self._cover(picture, covered, self._lines(bars, thick), color)

    def _fringe(
        self,
        picture: Array,
        covered: Single,
        at: Array,
        color: Array,
        rng: np.random.Generator,
        *,
        full: bool,
    ) -> None:
        """Strands that fall from the top of the forehead; full: all across and over the brows."""
        top, chin = at[10], at[152]
        down = (chin - top) / np.linalg.norm(chin - top)
        across = np.array([-down[1], down[0]])
        half = 0.5 * np.linalg.norm(at[234] - at[454])
        reach = rng.uniform(0.08, 0.4) * np.linalg.norm(chin - top)
        centre, breadth = rng.uniform(-1, 1) * half, rng.uniform(0.2, 1.2) * half
        lean, count = rng.uniform(-0.6, 0.6), int(rng.integers(4, 40))
        if full:
            reach, centre, breadth, count = 0.35 * np.linalg.norm(chin - top), 0.0, half, 40
        for _ in range(count):
            x = centre + breadth * rng.uniform(-1, 1)
            length = reach * rng.uniform(0.4, 1.1)
            root = top - 0.12 * (chin - top) + across * x
            tip = root + down * (length + 0.1 * half) + across * lean * length
            bend = (root + tip) / 2 + across * rng.normal(0, 0.06) * half
            t = np.linspace(0, 1, 8)[:, None]
            strand = (1 - t) ** 2 * root + 2 * t * (1 - t) * bend + t**2 * tip
            mask = self._lines([strand], rng.uniform(0.8, 4.0) * self.unit)
            self._cover(picture, covered, mask, color * np.exp(rng.normal(0, 0.35)))

    def _fingers(
        self,
        picture: Array,
        covered: Single,
        at: Array,
        color: Array,
        rng: np.random.Generator,
        *,
        at_chin: bool,
    ) -> None:
        """Rounded bars in the colour of the skin, as of a hand at chin or cheek."""
        half = 0.5 * np.linalg.norm(at[234] - at[454])
        goal = at[152 if at_chin else rng.choice(FINGERED)] + rng.normal(0, 0.15, 2) * half
        angle = rng.uniform(0.2, 0.8) * np.pi if at_chin else rng.uniform(0, 2 * np.pi)
        along = np.array([np.cos(angle), np.sin(angle)])
        across = np.array([-along[1], along[0]])
        width = 0.26 * half
        for k in range(int(rng.integers(1, 5))):
            tip = goal + across * width * 1.05 * k + along * rng.normal(0, 0.15) * half
            bar = np.array([tip, tip + along * half * rng.uniform(1.0, 3.0)])
            for share, light in ((1.0, 0.75), (0.6, 1.0)):  # rounder than flat
                mask = self._lines([bar], share * width)
                self._cover(picture, covered, mask, color * light * np.exp(rng.normal(0, 0.06, 3)))

    def _hat(self, picture: Array, covered: Single, at: Array, rng: np.random.Generator) -> None:
        up = at[10] - at[152]
        across = np.array([-up[1], up[0]])
        low = at[10] - rng.uniform(-0.05, 0.22) * up
        curve = rng.uniform(-0.1, 0.1)
        t = np.linspace(-1.1, 1.1, 9)[:, None]
        edge = low + across * t * 0.6 + up * curve * (t**2)
        outline = np.concatenate([edge, [edge[-1] + up], [edge[0] + up]])
        color = rng.random(3) ** 1.5 * 0.6
        self._cover(picture, covered, self._polygon(outline), color)

    def _thing(self, picture: Array, covered: Single, at: Array, rng: np.random.Generator) -> None:
        half = 0.5 * np.linalg.norm(at[234] - at[454])
        centre = at[rng.choice([152, 234, 454, 10, 17])] + rng.normal(0, 0.4, 2) * half
        t = np.sort(rng.uniform(0, 2 * np.pi, 7))
        size = rng.uniform(0.2, 0.9) * half * rng.uniform(0.6, 1.4, 7)
        outline = centre + size[:, None] * np.column_stack([np.cos(t), np.sin(t)])
        self._cover(picture, covered, self._polygon(outline, rng.uniform(0.3, 2)), rng.random(3))


def _fixed(points: Array) -> NDArray[np.int32]:
    """Continuous pixels as OpenCV's fixed point, whose whole numbers are centres of pixels."""
    bounded = np.clip(np.nan_to_num(points) - 0.5, -1000, 1000)
    return np.round(bounded * 2**_SHIFT).astype(np.int32)
