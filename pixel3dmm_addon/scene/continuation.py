# SPDX-License-Identifier: GPL-3.0-or-later
"""What a head in the scene keeps for its fit to go on, and why it cannot where it cannot.

All of it lies in the .blend: the continuation as text, the cameras as pointers, which Blender
follows through copies, renames, appends and links. Heads of schema 1 have neither; their camera
is found beside them.
"""

from __future__ import annotations

import bpy

from ...core.errors import ModelFileError, PersonError
from ...core.geometry.camera import Camera
from ...core.reconstruct.continuation import Continuation
from .camera import CAMERA, PHOTO_CAMERA
from .head import PREFIX, SCHEMA

PROPERTY = PREFIX + "continuation"

#: Of the head that was shown last.
_counts: dict[tuple[int, int], tuple[int, int]] = {}


def store(head: bpy.types.Object, text: str) -> None:
    """The continuation, as the worker gave it."""
    head[PROPERTY] = text
    head[PREFIX + "schema"] = SCHEMA


def text(head: bpy.types.Object) -> str:
    """The continuation's text, checked. Raises PersonError in one sentence."""
    schema = head.get(PREFIX + "schema", 1)
    if isinstance(schema, int) and schema > SCHEMA:
        raise ModelFileError(
            f"{head.name} was made by a newer version of Pixel3DMM: update the extension to go on "
            "with its fit."
        )
    found = head.get(PROPERTY, "")
    Continuation.from_json(found)
    return str(found)


def read(head: bpy.types.Object) -> Continuation:
    """As text(), parsed. Raises PersonError."""
    return Continuation.from_json(text(head))


def why_not(head: bpy.types.Object | None) -> str:
    """Why this head's fit cannot go on, in a sentence; empty if it can. Quick enough for a poll:
    the text is looked at when it is used.
    """
    if head is None:
        return "Select a head that was made from a photo"
    if head.library is not None or head.data.library is not None:
        return "The head is linked from another file: make it local (Object, Relations) first"
    if not head.is_editable or not head.data.is_editable:
        return "The head is linked from another file and cannot be changed"
    if head.data.shape_keys is None:
        return "The head's shape keys were removed, so its fit cannot go on"
    if not isinstance(head.get(PROPERTY), str) or not head[PROPERTY]:
        return "The head was made by an earlier version: reconstruct it from its photo again"
    return ""


def counts(head: bpy.types.Object) -> tuple[int, int]:
    """Pins and photos, for show. Quick: a panel is drawn often and the text is long."""
    found = head[PROPERTY]
    key = (len(found), hash(found))
    if key not in _counts:
        _counts.clear()
        try:
            known = Continuation.from_json(found)
            _counts[key] = len(known.pins), len(known.photos)
        except PersonError:
            _counts[key] = 0, 0
    return _counts[key]


def photo_index(head: bpy.types.Object, camera: bpy.types.Object | None) -> int:
    """Which of the head's photos a camera took; the first if it took none of them."""
    if camera is not None and PHOTO_CAMERA in camera:
        for name in head.keys():  # noqa: SIM118 - no mapping in the eyes of Python
            if name.startswith(CAMERA) and head[name] == camera:
                number = name.removeprefix(CAMERA).lstrip("_") or "0"
                return int(number) if number.isdecimal() else 0
    return 0


def photo_camera_of(known: Continuation, photo: int) -> Camera:
    """The camera in the head frame as the last fit left it. Raises PersonError."""
    if not 0 <= photo < len(known.photos):
        raise PersonError(f"This head has no photo {photo}: it has {len(known.photos)}.")
    p = known.photos[photo]
    if p.state is None:
        raise PersonError(f"Photo {photo} of this head was not fitted: add it again.")
    return Camera.with_focal(p.state.focal, p.state.R, p.state.t, p.width, p.height)
