# SPDX-License-Identifier: GPL-3.0-or-later
"""What is put onto the finished head: vertices and faces that ride on those of the head proper.

They come after all vertices of the head proper, whose numbers, components and fits they leave
alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .mesh import FLIP_X, PART_NAMES, HeadMesh

#: Metres from the middle plane within which a point lies in it.
MIDDLE = 1e-7


@dataclass(frozen=True)
class AddOn:
    """n vertices and f faces; numbers of vertices count from the add-on's own first."""

    points: np.ndarray
    """(n, 3) metres on the template."""
    faces: np.ndarray
    """(f, 4), triangles with -1 in the fourth place, outward orientation."""
    part: str
    uv: np.ndarray
    """(f, 4, 2) texture coordinates of every face's corners, v upwards."""
    leaders: np.ndarray
    """(n, k) vertices of the head proper."""
    shares: np.ndarray
    """(n, k) weights of the leaders, rows summing to one."""
    joints: np.ndarray
    """(n, 6) skin weights."""
    mirror: np.ndarray | None = None
    """(n,) vertex on the other side, of an add-on that is whole; None of one of the left side."""

    def with_mirror_image(self, mesh: HeadMesh) -> AddOn:
        """The add-on of the left side together with its image on the right.

        Points in the middle are their own images: a seam there would split on export.
        """
        image = self.images()
        right = np.nonzero(image >= len(self.points))[0]
        turned = _reversed(self.faces)
        return AddOn(
            np.concatenate([self.points, (self.points * FLIP_X)[right]]),
            np.concatenate([self.faces, np.where(turned >= 0, image[turned], -1)]),
            self.part,
            np.concatenate([self.uv, _mirrored_uv(self.faces, self.uv)]),
            np.concatenate([self.leaders, mesh.mirror[self.leaders[right]]]),
            np.concatenate([self.shares, self.shares[right]]),
            np.concatenate([self.joints, self.joints[right][:, [0, 1, 2, 3, 5, 4]]]),
        )

    def across(self) -> np.ndarray:
        """The mirror of :meth:`with_mirror_image`."""
        image = self.images()
        aside = np.count_nonzero(image >= len(image))
        out = np.empty(len(image) + aside, np.intp)
        out[: len(image)] = image
        out[image] = np.arange(len(image))
        return out

    def images(self) -> np.ndarray:
        """Numbers (n,) of the points across the face in :meth:`with_mirror_image`."""
        aside = np.abs(self.points[:, 0]) > MIDDLE
        return np.where(aside, len(self.points) - 1 + np.cumsum(aside), np.arange(len(self.points)))


def _reversed(faces: np.ndarray) -> np.ndarray:
    """The same faces seen from behind, a triangle's gap still in the fourth place."""
    four = faces[:, [0, 3, 2, 1]]
    return np.where(faces[:, 3:] < 0, faces[:, [0, 2, 1, 3]], four)


def _mirrored_uv(faces: np.ndarray, uv: np.ndarray) -> np.ndarray:
    order = np.where(faces[:, 3:] < 0, [[0, 2, 1, 3]], [[0, 3, 2, 1]])
    flipped = [1.0, 0.0] + uv * [-1.0, 1.0]
    return np.take_along_axis(flipped, order[:, :, None], axis=1)


@dataclass(frozen=True)
class Assembly:
    """All add-ons together, their vertices numbered from the head proper's last one on."""

    points: np.ndarray
    quads: np.ndarray
    face_part: np.ndarray
    uv: np.ndarray
    uv_quads: np.ndarray
    weights: np.ndarray
    mirror: np.ndarray
    follow_start: np.ndarray
    follow_leader: np.ndarray
    follow_weight: np.ndarray


def assemble(sides: list[AddOn], mesh: HeadMesh, uv_count: int) -> Assembly:
    """Lay the add-ons one after another, those of the left side with their mirror images.

    uv_count: how many texture coordinates the head proper has.
    """
    first = len(mesh.positions)
    whole = [a.with_mirror_image(mesh) if a.mirror is None else a for a in sides]
    quads, parts, mirror, uv_quads = [], [], [], []
    for side, add in zip(sides, whole, strict=True):
        quads.append(np.where(add.faces >= 0, add.faces + first, -1))
        parts.append(np.full(len(add.faces), PART_NAMES.index(add.part)))
        mirror.append(first + (side.across() if add.mirror is None else add.mirror))
        first += len(add.points)
    uv, number = np.unique(
        np.concatenate([a.uv.reshape(-1, 2) for a in whole]).round(6), axis=0, return_inverse=True
    )
    uv_quads = number.reshape(-1, 4) + uv_count
    faces = np.concatenate(quads)
    shares = [s for a in whole for s in a.shares]
    leaders = [i for a in whole for i in a.leaders]
    return Assembly(
        points=np.concatenate([a.points for a in whole]),
        quads=faces.astype(np.int32),
        face_part=np.concatenate(parts).astype(np.int8),
        uv=uv,
        uv_quads=np.where(faces >= 0, uv_quads, -1).astype(np.int32),
        weights=np.concatenate([a.joints for a in whole]),
        mirror=np.concatenate(mirror).astype(np.int32),
        follow_start=np.cumsum([0] + [len(s) for s in shares]).astype(np.int32),
        follow_leader=np.concatenate(leaders).astype(np.uint16),
        follow_weight=np.concatenate(shares).astype(np.float32),
    )


def affine_shares(points: np.ndarray, leaders: np.ndarray) -> np.ndarray:
    """(n, k) weights with which leaders (k, 3) carry points (n, 3) affinely, the smallest ones.

    What moves the leaders by one affine map moves the points by the same.
    """
    middle = leaders.mean(axis=0)
    spread = np.concatenate([(leaders - middle) / 0.02, np.ones((len(leaders), 1))], axis=1)
    at = np.concatenate([(points - middle) / 0.02, np.ones((len(points), 1))], axis=1)
    return at @ np.linalg.pinv(spread)
