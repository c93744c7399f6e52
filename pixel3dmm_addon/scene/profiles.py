# SPDX-License-Identifier: GPL-3.0-or-later
"""Profiles of the artist's meshes: in the user's folder, and in the .blend with what was made.

A file is called after the order of the mesh's faces and after the mesh itself: so one is found for
another shape of the same mesh too.
"""

from __future__ import annotations

import base64
from pathlib import Path

import bpy

from ...core.conform.mesh import OwnMesh
from ...core.errors import ModelFileError
from ...core.heads.open_head import OPEN_HEAD_NAME
from ...core.reconstruct.recipe import read_recipe
from ...core.rigged_head import RiggedHead
from .. import installed
from .custom_properties import json_object
from .head import PREFIX

#: On an object: the profile's file as text, and the digests of the mesh's faces and of the mesh.
PROFILE, ORDER, DIGEST = PREFIX + "profile", PREFIX + "profile_order", PREFIX + "profile_digest"
#: Characters of a digest that names hold.
_SHORT = 16


def known_profile(mesh: OwnMesh) -> bytes:
    """The file of the mesh's profile, or of one with the same faces; nothing if there is none.
    Whoever gets it reads it with care.
    """
    for exact in (True, False):
        for obj in bpy.data.objects:
            same = obj.get(DIGEST) == mesh.digest if exact else obj.get(ORDER) == mesh.order
            data = _packed(obj) if same else b""
            if data:
                return data
        pattern = f"{mesh.order[:_SHORT]}-{mesh.digest[:_SHORT] if exact else '*'}.npz"
        for path in sorted(installed.profiles_folder().glob(pattern)):
            try:
                return path.read_bytes()
            except OSError:
                continue
    return b""


def keep_profile(mesh: OwnMesh, data: bytes) -> str:
    """Into the user's folder. Returns a sentence where that cannot be written to."""
    path = _path(mesh.order, mesh.digest)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        return f"The mesh's profile could not be kept ({error.strerror}): it is in the .blend only."
    return ""


def remember(obj: bpy.types.Object, mesh: OwnMesh, data: bytes) -> None:
    """In the .blend, with what was made by it."""
    obj[PROFILE] = base64.b64encode(data).decode("ascii")
    obj[ORDER], obj[DIGEST] = mesh.order, mesh.digest


def remember_target(head: bpy.types.Object, rigged: RiggedHead) -> None:
    """In the .blend: the profile of the mesh on which a head was reconstructed."""
    digest = str(rigged.recipe.get("head_mesh", {}).get("sha256", ""))
    if not digest or any(obj.get(DIGEST) == digest for obj in bpy.data.objects):
        return
    for path in installed.profiles_folder().glob(f"*-{digest[:_SHORT]}.npz"):
        try:
            head[PROFILE] = base64.b64encode(path.read_bytes()).decode("ascii")
        except OSError:
            continue
        head[DIGEST] = digest


def is_on_own_mesh(head: bpy.types.Object | None) -> bool:
    """Whether a head was reconstructed on a mesh of the artist's. Quick enough for a poll."""
    model = "" if head is None else str(head.get(PREFIX + "head_model", ""))
    return model.endswith(f"({OPEN_HEAD_NAME})")


def target_path(head: bpy.types.Object) -> str:
    """Where the profile is on whose mesh a head was reconstructed; empty for heads of ours.

    What only the .blend has is put into the user's folder. Raises ModelFileError where it is lost.
    """
    try:
        name = str(read_recipe(head.get(PREFIX + "recipe")).options.get("head_mesh", ""))
    except ModelFileError:
        name = ""
    if not name:
        return ""
    path = installed.profiles_folder() / name
    if not path.is_file():
        recipe = json_object(head, PREFIX + "recipe").get("head_mesh")
        digest = recipe.get("sha256") if isinstance(recipe, dict) else None
        found = (_packed(o) for o in bpy.data.objects if digest and o.get(DIGEST) == digest)
        data = next((d for d in found if d), b"")
        if not data:
            raise ModelFileError(
                f"The profile of the mesh that {head.name} is made on is not here: register the "
                "mesh again."
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return str(path)


def _packed(obj: bpy.types.Object) -> bytes:
    text = obj.get(PROFILE)
    try:
        return base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except ValueError:
        return b""


def _path(order: str, digest: str) -> Path:
    return installed.profiles_folder() / f"{order[:_SHORT]}-{digest[:_SHORT]}.npz"
