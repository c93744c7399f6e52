# SPDX-License-Identifier: GPL-3.0-or-later
"""RiggedHead: everything a scene needs to show and drive one fitted head, as arrays alone.

It crosses the process border as one ``.npz`` without pickled objects, and every shape and value
is checked on loading, before anything in a scene is touched. All in metres in the head frame.
"""

# ruff: noqa: RUF009 - what _later returns is a field()

from __future__ import annotations

import json
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import ModelFileError
from .files.npz import read_npz
from .files.png import picture_sides
from .geometry.camera import Camera

SCHEMA = 1
#: Where a vertex comes from, by the number in ``likeness_source``.
SOURCES = ("measured", "mirrored", "inferred")
Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

#: More than any head of ours, and few enough that a damaged file cannot exhaust memory.
MAX_VERTICES = 500_000
MAX_BYTES = 2 << 30

#: A length that no other field shares.
ANY = "any"


def _is(kind: type | str, *shape: int | str, picture: bool = False) -> dict[str, Any]:
    """What a field is: a type, or numpy's letter of its numbers; its shape by the names of
    ``RiggedHead.sizes``, none for texts and names; whether it is a picture's file, if not empty.
    """
    return {"kind": kind, "shape": shape, "picture": picture}


def _later(dtype: str, *shape: int | str, picture: bool = False) -> Any:
    """A field that files of earlier versions lack: there is nothing of it in them."""
    empty = tuple(0 if isinstance(n, str) else n for n in shape)
    about = _is(np.dtype(dtype).kind, *shape, picture=picture)
    return field(default_factory=lambda: np.zeros(empty, dtype), metadata=about)


@dataclass(frozen=True, eq=False)
class RiggedHead:
    """A mesh of V vertices and F faces with K shape keys, J joints and a matched camera.

    basis (V, 3) the neutral face; quads (F, 4), -1 in the last place of a triangle; face_part
    (F,) indexes part_names; uv (U, 2), v upward, by uv_quads (F, 4); key_deltas (K, V, 3) are
    offsets from the basis and key_values (K,) the photo's; joints and joint_tails (J, 3) at
    rest; weights (V, J); joint_rotations (J, 3) rotation vectors as in the photo; camera_K,
    camera_R, camera_t and image_size (width, height) as in Camera; skin_color and iris_color
    (3,) linear RGB; landmarks and landmarks_fit (478, 2) pixels; posed (V, 3) as in the photo;
    regions (R, V); uncertainty (V,) metres, zero where unknown; licence_commercial is 1, 0, or
    -1 where it is not known.

    The first 53 keys are ARKit's 52 and the photo's residual. Others may follow, and C
    ``correctives`` (C, 3) name those that are driven: key, and the two keys whose product is its
    value. bone_keys (B, 2) name keys that a bone drives: key and joint; bone_turns (B, 3) the
    rotation vector, in the head frame's axes, at which such a key is 1. mirror (V,) is the vertex
    across the face; landmark_vertices (478, 3) and landmark_barycentric (478, 3) embed
    MediaPipe's points, -1 where there is no place for one. continuation_json is a
    core.reconstruct.continuation.Continuation, with this photo first. likeness_source (V,) and
    likeness_bound (V,) metres as in core.likeness, empty where it is not known. skin_photo,
    skin_albedo, skin_relief and skin_roughness (n,) are PNG files of the skin's texture as in the
    photo and without its light, of its tangent-space normals and its roughness, and
    skin_coverage (s, s) is as in core.appearance.texture; eye_picture (n,) is a PNG file of both
    eyes' texture, mouth_picture (n,) one of teeth and gums, empty for a head that is not laid
    out for them; folds_picture (n,), a PNG file, and folds_layout (6,) are as in
    core.appearance.wrinkles.Wrinkles, empty for a head in whose layout they cannot be drawn.
    photo_light (h, 2 h, 3) is the photo's light around the head, linear radiance, as in
    core.appearance.lighting.surroundings. hair_guides (G, P, 3) metres are curves from their roots
    on the scalp, hair_root_triangle (G,) and hair_root_place (G, 3) where those lie on the head's
    triangles; hair_density (V,) 0 to 1; hair_strands (S, Q, 3) what is drawn, in steps of
    core.hair.hair.STEP, hair_uv (S, 2) their roots in the skin's layout; hair_json its style,
    colour and sliders. Without hair they are empty. own_material (F,) indexes material_names, -1
    for none: what the faces of an artist's own mesh wear there, on which a person was put; empty
    on heads of ours. On such a mesh skin_photo and skin_albedo have an alpha.
    These are empty in files of earlier versions.
    """

    schema: int = field(metadata=_is(int))
    name: str = field(metadata=_is(str))
    head_name: str = field(metadata=_is(str))
    licence_spdx: str = field(metadata=_is(str))
    licence_commercial: int = field(metadata=_is(int))
    basis: Floats = field(metadata=_is("f", "V", 3))
    quads: Ints = field(metadata=_is("i", "F", 4))
    face_part: NDArray[np.int8] = field(metadata=_is("i", "F"))
    part_names: NDArray[np.str_] = field(metadata=_is("U"))
    uv: Floats = field(metadata=_is("f", "U", 2))
    uv_quads: Ints = field(metadata=_is("i", "F", 4))
    key_names: NDArray[np.str_] = field(metadata=_is("U"))
    key_deltas: Floats = field(metadata=_is("f", "K", "V", 3))
    key_values: Floats = field(metadata=_is("f", "K"))
    joint_names: NDArray[np.str_] = field(metadata=_is("U"))
    joints: Floats = field(metadata=_is("f", "J", 3))
    joint_tails: Floats = field(metadata=_is("f", "J", 3))
    parents: Ints = field(metadata=_is("i", "J"))
    weights: Floats = field(metadata=_is("f", "V", "J"))
    joint_rotations: Floats = field(metadata=_is("f", "J", 3))
    camera_K: NDArray[np.float64] = field(metadata=_is("f", 3, 3))
    camera_R: NDArray[np.float64] = field(metadata=_is("f", 3, 3))
    camera_t: NDArray[np.float64] = field(metadata=_is("f", 3))
    image_size: Ints = field(metadata=_is("i", 2))
    skin_color: Floats = field(metadata=_is("f", 3))
    iris_color: Floats = field(metadata=_is("f", 3))
    landmarks: Floats = field(metadata=_is("f", 478, 2))
    landmarks_fit: Floats = field(metadata=_is("f", 478, 2))
    posed: Floats = field(metadata=_is("f", "V", 3))
    region_names: NDArray[np.str_] = field(metadata=_is("U"))
    regions: NDArray[np.bool_] = field(metadata=_is("b", "R", "V"))
    uncertainty: Floats = field(metadata=_is("f", "V"))
    recipe_json: str = field(metadata=_is(str))
    report_json: str = field(metadata=_is(str))
    # Files of earlier versions lack what follows.
    correctives: Ints = _later("i4", "C", 3)
    bone_keys: Ints = _later("i4", "B", 2)
    bone_turns: Floats = _later("f4", "B", 3)
    mirror: Ints = _later("i4", "mirror")
    landmark_vertices: Ints = _later("i4", "landmarks", 3)
    landmark_barycentric: Floats = _later("f4", "landmarks", 3)
    continuation_json: str = field(default_factory=str, metadata=_is(str))
    likeness_source: NDArray[np.int8] = _later("i1", "likeness")
    likeness_bound: Floats = _later("f4", "likeness")
    skin_photo: NDArray[np.uint8] = _later("u1", ANY, picture=True)
    skin_albedo: NDArray[np.uint8] = _later("u1", ANY, picture=True)
    skin_relief: NDArray[np.uint8] = _later("u1", ANY, picture=True)
    skin_roughness: NDArray[np.uint8] = _later("u1", ANY, picture=True)
    skin_coverage: NDArray[np.uint8] = _later("u1", "coverage", "coverage")
    eye_picture: NDArray[np.uint8] = _later("u1", ANY, picture=True)
    folds_picture: NDArray[np.uint8] = _later("u1", ANY, picture=True)
    folds_layout: Floats = _later("f4", "layout")
    mouth_picture: NDArray[np.uint8] = _later("u1", ANY, picture=True)
    photo_light: Floats = _later("f4", "light", "light_columns", 3)
    hair_guides: Floats = _later("f4", "G", "guide_points", 3)
    hair_root_triangle: Ints = _later("i4", "G")
    hair_root_place: Floats = _later("f4", "G", 3)
    hair_density: Floats = _later("f4", "hair")
    hair_strands: NDArray[np.int16] = _later("i2", "S", "strand_points", 3)
    hair_uv: Floats = _later("f4", "S", 2)
    hair_json: str = field(default_factory=str, metadata=_is(str))
    own_material: Ints = _later("i4", "own")
    material_names: NDArray[np.str_] = field(
        default_factory=lambda: np.zeros(0, "U1"), metadata=_is("U")
    )

    @property
    def camera(self) -> Camera:
        """The photo's camera, its world the head frame."""
        width, height = (int(x) for x in self.image_size)
        return Camera(self.camera_K, self.camera_R, self.camera_t, width, height)

    @property
    def report(self) -> dict[str, Any]:
        """The fit's figures and warnings."""
        out: dict[str, Any] = json.loads(self.report_json)
        return out

    @property
    def recipe(self) -> dict[str, Any]:
        """What computes the same head again."""
        out: dict[str, Any] = json.loads(self.recipe_json)
        return out

    @property
    def hair(self) -> dict[str, Any]:
        """The hair's style, colour and sliders; empty without hair."""
        out: dict[str, Any] = json.loads(self.hair_json or "{}")
        return out

    @property
    def sizes(self) -> dict[str, int]:
        """Lengths that fields share: V vertices, F faces, U texture corners, K keys, J joints,
        R regions, G guides of hair, S strands, C correctives, B keys that bones drive; the others
        are 0 where there is nothing.
        """
        v = len(self.basis)
        return {
            "V": v,
            "F": len(self.quads),
            "U": len(self.uv),
            "K": len(self.key_names),
            "J": len(self.joint_names),
            "R": len(self.region_names),
            "C": len(self.correctives),
            "B": len(self.bone_keys),
            "mirror": len(self.mirror) and v,
            "landmarks": len(self.landmark_vertices) and 478,
            "likeness": len(self.likeness_source) and v,
            "coverage": len(self.skin_coverage),
            "light": len(self.photo_light),
            "light_columns": 2 * len(self.photo_light),
            "layout": 6 if self.folds_picture.size else 0,
            "G": len(self.hair_guides),
            "guide_points": self.hair_guides.shape[1],
            "hair": len(self.hair_density) and v,
            "S": len(self.hair_strands),
            "strand_points": self.hair_strands.shape[1],
            "own": len(self.own_material) and len(self.quads),
        }

    def save(self, path: Path) -> None:
        """Write all fields; the caller writes aside and renames."""
        arrays = {f.name: np.asarray(getattr(self, f.name)) for f in fields(self)}
        with open(path, "wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: Path) -> RiggedHead:
        """Read and check. Raises ModelFileError with one sentence if anything is off."""
        try:
            found = read_npz(Path(path), MAX_BYTES, [f.name for f in fields(cls)])
            needed = [f.name for f in fields(cls) if f.default_factory is MISSING]
            arrays = {name: found[name] for name in dict.fromkeys([*needed, *found])}
            values: dict[str, Any] = {
                name: array.item() if array.ndim == 0 else array for name, array in arrays.items()
            }
            head = cls(**values)
            head.check()
            return head
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ModelFileError(
                f"The head file {Path(path).name} is missing or damaged: reconstruct it again."
            ) from error

    def check(self) -> None:
        """Raises ValueError that names the first field whose shape or values are wrong."""
        if self.schema != SCHEMA:
            raise ValueError(f"schema {self.schema}")
        self._check_kinds()
        sizes = self.sizes
        for f in fields(self):
            name, value, names = f.name, getattr(self, f.name), f.metadata["shape"]
            if not names:
                continue
            shape = tuple(
                len(value) if n == ANY else sizes[n] if isinstance(n, str) else n for n in names
            )
            if value.shape != shape:
                raise ValueError(f"{name} has shape {value.shape}, not {shape}")
            if value.dtype.kind == "f" and name != "landmarks_fit" and not np.isfinite(value).all():
                raise ValueError(f"{name} is not finite")
        if bool(self.hair_json) != bool(len(self.hair_strands)) or not isinstance(self.hair, dict):
            raise ValueError("hair_json")
        if not 3 <= sizes["V"] <= MAX_VERTICES or not 1 <= sizes["F"] <= MAX_VERTICES:
            raise ValueError("the mesh is empty or too large")
        self._check_indices()
        for name in (f.name for f in fields(self) if f.metadata["picture"]):
            picture = getattr(self, name)
            if picture.dtype != np.uint8 or not picture_sides(picture.tobytes()):
                raise ValueError(f"{name} is no picture that a texture can be")
        for names in (self.key_names.tolist(), self.joint_names.tolist()):
            if len(set(names)) != len(names):
                raise ValueError("a name stands twice")

    def _check_kinds(self) -> None:
        """Texts that are texts, numbers that are numbers, and JSON that is an object."""
        for f in fields(self):
            value, kind = getattr(self, f.name), f.metadata["kind"]
            right = type(value) is kind if isinstance(kind, type) else value.dtype.kind == kind
            if not right:
                raise ValueError(f"{f.name} is of another kind")
        if self.licence_commercial not in (1, 0, -1):
            raise ValueError("licence_commercial")
        if not (isinstance(self.report, dict) and isinstance(self.recipe, dict)):
            raise ValueError("recipe or report")

    def _check_indices(self) -> None:
        for name, index, count in (
            ("quads", self.quads, len(self.basis)),
            ("uv_quads", self.uv_quads, len(self.uv)),
        ):
            corners, last = index[:, :3], index[:, 3]
            if corners.min() < 0 or last.min() < -1 or index.max() >= count:
                raise ValueError(f"{name} points outside the mesh")
        for name, index, lowest, count in (
            ("correctives", self.correctives, 0, len(self.key_names)),
            ("bone_keys", self.bone_keys[:, 0], 0, len(self.key_names)),
            ("bone_keys", self.bone_keys[:, 1], 0, len(self.joint_names)),
            ("mirror", self.mirror, 0, len(self.basis)),
            ("landmark_vertices", self.landmark_vertices, -1, len(self.basis)),
            ("likeness_source", self.likeness_source.astype(np.int32), 0, len(SOURCES)),
            ("own_material", self.own_material, -1, len(self.material_names)),
        ):
            if index.size and not lowest <= index.min() <= index.max() < count:
                raise ValueError(f"{name} points outside the head")
        if self.face_part.min() < 0 or self.face_part.max() >= len(self.part_names):
            raise ValueError("face_part points outside part_names")
        if any(not -1 <= p < j for j, p in enumerate(self.parents)):
            raise ValueError("a joint comes before its parent")
        if abs(self.weights.sum(axis=1) - 1).max() > 1e-3 or self.weights.min() < 0:
            raise ValueError("weights do not sum to one")
        if min(self.image_size) < 1 or abs(np.linalg.det(self.camera_R) - 1) > 1e-3:
            raise ValueError("the camera is no camera")
