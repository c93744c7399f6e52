# SPDX-License-Identifier: GPL-3.0-or-later
"""Teeth and gums: 28 crowns in two arches, scalloped gums, and the ridges behind them.

MakeHuman's teeth are two smooth bands. Their vertices become the ridges that the gums lie on;
crowns and gums are modelled here, from the sizes that textbooks of dental anatomy give for adults
(rounded means, as in Ash and Nelson, "Wheeler's Dental Anatomy"), on the arch that the bands
describe. All lengths in this module are millimetres until the last step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .add_ons import AddOn, affine_shares
from .expressions import ARKIT_NAMES, mirror_name
from .mesh import PART_NAMES, HeadMesh
from .rig import HEAD, JAW, JOINT_NAMES
from .topology import boundary_loops, neighbours

SEGMENTS = 12
_RINGS = (-0.18, 0.06, 0.36, 0.7, 1.0)
"""Heights of a crown's rings, from under the gum (0) to the biting edge (1)."""
_WALL = 0.012
"""How far from the bands the walls of the mouth are that they go along with, metres."""
_GUM_STEPS = 6
"""Columns of the gum along one tooth."""


_ROOTS = (8.5, 5.0)
"""Gum beyond the crowns, mm, upper and lower: below, the fold of the lip is shallow."""
_EDGE_BELOW = 1.3
"""How far the upper incisors reach below the line where the lips meet."""


@dataclass(frozen=True)
class Tooth:
    """Millimetres: width along the arch, height and depth (towards the tongue) of the crown, by
    how much its edge stays behind the line of bite, and of which kind it is.
    """

    width: float
    height: float
    depth: float
    short: float
    kind: str


_UPPER = (
    Tooth(8.5, 10.2, 7.0, 0.0, "incisor"),
    Tooth(6.6, 9.0, 6.0, 0.7, "incisor"),
    Tooth(7.6, 9.9, 7.6, 0.0, "canine"),
    Tooth(7.0, 8.4, 8.4, 0.5, "premolar"),
    Tooth(6.8, 7.6, 8.4, 0.6, "premolar"),
    Tooth(10.0, 7.2, 9.2, 0.7, "molar"),
    Tooth(9.4, 6.8, 9.0, 0.9, "molar"),
)
_LOWER = (
    Tooth(5.3, 8.8, 5.8, 0.0, "incisor"),
    Tooth(5.9, 9.0, 6.0, 0.0, "incisor"),
    Tooth(6.9, 10.0, 7.2, 0.1, "canine"),
    Tooth(7.0, 8.6, 7.6, 0.2, "premolar"),
    Tooth(7.1, 8.0, 7.8, 0.4, "premolar"),
    Tooth(10.6, 7.4, 9.0, 0.5, "molar"),
    Tooth(10.2, 7.0, 8.8, 0.6, "molar"),
)


@dataclass(frozen=True)
class Arch:
    """One row of teeth, its left half. Along the arch distances count from the midline."""

    name: str
    towards_edge: float
    """+1 where teeth point up, -1 where they point down."""
    teeth: tuple[Tooth, ...]
    joint: int
    root: float
    """How far beyond the crowns the gum reaches, mm; below, the fold of the lip is shallow."""
    line: np.ndarray
    """(n, 3) mm: labial faces at the height of the biting edges, from the midline backwards."""

    @property
    def ends(self) -> np.ndarray:
        """(8,) where one tooth ends and the next begins, scaled to fill the arch."""
        ends = np.cumsum([0.0] + [t.width for t in self.teeth])
        return ends * min(1.0, (self._lengths[-1] - 0.5) / ends[-1])

    @property
    def _lengths(self) -> np.ndarray:
        flat = np.diff(self.line[:, [0, 2]], axis=0)
        return np.concatenate([[0.0], np.cumsum(np.linalg.norm(flat, axis=1))])

    def frame(self, at: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Point (n, 3), direction along the arch and outwards (n, 3) at distances (n,)."""
        point = np.stack([np.interp(at, self._lengths, self.line[:, k]) for k in range(3)], 1)
        step = 3.0
        ahead, behind = (
            np.stack([np.interp(at + d, self._lengths, self.line[:, k]) for k in (0, 2)], 1)
            for d in (step, -step)
        )
        # On the midline the arch goes on as its own mirror image.
        near = at < step
        mirror = np.stack(
            [np.interp(step - at, self._lengths, self.line[:, k]) for k in (0, 2)], 1
        ) * [-1.0, 1.0]
        behind = np.where(near[:, None], mirror, behind)
        along = ahead - behind
        along /= np.linalg.norm(along, axis=1, keepdims=True)
        zero = np.zeros(len(at))
        tangent = np.stack([along[:, 0], zero, along[:, 1]], axis=1)
        return point, tangent, np.stack([-along[:, 1], zero, along[:, 0]], axis=1)


def arches(mesh: HeadMesh, template: np.ndarray, lip_line: float) -> tuple[Arch, Arch]:
    """Upper and lower arch, from the bands of a template (V, 3) in metres.

    lip_line: height at which the lips meet, metres.
    """
    bite = 1e3 * lip_line
    line = _labial(1e3 * template[_band_rows(mesh, template, "teeth_upper")[2]])
    # The sculptor's bands stand far back for the lips that they are behind, most so in front.
    forward = 3.6 * np.exp(-((line[:, 0] / 24.0) ** 2)) + 2.8 * np.exp(-((line[:, 0] / 32.0) ** 4))
    line = np.column_stack([0.99 * line[:, 0], line[:, 1], line[:, 2] + forward])
    line[:, 1] += bite - _EDGE_BELOW - line[0, 1]
    within = line.copy()
    inside = Arch("lower", 1.0, _LOWER, JAW, _ROOTS[1], within)
    at = inside._lengths
    _, _, outward = inside.frame(at)
    within = line - outward * np.interp(at, [0, 18, 40], [3.7, 3.1, 2.3])[:, None]
    within[0, 0] = 0.0
    within[:, 1] += np.interp(at, [0, 18, 30, 60], [1.7, 1.5, 0.5, 0.2])
    return (
        Arch("upper", -1.0, _UPPER, HEAD, _ROOTS[0], line),
        Arch("lower", 1.0, _LOWER, JAW, _ROOTS[1], within),
    )


def _labial(edge: np.ndarray) -> np.ndarray:
    """The left half of a band's edge, midline first, as a smooth line of many points."""
    from scipy.interpolate import CubicSpline

    half = edge[edge[:, 0] > -1e-6]
    half = half[np.argsort(-half[:, 2])]
    start = np.concatenate([half[:0:-1] * [-1.0, 1.0, 1.0], half])
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(start, axis=0), axis=1))])
    middle = length[len(half) - 1]
    # Every other vertex: the band's own corners would show in the row of teeth.
    kept = np.arange(len(start))[::2] if len(half) % 2 else np.arange(len(start))
    spline = CubicSpline(length[kept], start[kept])
    return spline(np.linspace(middle, length[-1], 80))


def _band_rows(mesh: HeadMesh, template: np.ndarray, span: str) -> np.ndarray:
    """(4, 17) vertices of a band: outer rim, outer middle, edge, inner rim; right to left."""
    where = mesh.in_span(span)
    faces = mesh.quads[where[mesh.quads[:, 0]]]
    (loop,) = boundary_loops(faces)
    around = neighbours(faces)
    corners = [i for i, v in enumerate(loop) if len(around[v]) == 2]
    sides = [
        [loop[k % len(loop)] for k in range(a, b + 1)]
        for a, b in zip(corners, [*corners[1:], corners[0] + len(loop)], strict=True)
    ]
    long = [s for s in sides if len(s) > 10]
    sign = -1.0 if span.endswith("lower") else 1.0
    outer = max(long, key=lambda s: (sign * template[s, 1]).max())
    rows = [sorted(outer, key=lambda v: _angle(template[v]))]
    seen = set(outer)
    while len(rows) < 4:
        step = []
        for v in rows[-1]:
            (ahead,) = (w for w in around[v] - seen if not set(rows[-1]) >= {w})
            step.append(ahead)
        rows.append(step)
        seen |= set(step)
    return np.array(rows)


def _angle(point: np.ndarray) -> float:
    return float(np.arctan2(point[0], point[2] - 0.05))


def ridges(mesh: HeadMesh, template: np.ndarray, both: tuple[Arch, Arch]) -> np.ndarray:
    """The template (V, 3), metres, its two bands moved to where the gums' ridges are."""
    out = template.copy()
    for arch in both:
        rows = _band_rows(mesh, template, f"teeth_{arch.name}")
        half = rows.shape[1] // 2
        at = np.linspace(0, arch.ends[-1] + 1.0, half + 1)
        point, _, outward = arch.frame(at)
        crown = np.interp(at, _middles(arch), [t.height for t in arch.teeth])
        for row, (depth, above) in zip(
            rows, ((-2.4, arch.root), (-2.8, 1.5), (-6.6, 0.0), (-9.5, 4.5)), strict=True
        ):
            new = point + depth * outward
            new[:, 1] -= arch.towards_edge * (crown + above)
            new[0, 0] = 0.0
            out[row[half:]] = 1e-3 * new
            out[row[: half + 1]] = 1e-3 * new[::-1] * [-1.0, 1.0, 1.0]
    return out


def seat(mesh: HeadMesh, before: np.ndarray, after: np.ndarray, field: np.ndarray) -> np.ndarray:
    """An identity's displacements (V, 3, ...) with bands that go with the mouth around them.

    MakeHuman's bands know little of where a face's lips are. Both get the one affine motion that
    best explains that of the mouth's walls in front of and beside the teeth.

    before, after: the template (V, 3) with bands and with ridges.
    """
    bands = np.r_[mesh.spans["teeth_upper"], mesh.spans["teeth_lower"]]
    bag = np.unique(mesh.quads[mesh.face_part == PART_NAMES.index("mouth_interior")])
    squares = ((before[bag][:, None] - before[bands]) ** 2).sum(axis=2)
    walls = bag[np.sqrt(squares.min(axis=1)) < _WALL]
    share = affine_shares(after[bands], before[walls])

    def carried(motion: np.ndarray) -> np.ndarray:
        out = motion.copy()
        out[bands] = np.tensordot(share, motion[walls], 1)
        return out

    # Both ways round, so that what is even or odd stays so to the last digit.
    return (carried(field) + mesh.mirrored(carried(mesh.mirrored(field)))) / 2


def settle(
    mesh: HeadMesh, before: np.ndarray, after: np.ndarray, directions: np.ndarray
) -> np.ndarray:
    """Expressions (52, V, 3) whose upper gum holds still and whose lower one moves with the jaw
    alone and without bending. Lips that were taken apart have drawn the bands along a little.

    before, after: the template (V, 3) with bands and with ridges.
    """
    out = directions.copy()
    out[:, mesh.spans["teeth_upper"]] = 0.0
    lower = mesh.spans["teeth_lower"]
    for k, name in enumerate(ARKIT_NAMES):
        if not name.startswith("jaw"):
            out[k, lower] = 0.0
    out[:, lower] = affinely(mesh, before, after, out.transpose(1, 2, 0))[lower].transpose(2, 0, 1)
    # Exactly so, or rounding would tell left from right.
    even = out.copy()
    for k, name in enumerate(ARKIT_NAMES):
        twin = mesh.mirrored(out[ARKIT_NAMES.index(mirror_name(name))])
        even[k, lower] = (out[k, lower] + twin[lower]) / 2
    return even


def affinely(
    mesh: HeadMesh, before: np.ndarray, after: np.ndarray, field: np.ndarray
) -> np.ndarray:
    """What moves the bands (V, 3, ...), as the affine motion of each, for the ridges."""
    out = field.copy()
    for name in ("teeth_upper", "teeth_lower"):
        span = mesh.spans[name]
        out[span] = np.tensordot(affine_shares(after[span], before[span]), field[span], 1)
    return out


def _middles(arch: Arch) -> np.ndarray:
    return (arch.ends[:-1] + arch.ends[1:]) / 2


def teeth(mesh: HeadMesh, template: np.ndarray, both: tuple[Arch, Arch]) -> list[AddOn]:
    """Crowns and gums of the left side; template (V, 3), metres, with its ridges in place."""
    out = []
    for arch in both:
        rows = _band_rows(mesh, template, f"teeth_{arch.name}")
        leaders = rows[[0, 3]][:, [0, 4, 8, 12, 16]].ravel()
        made = [_crowns(arch), _gum(arch)]
        for part, (points, faces, uv) in zip(("teeth", "gums"), made, strict=True):
            points = 1e-3 * points
            shares = affine_shares(points, template[leaders])
            out.append(
                AddOn(
                    points,
                    faces,
                    f"{part}_{arch.name}",
                    uv,
                    np.tile(leaders, (len(points), 1)),
                    shares,
                    np.tile(np.eye(len(JOINT_NAMES))[arch.joint], (len(points), 1)),
                )
            )
    return out


def _section(tooth: Tooth, h: float) -> tuple[float, float, float, float]:
    """Share of the width, labial and lingual reach (mm), exponent of the outline at a height."""
    if tooth.kind in ("incisor", "canine"):
        width = np.interp(h, [-0.2, 0, 0.5, 0.8, 1], [0.62, 0.78, 0.97, 1.0, 0.9])
        labial = np.interp(h, [-0.2, 0, 0.3, 0.7, 1], [-1.3, -0.5, 0.0, -0.25, -0.85])
        thick = np.interp(h, [-0.2, 0, 0.25, 0.7, 1], [0.7, 0.86, 0.86, 0.45, 0.2])
        power = np.interp(h, [0, 1], [2.2, 3.2])
    else:
        width = np.interp(h, [-0.2, 0, 0.5, 0.8, 1], [0.74, 0.84, 1.0, 1.0, 0.86])
        labial = np.interp(h, [-0.2, 0, 0.3, 0.7, 1], [-1.2, -0.4, 0.0, -0.5, -1.5])
        thick = np.interp(h, [-0.2, 0, 0.4, 0.8, 1], [0.72, 0.9, 1.0, 0.93, 0.72])
        power = 2.6
    return float(width), float(labial), float(labial - thick * tooth.depth), float(power)


def _crowns(arch: Arch) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points, faces and uv of one side's crowns, mesh by mesh."""
    points, faces, uv = [], [], []
    ends = arch.ends
    for number, tooth in enumerate(arch.teeth):
        made = _crown(arch, tooth, ends[number], ends[number + 1])
        faces.append(np.where(made[1] >= 0, made[1] + sum(map(len, points)), -1))
        points.append(made[0])
        uv.append((made[2] * [0.96, 1.0] + [number + 0.02, 0]) / [len(arch.teeth), 1])
    place = [0.5, 0.75 if arch.towards_edge < 0 else 0.5]
    return np.concatenate(points), np.concatenate(faces), np.concatenate(uv) * [0.5, 0.25] + place


def _crown(
    arch: Arch, tooth: Tooth, start: float, end: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One crown: rings from the gum to the edge, a smaller ring inside the edge, its middle."""
    origin, along, outward = (a[0] for a in arch.frame(np.array([(start + end) / 2])))
    edge = np.array([0.0, arch.towards_edge, 0.0])
    half = (end - start) / 2 * 0.985
    theta = (np.arange(SEGMENTS) + 0.5) * 2 * np.pi / SEGMENTS
    cos, sin = np.cos(theta), np.sin(theta)
    rings = []
    for h in _RINGS:
        width, labial, lingual, power = _section(tooth, h)
        u, w = (np.sign(c) * np.abs(c) ** (2 / power) for c in (cos, sin))
        rise = (h - 1) * tooth.height - tooth.short + h**6 * _cusps(tooth, theta, u, 1.0)
        rings.append((half * width * u, (labial + lingual) / 2 + (labial - lingual) / 2 * w, rise))
    across, depth, _ = rings[-1]
    middle = depth.mean()
    inner = -tooth.short + _cusps(tooth, theta, across / half, 0.55)
    rings.append((0.6 * across, middle + 0.6 * (depth - middle), inner))
    points = np.concatenate([_placed(origin, along, outward, edge, *r) for r in rings])
    hollow = {"molar": -1.3, "premolar": -1.0, "canine": 0.35}.get(tooth.kind, 0.0)
    last = np.array([0.0]), np.array([middle]), np.array([hollow - tooth.short])
    points = np.concatenate([points, _placed(origin, along, outward, edge, *last)])
    faces, uv = _tube(len(rings), SEGMENTS)
    if arch.towards_edge > 0:  # the frame (along, edge, outward) is handed the other way
        faces, uv = _turned(faces, uv)
    return points, faces, uv


def _cusps(tooth: Tooth, theta: np.ndarray, u: np.ndarray, size: float) -> np.ndarray:
    """How much higher than its edge a crown is at angles theta (0 along, 90 degrees labial)."""
    if tooth.kind == "molar":
        return size * (0.55 * np.cos(4 * theta - np.pi) - 0.1)
    if tooth.kind == "premolar":
        return size * (0.7 * np.cos(2 * theta - np.pi) + 0.25 * np.sin(theta) - 0.2)
    if tooth.kind == "canine":
        return 0.6 - 1.7 * np.abs(u)
    # The corners of incisors are round.
    return -0.55 * np.clip(np.abs(u) - 0.55, 0, 1) ** 2 / 0.2


def _placed(origin, along, outward, edge, u, out, rise) -> np.ndarray:  # type: ignore[no-untyped-def]
    return origin + u[:, None] * along + out[:, None] * outward + rise[:, None] * edge


def _tube(rings: int, around: int) -> tuple[np.ndarray, np.ndarray]:
    """Quads between rings and a fan to the last point, and their corners in the unit square."""
    here = np.arange(around)
    there = (here + 1) % around
    faces, uv = [], []
    left, right = here / around, (here + 1) / around
    for k in range(rings - 1):
        a, b = k * around, (k + 1) * around
        faces.append(np.stack([a + here, a + there, b + there, b + here], axis=1))
        low, high = (np.full(around, x / (rings + 0.5)) for x in (k, k + 1))
        corners = [(left, low), (right, low), (right, high), (left, high)]
        uv.append(np.stack([np.stack(c, axis=1) for c in corners], axis=1))
    a, top = (rings - 1) * around, rings * around
    gap = np.full(around, -1)
    faces.append(np.stack([a + here, a + there, np.full(around, top), gap], axis=1))
    low = np.full(around, (rings - 1) / (rings + 0.5))
    middle = (left + right) / 2
    corners = [(left, low), (right, low), (middle, np.full(around, rings / (rings + 0.5)))]
    fan = [np.stack(c, axis=1) for c in (*corners, corners[-1])]
    uv.append(np.stack(fan, axis=1))
    return np.concatenate(faces), np.concatenate(uv)


def _turned(faces: np.ndarray, uv: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Faces and their uv as they look from the other side."""
    gap = faces[:, 3:] < 0
    order = np.where(gap, [[0, 2, 1, 3]], [[0, 3, 2, 1]])
    turned = np.take_along_axis(uv * [-1.0, 1.0] + [1.0, 0.0], order[:, :, None], axis=1)
    return np.take_along_axis(faces, order, axis=1), turned


def _gum(arch: Arch) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The gum in front of one side's teeth, in columns along the arch and four rows: the margin
    on the crowns, the roll beside it, the roots' bulges, the fold where the lip begins.
    """
    share = (np.arange(_GUM_STEPS * len(arch.teeth) + 1)) / _GUM_STEPS
    at = np.interp(share, np.arange(len(arch.teeth) + 1), arch.ends)
    number = np.minimum(share.astype(int), len(arch.teeth) - 1)
    off = 2 * (share - number) - 1
    point, _, outward = arch.frame(at)
    tooth = [arch.teeth[i] for i in number]
    crown = np.interp(at, _middles(arch), [t.height + t.short for t in arch.teeth])
    # Between two teeth the gum reaches further towards the edge, and lies deeper.
    papilla = np.abs(off) ** 2.2
    margin = crown * (1 - 0.06) - 0.30 * crown * papilla
    seat = np.array([_seat(t, o) for t, o in zip(tooth, off, strict=True)])
    rows = (
        (seat + 0.12, margin),
        (np.maximum(seat, -0.7) + 0.45 - 0.25 * papilla, margin + 0.9),
        (0.25 - 0.5 * papilla, crown + 3.0),
        (np.full(len(at), -1.6), crown + arch.root),
    )
    columns = [
        point + depth[:, None] * outward - [[0.0, arch.towards_edge, 0.0]] * height[:, None]
        for depth, height in rows
    ]
    n = len(at)
    first = np.arange(n - 1)
    faces, uv = [], []
    for k in range(len(rows) - 1):
        a, b = k * n + first, (k + 1) * n + first
        faces.append(np.stack([a, a + 1, b + 1, b], axis=1))
        u0, u1 = first / (n - 1), (first + 1) / (n - 1)
        v0, v1 = (np.full(n - 1, x / (len(rows) - 1)) for x in (k, k + 1))
        corners = ((u0, v0), (u1, v0), (u1, v1), (u0, v1))
        uv.append(np.stack([np.stack(c, axis=1) for c in corners], axis=1))
    points, quads, layout = np.concatenate(columns), np.concatenate(faces), np.concatenate(uv)
    if arch.towards_edge > 0:
        quads, layout = _turned(quads, layout)
    return points, quads, layout * [0.5, 0.25] + [0.5, 0.25]


def _seat(tooth: Tooth, off: float) -> float:
    """Depth (mm, outwards) of a crown's face near the gum, at -1..1 across the tooth."""
    width, labial, lingual, power = _section(tooth, 0.12)
    u = min(abs(off) / width, 1.0)
    bulge = (1 - u**power) ** (1 / power)
    depth = (labial + lingual) / 2 + (labial - lingual) / 2 * bulge
    return max(depth, labial - 1.4)
