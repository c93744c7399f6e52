# SPDX-License-Identifier: GPL-3.0-or-later
"""Closes the lips at rest, linearly, so that every identity's lips are closed too.

MakeHuman's lips almost touch, with a slit of some tenths of a millimetre that shapes open further.
Two rows of the upper lip's vertices are each attached to a fixed point of the lower lip's surface;
the difference between the two is the *gap* C x, linear in the vertices x.  ``LipSeal.close`` adds
the smoothest displacement of a band round the mouth (least squared Laplacian, nothing outside the
band moves) that makes the gap zero.  Being linear it is applied to the mean head and to every
identity shape alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .geometry import closest_on_triangles
from .mesh import PART_NAMES, HeadMesh
from .topology import boundary_loops, face_edges

_RINGS_OUT = 9
"""Rings of vertices round the mouth bag's rim, counted outwards over the lips."""
_RINGS_IN = 4
_CONTACT_RINGS = (1, 2)
_CONTACT_REACH = 6e-4
_SOFTNESS = 0.005
"""Attachments of both lips cannot all hold exactly where their vertices interlock; they share the
rest, some hundredths of a millimetre."""
_STIFFNESS = 1e-3
"""Weight of the displacement itself against its Laplacian: lets it fade within the band."""


@dataclass(frozen=True)
class LipSeal:
    """The linear operator that closes the lips."""

    gap: np.ndarray
    """(n, V) the matrix C."""
    closing: np.ndarray
    """(V, n) displacement of all vertices for a unit of gap; C @ closing is nearly the identity."""

    def close(self, field: np.ndarray) -> np.ndarray:
        """Return a field (V, 3) of positions or displacements with its gap removed."""
        return field - self.closing @ (self.gap @ field)


def make_lip_seal(mesh: HeadMesh, template: np.ndarray) -> LipSeal:
    """Choose the contact on the mean head (V, 3) and solve for the closing displacements.

    First the upper lip's contact rows are attached to the lower lip.  On the head so closed, those
    vertices of the lower lip's rows that come to lie at the upper lip are attached to it as well:
    else they would stand out of its coarser surface.
    """
    rings = mouth_rings(mesh)
    upper, lower = _lips(mesh, template, rings)
    attached = _attachments(mesh, template, upper, np.concatenate(lower), np.inf)
    band = np.unique(np.concatenate([*rings, _bag_rings(mesh, rings[0])]))
    closed = _solve(mesh, band, attached).close(template)
    back = _attachments(mesh, closed, lower, np.concatenate(upper), _CONTACT_REACH)
    return _solve(mesh, band, np.concatenate([attached, back]))


def _solve(mesh: HeadMesh, band: np.ndarray, gap: np.ndarray) -> LipSeal:
    edges = face_edges(mesh.base_faces())[0]
    n = mesh.spans["skin"].stop
    links = np.zeros((n, n), dtype=bool)
    links[edges[:, 0], edges[:, 1]] = links[edges[:, 1], edges[:, 0]] = True
    laplacian = np.eye(len(band)) - links[np.ix_(band, band)] / links[band].sum(axis=1)[:, None]
    energy = laplacian.T @ laplacian + _STIFFNESS * np.eye(len(band))
    c = gap[:, band]
    response = np.linalg.solve(energy, c.T)
    closing = np.zeros((gap.shape[1], len(gap)))
    closing[band] = response @ np.linalg.inv(c @ response + _SOFTNESS * np.eye(len(gap)))
    return LipSeal(gap, closing)


def mouth_rings(mesh: HeadMesh) -> list[np.ndarray]:
    """Closed vertex loops round the mouth, from the mouth bag's rim outwards."""
    inside = set(np.flatnonzero(mesh.face_part == PART_NAMES.index("mouth_interior")).tolist())
    skin = np.flatnonzero(mesh.face_part == PART_NAMES.index("skin"))
    rings = []
    for _ in range(_RINGS_OUT):
        ring = boundary_loops(mesh.quads[sorted(inside)])[0]
        rings.append(np.array(ring))
        inside |= set(skin[np.isin(mesh.quads[skin], ring).any(axis=1)].tolist())
    return rings


def _bag_rings(mesh: HeadMesh, rim: np.ndarray) -> np.ndarray:
    """Vertices of the mouth bag within a few edges of its rim."""
    bag = mesh.quads[mesh.face_part == PART_NAMES.index("mouth_interior")]
    near = rim
    for _ in range(_RINGS_IN):
        near = np.unique(bag[np.isin(bag, near).any(axis=1)])
    return near


def _lips(
    mesh: HeadMesh, template: np.ndarray, rings: list[np.ndarray]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Vertices of the upper and of the lower lip, ring by ring from the mouth bag outwards.

    A ring's two arcs meet at the mouth corners, its outermost vertices in x.  On the outermost ring
    the upper arc is the higher one; further in, where the lips may overlap, it is the arc that
    shares most faces with the upper arc one ring out.
    """
    upper, lower = [], []
    above = np.array([], int)
    for number, ring in reversed(list(enumerate(rings))):
        x = template[ring, 0]
        first, second = sorted((int(x.argmin()), int(x.argmax())))
        arcs = [ring[first + 1 : second], np.concatenate([ring[second + 1 :], ring[:first]])]
        if number == len(rings) - 1:
            arcs.sort(key=lambda arc: template[arc, 1].mean())
        else:
            touching = np.isin(mesh.quads, above).any(axis=1)
            arcs.sort(key=lambda arc: int((np.isin(mesh.quads, arc).any(axis=1) & touching).sum()))
        below, above = arcs
        lower.append(below)
        upper.append(above)
    return upper[::-1], lower[::-1]


def _attachments(
    mesh: HeadMesh, x: np.ndarray, lip: list[np.ndarray], other: np.ndarray, reach: float
) -> np.ndarray:
    """Rows (n, V): a lip's contact-row vertex minus the nearest point of the other lip's surface.

    Only vertices within ``reach`` metres count.  Rows are found on the left half and mirrored.
    """
    faces = mesh.quads[(np.isin(mesh.quads, other) & (mesh.quads >= 0)).sum(axis=1) >= 3]
    triangles = np.concatenate([faces[:, [0, 1, 2]], faces[:, [0, 2, 3]]])
    triangles = triangles[(x[triangles, 0] > -1e-9).all(axis=1)]
    vertices = np.concatenate([lip[i] for i in _CONTACT_RINGS])
    rows = []
    for vertex in vertices[x[vertices, 0] > -1e-9]:
        triangle, bary = closest_on_triangles(x[vertex], x[triangles])
        foot = bary @ x[triangles[triangle]]
        if np.linalg.norm(foot - x[vertex]) > reach:
            continue
        row = np.zeros(len(x))
        row[triangles[triangle]] -= bary
        on_midline = mesh.mirror[vertex] == vertex
        if on_midline:
            row = (row + row[mesh.mirror]) / 2
        row[vertex] += 1
        rows.append(row)
        if not on_midline:
            rows.append(row[mesh.mirror])
    return np.array(rows)
