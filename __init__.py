# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension's door: Blender calls register and unregister; Head is for scripts."""

from .pixel3dmm_addon import register, unregister
from .pixel3dmm_addon.head import Head

__all__ = ["Head", "register", "unregister"]
