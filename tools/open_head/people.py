# SPDX-License-Identifier: GPL-3.0-or-later
"""Statistics of real people in the open head's own vertices: an average and 100 components.

MakeHuman's average (the head that ``build`` makes without people) is registered to the neutral
mean of a model made from real scans (see ``scan_model``). At each of the open head's vertices that
has the scans' skin under it, mean and components are read off and brought into the head frame by
one similarity. Where there is no such skin (sockets, mouth, hidden edges of lids and lips, the very
end of the neck) the numbers are the smoothest continuation, and ``population`` puts in their place
what belongs there.

    python -m tools.open_head --scans CHECKOUT --people vendor/people     (writes people.npz)
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.geometry.closest import Closest, closest_points, interpolate
from core.geometry.mesh import boundary_vertices, vertex_normals
from core.heads.face_anchors import Surface
from core.heads.model import HeadModel
from core.heads.registration import features, register

from .mesh import FLIP_X
from .scan_model import COMPONENTS, EYE_LEFT, EYE_RIGHT, ScanModel
from .smooth import calmed, continued
from .source import SourceError

PEOPLE_FILE = "people.npz"
_MICRON = 1e-6
#: Metres between a vertex and the scans' skin up to which it is read off, and the least cosine
#: between their normals.
_REACH, _ALIKE = 0.0006, 0.5
#: How far ears are believed, whose folds the registration lays onto each other with some creases.
_EAR_BELIEF = 0.1
#: Parts whose vertices no scan shows.
_HIDDEN = ("mouth_interior", "eye_socket_l", "eye_socket_r")


@dataclass(frozen=True)
class People:
    """Exactly symmetric: the mean even under the mirror, each component even or odd."""

    mean: np.ndarray
    """(V, 3) metres: from MakeHuman's average to the average of people."""
    modes: np.ndarray
    """(V, 3, 100) metres: one standard deviation of each component, in the scans' order."""
    read: np.ndarray
    """(V,) where both were read off the scans' skin."""


def read_people(path: Path, count: int) -> People:
    """The statistics in a file, for a head of ``count`` vertices.

    Raises SourceError if the file is missing, damaged or made for another head.
    """
    try:
        with np.load(path, allow_pickle=False) as z:
            mean, modes, read = z["mean_um"], z["modes_um"], z["read"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise SourceError(
            f"The statistics of people ({path.name}) are missing or damaged: restore the file, or "
            "make it again with --scans."
        ) from error
    shapes = (count, 3), (count, 3, COMPONENTS), (count,)
    if (mean.shape, modes.shape, read.shape) != shapes or not (
        np.isfinite(mean).all() and np.isfinite(modes).all()
    ):
        raise SourceError(
            f"The statistics of people ({path.name}) do not fit this head of {count} vertices: "
            "make them again with --scans."
        )
    return People(mean * _MICRON, modes * _MICRON, read.astype(bool))


def as_arrays(people: People) -> dict[str, np.ndarray]:
    """What is kept of them: whole micrometres."""
    return {
        "mean_um": np.round(people.mean / _MICRON).astype(np.int16),
        "modes_um": np.round(people.modes / _MICRON).astype(np.int16),
        "read": people.read,
    }


def statistics(head: HeadModel, scans: ScanModel) -> People:
    """Read the scans' model off at the vertices of the head proper, which is MakeHuman's average.

    Raises SourceError where the two cannot be laid onto each other.
    """
    eyeballs = scans.eyeball(EYE_LEFT), scans.eyeball(EYE_RIGHT)
    eyes = [
        (p.max(axis=0) + p.min(axis=0)) / 2 for p in (scans.mean[e] for e in (EYE_LEFT, EYE_RIGHT))
    ]
    target = Surface(scans.mean, scans.skin(), eyeballs, scans.jaw, np.stack(eyes))
    laid = register(head, target)
    if laid is None:
        raise SourceError("the scans' model could not be laid onto the head")
    count = head.proper_count
    lips = head.regions["lips"]
    found = closest_points(
        features(laid, lips, laid.source)[:count], features(laid, lips, target), target.triangles
    )
    read = _read(head, laid.source, target, found)
    at = interpolate(found, target.triangles, scans.mean)
    face = head.regions["face"][:count] & read
    scale, turn, shift = _similarity(at[face], head.template[:count][face])
    mean = scale * at @ turn.T + shift - head.template[:count]
    modes = np.stack([interpolate(found, target.triangles, m) for m in scans.modes], axis=2)
    modes = scale * np.einsum("ij,njk->nik", turn, modes)
    assert head.mirror is not None
    mirror = head.mirror[:count]
    read &= read[mirror]
    mean = (mean + mean[mirror] * FLIP_X) / 2
    other = modes[mirror] * FLIP_X[:, None]
    sign = np.sign((modes[read] * other[read]).sum(axis=(0, 1)))
    modes = (modes + sign * other) / 2
    skin = head.triangles[(head.triangles < count).all(axis=1)]
    linked = np.zeros(count, bool)
    linked[np.unique(laid.source.triangles)] = True
    for name in _HIDDEN:
        linked |= head.regions[name][:count]
    fields = np.concatenate([mean[:, :, None], modes], axis=2).reshape(count, -1)
    fields = continued(skin, fields, read | ~linked, linked & ~read).reshape(count, 3, -1)
    ears = (head.regions["ear_l"] | head.regions["ear_r"])[:count]
    fields = calmed(skin, fields.reshape(count, -1), ears, _EAR_BELIEF).reshape(fields.shape)
    fields[~linked] = 0.0
    return People(fields[:, :, 0], fields[:, :, 1:], read)


def _read(head: HeadModel, source: Surface, target: Surface, found: Closest) -> np.ndarray:
    """(V,) of the head proper: skin with the scans' skin under it, that is not their rim."""
    count = head.proper_count
    at = interpolate(found, target.triangles, target.vertices)
    away = np.linalg.norm(at - source.vertices[:count], axis=1)
    own = vertex_normals(source.vertices, source.triangles)[:count]
    other = interpolate(found, target.triangles, vertex_normals(target.vertices, target.triangles))
    rim = boundary_vertices(target.triangles, len(target.vertices))
    at_rim = (found.barycentric * rim[target.triangles[found.triangle]]).sum(axis=1) > 0.5
    out = np.zeros(count, bool)
    out[np.unique(source.triangles)] = True
    out &= (away < _REACH) & ((own * other).sum(axis=1) > _ALIKE) & ~at_rim
    for name in _HIDDEN:
        out &= ~head.regions[name][:count]
    return out


def _similarity(start: np.ndarray, end: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Scale, rotation (3, 3) and shift (3,) that bring points (n, 3) onto others (Umeyama 1991)."""
    a, b = start - start.mean(axis=0), end - end.mean(axis=0)
    u, s, vt = np.linalg.svd(a.T @ b)
    handed = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    turn = (u * handed @ vt).T
    scale = float((s * handed).sum() / (a**2).sum())
    return scale, turn, end.mean(axis=0) - scale * turn @ start.mean(axis=0)
