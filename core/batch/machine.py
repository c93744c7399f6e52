# SPDX-License-Identifier: GPL-3.0-or-later
"""What this machine gives: cores, memory, and room on a disk."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from .ledger import NO_ROOM

#: Megabytes that one worker needs at its peak, for a photo of twelve megapixels.
WORKER_MB = 900
#: Bytes that a person's files of one photo take at most, with a texture of 4k and room to spare.
PROBE_BYTES = 64 << 20


def usable_cores() -> int:
    """Cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def free_memory_mb() -> float | None:
    """Memory that programs can still have, None where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        values = dict(line.split(":", 1) for line in lines)
        return int(values["MemAvailable"].split()[0]) * 1024 / 1e6
    except (OSError, ValueError, LookupError):
        return None


def worker_count(people: int, wanted: int | None = None) -> int:
    """As many as were wanted, or as cores and memory allow, and not more than people."""
    if wanted is not None:
        return max(min(wanted, people), 1)
    memory = free_memory_mb()
    by_memory = people if memory is None else int(memory // WORKER_MB)
    return max(min(usable_cores(), by_memory, people), 1)


def has_room(folder: Path) -> bool:
    """Whether a person's files would fit, found out by writing as much. A folder that cannot be
    written to for any other reason has room.
    """
    probe = folder / f".{secrets.token_hex(4)}"
    try:
        with probe.open("wb") as file:
            block = bytes(1 << 20)
            for _ in range(PROBE_BYTES >> 20):
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error.errno not in NO_ROOM
    finally:
        probe.unlink(missing_ok=True)
    return True
