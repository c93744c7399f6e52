# SPDX-License-Identifier: GPL-3.0-or-later
"""Model files that people bring: read without trust, checked, converted once and for all."""
