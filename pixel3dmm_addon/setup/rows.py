# SPDX-License-Identifier: GPL-3.0-or-later
"""The setup wizard in the preferences: three rows, each with its state, one button, its source."""

from __future__ import annotations

import bpy

from ...core.runtime import default_variant
from .. import session
from . import state

PIXEL3DMM_SITE = "https://github.com/SimonGiebenhain/pixel3dmm"
FLAME_SITE = "https://flame.is.tue.mpg.de"


def draw(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """What is needed for Pixel3DMM's networks, and what of it is there."""
    ours = state.preferences(context)
    if ours is None:
        return
    box = layout.box()
    box.use_property_split = True
    box.label(text="Neural Tier (optional)", icon="NETWORK_DRIVE")
    _runtime(box, ours)
    _models(
        box, "Pixel3DMM Weights", state.weights_words(), "uv.ckpt, normals.ckpt", PIXEL3DMM_SITE
    )
    _models(box, "FLAME Model", state.flame_words(), "2020, 2023 or 2023 Open", FLAME_SITE)
    status = session.status
    if status.running:
        row = box.row(align=True)
        row.progress(factor=status.fraction, text=f"{status.stage} {status.fraction:.0%}")
        row.operator("pixel3dmm.cancel", text="", icon="X")
    elif status.message:
        box.label(text=status.message, icon="ERROR" if status.failed else "CHECKMARK")


def _runtime(box: bpy.types.UILayout, ours: bpy.types.AddonPreferences) -> None:
    found, variant = state.runtime(), default_variant()
    row = box.row()
    row.label(text="Runtime", icon="CHECKMARK" if found.ready else "DOT")
    own = f"Another Python: {ours.existing_python}" if ours.existing_python else found.words
    row.label(text=own)
    if found.installed:
        row.operator("pixel3dmm.remove_runtime", icon="TRASH")
    size = f"Install ({variant.title}, {variant.megabytes()} MB)" if variant else "Install"
    row.operator("pixel3dmm.install_runtime", text=size, icon="IMPORT")
    box.prop(ours, "wheels_folder")
    row = box.row()
    row.prop(ours, "existing_python")
    row.operator("pixel3dmm.check_python", icon="VIEWZOOM")


def _models(box: bpy.types.UILayout, title: str, words: str, files: str, site: str) -> None:
    row = box.row()
    row.label(text=title, icon="CHECKMARK" if words.startswith("Ready") else "DOT")
    row.label(text=words)
    row.operator("pixel3dmm.import_models", text="Import...", icon="FILE_FOLDER")
    row.operator("wm.url_open", text=f"Get {files} (non-commercial)", icon="URL").url = site
