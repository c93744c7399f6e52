# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the skin of a face folds: lines between MediaPipe's landmarks.

They run across the direction in which a face's muscles push its skin together (Hjortsjoe, "Man's
face and mimic language", 1969).
"""

from __future__ import annotations

from dataclasses import dataclass

Point = tuple[int, int, float]


@dataclass(frozen=True)
class Line:
    """A crease on the person's right. points: each on the way from a landmark to another one, and
    the share of that way. depth: of its kind's; width: millimetres from its middle to where a
    third of the depth is left; swell: how high the skin rises beside it, as a share of its depth,
    at a distance and over a width in millimetres; banks: of those on its (left, right) as one
    follows the points. fade: shares of its length over which it begins and ends. across: goes on
    over the middle to the other side.
    """

    points: tuple[Point, ...]
    depth: float
    width: float
    swell: float = 0.3
    reach: tuple[float, float] = (2.0, 1.2)
    banks: tuple[float, float] = (1.0, 1.0)
    fade: tuple[float, float] = (0.35, 0.45)
    across: bool = False


def _brow_line(height: float, depth: float, ends: int = 0) -> Line:
    """Across the forehead; height: 0 above the brows, 1 halfway, 2 at the hair's edge."""
    # Of the brows the inner ends in the middle too, since creases do not dip between them as
    # the brows do.
    rows = ((63, 105, 66, 107, 107), (68, 104, 69, 108, 151), (54, 103, 67, 109, 10))
    low = min(int(height), 1)
    columns = list(zip(rows[low], rows[low + 1], strict=True))[ends:]
    points = tuple((a, b, height - low) for a, b in columns)
    return Line(points, depth, 0.75, 0.45, (2.6, 1.7), fade=(0.22, 0.22), across=True)


#: By kind; the forehead's are drawn as one and then shared out.
LINES: dict[str, tuple[Line, ...]] = {
    "nasolabial": (
        Line(
            ((129, 102, 0.55), (129, 98, 0.15), (203, 98, 0.28), (206, 165, 0.36), (216, 92, 0.45),
             (212, 61, 0.3), (202, 57, 0.35)),
            1.0, 1.25, 0.5, (4.2, 2.8), (0.0, 1.0), (0.3, 0.45),
        ),
    ),
    "crows_feet": (
        Line(((226, 124, 0.7), (156, 139, 0.3), (139, 162, 0.6)), 0.7, 0.6, 0.2),
        Line(((226, 124, 0.3), (143, 156, 0.5), (34, 162, 0.4)), 0.95, 0.65, 0.2),
        Line(((35, 226, 0.4), (143, 34, 0.3), (34, 127, 0.5)), 1.0, 0.7, 0.2),
        Line(((31, 35, 0.3), (111, 143, 0.35), (116, 34, 0.4), (227, 34, 0.35)), 0.9, 0.65, 0.2),
        Line(((31, 111, 0.35), (111, 116, 0.2), (116, 227, 0.3)), 0.6, 0.6, 0.2),
    ),
    "nose": (
        Line(((6, 122, 0.5), (188, 122, 0.3), (128, 188, 0.35)), 0.75, 0.6),
        Line(((122, 196, 0.6), (174, 188, 0.5), (114, 128, 0.4)), 1.0, 0.65),
        Line(((196, 3, 0.4), (236, 174, 0.5), (217, 114, 0.5)), 0.8, 0.6),
        Line(((193, 122, 0.3), (168, 6, 0.4)), 0.8, 0.7, fade=(0.45, 0.45), across=True),
    ),
    "frown": (
        Line(((193, 55, 0.2), (55, 8, 0.45), (107, 9, 0.4), (108, 9, 0.35)),
             1.0, 0.95, 0.45, (3.0, 2.0), fade=(0.35, 0.45)),
        Line(((55, 107, 0.1), (107, 66, 0.15), (108, 69, 0.1)), 0.45, 0.7, fade=(0.4, 0.5)),
    ),
    "forehead": (
        _brow_line(0.65, 0.85),
        _brow_line(1.1, 1.0),
        _brow_line(1.47, 0.9, 1),
        _brow_line(1.82, 0.55, 2),
    ),
}  # fmt: skip
