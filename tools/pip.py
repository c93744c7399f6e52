# SPDX-License-Identifier: GPL-3.0-or-later
"""pip, with its progress and its complaints in words for a person."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from .processes import BuildError, stream


def install(name: str, python: Path, what: list[str], log: Path) -> float:
    """Runs pip install, keeping all it says in ``log``; returns the megabytes it downloaded.

    ``name`` is what the person knows the environment by. Raises BuildError with a sentence.
    """
    before = log.stat().st_size
    command = [str(python), "-m", "pip", "install", "--no-input", "--progress-bar", "off"]
    code = stream([*command, "--disable-pip-version-check", *what], log, _step)
    text = log.read_bytes()[before:].decode("utf-8", "replace")
    if code != 0:
        raise BuildError(_sentence(name, text, log))
    return downloaded_megabytes(text)


_DOWNLOAD = re.compile(r"^\s*Downloading (\S+) \((\d+(?:\.\d+)?) (bytes|kB|MB|GB)\)", re.MULTILINE)
_UNIT = {"bytes": 1e-6, "kB": 1e-3, "MB": 1.0, "GB": 1e3}


def downloaded_megabytes(text: str) -> float:
    """What pip says it downloaded, in MB; files out of its cache are not counted."""
    return sum(float(n) * _UNIT[unit] for _, n, unit in _DOWNLOAD.findall(text))


def _step(line: str) -> str | None:
    match = _DOWNLOAD.match(line)
    if match and match[3] in ("MB", "GB"):
        name = match[1].rsplit("/", 1)[-1].split("-")
        return f"  downloading {' '.join(name[:2])} ({match[2]} {match[3]})"
    if line.startswith("Installing collected packages:"):
        return f"  installing{line.split(':', 1)[1].rstrip()}"
    return None


_NO_NETWORK = re.compile(
    r"Failed to establish a new connection|[Nn]ame or service not known|name resolution"
    r"|getaddrinfo failed|[Nn]etwork is unreachable|TimeoutError|timed out|Connection refused"
    r"|ProxyError|Cannot connect to proxy|SSLError|NewConnectionError"
)


def _sentence(name: str, text: str, log: Path) -> str:
    """One sentence out of pip's complaint."""
    if "No space left on device" in text or "There is not enough space" in text:
        return (
            f"The disk is full: the environment {name} did not fit; "
            "free some space and run this again."
        )
    if _NO_NETWORK.search(text):
        return (
            f"The packages of {name} could not be downloaded, the network does not answer: "
            f"connect, or set your proxy for pip, and run this again (details: {log})."
        )
    missing = re.search(r"No matching distribution found for (\S+)", text)
    if missing:
        return (
            f"There is no {missing[1]} for this Python on {sys.platform}: use another "
            f"Blender version (--blender) or another computer (details: {log})."
        )
    errors = [x for x in text.splitlines() if x.startswith("ERROR:")]
    reason = errors[-1][7:].rstrip(".") if errors else "it gave no reason"
    return f"pip could not install {name}: {reason} (details: {log})."
