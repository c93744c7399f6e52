# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers of MediaPipe's face landmarks that more than one room refers to."""

from __future__ import annotations

#: MediaPipe's face mesh, on the skin, and with it the two irises (5 each).
SKIN_LANDMARKS, LANDMARK_COUNT = 468, 478

#: The outline of the face mesh, around from the middle of the forehead.
FACE_OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip

#: Right eye outer and inner, left eye inner and outer corner, subnasale, right and left mouth
#: corner (the subject's sides).
SEVEN_LANDMARKS = (33, 133, 362, 263, 2, 61, 291)
