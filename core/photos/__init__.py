# SPDX-License-Identifier: GPL-3.0-or-later
"""Photos: decoded, turned upright, with what their files say of the lens."""
