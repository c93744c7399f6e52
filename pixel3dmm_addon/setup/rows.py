# SPDX-License-Identifier: GPL-3.0-or-later
"""The setup wizard in the preferences: three parts, each with its state, its button, its source."""

from __future__ import annotations

import bpy

from ...core.runtime import default_variant
from .. import neural_runtime
from ..blender_types import Icon
from ..jobs import session
from ..translations import said, tr
from ..wrapping import wrapped
from . import state

PIXEL3DMM_SITE = "https://github.com/SimonGiebenhain/pixel3dmm"
FLAME_SITE = "https://flame.is.tue.mpg.de"
NPHM_SITE = "https://github.com/SimonGiebenhain/MonoNPHM"
#: What the neural head's row is called, and what it takes.
NPHM_FILES = "checkpoint_epoch_2500.tar and anchors_65.npy"


#: What the frames around the text take, in Blender's units of 20 pixels.
_BESIDE = 3.0
#: Share of a line that the name of a part takes.
_NAME = 0.35


def draw(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """What is needed for Pixel3DMM's networks, and what of it is there."""
    ours = neural_runtime.preferences(context)
    if ours is None:
        return
    box = layout.box()
    box.use_property_split = True
    box.label(text="Pixel3DMM's Networks (optional)", icon="NETWORK_DRIVE")
    _sentence(
        box,
        tr("A second predictor, and FLAME as a second head. The predictor needs all of:"),
        "BLANK1",
    )
    _runtime(box, ours)
    _models(box, "Weights", state.weights_words(), "uv.ckpt and normals.ckpt", PIXEL3DMM_SITE)
    _models(box, "FLAME Model", state.flame_words(), "FLAME 2020, 2023 or 2023 Open", FLAME_SITE)
    _models(box, "Neural Head (NPHM)", state.neural_words(), NPHM_FILES, NPHM_SITE)
    status = session.status
    if status.running:
        row = box.row(align=True)
        row.progress(factor=status.fraction, text=f"{status.stage} {status.fraction:.0%}")
        row.operator("pixel3dmm.cancel", text="", icon="X")
    elif status.message and status.setup:
        _sentence(box, said(status.message), "ERROR" if status.failed else "CHECKMARK")


def _sentence(layout: bpy.types.UILayout, sentence: str, icon: Icon) -> None:
    """Over as many lines as the preferences have room for."""
    column = layout.column(align=True)
    for line in wrapped(sentence, inset=_BESIDE):
        column.label(text=line, icon=icon, translate=False)
        icon = "BLANK1"


def _part(box: bpy.types.UILayout, title: str, words: str, ready: bool) -> bpy.types.UILayout:
    """Name and state on one line; returns the line below, for buttons."""
    part = box.box().column()
    line = part.split(factor=_NAME)
    line.label(text=title, icon="CHECKMARK" if ready else "RADIOBUT_OFF")
    line.label(text=words)
    return part


def _runtime(box: bpy.types.UILayout, ours: neural_runtime.Preferences) -> None:
    found, variant = neural_runtime.runtime(), default_variant()
    own = f"Another Python: {ours.existing_python}" if ours.existing_python else found.words
    part = _part(box, "Runtime", own, found.ready)
    row = part.row()
    size = f"Install ({variant.title}, {variant.megabytes()} MB)" if variant else "Install"
    row.operator("pixel3dmm.install_runtime", text=size, icon="IMPORT")
    if found.installed:
        row.operator("pixel3dmm.remove_runtime", icon="TRASH")
    part.prop(ours, "wheels_folder")
    row = part.row(align=True)
    row.prop(ours, "existing_python")
    row.operator("pixel3dmm.check_python", text="", icon="VIEWZOOM")


def _models(box: bpy.types.UILayout, title: str, words: str, files: str, site: str) -> None:
    part = _part(box, title, words, words.startswith("Ready"))
    part.label(text=f"{files}: not for commercial use", icon="BLANK1")
    row = part.row()
    row.operator("pixel3dmm.import_models", text="Import File...", icon="FILE_FOLDER")
    row.operator("wm.url_open", text="Download Page", icon="URL").url = site
