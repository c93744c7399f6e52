# SPDX-License-Identifier: GPL-3.0-or-later
"""HeadProfile: how a mesh of the artist's and the open head correspond; made once for a mesh."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MeshError
from ..files.npz import read_npz
from .find_face import Similarity
from .mesh import MOST, OwnMesh

Array = NDArray[np.float64]
Index = NDArray[np.integer[Any]]

SCHEMA = 1
_MAX_BYTES = 1 << 30
#: What a vertex is, by the number in ``kind``; "other" is never moved, a "rider" hangs on the skin,
#: as lashes and brows do.
KINDS = ("other", "skin", "rider", "eye_l", "eye_r", "mouth_upper", "mouth_lower")
#: Layouts that are known by how many vertices and triangles they have.
_LAYOUTS = {(26719, 52738): "ICT FaceKit", (5023, 9976): "FLAME"}


@dataclass(frozen=True, eq=False)
class HeadProfile:
    """A mesh of V vertices and the open head of n. Metres, head frame, unless said otherwise.

    digest of the mesh; head_digest of the open head's file; scale, rotation (3, 3) and offset
    (3,) from the mesh's unit and axes to the head frame; laid (n, 3): the open head on the mesh;
    corners (V, 3) and share (V, 3): vertices of the open head and weights by which each vertex is
    bound; distance (V,) from where it is bound; kind (V,) indexes KINDS; mask (V,) from 0, never
    moved, to 1, the face; median: distance over the face; opening: whether the lips can part.
    """

    schema: int
    name: str
    digest: str
    head_digest: str
    scale: float
    rotation: Array
    offset: Array
    laid: NDArray[np.float32]
    corners: NDArray[np.int32]
    share: NDArray[np.float32]
    distance: NDArray[np.float32]
    kind: NDArray[np.int8]
    mask: NDArray[np.float32]
    median: float
    opening: bool
    notes: NDArray[np.str_]

    @property
    def to_head(self) -> Similarity:
        """From the mesh's unit and axes to the head frame."""
        return Similarity(self.scale, self.rotation, self.offset)

    def bound(self, values: Array, rows: Index) -> Array:
        """Values (n, ...) of the open head's vertices at some of the mesh's, rows (r,)."""
        corners, share = self.corners[rows], self.share[rows]
        out = np.zeros((len(rows), *values.shape[1:]), values.dtype)
        extra = (1,) * (values.ndim - 1)
        for k in range(3):
            out += share[:, k].astype(values.dtype).reshape(-1, *extra) * values[corners[:, k]]
        return out

    def check_mesh(self, mesh: OwnMesh) -> None:
        """Raises MeshError unless the profile was made for the mesh as it is now."""
        if mesh.digest != self.digest:
            raise MeshError(
                f"{mesh.name} has changed since its profile was made: register it again."
            )

    def save(self, path: Path) -> None:
        """Write all fields; the caller writes aside and renames."""
        arrays = {f.name: np.asarray(getattr(self, f.name)) for f in fields(self)}
        with open(path, "wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: Path) -> HeadProfile:
        """Read and check. Raises MeshError with one sentence if anything is off."""
        try:
            found = read_npz(Path(path), _MAX_BYTES, [f.name for f in fields(cls)])
            values: dict[str, Any] = {n: a.item() if a.ndim == 0 else a for n, a in found.items()}
            profile = cls(**values)
            profile.check()
            return profile
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise MeshError(
                f"The profile {Path(path).name} is missing or damaged: register the mesh again."
            ) from error

    def check(self) -> None:
        """Raises ValueError for what is no profile."""
        count, own = len(self.kind), len(self.laid)
        if self.schema != SCHEMA or not 0 < count <= MOST:
            raise ValueError("of another version")
        shapes = {
            "rotation": (3, 3), "offset": (3,), "laid": (own, 3), "corners": (count, 3),
            "share": (count, 3), "distance": (count,), "kind": (count,), "mask": (count,),
        }  # fmt: skip
        for name, shape in shapes.items():
            value = getattr(self, name)
            if value.shape != shape or not np.isfinite(value).all():
                raise ValueError(name)
        if self.corners.min() < 0 or self.corners.max() >= own:
            raise ValueError("corners")
        if self.kind.min() < 0 or self.kind.max() >= len(KINDS):
            raise ValueError("kind")
        if not np.isfinite(self.scale) or self.scale <= 0:
            raise ValueError("scale")
        if abs(float(np.linalg.det(self.rotation)) - 1) > 1e-3:
            raise ValueError("rotation")


def layout_name(mesh: OwnMesh) -> str:
    """The name of a layout that is known, "" for any other."""
    return _LAYOUTS.get((len(mesh.vertices), len(mesh.triangles)), "")
