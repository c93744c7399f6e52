# SPDX-License-Identifier: GPL-3.0-or-later
"""The neural runtime: a Python environment of its own with torch, for Pixel3DMM's networks.

Nothing else needs it. It is made aside, tried out, and only then gets its name, so that a folder
either holds a runtime that has worked or none. Standard library only.
"""

from __future__ import annotations

from ..errors import RuntimeSetupError
from .create import create_runtime, remove_runtime
from .probe import Facts, check_python
from .state import RuntimeState, runtime_state
from .variants import VARIANTS, Variant, default_variant, offered_variants

__all__ = [
    "VARIANTS",
    "Facts",
    "RuntimeSetupError",
    "RuntimeState",
    "Variant",
    "check_python",
    "create_runtime",
    "default_variant",
    "offered_variants",
    "remove_runtime",
    "runtime_state",
]
