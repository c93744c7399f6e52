# SPDX-License-Identifier: GPL-3.0-or-later
"""RiggedHead: everything a scene needs to show and drive one fitted head, as arrays alone.

It crosses the process border as one ``.npz`` without pickled objects, and every shape and value
is checked on loading, before anything in a scene is touched. All in metres in the head frame.
"""

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

#: Of each field, by its annotation: what it is, or numpy's letter of its numbers.
_KINDS: dict[str, type | str] = {
    "int": int,
    "str": str,
    "Floats": "f",
    "Ints": "i",
    "NDArray[np.float64]": "f",
    "NDArray[np.int8]": "i",
    "NDArray[np.uint8]": "u",
    "NDArray[np.str_]": "U",
    "NDArray[np.bool_]": "b",
}


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
    -1 where nobody knows.

    The first 53 keys are ARKit's 52 and the photo's residual. Others may follow, and C
    ``correctives`` (C, 3) name those that are driven: key, and the two keys whose product is its
    value. bone_keys (B, 2) name keys that a bone drives: key and joint; bone_turns (B, 3) the
    rotation vector, in the head frame's axes, at which such a key is 1. mirror (V,) is the vertex
    across the face; landmark_vertices (478, 3) and landmark_barycentric (478, 3) embed
    MediaPipe's points, -1 where there is no place for one. continuation_json is a
    core.reconstruct.continuation.Continuation, with this photo first. likeness_source (V,) and
    likeness_bound (V,) metres as in core.likeness, empty where nobody knows. skin_photo,
    skin_albedo, skin_relief and skin_roughness (n,) are PNG files of the skin's texture as in the
    photo and without its light, of its tangent-space normals and its roughness, and
    skin_coverage (s, s) is as in core.appearance.texture; eye_picture (n,) is a PNG file of both
    eyes' texture, mouth_picture (n,) one of teeth and gums, empty for a head that is not laid
    out for them; folds_picture (n,), a PNG file, and folds_layout (6,) are as in
    core.appearance.wrinkles.Folds, empty for a head in whose layout they cannot be drawn.
    These are empty in files of earlier
    versions.
    """

    schema: int
    name: str
    head_name: str
    licence_spdx: str
    licence_commercial: int
    basis: Floats
    quads: Ints
    face_part: NDArray[np.int8]
    part_names: NDArray[np.str_]
    uv: Floats
    uv_quads: Ints
    key_names: NDArray[np.str_]
    key_deltas: Floats
    key_values: Floats
    joint_names: NDArray[np.str_]
    joints: Floats
    joint_tails: Floats
    parents: Ints
    weights: Floats
    joint_rotations: Floats
    camera_K: NDArray[np.float64]
    camera_R: NDArray[np.float64]
    camera_t: NDArray[np.float64]
    image_size: Ints
    skin_color: Floats
    iris_color: Floats
    landmarks: Floats
    landmarks_fit: Floats
    posed: Floats
    region_names: NDArray[np.str_]
    regions: NDArray[np.bool_]
    uncertainty: Floats
    recipe_json: str
    report_json: str
    # Files of earlier versions lack what follows: there is nothing of it in them.
    correctives: Ints = field(default_factory=lambda: np.zeros((0, 3), "i4"))
    bone_keys: Ints = field(default_factory=lambda: np.zeros((0, 2), "i4"))
    bone_turns: Floats = field(default_factory=lambda: np.zeros((0, 3), "f4"))
    mirror: Ints = field(default_factory=lambda: np.zeros(0, "i4"))
    landmark_vertices: Ints = field(default_factory=lambda: np.zeros((0, 3), "i4"))
    landmark_barycentric: Floats = field(default_factory=lambda: np.zeros((0, 3), "f4"))
    continuation_json: str = field(default_factory=str)
    likeness_source: NDArray[np.int8] = field(default_factory=lambda: np.zeros(0, "i1"))
    likeness_bound: Floats = field(default_factory=lambda: np.zeros(0, "f4"))
    skin_photo: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, "u1"))
    skin_albedo: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, "u1"))
    skin_relief: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, "u1"))
    skin_roughness: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, "u1"))
    skin_coverage: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((0, 0), "u1"))
    eye_picture: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, "u1"))
    folds_picture: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, "u1"))
    folds_layout: Floats = field(default_factory=lambda: np.zeros(0, "f4"))
    mouth_picture: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, "u1"))

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
        v, f, k, j = (len(x) for x in (self.basis, self.quads, self.key_names, self.joint_names))
        shapes: dict[str, tuple[int, ...]] = {
            "basis": (v, 3), "quads": (f, 4), "face_part": (f,), "uv": (len(self.uv), 2),
            "uv_quads": (f, 4), "key_deltas": (k, v, 3), "key_values": (k,), "joints": (j, 3),
            "joint_tails": (j, 3), "parents": (j,), "weights": (v, j), "joint_rotations": (j, 3),
            "camera_K": (3, 3), "camera_R": (3, 3), "camera_t": (3,), "image_size": (2,),
            "skin_color": (3,), "iris_color": (3,), "landmarks": (478, 2),
            "landmarks_fit": (478, 2), "posed": (v, 3), "regions": (len(self.region_names), v),
            "uncertainty": (v,), "correctives": (len(self.correctives), 3),
            "bone_keys": (len(self.bone_keys), 2), "bone_turns": (len(self.bone_keys), 3),
            "mirror": (len(self.mirror) and v,),
            "landmark_vertices": (len(self.landmark_vertices) and 478, 3),
            "landmark_barycentric": (len(self.landmark_vertices), 3),
            "likeness_source": (len(self.likeness_source) and v,),
            "likeness_bound": (len(self.likeness_source),),
            "skin_photo": (self.skin_photo.size,), "skin_albedo": (self.skin_albedo.size,),
            "skin_relief": (self.skin_relief.size,),
            "skin_roughness": (self.skin_roughness.size,),
            "eye_picture": (self.eye_picture.size,), "mouth_picture": (self.mouth_picture.size,),
            "folds_picture": (self.folds_picture.size,),
            "folds_layout": (6 if self.folds_picture.size else 0,),
            "skin_coverage": (len(self.skin_coverage), len(self.skin_coverage)),
        }  # fmt: skip
        for name, shape in shapes.items():
            value = getattr(self, name)
            if value.shape != shape:
                raise ValueError(f"{name} has shape {value.shape}, not {shape}")
            if value.dtype.kind == "f" and name != "landmarks_fit" and not np.isfinite(value).all():
                raise ValueError(f"{name} is not finite")
        if not 3 <= v <= MAX_VERTICES or not 1 <= f <= MAX_VERTICES:
            raise ValueError("the mesh is empty or too large")
        self._check_indices()
        pictures = ("skin_photo", "skin_albedo", "skin_relief", "skin_roughness", "eye_picture")
        for name in (*pictures, "mouth_picture", "folds_picture"):
            picture = getattr(self, name)
            if picture.dtype != np.uint8 or not picture_sides(picture.tobytes()):
                raise ValueError(f"{name} is no picture that a texture can be")
        if len(set(self.key_names.tolist())) != k or len(set(self.joint_names.tolist())) != j:
            raise ValueError("a name stands twice")

    def _check_kinds(self) -> None:
        """Texts that are texts, numbers that are numbers, and JSON that is an object."""
        for f in fields(self):
            value, kind = getattr(self, f.name), _KINDS[str(f.type)]
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
