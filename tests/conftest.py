# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of all kinds share. Imports nothing that a Blender's Python lacks."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def pytest_configure() -> None:
    """Interrupts reach the programs that are tested, also where the tests run in the background:
    a shell lets those ignore SIGINT, and children inherit that.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def missing(what: str) -> None:
    """Ends a test for want of something outside the repository: a skip, but a failure in CI."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is missing, and in CI that is a failure")
    pytest.skip(f"{what} is missing")


@pytest.fixture(scope="session")
def repository() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Ground truth and fixtures that lie beside the repository and are not part of it."""
    path = ROOT.parent / "shared"
    if not path.is_dir():
        missing("../shared")
    return path


@pytest.fixture(scope="session")
def example_photo() -> Path:
    """The photo that ships with the project: one face, 61 pixels between the eyes' corners."""
    return ROOT / "examples" / "astronaut.jpg"


@pytest.fixture(scope="session")
def example_head(example_photo):
    """The example photo's RiggedHead, made once for all tests of core that only read it."""
    from core.options import Options
    from core.photos.photo import load_photo
    from core.pipeline import reconstruct, rig_heads

    photo = load_photo(example_photo)
    return rig_heads([photo], reconstruct([photo]), Options())[0]
