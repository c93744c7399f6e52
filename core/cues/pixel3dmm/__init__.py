# SPDX-License-Identifier: GPL-3.0-or-later
"""Pixel3DMM's networks: per-pixel texture coordinates and normals of a face, from one photo."""
