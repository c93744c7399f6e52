# SPDX-License-Identifier: GPL-3.0-or-later
"""HeadProfile: how a mesh of the artist's and the open head correspond; made once for a mesh."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MeshError
from ..files.npz import read_npz
from ..heads.face_landmarks import LANDMARK_COUNT
from .find_face import Similarity
from .mesh import MOST, OwnMesh

Array = NDArray[np.float64]
Index = NDArray[np.integer[Any]]

SCHEMA = 2
_MAX_BYTES = 1 << 30
#: What a vertex is, by the number in ``kind``; "other" is never moved, a "rider" hangs on the skin,
#: as lashes and brows do.
KINDS = ("other", "skin", "rider", "eye_l", "eye_r", "mouth_upper", "mouth_lower")
#: Layouts that are known by how many vertices and triangles they have.
_LAYOUTS = {(26719, 52738): "ICT FaceKit", (5023, 9976): "FLAME"}
#: What fields of the mesh are called in a profile's file.
_OF_MESH = "mesh_"


@dataclass(frozen=True, eq=False)
class HeadProfile:
    """A mesh of V vertices and the open head of n. Metres, head frame, unless said otherwise.

    mesh as it was registered; head_digest of the open head's file; scale, rotation (3, 3) and
    offset (3,) from the mesh's unit and axes to the head frame; laid (n, 3): the open head on the
    mesh; corners (V, 3) and share (V, 3): vertices of the open head and weights by which each
    vertex is bound; nearest (V,) of the open head, for what is not bound; distance (V,) from where
    it is bound; kind (V,) indexes KINDS; mask (V,) from 0, never moved, to 1, the face; median:
    distance over the face; landmark_vertices and landmark_share (478, 3): MediaPipe's points on
    the mesh, -1 for none; pairs (P, 6): points that hands gave, on the mesh in its own unit and on
    the open head's template; notes: sentences.
    """

    schema: int
    mesh: OwnMesh
    head_digest: str
    scale: float
    rotation: Array
    offset: Array
    laid: NDArray[np.float32]
    corners: NDArray[np.int32]
    share: NDArray[np.float32]
    nearest: NDArray[np.int32]
    distance: NDArray[np.float32]
    kind: NDArray[np.int8]
    mask: NDArray[np.float32]
    median: float
    landmark_vertices: NDArray[np.int32]
    landmark_share: NDArray[np.float32]
    pairs: Array
    notes: NDArray[np.str_]

    @property
    def name(self) -> str:
        """Of the mesh."""
        return self.mesh.name

    @cached_property
    def digest(self) -> str:
        """Of the mesh."""
        return self.mesh.digest

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

    def check_head(self, head_digest: str) -> None:
        """Raises MeshError unless it was made for this version of the open head."""
        if head_digest != self.head_digest:
            raise MeshError(
                f"The profile of {self.name} was made for another version of the head: "
                "register the mesh again."
            )

    def save(self, path: Path) -> None:
        """Write all fields; the caller writes aside and renames."""
        arrays = {f.name: np.asarray(getattr(self, f.name)) for f in fields(self)}
        del arrays["mesh"]
        arrays |= {_OF_MESH + name: value for name, value in self.mesh.arrays.items()}
        with open(path, "wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: Path) -> HeadProfile:
        """Read and check. Raises MeshError with one sentence if anything is off."""
        try:
            own = [f.name for f in fields(cls) if f.name != "mesh"]
            names = [*own, *(_OF_MESH + f.name for f in fields(OwnMesh))]
            found = read_npz(Path(path), _MAX_BYTES, names)
            of_mesh = {n.removeprefix(_OF_MESH): found.pop(n) for n in names if n not in own}
            values: dict[str, Any] = {n: a.item() if a.ndim == 0 else a for n, a in found.items()}
            profile = cls(mesh=OwnMesh.from_arrays(of_mesh), **values)
            profile.check()
            return profile
        except (OSError, ValueError, KeyError, TypeError, AttributeError, MeshError) as error:
            raise MeshError(
                f"The profile {Path(path).name} is missing, damaged or of an earlier version: "
                "register the mesh again."
            ) from error

    def check(self) -> None:
        """Raises ValueError for what is no profile."""
        count, own = len(self.mesh.vertices), len(self.laid)
        if self.schema != SCHEMA or not 0 < count <= MOST:
            raise ValueError("of another version")
        shapes = {
            "rotation": (3, 3), "offset": (3,), "laid": (own, 3), "corners": (count, 3),
            "share": (count, 3), "nearest": (count,), "distance": (count,), "kind": (count,),
            "mask": (count,), "landmark_vertices": (LANDMARK_COUNT, 3),
            "landmark_share": (LANDMARK_COUNT, 3), "pairs": (len(self.pairs), 6),
        }  # fmt: skip
        for name, shape in shapes.items():
            value = getattr(self, name)
            if value.shape != shape or not np.isfinite(value).all():
                raise ValueError(name)
        for name, lowest, most in (
            ("corners", 0, own), ("nearest", 0, own), ("kind", 0, len(KINDS)),
            ("landmark_vertices", -1, count),
        ):  # fmt: skip
            value = getattr(self, name)
            if value.dtype.kind != "i" or not lowest <= value.min() <= value.max() < most:
                raise ValueError(name)
        if not np.isfinite(self.scale) or self.scale <= 0:
            raise ValueError("scale")
        if abs(float(np.linalg.det(self.rotation)) - 1) > 1e-3:
            raise ValueError("rotation")


def load_profile(path: Path) -> HeadProfile:
    """As HeadProfile.load; the last ones are kept until their files change."""
    try:
        status = os.stat(path)
    except OSError:
        return HeadProfile.load(path)
    return _loaded(Path(path), status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=2)
def _loaded(path: Path, changed: int, size: int) -> HeadProfile:
    return HeadProfile.load(path)


def profile_name(path: Path) -> str:
    """The name of the mesh in a profile's file, read alone. Raises MeshError."""
    try:
        return str(read_npz(Path(path), _MAX_BYTES, [_OF_MESH + "name"])[_OF_MESH + "name"])
    except (OSError, ValueError, KeyError) as error:
        raise MeshError(f"{Path(path).name} is no profile of a mesh.") from error


def layout_name(mesh: OwnMesh) -> str:
    """The name of a layout that is known, "" for any other."""
    return _LAYOUTS.get((len(mesh.vertices), len(mesh.triangles)), "")
