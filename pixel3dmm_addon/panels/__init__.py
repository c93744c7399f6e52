# SPDX-License-Identifier: GPL-3.0-or-later
"""The tab "Pixel3DMM" in the 3D viewport's sidebar, a file a panel."""

from . import (
    capture,
    conform,
    correct_fit,
    export,
    expression,
    folder,
    hair,
    head,
    help,
    identity,
    likeness,
    more,
    motion,
    photo,
    pins,
    reconstruct,
    rig,
    sliders,
)

#: From top to bottom, in the order of work; a panel inside another one comes after it.
CLASSES = (
    *correct_fit.CLASSES,
    *photo.CLASSES,
    *reconstruct.CLASSES,
    *pins.CLASSES,
    *identity.CLASSES,
    *likeness.CLASSES,
    *head.CLASSES,
    *hair.CLASSES,
    *expression.CLASSES,
    *sliders.CLASSES,
    *motion.CLASSES,
    *capture.CLASSES,
    *rig.CLASSES,
    *export.CLASSES,
    *more.CLASSES,
    *folder.CLASSES,
    *conform.CLASSES,
    *help.CLASSES,
)
