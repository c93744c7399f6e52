# SPDX-License-Identifier: GPL-3.0-or-later
"""``build.py runtime``: the neural runtime outside Blender, for the command line and for tests."""

from __future__ import annotations

import sys
from pathlib import Path

from core.errors import PersonError
from core.runtime import create_runtime, default_variant, remove_runtime, runtime_state

from .processes import ROOT, BuildError, say

FOLDER = ROOT / ".build" / "runtime"


def neural_runtime(action: str, folder: Path, wheels: Path | None) -> int:
    """action: build, remove or status. Raises BuildError with one sentence."""
    try:
        if action == "remove":
            remove_runtime(folder)
        elif action == "build":
            _build(folder, wheels)
    except PersonError as error:
        raise BuildError(str(error)) from error
    state = runtime_state(folder)
    say(f"{folder}: {state.words}")
    if state.python is not None:
        say(f"Its Python: {state.python}")
    return 0 if state.ready or action == "remove" else 1


def _build(folder: Path, wheels: Path | None) -> None:
    variant = default_variant()
    if variant is None:
        raise BuildError("There is no neural runtime for this system: use a Python with torch.")
    say(f"Installing the neural runtime ({variant.title}, about {variant.megabytes()} MB) ...")
    told = ""

    def progress(stage: str, fraction: float) -> None:
        nonlocal told
        if stage != told:
            told = stage
            say(f"{100 * fraction:3.0f} % {stage}")

    create_runtime(
        folder,
        python=Path(sys.executable),
        variant=variant,
        find_links=wheels,
        offline=wheels is not None,
        progress=progress,
    )
