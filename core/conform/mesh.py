# SPDX-License-Identifier: GPL-3.0-or-later
"""OwnMesh: a mesh of the artist's, as it is handed over, and what of it a registration works on.

Its unit, its axes and its winding are its own. Vertices that lie on each other, as exporters leave
them where a texture is cut, are one vertex to us.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MeshError
from ..files.npz import read_npz
from ..geometry.mesh import boundary_vertices, components, triangle_normals

Array = NDArray[np.float64]
Index = NDArray[np.integer[Any]]

#: No head of fewer vertices has lids and lips; more would not fit into memory with 52 keys.
FEWEST, MOST = 300, 2_000_000
_MAX_BYTES = 1 << 30
#: Of the mesh's size, under which two vertices are one.
_SAME = 1e-6
_NO_NAMES = np.zeros(0, "U1")


@dataclass(frozen=True, eq=False)
class OwnMesh:
    """vertices (V, 3) in the mesh's own unit and axes; triangles (T, 3); uv (T, 3, 2), v upward,
    or (0, 3, 2) for a mesh without a texture's layout; polygon (T,): which face of the artist's
    each triangle is a piece of; material (T,) indexes the names in ``materials``, -1 for none.
    """

    name: str
    vertices: Array
    triangles: Index
    uv: Array
    polygon: Index
    material: Index
    materials: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        name: str,
        vertices: Array,
        triangles: Index,
        uv: Array | None = None,
        polygon: Index | None = None,
        material: Index | None = None,
        materials: Sequence[str] = (),
    ) -> OwnMesh:
        """Checked; without polygons every triangle is a face of its own. Raises MeshError with one
        sentence for what cannot be worked with.
        """
        vertices = np.asarray(vertices, np.float64).reshape(-1, 3)
        triangles = np.asarray(triangles, np.int64).reshape(-1, 3)
        if len(vertices) < FEWEST or len(triangles) < FEWEST:
            raise MeshError(
                f"{name} has {len(vertices)} vertices, too few for a face with lids and lips: "
                "choose the mesh of a head."
            )
        if len(vertices) > MOST:
            raise MeshError(
                f"{name} has {len(vertices)} vertices, and at most {MOST} can be worked with: "
                "decimate it first."
            )
        if triangles.min() < 0 or triangles.max() >= len(vertices):
            raise MeshError(f"{name} is damaged: faces refer to vertices that it does not have.")
        if not np.isfinite(vertices).all():
            raise MeshError(f"{name} has vertices at places that are no numbers: repair the mesh.")
        if float(np.ptp(vertices, axis=0).max()) < 1e-9:
            raise MeshError(f"All vertices of {name} are in one place: repair the mesh.")
        layout = np.zeros((0, 3, 2)) if uv is None else np.asarray(uv, np.float64)
        if len(layout) and (
            layout.shape != (len(triangles), 3, 2) or not np.isfinite(layout).all()
        ):
            raise MeshError(f"The texture's layout of {name} is damaged: unwrap the mesh again.")
        count, names = len(triangles), tuple(str(n) for n in materials)
        of_face = np.arange(count) if polygon is None else np.asarray(polygon, np.int64)
        look = np.full(count, -1) if material is None else np.asarray(material, np.int64)
        if of_face.shape != (count,) or look.shape != (count,):
            raise MeshError(f"{name} is damaged: its faces and materials do not fit together.")
        if look.min() < -1 or look.max() >= len(names):
            raise MeshError(f"{name} is damaged: its faces and materials do not fit together.")
        return cls(name, vertices, triangles, layout, of_face, look, names)

    @classmethod
    def load(cls, path: Path) -> OwnMesh:
        """From an .npz with vertices, triangles, and whatever else of the fields there is."""
        try:
            found = read_npz(Path(path), _MAX_BYTES, [f.name for f in fields(cls)])
            return cls.from_arrays({"name": np.asarray(Path(path).stem), **found})
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise MeshError(f"The mesh file {Path(path).name} is missing or damaged.") from error

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> OwnMesh:
        """Back from :attr:`arrays`, checked. Raises MeshError, ValueError, KeyError, TypeError."""
        found = dict(arrays)
        names = [str(n) for n in found.pop("materials", _NO_NAMES)]
        return cls.of(str(found.pop("name")), **found, materials=names)

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """All fields, as a file holds them."""
        found = {f.name: np.asarray(getattr(self, f.name)) for f in fields(self)}
        found["materials"] = np.array(self.materials, np.str_) if self.materials else _NO_NAMES
        return found

    def save(self, path: Path) -> None:
        """Write all fields, for :meth:`load`."""
        np.savez(path, **self.arrays)  # type: ignore[arg-type]

    @cached_property
    def digest(self) -> str:
        """Of its layout of faces and its vertices' places."""
        made = hashlib.sha256(self.triangles.astype("<i8").tobytes())
        made.update(self.vertices.astype("<f4").tobytes())
        return made.hexdigest()

    @cached_property
    def order(self) -> str:
        """A digest of the layout of faces alone: sculpting leaves it as it is."""
        return hashlib.sha256(self.triangles.astype("<i8").tobytes()).hexdigest()

    @cached_property
    def welded(self) -> Welded:
        """The mesh without cuts of texture and without faces that have no area."""
        return Welded.of(self)


@dataclass(frozen=True, eq=False)
class Welded:
    """vertices (W, 3); of (V,) which of them each vertex of the mesh is; triangles (T', 3), rows
    (T',) of the mesh's triangles that they are; island (W,) a label of each connected part.
    """

    vertices: Array
    of_vertex: Index
    triangles: Index
    rows: Index
    island: Index

    @classmethod
    def of(cls, mesh: OwnMesh) -> Welded:
        """Raises MeshError if no face with an area is left."""
        low = mesh.vertices.min(axis=0)
        size = float(np.ptp(mesh.vertices, axis=0).max())
        grid = np.round((mesh.vertices - low) / (size * _SAME)).astype(np.int64)
        key = (grid[:, 0] << 42) + (grid[:, 1] << 21) + grid[:, 2]
        # Only open edges are sewn: a strip of tears that touches a lid is not part of the lid.
        inner = ~boundary_vertices(mesh.triangles, len(mesh.vertices))
        key[inner] = -1 - np.nonzero(inner)[0]
        _, first, of_vertex = np.unique(key, return_index=True, return_inverse=True)
        of_vertex = of_vertex.reshape(-1)
        vertices = mesh.vertices[first]
        triangles = of_vertex[mesh.triangles]
        area = np.linalg.norm(triangle_normals(vertices, triangles), axis=1)
        rows = np.nonzero(area > (size * _SAME) ** 2)[0]
        if len(rows) < FEWEST:
            raise MeshError(f"The faces of {mesh.name} have no area: repair the mesh.")
        triangles = triangles[rows]
        return cls(vertices, of_vertex, triangles, rows, components(triangles, len(vertices)))

    def turned_over(self) -> Welded:
        """With all faces the other way round."""
        turned = self.triangles[:, [0, 2, 1]]
        return Welded(self.vertices, self.of_vertex, turned, self.rows, self.island)
