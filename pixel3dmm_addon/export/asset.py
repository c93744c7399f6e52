# SPDX-License-Identifier: GPL-3.0-or-later
"""The head as an asset: a collection of all that belongs to it, with a thumbnail and its licence.

A collection and not the object: whoever appends it gets the rig and the photo's camera too, and
whoever links it can override all of it at once.
"""

from __future__ import annotations

import bpy
import numpy as np

from ..scene import camera as photo_camera
from ..scene.head import PREFIX
from ..scene.studio import studio
from .family import family
from .licence import Licence, licence_of

#: Side of the thumbnail in pixels, as large as Blender keeps them; light paths a pixel.
_SIDE, _SAMPLES = 256, 12
#: Degrees to the person's left: depth without hiding a side.
_ASIDE = 25


def mark(head: bpy.types.Object, scene: bpy.types.Scene) -> bpy.types.Collection:
    """Marks the head's collection, or one made for it, and takes its picture.

    Raises PersonError where Blender has no Cycles; nothing has changed then.
    """
    pixels = thumbnail(head)
    collection = collection_of(head, scene)
    collection.asset_mark()
    describe(collection, licence_of(head), head)
    preview = collection.preview_ensure()
    preview.image_size = (_SIDE, _SIDE)
    preview.image_pixels_float.foreach_set(np.ascontiguousarray(pixels[::-1]).ravel())
    return collection


def describe(collection: bpy.types.Collection, licence: Licence, head: bpy.types.Object) -> None:
    """What the Asset Browser says of it."""
    data = collection.asset_data
    data.description = licence.notice
    data.license = licence.head
    data.author = str(head.get(PREFIX + "photo", ""))
    for tag in ("Pixel3DMM", "ARKit"):
        data.tags.new(tag, skip_if_exists=True)


def thumbnail(head: bpy.types.Object) -> np.ndarray:
    """(256, 256, 4) as displayed, rows from the top, on nothing. Raises PersonError."""
    with studio(head, (_SIDE, _SIDE), samples=_SAMPLES, transparent=True) as room:
        return room.shoot(room.portrait(_ASIDE))


def collection_of(head: bpy.types.Object, scene: bpy.types.Scene) -> bpy.types.Collection:
    """The smallest collection with the head and its rigs in it and nothing that is not theirs; if
    there is none, a new one in the scene, beside those in which they are.
    """
    ours = belongings(head)
    fitting = [
        c
        for c in head.users_collection
        if c in set(bpy.data.collections)
        and set(family(head)) <= set(c.all_objects) <= ours
        and c.is_editable
    ]
    if fitting:
        return min(fitting, key=lambda c: len(c.all_objects))
    collection = bpy.data.collections.new(head.name)
    for obj in sorted(ours, key=lambda o: o.name_full):
        collection.objects.link(obj)
    scene.collection.children.link(collection)
    return collection


def belongings(head: bpy.types.Object) -> set[bpy.types.Object]:
    """The head, its rigs, its photos' cameras, and what hangs on any of them."""
    cameras = [
        head[name]
        for name in head.keys()  # noqa: SIM118 - no mapping in the eyes of Python
        if name.startswith(photo_camera.CAMERA)
    ]
    found = [*family(head), *(c for c in cameras if isinstance(c, bpy.types.Object))]
    return {o for obj in found for o in (obj, *obj.children_recursive)}
