# SPDX-License-Identifier: GPL-3.0-or-later
"""From a fitted head to what an artist drives: named shape keys, bones, and their values."""
