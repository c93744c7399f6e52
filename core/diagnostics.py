# SPDX-License-Identifier: GPL-3.0-or-later
"""What to send along with a question: versions and the last words of the log, and nobody's name."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from . import __version__

#: Lines of the log that are worth sending.
LAST_LINES = 40
#: Shorter user names are parts of too many words to be masked in the middle of one.
_SHORT = 3


def diagnostics(facts: Mapping[str, str], log: Path, home: str, user: str) -> str:
    """Text for the clipboard. facts: what only the caller knows, by name."""
    known = {
        "Pixel3DMM": __version__,
        **facts,
        "System": platform.platform(),
        "Processor": f"{platform.machine()}, {os.cpu_count()} threads",
        "Python": platform.python_version(),
        "numpy": np.__version__,
    }
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:]
    except OSError:
        lines = ["(no log)"]
    head = [f"{name}: {value}" for name, value in known.items()]
    return masked("\n".join([*head, "", *lines, ""]), home, user)


def masked(text: str, home: str, user: str) -> str:
    """The text without the home folder and the user's name, in whatever way paths are written."""
    for folder in {home, home.replace("\\", "/"), home.replace("\\", "\\\\")}:
        if len(folder.strip("\\/")) > 1:
            text = re.sub(re.escape(folder) + r"(?![\w.-])", "~", text, flags=re.IGNORECASE)
    if user:
        name = re.escape(user)
        # A short name is masked where it stands alone, a longer one everywhere.
        pattern = name if len(user) > _SHORT else rf"(?<![A-Za-z0-9]){name}(?![A-Za-z0-9])"
        text = re.sub(pattern, "USER", text, flags=re.IGNORECASE)
    return text
