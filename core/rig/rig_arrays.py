# SPDX-License-Identifier: GPL-3.0-or-later
"""RigArrays: the part of a rigged head that can be checked, wherever it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..rigged_head import RiggedHead
from .contacts import EyeView, Fold, lid_fold, lip_fold

Array = NDArray[np.float64]
Index = NDArray[np.integer[Any]]
Mask = NDArray[np.bool_]

_LANDMARKS = 478
_BALL_PARTS = ("eyeball", "iris", "pupil")


@dataclass(frozen=True, eq=False)
class RigArrays:
    """Metres, head frame. basis (V, 3); triangles (T, 3) with parts (T,), a name each; key_names
    (K,) and deltas (K, V, 3); correctives (C, 3): key, and the two keys that drive it;
    joint_names (J,), joints (J, 3), weights (V, J); regions: name -> (V,); mirror (V,) or empty;
    landmark_vertices and landmark_barycentric (478, 3) or empty.
    """

    basis: Array
    triangles: Index
    parts: NDArray[np.str_]
    key_names: tuple[str, ...]
    deltas: Array
    correctives: Index
    joint_names: tuple[str, ...]
    joints: Array
    weights: Array
    regions: dict[str, Mask]
    mirror: Index
    landmark_vertices: Index
    landmark_barycentric: Array

    @classmethod
    def of(cls, head: RiggedHead) -> RigArrays:
        """The arrays of a rigged head."""
        q, second = head.quads, head.quads[:, 3] >= 0
        both = np.stack([q[:, [0, 1, 2]], q[:, [0, 2, 3]]], axis=1)
        keep = np.stack([np.ones(len(q), bool), second], axis=1)
        parts = np.repeat(head.part_names[head.face_part][:, None], 2, axis=1)
        return cls(
            basis=head.basis.astype(np.float64),
            triangles=both[keep],
            parts=parts[keep],
            key_names=tuple(str(n) for n in head.key_names),
            deltas=head.key_deltas.astype(np.float64),
            correctives=head.correctives,
            joint_names=tuple(str(n) for n in head.joint_names),
            joints=head.joints.astype(np.float64),
            weights=head.weights.astype(np.float64),
            regions={str(n): m for n, m in zip(head.region_names, head.regions, strict=True)},
            mirror=head.mirror,
            landmark_vertices=head.landmark_vertices,
            landmark_barycentric=head.landmark_barycentric.astype(np.float64),
        )

    def delta(self, name: str) -> Array:
        """(V, 3) of the first key of that name; KeyError without one."""
        try:
            return self.deltas[self.key_names.index(name)]
        except ValueError:
            raise KeyError(name) from None

    def posed(self, values: dict[str, float]) -> Array:
        """(V, 3) with keys at values, the driven correctives following."""
        out = self.basis.copy()
        for name, value in values.items():
            out += value * self.delta(name)
        for key, one, other in self.correctives:
            drive = values.get(self.key_names[one], 0.0) * values.get(self.key_names[other], 0.0)
            if drive:
                out += drive * self.deltas[key]
        return out

    @cached_property
    def present(self) -> Mask:
        """(478,) which landmarks the head has a place for."""
        if not len(self.landmark_vertices):
            return np.zeros(_LANDMARKS, bool)
        out: Mask = self.landmark_vertices[:, 0] >= 0
        return out

    def landmarks(self, values: Array) -> Array:
        """(478, 3) per-vertex values (V, 3) at the landmarks, zero where there is none."""
        out = np.zeros((_LANDMARKS, 3))
        at = self.present
        if not at.any():
            return out
        corners = values[self.landmark_vertices[at]]
        out[at] = np.einsum("nk,nkc->nc", self.landmark_barycentric[at], corners)
        return out

    @cached_property
    def skin(self) -> Index:
        """(n, 3) triangles of the skin, sockets and all."""
        return self.triangles[self.parts == "skin"]

    @cached_property
    def outer(self) -> Mask:
        """(V,) skin that is seen from outside."""
        out = np.zeros(len(self.basis), bool)
        out[self.skin] = True
        for side in "lr":
            out &= ~self.region(f"eye_socket_{side}")
        return out

    def region(self, name: str) -> Mask:
        """(V,) of that name; nothing if the head does not tell it apart."""
        return self.regions.get(name, np.zeros(len(self.basis), bool))

    @cached_property
    def lips(self) -> Fold | None:
        """The lips."""
        at = self.landmarks(self.basis)
        return lip_fold(self.basis, self.skin, self.region("lips"), at, self.present)

    @cached_property
    def lids(self) -> dict[str, Fold | None]:
        """The lids by side, "l" and "r"."""
        at = self.landmarks(self.basis)
        around = {s: self.region(f"eye_{s}") | self.region(f"eye_socket_{s}") for s in "lr"}
        return {s: lid_fold(self.basis, self.skin, around[s], at, self.present, s) for s in "lr"}

    @cached_property
    def eyes(self) -> dict[str, EyeView | None]:
        """Each eye as seen from the front, by side."""
        return {s: EyeView.of(self.basis, self.skin, self._ball(s)) for s in "lr"}

    def _ball(self, side: str) -> Index:
        return self.triangles[np.isin(self.parts, [f"{p}_{side}" for p in _BALL_PARTS])]
