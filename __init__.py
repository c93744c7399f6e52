# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension's door: Blender calls register and unregister, which are handed on."""

from .pixel3dmm_addon import register, unregister

__all__ = ["register", "unregister"]
