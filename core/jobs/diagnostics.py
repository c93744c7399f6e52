# SPDX-License-Identifier: GPL-3.0-or-later
"""What to send along with a question: versions and the last words of the log, and nobody's name."""

from __future__ import annotations

import getpass
import os
import platform
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from .. import __version__

#: Lines of the log that are worth sending.
LAST_LINES = 40
#: What names of pictures end with.
_PICTURE = re.compile(
    r"\.(?:jpe?g|png|tiff?|webp|bmp|exr|hdr|tga|heic|gif|psd|dng)(?![A-Za-z0-9])", re.IGNORECASE
)
_QUOTES, _GAPS = "\"'", " \t\n\"'<>|"
#: Shorter user names are parts of too many words to be masked in the middle of one.
_SHORT = 3


def diagnostics(
    facts: Mapping[str, str], log: Path, home: str, user: str, private: Iterable[str] = ()
) -> str:
    """Text for the clipboard. facts: what only the caller knows, by name; private: names and
    paths of photos, which are people's names more often than not.
    """
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
    return masked("\n".join([*head, "", *lines, ""]), home, user, private)


def user_name() -> str:
    """Of whoever runs this; empty where the system knows none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""


def masked(text: str, home: str, user: str, private: Iterable[str] = ()) -> str:
    """The text without the home folder, the user's name, and photos with their paths, in whatever
    way paths are written.
    """
    for name in sorted({p.strip() for p in private}, key=len, reverse=True):
        if len(name) >= _SHORT:
            edge = r"(?<![A-Za-z0-9])" if name[0].isalnum() else ""
            after = r"(?![A-Za-z0-9])" if name[-1].isalnum() else ""
            text = re.sub(edge + re.escape(name) + after, "PHOTO", text, flags=re.IGNORECASE)
    text = _without_pictures(text)
    for folder in {home, home.replace("\\", "/"), home.replace("\\", "\\\\")}:
        if len(folder.strip("\\/")) > 1:
            text = re.sub(re.escape(folder) + r"(?![\w.-])", "~", text, flags=re.IGNORECASE)
    if user:
        name = re.escape(user)
        # A short name is masked where it stands alone, a longer one everywhere.
        pattern = name if len(user) > _SHORT else rf"(?<![A-Za-z0-9]){name}(?![A-Za-z0-9])"
        text = re.sub(pattern, "USER", text, flags=re.IGNORECASE)
    return text


def _without_pictures(text: str) -> str:
    """Paths of pictures: between quotes with all their spaces, else from the last space on."""
    out, last = [], 0
    for found in _PICTURE.finditer(text):
        closing = text[found.end() : found.end() + 1]
        edges = closing if closing and closing in _QUOTES else _GAPS
        start = max(text.rfind(edge, last, found.start()) for edge in edges) + 1
        out += [text[last : max(start, last)], "PHOTO"]
        last = found.end()
    return "".join([*out, text[last:]])
