# SPDX-License-Identifier: GPL-3.0-or-later
"""A predictor of our own: corrects uv and normals of the landmark fit, pixel by pixel."""
