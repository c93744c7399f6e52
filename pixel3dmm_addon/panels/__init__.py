# SPDX-License-Identifier: GPL-3.0-or-later
"""The tab "Pixel3DMM" in the 3D viewport's sidebar, a file a panel."""

from . import (
    capture,
    conform,
    export,
    folder,
    hair,
    head,
    help,
    identity,
    likeness,
    motion,
    photo,
    pins,
    rig,
    sliders,
)

#: From top to bottom; a panel inside another one comes after it.
CLASSES = (
    *photo.CLASSES,
    *folder.CLASSES,
    *head.CLASSES,
    *hair.CLASSES,
    *sliders.CLASSES,
    *identity.CLASSES,
    *pins.CLASSES,
    *likeness.CLASSES,
    *rig.CLASSES,
    *export.CLASSES,
    *motion.CLASSES,
    *capture.CLASSES,
    *conform.CLASSES,
    *help.CLASSES,
)
