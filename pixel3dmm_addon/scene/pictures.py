# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of a head's materials, packed into the .blend file."""

from __future__ import annotations

import bpy
import numpy as np


def packed(name: str, data: np.ndarray) -> bpy.types.Image:
    """An image that lives in the .blend file as the PNG that it came as."""
    # Without spaces: the USD exporter of 4.5 names files after the image and looks for them under
    # its path, in which it replaces spaces.
    name = bpy.path.clean_name(name)
    image = bpy.data.images.new(name, 1, 1)
    image.pack(data=data.tobytes(), data_len=int(data.size))
    image.source = "FILE"
    image.filepath_raw = f"//{name}.png"
    return image
