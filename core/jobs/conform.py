# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's jobs "register", "conform" and "wrap": a mesh of the artist's registered, a person
put onto it, and back.

conform: params {"mesh": .npz of core.conform.mesh.OwnMesh, "head": .npz of
core.conform.send.Source or "",
"profile": .npz of core.conform.profile or "", "points": {name: [x, y, z] on the mesh, ...} of
core.conform.by_hand.NAMED_POINTS, "strength": 0..1,
"texture": side or 0, "out": an existing folder}. result {"profile", "person", "skin" (a PNG, ""
for none), "median_mm", "warnings": [sentences]}.
wrap: params {"mesh", "profile", "points", "out"}. result {"head": .npz of RiggedHead, "profile",
"median_mm", "warnings"}.
register: params {"mesh", "points", "out"}. result {"profile", "median_mm", "warnings"}.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..conform.by_hand import pairs_of
from ..conform.mesh import OwnMesh
from ..conform.outputs import PERSON, PROFILE, SKIN, write_sent
from ..conform.profile import HeadProfile
from ..conform.register import profile_of, register_mesh
from ..conform.send import Source, send
from ..conform.wrap import wrapped_head
from ..errors import MeshError
from ..heads.model import HeadModel
from ..options import OPEN_HEAD
from ..progress import Progress
from ..reconstruct.outputs import write_together
from ..reconstruct.resources import load_head, load_mediapipe
from .parameters import Parameters, incomplete

REGISTERED_ANEW = "The mesh's profile was of an earlier version, so the mesh was registered anew."


def conform_job(
    params: Parameters, progress: Progress, before_naming: Callable[[], None]
) -> dict[str, Any]:
    """The result's fields. Raises PersonError; ``progress`` may raise Cancelled."""
    mesh, out = OwnMesh.load(params.path("mesh")), params.path("out")
    head_file, texture = params.text("head"), params.value("texture", 0)
    strength = params.value("strength", 1.0)
    if not isinstance(texture, int) or not 0 <= texture <= 8192:
        raise incomplete()
    if not isinstance(strength, int | float) or not 0 <= strength <= 1:
        raise incomplete()
    head, nets = load_head(OPEN_HEAD), load_mediapipe()
    profile, old = _profile(params)
    done = send(
        head,
        mesh,
        Source.load(Path(head_file), head, nets) if head_file else None,
        nets,
        profile=profile,
        pairs=_pairs(head, params),
        strength=float(strength),
        texture=texture,
        progress=progress,
    )
    write_sent(done, out, before_naming=before_naming)
    return {
        "person": str(out / PERSON),
        "profile": str(out / PROFILE),
        "skin": "" if done.skin is None else str(out / SKIN),
        "median_mm": 1e3 * done.profile.median,
        "warnings": [*old, *done.warnings],
    }


def wrap_job(
    params: Parameters, progress: Progress, before_naming: Callable[[], None]
) -> dict[str, Any]:
    """The result's fields. Raises PersonError; ``progress`` may raise Cancelled."""
    mesh, out, head = OwnMesh.load(params.path("mesh")), params.path("out"), load_head(OPEN_HEAD)
    known, old = _profile(params)
    profile = profile_of(head, mesh, load_mediapipe(), known, _pairs(head, params), progress)
    rigged = wrapped_head(head, profile)
    paths = {"head": out / "head.npz", "profile": out / "profile.npz"}
    write_together(
        {paths["head"]: rigged.save, paths["profile"]: profile.save}, before_naming=before_naming
    )
    return {
        **{name: str(path) for name, path in paths.items()},
        "median_mm": 1e3 * profile.median,
        "warnings": [*old, *(str(note) for note in profile.notes)],
    }


def register_job(
    params: Parameters, progress: Progress, before_naming: Callable[[], None]
) -> dict[str, Any]:
    """The result's fields. Raises PersonError; ``progress`` may raise Cancelled."""
    mesh, out, head = OwnMesh.load(params.path("mesh")), params.path("out"), load_head(OPEN_HEAD)
    pairs = _pairs(head, params)
    profile = register_mesh(head, mesh, load_mediapipe(), pairs, progress)
    write_together({out / PROFILE: profile.save}, before_naming=before_naming)
    return {
        "profile": str(out / PROFILE),
        "median_mm": 1e3 * profile.median,
        "warnings": [str(note) for note in profile.notes],
    }


def _profile(params: Parameters) -> tuple[HeadProfile | None, list[str]]:
    """The profile that was kept; one that is of no use any more is told of and made anew."""
    text = params.text("profile")
    if not text:
        return None, []
    try:
        profile = HeadProfile.load(Path(text))
        profile.check_head(load_head(OPEN_HEAD).digest)
    except MeshError:
        return None, [REGISTERED_ANEW]
    return profile, []


def _pairs(head: HeadModel, params: Parameters) -> NDArray[np.float64] | None:
    """Of points by name."""
    found = params.value("points", {})
    if not found:
        return None
    try:
        points = {str(k): np.array(v, np.float64).reshape(3) for k, v in found.items()}
    except (AttributeError, ValueError, TypeError) as error:
        raise incomplete() from error
    return pairs_of(head, points)
