# SPDX-License-Identifier: GPL-3.0-or-later
"""Converts MediaPipe's face nets and face geometry into ``vendor/mediapipe``."""
