# SPDX-License-Identifier: GPL-3.0-or-later
"""What the worker is asked for, a file a job; ``table.JOBS`` names them all."""
