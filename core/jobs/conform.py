# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's jobs "conform" and "wrap": a person onto a mesh of the artist's, and back.

conform: params {"mesh": .npz of core.conform.mesh.OwnMesh, "head": .npz of
core.conform.send.Source or "",
"profile": .npz of core.conform.profile or "", "pairs": [[six numbers], ...], "strength": 0..1,
"texture": side or 0, "out": an existing folder}. result {"profile", "person", "skin" (a PNG, ""
for none), "median_mm", "warnings": [sentences]}.
wrap: params {"mesh", "profile", "pairs", "out"}. result {"head": .npz of RiggedHead, "profile",
"median_mm", "warnings"}.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..conform.mesh import OwnMesh
from ..conform.person_file import save_person
from ..conform.profile import HeadProfile
from ..conform.register import profile_of
from ..conform.send import Source, send
from ..conform.wrap import wrapped_head
from ..files.png import encode_png
from ..options import OPEN_HEAD
from ..progress import Progress
from ..reconstruct.outputs import write_together
from ..reconstruct.resources import load_head, load_mediapipe
from .parameters import Parameters, incomplete


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
    head = load_head(OPEN_HEAD)
    done = send(
        head,
        mesh,
        Source.load(Path(head_file), head) if head_file else None,
        load_mediapipe(),
        profile=_profile(params),
        pairs=_pairs(params),
        strength=float(strength),
        texture=texture,
        progress=progress,
    )
    person, profile, skin = out / "person.npz", out / "profile.npz", out / "skin.png"
    writers: dict[Path, Callable[[Path], object]] = {
        person: lambda path: save_person(done.person, path),
        profile: done.profile.save,
    }
    if done.skin is not None:
        picture = encode_png(done.skin)
        writers[skin] = lambda path: path.write_bytes(picture)
    write_together(writers, before_naming=before_naming)
    return {
        "person": str(person),
        "profile": str(profile),
        "skin": "" if done.skin is None else str(skin),
        "median_mm": 1e3 * done.profile.median,
        "warnings": list(done.warnings),
    }


def wrap_job(
    params: Parameters, progress: Progress, before_naming: Callable[[], None]
) -> dict[str, Any]:
    """The result's fields. Raises PersonError; ``progress`` may raise Cancelled."""
    mesh, out, head = OwnMesh.load(params.path("mesh")), params.path("out"), load_head(OPEN_HEAD)
    profile = profile_of(head, mesh, load_mediapipe(), _profile(params), _pairs(params), progress)
    rigged = wrapped_head(head, profile)
    paths = {"head": out / "head.npz", "profile": out / "profile.npz"}
    write_together(
        {paths["head"]: rigged.save, paths["profile"]: profile.save}, before_naming=before_naming
    )
    return {
        **{name: str(path) for name, path in paths.items()},
        "median_mm": 1e3 * profile.median,
        "warnings": [str(note) for note in profile.notes],
    }


def _profile(params: Parameters) -> HeadProfile | None:
    text = params.text("profile")
    return HeadProfile.load(Path(text)) if text else None


def _pairs(params: Parameters) -> NDArray[np.float64] | None:
    found = params.value("pairs", [])
    if not found:
        return None
    try:
        return np.array(found, np.float64).reshape(-1, 6)
    except (ValueError, TypeError) as error:
        raise incomplete() from error
