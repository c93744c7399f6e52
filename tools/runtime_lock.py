# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes core/runtime/lock-cpu.txt: every wheel of the neural runtime with its SHA-256.

pip resolves what torch needs on the system that this runs on (Linux, where torch's CPU build
must be within reach of pip's settings); then each package is asked for on every system and Python
that is offered, and the hashes of those wheels are written down.

    python -m tools.runtime_lock
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile

from .processes import ROOT, say

LOCK = ROOT / "core" / "runtime" / "lock-cpu.txt"
WANTED = ("torch==2.13.0", "numpy<3", "scipy", "opencv-python-headless", "safetensors")
PYTHONS = ("3.11", "3.13")
#: Wheel tags that pip would take on each system, the newest first.
SYSTEMS = {
    "Linux": ("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux_2_17_x86_64",
              "manylinux2014_x86_64"),
    "Windows": ("win_amd64",),
    "Darwin": ("macosx_14_0_arm64", "macosx_13_0_arm64", "macosx_12_0_arm64", "macosx_11_0_arm64"),
}  # fmt: skip
CPU = "+cpu"


def main() -> None:
    """Resolves, asks, writes; says what it could not get."""
    resolved = _report(list(WANTED), "Linux", "3.11")
    if resolved is None:
        raise SystemExit("pip cannot resolve the packages on this system.")
    lines = [
        "# Made by tools/runtime_lock.py: the neural runtime, CPU (on macOS also Apple's GPU).\n"
    ]
    for name, version, _ in sorted(resolved, key=lambda package: package[0].lower()):
        if version.endswith(CPU):
            lines += _lines(name, version, ("Linux",), ' ; platform_system == "Linux"')
            plain = version.removesuffix(CPU)
            lines += _lines(name, plain, ("Windows", "Darwin"), ' ; platform_system != "Linux"')
        else:
            lines += _lines(name, version, tuple(SYSTEMS), "")
    LOCK.write_text("".join(lines), "utf-8")
    say(f"{LOCK.relative_to(ROOT)}: {len(resolved)} packages")


def _lines(name: str, version: str, systems: tuple[str, ...], marker: str) -> list[str]:
    """One requirement and its hashes."""
    hashes: dict[str, None] = {}
    for system in systems:
        for python in PYTHONS:
            found = _report(["--no-deps", f"{name}=={version}"], system, python)
            if found is None:
                say(f"  no {name} {version} for {system}, Python {python}")
            else:
                hashes[found[0][2]] = None
    return [f"{name}=={version}{marker} \\\n", *_joined([f"    --hash=sha256:{h}" for h in hashes])]


def _joined(parts: list[str]) -> list[str]:
    return [f"{part} \\\n" for part in parts[:-1]] + [f"{parts[-1]}\n"]


def _report(arguments: list[str], system: str, python: str) -> list[tuple[str, str, str]] | None:
    """(name, version, SHA-256) of what pip would install; None if it would not."""
    with tempfile.TemporaryDirectory() as target:
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed"]
        command += ["--quiet", "--report", "-", "--only-binary", ":all:", "--implementation", "cp"]
        command += ["--python-version", python, "--target", target]
        for tag in SYSTEMS[system]:
            command += ["--platform", tag]
        done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        return None
    packages = json.loads(done.stdout)["install"]
    return [
        (
            package["metadata"]["name"],
            package["metadata"]["version"],
            package["download_info"]["archive_info"]["hashes"]["sha256"],
        )
        for package in packages
    ]


if __name__ == "__main__":
    main()
