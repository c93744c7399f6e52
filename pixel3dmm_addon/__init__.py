# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on: all that imports bpy, and nothing that computes."""

from __future__ import annotations

import bpy

from . import fit_properties, head_properties, panels, preferences, properties, translations
from .jobs import looks, session
from .operators import (
    add_photo,
    attach_to_body,
    capture,
    check_rig,
    choose_face,
    conform,
    correct_fit,
    correct_fit_buttons,
    explain,
    export,
    export_motion,
    expression,
    eyes_follow,
    face_points,
    first_steps,
    hair,
    help,
    identity,
    import_motion,
    likeness,
    look_through,
    mark_asset,
    match_light,
    name_bones,
    next_step,
    open_log,
    photo_file,
    pins,
    presets,
    rebuild,
    reconstruct,
    reconstruct_folder,
    setup,
)
from .panels import correct_fit as fit_header
from .panels import status_bar
from .photos import loading as photo
from .photos import thumbnails
from .scene import first_look

_MODULES = (
    fit_properties,
    properties,
    head_properties,
    reconstruct,
    reconstruct_folder,
    photo_file,
    choose_face,
    look_through,
    likeness,
    pins,
    correct_fit,
    correct_fit_buttons,
    face_points,
    add_photo,
    rebuild,
    expression,
    identity,
    hair,
    check_rig,
    eyes_follow,
    name_bones,
    attach_to_body,
    conform,
    export,
    mark_asset,
    match_light,
    import_motion,
    export_motion,
    capture,
    open_log,
    help,
    first_steps,
    explain,
    next_step,
    presets,
    setup,
    preferences,
    panels,
)
_CLASSES = tuple(cls for module in _MODULES for cls in module.CLASSES)


def register() -> None:
    """Blender enables the extension. Starts no process."""
    for cls in _CLASSES:
        bpy.utils.register_class(cls)
    properties.register()
    head_properties.register()
    translations.register()
    bpy.types.TOPBAR_MT_file_import.append(photo_file.draw_import_entry)
    status_bar.register()
    fit_header.register()
    first_look.register()


def unregister() -> None:
    """Blender disables the extension, or quits: nothing of ours goes on."""
    correct_fit.close()
    face_points.close()
    looks.close()
    session.close()
    photo.close()
    first_look.unregister()
    fit_header.unregister()
    status_bar.unregister()
    bpy.types.TOPBAR_MT_file_import.remove(photo_file.draw_import_entry)
    translations.unregister()
    head_properties.unregister()
    properties.unregister()
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
    thumbnails.close()
