# SPDX-License-Identifier: GPL-3.0-or-later
"""What a head looks like: its skin from the photos, as textures in the head's own layout."""
