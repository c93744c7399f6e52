# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole way from a person and a mesh to that person on that mesh, with figures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cues.mediapipe import MediaPipePredictor
from ..errors import MeshError
from ..files.npz import read_npz
from ..heads.model import HeadModel, triangles_of
from ..heads.open_head import OPEN_HEAD_NAME
from ..progress import Progress, part
from ..rig.rig_check import RigCheck, check_rig
from ..rigged_head import RiggedHead
from .check import rig_arrays
from .mesh import OwnMesh
from .person import Conformed, put_on
from .profile import HeadProfile
from .rebake import decode_own_png, rebake
from .register import profile_of, register_mesh
from .wrap import wrap

Array = NDArray[np.float64]

_MAX_BYTES = 1 << 30
PUTTING_ON, BAKING = "Putting the person on", "Drawing the skin"


@dataclass(frozen=True, eq=False)
class Sent:
    """profile as given or as made; person; skin (s, s, 4) or None; check of the keys, or None
    where it was not asked for; warnings: sentences.
    """

    profile: HeadProfile
    person: Conformed
    skin: NDArray[np.uint8] | None
    check: RigCheck | None
    warnings: tuple[str, ...]

    @property
    def report(self) -> dict[str, Any]:
        """Figures as JSON holds them."""
        moved = np.unique(self.person.rows)
        out: dict[str, Any] = {
            "mesh": self.profile.name,
            "median_mm": round(1e3 * self.profile.median, 4),
            "vertices": len(self.profile.kind),
            "vertices_that_may_move": len(moved),
            "warnings": list(self.warnings),
        }
        if self.check is not None:
            out["rig"] = self.check.report()
        return out


@dataclass(frozen=True, eq=False)
class Source:
    """Who is sent: neutral (n, 3) of the open head, metres, head frame; skin: its texture as a PNG
    of ours, or nothing; notes: sentences.
    """

    neutral: Array
    skin: bytes

    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, rigged: RiggedHead, head: HeadModel, nets: MediaPipePredictor) -> Source:
        """Raises MeshError for a head of another kind on which no face is found."""
        basis = rigged.basis.astype(np.float64)
        if rigged.head_name == OPEN_HEAD_NAME and len(basis) == head.vertex_count:
            data = rigged.skin_albedo if rigged.skin_albedo.size else rigged.skin_photo
            return cls(basis, data.tobytes())
        mesh = OwnMesh.of(rigged.name, basis, triangles_of(rigged.quads))
        return cls.wrapped(mesh, head, nets)

    @classmethod
    def wrapped(cls, mesh: OwnMesh, head: HeadModel, nets: MediaPipePredictor) -> Source:
        """A person on any other head, as a FLAME head is: registered to the open head first."""
        profile = register_mesh(head, mesh, nets)
        said = f"{mesh.name} is no Open Head: its face was wrapped first, its skin left out."
        return cls(wrap(head, profile).neutral, b"", (said,))

    @classmethod
    def load(cls, path: Path, head: HeadModel, nets: MediaPipePredictor) -> Source:
        """From an .npz with neutral, skin (n,) of bytes, and triangles and name where the person is
        on another head. Raises MeshError.
        """
        try:
            found = read_npz(path, _MAX_BYTES, ["neutral", "skin", "triangles", "name"])
            neutral = found["neutral"].astype(np.float64)
            if neutral.shape == head.template.shape and np.isfinite(neutral).all():
                return cls(neutral, found["skin"].astype(np.uint8).tobytes())
            other = OwnMesh.of(str(found["name"]), neutral, found["triangles"])
        except (OSError, ValueError, KeyError) as error:
            raise MeshError(
                "The person cannot be read: reconstruct the photo with the Open Head."
            ) from error
        return cls.wrapped(other, head, nets)


def send(
    head: HeadModel,
    mesh: OwnMesh,
    source: Source | None,
    predictor: MediaPipePredictor,
    *,
    profile: HeadProfile | None = None,
    pairs: Array | None = None,
    strength: float = 1.0,
    texture: int = 0,
    checked: bool = False,
    progress: Progress = lambda stage, fraction: None,
) -> Sent:
    """A person on a mesh; source None gives the mesh keys and leaves its shape.

    texture: side of the skin's picture, 0 for none. Raises MeshError.
    """
    made = profile_of(head, mesh, predictor, profile, pairs, part(progress, 0.0, 0.8))
    progress(PUTTING_ON, 0.8)
    shape = 0.0 if source is None else strength
    neutral = head.template if source is None else source.neutral
    person = put_on(head, made, mesh, neutral, shape)
    warnings = [*(() if source is None else source.notes), *(str(note) for note in made.notes)]
    skin = None
    if texture and source is not None:
        progress(BAKING, 0.9)
        if not source.skin:
            warnings.append("The head has no painted skin, so no texture was drawn.")
        elif not len(mesh.uv):
            warnings.append(f"{mesh.name} has no texture layout, so no texture was drawn.")
        else:
            skin = rebake(head, made, mesh, decode_own_png(source.skin), texture)
    check = check_rig(rig_arrays(head, made, mesh, person)) if checked else None
    progress(BAKING, 1.0)
    return Sent(made, person, skin, check, tuple(warnings))
