# SPDX-License-Identifier: GPL-3.0-or-later
"""The head in the scene follows a drag, in the key of the photo's residual, until it is fitted."""

from __future__ import annotations

import bpy
import numpy as np

from ...core.geometry import axes
from ...core.heads.arkit import PHOTO_RESIDUAL

#: Below this value of the key a drag is not shown: what it adds would have to be large.
_LEAST = 0.5


class LiveMesh:
    """What is added goes again with back(): the key holds it for no longer than a drag lasts."""

    def __init__(self, head: bpy.types.Object) -> None:
        self._uid = head.session_uid
        self._points: np.ndarray | None = None

    def show(self, motion: np.ndarray) -> None:
        """motion (V, 3): metres in the head frame, beside where the last fit left the head."""
        key = self._key()
        if key is None or key.value < _LEAST or len(key.points) != len(motion):
            return
        if self._points is None:
            self._points = np.empty(3 * len(key.points), np.float32)
            key.points.foreach_get("co", self._points)
        moved = axes.to_scene(motion / key.value).astype(np.float32)
        self._write(key, self._points + moved.reshape(-1))

    def back(self) -> None:
        """The key is as it was before the first show()."""
        key = self._key()
        points = self._points
        if key is not None and points is not None and len(points) == 3 * len(key.points):
            self._write(key, points)
        self._points = None

    def forget(self) -> None:
        """Somebody else has put the head back, such as an undo."""
        self._points = None

    def _key(self) -> bpy.types.ShapeKey | None:
        head = next((o for o in bpy.data.objects if o.session_uid == self._uid), None)
        keys = None if head is None else head.data.shape_keys
        key = None if keys is None else keys.key_blocks.get(PHOTO_RESIDUAL)
        return None if key is None or key.mute else key

    def _write(self, key: bpy.types.ShapeKey, flat: np.ndarray) -> None:
        key.points.foreach_set("co", np.ascontiguousarray(flat))
        key.id_data.update_tag()
        for obj in bpy.data.objects:
            if obj.session_uid == self._uid:
                obj.data.update()
