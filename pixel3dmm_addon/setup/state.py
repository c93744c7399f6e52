# SPDX-License-Identifier: GPL-3.0-or-later
"""Which models of the neural tier are installed here, in words. Looks at files, at every redraw."""

from __future__ import annotations

from ...core.options import NEURAL_HEAD
from .. import installed


def weights_words() -> str:
    """The row's state."""
    have = installed.networks()
    if not have:
        return "Not imported"
    missing = [kind for kind in ("uv", "normals") if kind not in have]
    words = f"Ready: {' and '.join(have)}"
    return words + (f"; {missing[0]} is missing, so the networks say less" if missing else "")


def neural_words() -> str:
    """The row's state."""
    return "Ready" if installed.neural_head() else "Not imported"


def flame_words() -> str:
    """The row's state."""
    own = [e for e in installed.heads()[1:] if e.name != NEURAL_HEAD]
    return f"Ready: {', '.join(entry.label for entry in own)}" if own else "Not imported"
