# SPDX-License-Identifier: GPL-3.0-or-later
"""What is seen in a photo: predictors, and the one type in which they all speak."""

from .screen_cues import ScreenCues

__all__ = ["ScreenCues"]
