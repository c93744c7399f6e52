# SPDX-License-Identifier: GPL-3.0-or-later
"""Is what lies in an exported file what was exported? Two heads in numbers, compared.

Facts are taken twice, of the copy that was written and of what an importer made of the file; the
verdict says in figures what came back. Positions are in the scene's units (metres) and axes, so
that neither a format's axes nor its units matter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Metres. A head is a third of a metre: float32 keeps it within 3e-8 m.
VERTEX_TOLERANCE = 1e-5
#: Metres, with keys and bones at work: glTF's exporter leaves out weights below a ten thousandth.
POSE_TOLERANCE = 1e-4
#: Of a slider's full way, and of a skin weight.
VALUE_TOLERANCE = 1e-3
#: Steps of float32 at a point far from the origin that a round trip may cost.
_FLOAT_STEPS = 16


@dataclass(frozen=True, eq=False)
class MeshFacts:
    """A mesh of V vertices, K keys, B bones.

    positions (1 + K, V, 3): at rest, and with each key alone at its full way; posed (P, V, 3): as
    seen at P frames, keys and bones together; weights (V, B) of ``bones``, rows sum to one;
    values (K,) and ranges (K, 2) of the sliders.
    """

    name: str
    keys: tuple[str, ...]
    positions: Array
    posed: Array
    bones: tuple[str, ...]
    weights: Array
    values: Array
    ranges: Array


@dataclass(frozen=True, eq=False)
class SceneFacts:
    """A head with its levels of detail and bones.

    bone_heads: bone -> (3,) at rest. frames (F,); curves (F, K) values of ``curve_keys``; turns
    (F, B, 4, 3): where each bone carries its own head and the three points 0.1 beside it along
    the axes, in the order of bone_heads. transforms: (name, (3, 3) rotation and scale) of each
    object in the current frame, the identity for one that has none.
    """

    meshes: tuple[MeshFacts, ...]
    bone_heads: dict[str, Array]
    frames: tuple[int, ...]
    curve_keys: tuple[str, ...]
    curves: Array
    turns: Array
    stamps: dict[str, str]
    transforms: tuple[tuple[str, Array], ...] = ()


@dataclass(frozen=True)
class Check:
    """One thing that was compared, and how it came out."""

    name: str
    passed: bool
    figure: str


@dataclass(frozen=True)
class Verdict:
    """All that was compared for one file; green if all of it passed."""

    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Green."""
        return all(check.passed for check in self.checks)

    @property
    def sentence(self) -> str:
        """The figures in a line; of a red verdict those that failed."""
        shown = [c for c in self.checks if self.passed or not c.passed]
        return "; ".join(check.figure for check in shown)


def compare(written: SceneFacts, read: SceneFacts, *, ranges_kept: bool = False) -> Verdict:
    """What came back. ranges_kept: the format stores sliders' ranges, so they must be the same."""
    checks = []
    names = {mesh.name: mesh for mesh in read.meshes}
    # Without any, USD makes a skeleton of one joint of its own.
    boned = bool(written.bone_heads)
    alone = len(written.meshes) == len(read.meshes) == 1
    checks.append(_names("mesh", "meshes", [m.name for m in written.meshes], list(names), alone))
    for mesh in written.meshes:
        other = read.meshes[0] if alone else names.get(mesh.name)
        if other is not None:
            checks += _mesh_checks(
                mesh, other, ranges_kept=ranges_kept, boned=boned, beyond=_beyond(written)
            )
    if boned:
        checks += _bone_checks(written, read)
    if written.frames:
        checks += _curve_checks(written, read)
    if written.transforms:
        checks.append(_transforms(written, read))
    checks.append(_stamps(written.stamps, read.stamps))
    return Verdict(tuple(checks))


def _names(
    one: str, many: str, written: list[str], read: list[str], any_name: bool = False
) -> Check:
    """Every name there once, and no other."""
    lost = [] if any_name else [n for n in written if n not in read]
    new = [] if any_name else [n for n in read if n not in written]
    twice = len(read) - len(set(read))
    figure = f"{len(written) - len(lost)} of {len(written)} {one if len(written) == 1 else many}"
    if lost:
        figure += f", lost: {_some(lost)}"
    if new:
        figure += f", not ours: {_some(new)}"
    if twice:
        figure += f", {twice} there twice"
    return Check(many, not (lost or new or twice), figure)


def _mesh_checks(
    written: MeshFacts, read: MeshFacts, *, ranges_kept: bool, boned: bool, beyond: bool
) -> list[Check]:
    keys = _names("key", "keys", list(written.keys), list(read.keys))
    at = {name: i for i, name in enumerate(read.keys)}
    shared = [(i, at[name]) for i, name in enumerate(written.keys) if name in at]
    ours = [0, *(i + 1 for i, _ in shared)]
    theirs = [0, *(j + 1 for _, j in shared)]
    expected, actual = written.positions[ours], read.positions[theirs]
    matched = match_vertices(expected, actual)
    tolerance = _tolerance(written.positions)
    checks = [keys]
    missing = expected.shape[1] - len(np.unique(matched))
    far = _largest(np.linalg.norm(actual - expected[:, matched], axis=2))
    figure = f"{expected.shape[1]} vertices within {_length(far)}"
    if missing:
        figure = f"{missing} of {expected.shape[1]} vertices missing, others within {_length(far)}"
    checks.append(Check("vertices", far <= tolerance and not missing, figure))
    checks += _pose(written, read, matched, beyond)
    if boned:
        checks.append(_weights(written, read, matched))
    if shared:
        # A reader may hold a slider within 0 and 1; what lies beyond is in the file all the same.
        value = np.clip(written.values[[i for i, _ in shared]], 0, 1)
        came = np.clip(read.values[[j for _, j in shared]], 0, 1)
        off = _largest(np.abs(value - came))
        checks.append(Check("values", off <= VALUE_TOLERANCE, f"values within {_share(off)}"))
        if ranges_kept:
            same = np.allclose(
                written.ranges[[i for i, _ in shared]], read.ranges[[j for _, j in shared]]
            )
            figure = "ranges kept" if same else "sliders' ranges changed"
            checks.append(Check("ranges", same, figure))
    return checks


def _pose(
    written: MeshFacts, read: MeshFacts, matched: NDArray[np.intp], beyond: bool
) -> list[Check]:
    if not written.posed.shape[0]:
        return []
    if written.posed.shape[0] != read.posed.shape[0]:
        return [Check("pose", False, "the pose did not come back")]
    far = _largest(np.linalg.norm(read.posed - written.posed[:, matched], axis=2))
    near = far <= max(POSE_TOLERANCE, _tolerance(written.positions))
    if beyond and not near:
        return [Check("pose", True, "pose not compared: sliders stand beyond 0 and 1")]
    return [Check("pose", near, f"as posed within {_length(far)}")]


def _beyond(written: SceneFacts) -> bool:
    """A slider stands where readers may hold it back."""
    values = [written.curves, *(mesh.values for mesh in written.meshes)]
    return any(_largest(np.abs(np.clip(v, 0, 1) - v)) > VALUE_TOLERANCE for v in values)


def _weights(written: MeshFacts, read: MeshFacts, matched: NDArray[np.intp]) -> Check:
    off = 0.0
    for i, bone in enumerate(written.bones):
        expected = written.weights[matched, i]
        if bone in read.bones:
            actual = read.weights[:, read.bones.index(bone)]
        else:
            actual = np.zeros(len(matched))
        off = max(off, _largest(np.abs(expected - actual)))
    strangers = [b for b in read.bones if b not in written.bones]
    for bone in strangers:
        off = max(off, _largest(read.weights[:, read.bones.index(bone)]))
    return Check("weights", off <= VALUE_TOLERANCE, f"weights within {_share(off)}")


def _bone_checks(written: SceneFacts, read: SceneFacts) -> list[Check]:
    checks = [_names("bone", "bones", list(written.bone_heads), list(read.bone_heads))]
    shared = [b for b in written.bone_heads if b in read.bone_heads]
    if shared:
        heads = np.array([written.bone_heads[b] for b in shared])
        far = _largest(np.linalg.norm(heads - [read.bone_heads[b] for b in shared], axis=1))
        figure = f"bones' heads within {_length(far)}"
        checks.append(Check("bone heads", far <= _tolerance(heads), figure))
    return checks


def _curve_checks(written: SceneFacts, read: SceneFacts) -> list[Check]:
    """Frame by frame: the sliders' values and where the bones carry points."""
    count = len(written.frames)
    if read.curves.shape[0] != count:
        return [Check("animation", False, f"the animation's {count} frames did not come back")]
    at = {name: i for i, name in enumerate(read.curve_keys)}
    pairs = [(i, at[n]) for i, n in enumerate(written.curve_keys) if n in at]
    lost = [n for n in written.curve_keys if n not in at]
    expected = np.clip(written.curves[:, [i for i, _ in pairs]], 0, 1)
    actual = np.clip(read.curves[:, [j for _, j in pairs]], 0, 1)
    off = _largest(np.abs(expected - actual))
    figure = f"{count} frames, {len(pairs)} curves within {_share(off)}"
    if lost:
        figure += f", lost: {_some(lost)}"
    checks = [Check("animation", off <= VALUE_TOLERANCE and not lost, figure)]
    ours, theirs = list(written.bone_heads), list(read.bone_heads)
    both = [b for b in ours if b in theirs]
    if both and written.turns.size and read.turns.size:
        mine = written.turns[:, [ours.index(b) for b in both]]
        other = read.turns[:, [theirs.index(b) for b in both]]
        far = _largest(np.linalg.norm(mine - other, axis=-1))
        # A tenth of a millimetre a tenth of a metre away is 0.06 degrees.
        figure = f"bones' motion within {_length(far)}"
        checks.append(Check("bone motion", far <= 10 * _tolerance(mine), figure))
    return checks


def _transforms(written: SceneFacts, read: SceneFacts) -> Check:
    """Objects are as they were written: without a rotation and a scale, or with the very same.

    Readers may name objects otherwise, so each is compared with the nearest that was written.
    """
    wanted = [matrix for _, matrix in written.transforms]
    clean = all(np.abs(m - np.eye(3)).max() <= VALUE_TOLERANCE for m in wanted)
    for name, matrix in read.transforms:
        off = min(_largest(np.abs(matrix - m)) / max(_largest(np.abs(m)), 1e-9) for m in wanted)
        if off > VALUE_TOLERANCE:
            scale = ", ".join(f"{s:.3g}" for s in np.linalg.norm(matrix, axis=0))
            figure = f"{name} has a rotation or a scale ({scale}) of its own"
            return Check("transforms", False, figure)
    figure = "no rotation or scale on any object" if clean else "transforms kept"
    return Check("transforms", True, figure)


def _stamps(written: dict[str, str], read: dict[str, str]) -> Check:
    lost = [name for name, value in written.items() if read.get(name) != value]
    if not lost:
        return Check("licence", True, "licence stamped")
    return Check("licence", False, f"licence stamps lost: {_some(lost)}")


def match_vertices(written: Array, read: Array) -> NDArray[np.intp]:
    """(W,) for each of the W vertices that were read, the one of the V written that it is.

    written (N, V, 3), read (N, W, 3), at rest and with keys. Readers split vertices at seams and
    may change their order; several vertices may lie at one place at rest (closed lips), so among
    those near at rest the one is taken that moves alike.
    """
    if written.shape == read.shape:
        tolerance = _tolerance(written)
        if _largest(np.abs(written[0] - read[0])) <= tolerance:
            return np.arange(written.shape[1])
    direction = np.array([0.5773, 0.2113, 0.7887])
    line = written[0] @ direction
    order = np.argsort(line)
    line = line[order]
    reach = 2 * _tolerance(written)
    at = read[0] @ direction
    low, high = np.searchsorted(line, at - reach), np.searchsorted(line, at + reach)
    out = np.empty(read.shape[1], dtype=np.intp)
    for w, (a, b) in enumerate(zip(low, high, strict=True)):
        near = order[a:b]
        near = near[np.linalg.norm(written[0, near] - read[0, w], axis=1) <= reach]
        if len(near) == 0:
            out[w] = np.argmin(np.linalg.norm(written[0] - read[0, w], axis=1))
        elif len(near) == 1:
            out[w] = near[0]
        else:
            apart = np.abs(written[:, near] - read[:, w, None]).max(axis=(0, 2))
            out[w] = near[np.argmin(apart)]
    return out


def _tolerance(points: Array) -> float:
    """Metres; far from the origin float32 itself is coarser."""
    reach = _largest(np.abs(points))
    return max(VERTEX_TOLERANCE, _FLOAT_STEPS * float(np.finfo(np.float32).eps) * reach)


def _largest(values: Array) -> float:
    """Zero of nothing; infinite where something is not a number."""
    if values.size == 0:
        return 0.0
    found = float(np.max(values))
    return found if np.isfinite(found) else float("inf")


def _length(metres: float) -> str:
    """Less than a thousandth of a millimetre is nothing that could be seen."""
    return f"{max(1000 * metres, 0.001):.2g} mm"


def _share(part: float) -> str:
    return f"{max(part, 1e-4):.1g}"


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
