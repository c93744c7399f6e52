# SPDX-License-Identifier: GPL-3.0-or-later
"""The first look at a new head: the viewport goes to it, and undo brings the old view back.

Blender's undo leaves viewports as they are (4.2 to 5.1), so what was changed here is noted and put
back by a handler once the head is gone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import bpy
from mathutils import Quaternion, Vector

#: Through the photo's camera; framed from the front; left where it is.
How = Literal["PHOTO", "FRAME", "KEEP"]

#: What can hide a head.
_SOLID = ("MESH", "CURVE", "SURFACE", "META", "FONT", "VOLUME")
_STATE: tuple[str, ...] = ("view_perspective", "view_rotation", "view_location")
_STATE += ("view_distance", "view_camera_zoom", "view_camera_offset")
#: From the front, up is up.
_FRONT = Quaternion((0.7071068, 0.7071068, 0.0, 0.0))


@dataclass(frozen=True)
class _Look:
    """Which viewport was moved for which head, and how it stood before."""

    area: int
    head: str
    how: How
    before: dict[str, Any]
    #: The viewport was brought into local view, since other objects hid the head.
    alone: bool = False


#: What undo takes back, and what redo shows again; the newest last.
_looks: list[_Look] = []
_undone: list[_Look] = []


def show(
    context: bpy.types.Context, head: bpy.types.Object, camera: bpy.types.Object | None, how: How
) -> bool:
    """The viewport that is at hand looks at the head. Nothing happens without a window. True if
    other objects hid the head, so that it is shown alone, in local view.
    """
    area = _viewport(context)
    if how == "KEEP" or area is None or (how == "PHOTO" and camera is None):
        return False
    before = _state(area)
    _look(context, area, head, how)
    alone = area.spaces.active.local_view is None and _hidden(context, head, camera)
    if alone:
        _local_view(context, area)
    _looks.append(_Look(area.as_pointer(), head.name, how, before, alone))
    return alone


def _hidden(
    context: bpy.types.Context, head: bpy.types.Object, camera: bpy.types.Object | None
) -> bool:
    """Whether another object, as the cube of a new file, stands around the head or the camera."""
    own = set(head.users_collection[0].objects) if head.users_collection else {head}
    low, high = bounds_of(head)
    if camera is not None:
        place = camera.matrix_world.translation
        low = Vector([min(a, b) for a, b in zip(low, place, strict=True)])
        high = Vector([max(a, b) for a, b in zip(high, place, strict=True)])
    for other in context.view_layer.objects:
        if other in own or other.type not in _SOLID or not other.visible_get():
            continue
        if other.get("pixel3dmm_recipe") is not None:
            continue  # another person beside this one
        its_low, its_high = bounds_of(other)
        if all(its_low[k] < high[k] and its_high[k] > low[k] for k in range(3)):
            return True
    return False


def _local_view(context: bpy.types.Context, area: bpy.types.Area) -> None:
    """The head and what belongs to it alone, or everything again."""
    region = next(r for r in area.regions if r.type == "WINDOW")
    head = context.view_layer.objects.active
    selected = list(context.selected_objects)
    family = [] if head is None else list(head.users_collection[0].objects)
    for obj in family:
        obj.select_set(True)
    with context.temp_override(area=area, region=region):
        bpy.ops.view3d.localview(frame_selected=False)
    for obj in family:
        obj.select_set(obj in selected)


def _viewport(context: bpy.types.Context) -> bpy.types.Area | None:
    """The viewport in which the artist works, else the largest one."""
    if bpy.app.background or context.screen is None:
        return None
    if context.area is not None and context.area.type == "VIEW_3D":
        return context.area
    views = [area for area in context.screen.areas if area.type == "VIEW_3D"]
    return max(views, key=lambda area: area.width * area.height, default=None)


def _look(
    context: bpy.types.Context, area: bpy.types.Area, head: bpy.types.Object, how: How
) -> None:
    view = area.spaces.active.region_3d
    if how == "PHOTO":
        area.spaces.active.use_local_camera = False
        view.view_perspective = "CAMERA"
        region = next(r for r in area.regions if r.type == "WINDOW")
        with context.temp_override(area=area, region=region):
            bpy.ops.view3d.view_center_camera()
        return
    view.view_perspective = "PERSP"
    view.view_rotation = _FRONT
    view.view_location, size = box_of(head)
    view.view_distance = 2.0 * size


def box_of(head: bpy.types.Object) -> tuple[Vector, float]:
    """(middle, longest side) of what the head fills in the scene."""
    low, high = bounds_of(head)
    return (low + high) / 2, max(high - low)


def bounds_of(obj: bpy.types.Object) -> tuple[Vector, Vector]:
    """Lowest and highest corner of what an object fills in the scene."""
    corners = [obj.matrix_world @ Vector(corner) for corner in obj.bound_box]
    low = Vector([min(c[k] for c in corners) for k in range(3)])
    high = Vector([max(c[k] for c in corners) for k in range(3)])
    return low, high


def _state(area: bpy.types.Area) -> dict[str, Any]:
    view = area.spaces.active.region_3d
    values = {name: getattr(view, name) for name in _STATE}
    return {k: v.copy() if hasattr(v, "copy") else v for k, v in values.items()}


def _give_back(area: bpy.types.Area, state: dict[str, Any]) -> None:
    view = area.spaces.active.region_3d
    for name, value in state.items():
        setattr(view, name, value)


def _after_undo(*_: object) -> None:
    """Looks whose head is gone are taken back, the newest first."""
    areas = _areas()
    for look in reversed(_looks):
        if look.head in bpy.data.objects:
            break
        area = areas.get(look.area)
        if area is not None:
            if look.alone and area.spaces.active.local_view is not None:
                _local_view(bpy.context, area)
            _give_back(area, look.before)
        _undone.append(_looks.pop())


def _after_redo(*_: object) -> None:
    """Heads that are there again are looked at again."""
    areas = _areas()
    while _undone and _undone[-1].head in bpy.data.objects:
        look = _undone.pop()
        area = areas.get(look.area)
        if area is not None:
            _looks.append(look)
            _look(bpy.context, area, bpy.data.objects[look.head], look.how)


def _after_load(*_: object) -> None:
    """Another file: its heads are others."""
    _looks.clear()
    _undone.clear()


def _areas() -> dict[int, bpy.types.Area]:
    windows = bpy.context.window_manager.windows
    return {
        area.as_pointer(): area
        for window in windows
        for area in window.screen.areas
        if area.type == "VIEW_3D"
    }


_Handler = Callable[..., None]
#: Marks a handler that outlives the loading of a file.
_persistent: Callable[[_Handler], _Handler] = bpy.app.handlers.persistent
_HANDLERS: tuple[tuple[str, _Handler], ...]
_HANDLERS = (("undo_post", _after_undo), ("redo_post", _after_redo), ("load_post", _after_load))


def register() -> None:
    """Blender enables the extension."""
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).append(_persistent(handler))


def unregister() -> None:
    """Blender disables the extension."""
    _after_load()
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).remove(handler)
