# SPDX-License-Identifier: GPL-3.0-or-later
"""Which models of the neural tier are installed here, in words. Looks at files, at every redraw."""

from __future__ import annotations

from .. import installed


def weights_words() -> str:
    """The row's state."""
    have = installed.networks()
    if not have:
        return "Not imported"
    missing = [kind for kind in ("uv", "normals") if kind not in have]
    words = f"Ready: {' and '.join(have)}"
    return words + (f"; {missing[0]} is missing, so the networks say less" if missing else "")


def flame_words() -> str:
    """The row's state."""
    own = installed.heads()[1:]
    return f"Ready: {', '.join(entry.label for entry in own)}" if own else "Not imported"
