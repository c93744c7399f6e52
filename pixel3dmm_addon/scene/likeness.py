# SPDX-License-Identifier: GPL-3.0-or-later
"""Where to trust a head, painted on it and over its photo; taken away, all is as it was.

The paint is a colour attribute and a material on the object's own slots, under which the mesh
keeps its materials. Over the photo lies a picture in front of the photo's camera.
"""

from __future__ import annotations

import json
from typing import Any

import bpy
import numpy as np

from ...core.errors import ModelFileError
from ...core.geometry import axes
from ...core.likeness.picture import (
    BOUND_STOPS,
    SOURCE_COLORS,
    as_reported,
    face_parts,
    landmark_places,
    linear,
    part_errors,
    picture,
    ramp,
)
from ...core.likeness.source_and_bound import showing
from ...core.likeness.words import Advice, Part, advice_of, parts_of
from ...core.rigged_head import RiggedHead
from . import camera as photo_camera
from . import continuation
from .head import PREFIX
from .pictures import principled
from .rig_data import rig_arrays

#: Attributes of the mesh: of SOURCES, and metres.
SOURCE, BOUND = PREFIX + "source", PREFIX + "bound"
#: The colour attribute, and what the head remembers while it is shown.
COLOR = "Likeness"
SHOWN = PREFIX + "likeness"
#: Marks the picture over a photo.
OVERLAY = PREFIX + "likeness_picture"

#: Of the mesh that was described last: its parts are asked for at every redraw.
_said: dict[tuple[int, str, int], tuple[dict[str, Part], Advice]] = {}


def remember(mesh: bpy.types.Mesh, rigged: RiggedHead) -> None:
    """What the fit says; what an earlier one said where this one does not."""
    if not len(rigged.likeness_source):
        return
    for name, kind, values in (
        (SOURCE, "INT", rigged.likeness_source.astype(np.int32)),
        (BOUND, "FLOAT", rigged.likeness_bound.astype(np.float32)),
    ):
        attribute = mesh.attributes.get(name) or mesh.attributes.new(name, kind, "POINT")
        attribute.data.foreach_set("value", values)
    _said.clear()


def follow(head: bpy.types.Object, rigged: RiggedHead) -> None:
    """The head was fitted again: what is shown is shown anew."""
    remember(head.data, rigged)
    if SHOWN in head:
        _paint(head.data, str(head[SHOWN]["what"]))
    for camera in _cameras(head):
        if _overlay_of(camera) is not None:
            hide_on_photo(camera)


def why_not(head: bpy.types.Object | None) -> str:
    """Why nothing can be shown, in a sentence; empty if it can."""
    if head is None:
        return "Select a head that was made from a photo"
    if not head.is_editable or not head.data.is_editable:
        return "The head is linked from another file and cannot be changed"
    if head.mode == "EDIT":
        return "Leave edit mode first"
    if SOURCE not in head.data.attributes or BOUND not in head.data.attributes:
        return "This head does not know how sure it is: reconstruct it from its photo again"
    return ""


def shown(head: bpy.types.Object) -> str:
    """What is painted, SOURCE or ERROR; empty while nothing is."""
    return str(head[SHOWN]["what"]) if SHOWN in head else ""


def show(head: bpy.types.Object, what: str) -> None:
    """Paints SOURCE or ERROR on the head, whatever is painted there now."""
    _paint(head.data, what)
    if SHOWN in head:
        head[SHOWN]["what"] = what
        return
    attributes = head.data.color_attributes
    memory: dict[str, Any] = {"what": what, "active": _active(head.data)}
    if not head.material_slots:
        head.data.materials.append(None)
        memory["added"] = 1
    overlay = _material(f"{head.name} likeness")
    for i, slot in enumerate(head.material_slots):
        memory[f"link{i}"] = slot.link
        slot.link = "OBJECT"
        if slot.material is not None:
            memory[f"material{i}"] = slot.material
        slot.material = overlay
    memory["overlay"] = overlay
    head[SHOWN] = memory
    index = attributes.find(COLOR)
    attributes.active_color_index = attributes.render_color_index = index


def hide(head: bpy.types.Object) -> None:
    """Takes the paint away. Slots that show something else by now are left as they are."""
    if SHOWN not in head:
        return
    memory = head[SHOWN]
    overlay = memory.get("overlay")
    for i, slot in enumerate(head.material_slots):
        if f"link{i}" in memory and slot.link == "OBJECT" and slot.material == overlay:
            slot.material = memory.get(f"material{i}")
            slot.link = "DATA" if memory[f"link{i}"] == "DATA" else "OBJECT"
    if memory.get("added") and len(head.data.materials) == 1:
        head.data.materials.clear()
    attributes, before = head.data.color_attributes, json.loads(str(memory["active"]))
    del head[SHOWN]
    others = any(o.data == head.data and SHOWN in o for o in bpy.data.objects)
    if COLOR in attributes and not others:
        attributes.remove(attributes[COLOR])
        for name, index in (("active_color_index", 0), ("render_color_index", 1)):
            if before[index] in attributes:
                setattr(attributes, name, attributes.find(before[index]))
    if overlay is not None and overlay.users == 0:
        bpy.data.materials.remove(overlay)


def described(head: bpy.types.Object) -> tuple[dict[str, Part], Advice]:
    """Parts of the head, and what to say of them. Quick after the first time."""
    mesh = head.data
    report = str(head.get(PREFIX + "report", "{}"))
    key = (len(mesh.vertices), mesh.name_full, hash(report))
    if key not in _said:
        _said.clear()
        arrays = rig_arrays(head, None)
        found = parts_of(
            _values(mesh, SOURCE, np.int32).astype(np.int8),
            _values(mesh, BOUND, np.float32).astype(float),
            arrays.regions,
            showing(arrays.outer, arrays.basis, arrays.triangles, arrays.regions),
        )
        _said[key] = found, advice_of(found, _yaws(report))
    return _said[key]


def show_on_photo(head: bpy.types.Object, photo: int) -> None:
    """Lays the picture over what the photo's camera sees. Raises PersonError."""
    camera = photo_camera.camera_of(head, photo)
    if camera is None:
        raise ModelFileError("The photo's camera is no longer in the file.")
    arrays, known = rig_arrays(head, None), continuation.read(head)
    taken, one = continuation.photo_camera_of(known, photo), known.photos[photo]
    points = _posed(head)
    # How the artist has moved the family since does not move the head in its photo.
    back = np.array(photo_camera.moved_by(camera, taken).inverted())
    posed = axes.to_head(points @ back[:3, :3].T + back[:3, 3])
    parts = face_parts(arrays.basis, arrays.regions)
    where = landmark_places(arrays.landmark_vertices, arrays.landmark_barycentric)
    marks = arrays.landmarks(posed)
    assert one.state is not None  # photo_camera_of() has seen it
    reported = as_reported(
        one.landmarks_fit, marks, taken, known.identity, one.state.drift, known.head_name
    )
    errors = part_errors(one.landmarks, reported, parts, where)
    pixels = picture(posed, arrays.triangles, taken, parts, errors, one.landmarks, reported)
    hide_on_photo(camera)
    height, width = pixels.shape[:2]
    image = bpy.data.images.new(f"{head.name} likeness", width, height, alpha=True)
    image.pixels.foreach_set(np.ascontiguousarray(pixels[::-1]).ravel())
    image.pack()
    image[OVERLAY] = json.dumps({name: [e.pixels, e.percent] for name, e in errors.items()})
    background = camera.data.background_images.new()
    background.image = image
    background.frame_method, background.display_depth = "FIT", "FRONT"
    background.alpha = 1.0
    camera.data.show_background_images = True


def on_photo(head: bpy.types.Object, photo: int) -> dict[str, tuple[float, float]] | None:
    """Of each part: mean distance of its landmarks, pixels, and percent of the eyes' distance, as
    the picture over the photo shows it; None while there is no picture.
    """
    camera = photo_camera.camera_of(head, photo)
    background = None if camera is None else _overlay_of(camera)
    if background is None or background.image is None:
        return None
    errors = json.loads(str(background.image[OVERLAY]))
    return {name: (float(pixels), float(percent)) for name, (pixels, percent) in errors.items()}


def hide_on_photo(camera: bpy.types.Object) -> None:
    """Takes the picture away and leaves the photo."""
    background = _overlay_of(camera)
    image = None if background is None else background.image
    if background is not None and image is not None:
        # Blender 4.5 does not count a user less when a background is removed.
        background.image = None
        camera.data.background_images.remove(background)
        if image.users == 0:
            bpy.data.images.remove(image)


def _overlay_of(camera: bpy.types.Object) -> bpy.types.CameraBackgroundImage | None:
    backgrounds = camera.data.background_images
    return next((b for b in backgrounds if b.image is not None and OVERLAY in b.image), None)


def _cameras(head: bpy.types.Object) -> list[bpy.types.Object]:
    names = [name for name in head.keys() if name.startswith(photo_camera.CAMERA)]  # noqa: SIM118
    found = [head[name] for name in names]
    return [o for o in found if isinstance(o, bpy.types.Object) and o.type == "CAMERA"]


def _paint(mesh: bpy.types.Mesh, what: str) -> None:
    if what == "SOURCE":
        srgb = SOURCE_COLORS[np.clip(_values(mesh, SOURCE, np.int32), 0, len(SOURCE_COLORS) - 1)]
    else:
        srgb = ramp(1e3 * _values(mesh, BOUND, np.float32).astype(float), BOUND_STOPS)
    rgba = np.ones((len(srgb), 4), np.float32)
    rgba[:, :3] = linear(srgb)
    attribute = mesh.color_attributes.get(COLOR)
    if attribute is None:
        attribute = mesh.color_attributes.new(COLOR, "FLOAT_COLOR", "POINT")
    attribute.data.foreach_set("color", rgba.ravel())
    mesh.update()


def _active(mesh: bpy.types.Mesh) -> str:
    """Names of the colour attributes that were active and rendered, as JSON."""
    attributes = mesh.color_attributes
    indices = (attributes.active_color_index, attributes.render_color_index)
    names = [a.name for a in attributes]
    active = [names[i] if 0 <= i < len(names) else "" for i in indices]
    return json.dumps(["" if name == COLOR else name for name in active])


def _material(name: str) -> bpy.types.Material:
    material = bpy.data.materials.new(name)
    if material.node_tree is None:  # from 5.0 on every material has nodes
        material.use_nodes = True
    tree = material.node_tree
    shader = principled(material)
    shader.inputs["Roughness"].default_value = 0.7
    color = tree.nodes.new("ShaderNodeVertexColor")
    color.layer_name = COLOR
    tree.links.new(color.outputs["Color"], shader.inputs["Base Color"])
    return material


def _values(mesh: bpy.types.Mesh, name: str, kind: type) -> np.ndarray:
    attribute = mesh.attributes[name]
    values: np.ndarray = np.empty(len(attribute.data), kind)
    attribute.data.foreach_get("value", values)
    return values


def _posed(head: bpy.types.Object) -> np.ndarray:
    """(V, 3) of the head as keys and rig pose it in the scene, all of it, and no more of it."""
    others = [m for m in head.modifiers if m.type != "ARMATURE" and m.show_viewport]
    for modifier in others:
        modifier.show_viewport = False
    try:
        return _evaluated(head)
    finally:
        for modifier in others:
            modifier.show_viewport = True


def _evaluated(head: bpy.types.Object) -> np.ndarray:
    """(n, 3) world points of what the head's modifiers make of it."""
    thing = head.evaluated_get(bpy.context.evaluated_depsgraph_get())
    points = np.empty(3 * len(thing.data.vertices), np.float32)
    thing.data.vertices.foreach_get("co", points)
    world = np.array(thing.matrix_world)
    return points.reshape(-1, 3).astype(np.float64) @ world[:3, :3].T + world[:3, 3]


def _yaws(report: str) -> list[float]:
    """Of the photos, degrees; none where somebody edited the report beyond recognition."""
    try:
        photos = json.loads(report)["photos"]
        return [float(p["pose_degrees"]["yaw"]) for p in photos]
    except (TypeError, ValueError, KeyError):
        return []
