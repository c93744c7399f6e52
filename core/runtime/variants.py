# SPDX-License-Identifier: GPL-3.0-or-later
"""What kinds of runtime there are, for which systems, and how much they download.

A lock file names every package with its version and the SHA-256 of each wheel that may be
installed for it, its dependencies included; pip refuses everything else.
"""

from __future__ import annotations

import hashlib
import platform
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from .probe import NETWORK_PROBE

_HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Variant:
    """A kind of runtime.

    lock: the lock file; probe: Python code that tries the environment out and prints a JSON
    object of facts (see ``probe``); download_mb: for each system (``this_system``) it exists for,
    the size of its wheels in MB; disk_mb: room that making it takes.
    """

    name: str
    title: str
    lock: Path
    download_mb: dict[str, int]
    disk_mb: int
    probe: str = NETWORK_PROBE

    @property
    def lock_sha256(self) -> str:
        """By which a runtime knows the lock file that it was made from."""
        return hashlib.sha256(self.lock.read_bytes()).hexdigest()

    @property
    def packages(self) -> tuple[str, ...]:
        """Names of all packages in the lock file, for any system."""
        lines = self.lock.read_text("utf-8").splitlines()
        return tuple(m[1] for line in lines if (m := re.match(r"([A-Za-z0-9_.-]+)=", line)))

    def megabytes(self) -> int:
        """The download's size on this system; 0 where the variant does not exist."""
        return self.download_mb.get(this_system(), 0)


def this_system() -> str:
    """The running system as "linux-x86_64", "windows-amd64" or "darwin-arm64"."""
    return f"{platform.system()}-{platform.machine()}".lower()


_LOCK = _HERE / "lock-cpu.txt"
VARIANTS = {
    variant.name: variant
    for variant in (
        Variant(
            "cpu",
            "CPU",
            _LOCK,
            {"linux-x86_64": 330, "windows-amd64": 230},
            disk_mb=2500,
        ),
        # Apple's GPU is in the same wheels as the CPU there.
        Variant("mps", "Apple GPU and CPU", _LOCK, {"darwin-arm64": 190}, disk_mb=2500),
    )
}


def offered_variants() -> list[Variant]:
    """Those that exist for this system, the default first."""
    return [variant for variant in VARIANTS.values() if variant.megabytes()]


def default_variant() -> Variant | None:
    """What is installed unless the person chooses; None where there is nothing for this system.

    CUDA is not among them: its wheels differ by driver. Whoever has it brings a Python with it.
    """
    return next(iter(offered_variants()), None)


def python_is_locked() -> bool:
    """Whether the lock files know wheels for the running version of Python."""
    return sys.version_info[:2] in ((3, 11), (3, 13))
