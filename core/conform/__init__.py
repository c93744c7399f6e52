# SPDX-License-Identifier: GPL-3.0-or-later
"""Meshes of the artist's own: where the open head lies on them, and a person put onto them."""
