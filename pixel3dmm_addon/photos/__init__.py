# SPDX-License-Identifier: GPL-3.0-or-later
"""Photos as Blender reads them: loading, the look before a run, thumbnails."""
