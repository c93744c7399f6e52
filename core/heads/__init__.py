# SPDX-License-Identifier: GPL-3.0-or-later
"""Head models: one type for all of them, and a loader for each kind."""

from .model import HeadModel, Licence
from .open_head import load_open_head

__all__ = ["HeadModel", "Licence", "load_open_head"]
