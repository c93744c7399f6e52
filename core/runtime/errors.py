# SPDX-License-Identifier: GPL-3.0-or-later
"""The error of everything about the runtime."""

from __future__ import annotations

from ..errors import PersonError


class RuntimeSetupError(PersonError):
    """The neural runtime could not be made, found or used."""

    code = "runtime"
