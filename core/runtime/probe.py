# SPDX-License-Identifier: GPL-3.0-or-later
"""Tries an interpreter out in a process of its own: does torch import and compute, on what.

The probes print one JSON object on their last line. What a probe prints before is its own affair.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ..errors import RuntimeSetupError
from .process import quiet_flags, quiet_variables

#: Seconds until a probe counts as hung; torch off a cold disk takes its time.
PATIENCE = 180.0

_TORCH = """
import json, sys
import numpy
import torch
image = torch.ones(1, 1, 8, 8)
kernel = torch.ones(1, 1, 3, 3)
total = float(torch.nn.functional.conv2d(image, kernel).sum())
if total != 324.0:
    raise SystemExit(f"torch computes {total} for a sum of 324")
devices = ["CPU"]
if torch.cuda.is_available():
    devices.append(torch.cuda.get_device_name(0))
if torch.backends.mps.is_available():
    devices.append("Apple GPU")
"""
_TELL = """
facts = {"torch": torch.__version__, "numpy": numpy.__version__, "devices": devices}
facts["python"] = "{}.{}.{}".format(*sys.version_info[:3])
print()
print(json.dumps(facts))
"""
#: For a runtime of ours: all that its lock file promises.
NETWORK_PROBE = _TORCH + "import cv2, safetensors, scipy.sparse\n" + _TELL
#: For somebody else's Python: what the networks need.
TORCH_PROBE = _TORCH + _TELL


@dataclass(frozen=True)
class Facts:
    """Versions, and what torch can compute on ("CPU" or names of graphics cards)."""

    python: str
    torch: str
    numpy: str
    devices: tuple[str, ...]

    @property
    def words(self) -> str:
        """On one line."""
        return f"PyTorch {self.torch}, Python {self.python}, {' and '.join(self.devices)}"

    @classmethod
    def from_json(cls, data: object) -> Facts:
        """Raises ValueError for what no probe has printed."""
        if not isinstance(data, dict):
            raise ValueError("no object")
        values = [data.get(name) for name in ("python", "torch", "numpy")]
        devices = data.get("devices")
        if not all(isinstance(v, str) for v in values) or not isinstance(devices, list):
            raise ValueError("facts are missing")
        python, torch, numpy = map(str, values)
        return cls(python, torch, numpy, tuple(map(str, devices)))


def check_python(python: Path) -> Facts:
    """What an interpreter of the person's has. Waits for it, a few seconds.

    Raises RuntimeSetupError with one sentence if it cannot be started, is too old, or has no
    working torch or numpy.
    """
    if not python.is_file():
        raise RuntimeSetupError(f"There is no file {python}: choose a Python interpreter.")
    version = ask(python, "import json, sys; print(json.dumps(sys.version_info[:2]))", 30.0)
    try:
        major, minor = (int(part) for part in json.loads(version))
    except (ValueError, TypeError) as error:
        raise RuntimeSetupError(
            f"{python} did not answer like a Python: choose a Python interpreter."
        ) from error
    if (major, minor) < (3, 11):
        raise RuntimeSetupError(
            f"{python} is Python {major}.{minor}: choose one of version 3.11 or newer."
        )
    return read_facts(ask(python, TORCH_PROBE), python)


def read_facts(answer: str, python: Path) -> Facts:
    """The facts in a probe's last line. Raises RuntimeSetupError if there are none."""
    try:
        return Facts.from_json(json.loads(answer))
    except ValueError as error:
        raise RuntimeSetupError(
            f"{python} did not say what it has: choose another Python."
        ) from error


def ask(python: Path, code: str, patience: float = PATIENCE) -> str:
    """The last line that ``code`` prints there. Raises RuntimeSetupError."""
    try:
        done = subprocess.run(
            [os.fspath(python), "-I", "-c", code],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=patience,
            env=quiet_variables(),
            creationflags=quiet_flags(),
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RuntimeSetupError(
            f"{python} did not answer within {patience:.0f} seconds: try again or choose another."
        ) from error
    except OSError as error:
        raise RuntimeSetupError(
            f"{python} cannot be started ({error.strerror or error}): choose a Python interpreter."
        ) from error
    if done.returncode != 0:
        raise RuntimeSetupError(complaint(python, done.stderr, done.returncode))
    return (done.stdout.strip().splitlines() or [""])[-1]


def complaint(python: Path, errors: str, code: int) -> str:
    """One sentence out of a probe's traceback."""
    reason = (errors.strip().splitlines() or [f"exit code {code}"])[-1].rstrip(".")
    if reason.startswith("ModuleNotFoundError: No module named "):
        module = reason.rpartition(" ")[2].strip("'\"")
        return f"{python} has no {module}: install it there, or choose another Python."
    return f"{python} cannot run the networks ({reason}): choose another Python."
