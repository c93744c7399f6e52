# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers of MediaPipe's face landmarks that more than one room refers to."""

from __future__ import annotations

#: MediaPipe's face mesh (468) and the two irises (5 each).
LANDMARK_COUNT = 478

#: Right eye outer and inner, left eye inner and outer corner, subnasale, right and left mouth
#: corner (the subject's sides).
SEVEN_LANDMARKS = (33, 133, 362, 263, 2, 61, 291)
