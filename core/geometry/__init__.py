# SPDX-License-Identifier: GPL-3.0-or-later
"""Triangle meshes as arrays: topology, closest points, smooth fields. Numpy alone."""
