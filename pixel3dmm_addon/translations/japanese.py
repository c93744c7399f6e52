# SPDX-License-Identifier: GPL-3.0-or-later
"""Japanese."""

from __future__ import annotations

WORDS: dict[str, str] = {}
