# SPDX-License-Identifier: GPL-3.0-or-later
"""Measurements: accuracy against ground truth, seconds, memory. Not shipped, no verdicts."""
