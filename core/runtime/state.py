# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether there is a runtime in a folder, said in words. Looks at files alone, so it is cheap."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from .probe import Facts
from .variants import VARIANTS

#: Inside the runtime's folder: the environment under its final name, and the record in it, which
#: is written after the environment was tried out.
ENVIRONMENT, RECORD = "env", "runtime.json"


@dataclass(frozen=True)
class RuntimeState:
    """python: the interpreter, None unless the runtime is ready; words: for a person."""

    python: Path | None
    words: str
    installed: bool

    @property
    def ready(self) -> bool:
        """True if the runtime was tried out and is still there."""
        return self.python is not None


def runtime_state(folder: Path) -> RuntimeState:
    """The runtime that ``create_runtime`` has left in a folder. Never raises."""
    environment = folder / ENVIRONMENT
    if not environment.exists():
        return RuntimeState(None, "Not installed", False)
    try:
        record = json.loads((environment / RECORD).read_text("utf-8"))
        facts = Facts.from_json(record["facts"])
        variant, lock = str(record["variant"]), str(record["lock_sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        return RuntimeState(None, "Damaged: install it again or remove it", True)
    python = environment_python(environment)
    if not python.exists():  # false too for a link to an interpreter that was uninstalled
        return RuntimeState(
            None, "The Python it was made with is gone: install it again or remove it", True
        )
    known = VARIANTS.get(variant)
    old = known is not None and known.lock_sha256 != lock
    hint = "; there is a newer one: install it again" if old else ""
    return RuntimeState(python, f"Ready: {facts.words}{hint}", True)


def environment_python(environment: Path) -> Path:
    """Where a virtual environment has its interpreter."""
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
