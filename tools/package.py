# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the extension zip with Blender's own packager and checks what is in it.

What ships is copied to a clean folder first, so that nothing lying about in the working tree can
slip in. The packager is the ``blender_ext.py`` inside Blender's module; it runs without Blender.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path

from .environments import ENVS
from .processes import ROOT, BuildError, clean_variables

SHIPPED = (
    "blender_manifest.toml",
    "__init__.py",
    "LICENSE",
    "NOTICE",
    "README.md",
    "CHANGELOG.md",
    "docs",
    "core",
    "pixel3dmm_addon",
    "vendor",
)
#: What the open head's builder reads stays at home; its notice goes along.
NOT_SHIPPED = ("__pycache__", "*.pyc", ".*", "images", "people.npz")
MAX_MEGABYTES = 20.0


def shipped_files(root: Path = ROOT) -> list[Path]:
    """Every file that goes into the zip, relative to the root, sorted."""
    skip = shutil.ignore_patterns(*NOT_SHIPPED)
    found: list[Path] = []
    for name in SHIPPED:
        start = root / name
        if start.is_file():
            found.append(start)
        for folder, folders, files in os.walk(start):
            ignored = skip(folder, [*folders, *files])
            folders[:] = [f for f in folders if f not in ignored]
            found.extend(Path(folder, f) for f in files if f not in ignored)
    return sorted(path.relative_to(root) for path in found)


def build_zip(out_dir: Path, python: Path | None = None, root: Path = ROOT) -> Path:
    """Builds and validates ``<id>-<version>.zip`` in ``out_dir``; reuses one that is up to date.

    ``python`` is an interpreter that has Blender's module; without it this one is tried, then
    the environments made so far. Raises BuildError with the packager's own words.
    """
    missing = [
        name for name in ("blender_manifest.toml", "__init__.py") if not (root / name).exists()
    ]
    if missing:
        raise BuildError(f"The extension cannot be packaged: {', '.join(missing)} is missing.")
    manifest = tomllib.loads((root / "blender_manifest.toml").read_text(encoding="utf-8"))
    archive = out_dir / f"{manifest['id']}-{manifest['version']}.zip"
    stamp = out_dir / f"{archive.name}.json"
    files = shipped_files(root)
    key = _key(root, files)
    if archive.is_file() and stamp.is_file():
        made = json.loads(stamp.read_text(encoding="utf-8"))
        if made == {"key": key, "bytes": archive.stat().st_size}:
            return archive
    packager, tags = find_packager(python)
    out_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out_dir, prefix=".making-") as scratch:
        source, target = Path(scratch, "source"), Path(scratch, archive.name)
        for path in files:
            (source / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / path, source / path)
        _packager(packager, "validate", f"--valid-tags={tags}", str(source))
        _packager(packager, "build", f"--source-dir={source}", f"--output-filepath={target}")
        _packager(packager, "validate", f"--valid-tags={tags}", str(target))
        check_zip(target)
        os.replace(target, archive)
    made = {"key": key, "bytes": archive.stat().st_size}
    stamp.write_text(json.dumps(made), encoding="utf-8")
    return archive


def check_zip(path: Path) -> None:
    """Raises BuildError if the zip is too big, holds wheels, or holds what must not ship."""
    megabytes = path.stat().st_size / 1e6
    if megabytes >= MAX_MEGABYTES:
        raise BuildError(
            f"The extension is {megabytes:.1f} MB and must stay under {MAX_MEGABYTES:.0f} MB: "
            "make the data under vendor/ smaller."
        )
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    tops = {Path(name).parts[0] for name in names}
    strangers = sorted(tops - set(SHIPPED))
    wheels = [name for name in names if name.endswith(".whl")]
    if strangers or wheels:
        raise BuildError(
            f"The extension zip holds what must not ship: {', '.join(strangers + wheels)}."
        )


def find_packager(python: Path | None = None) -> tuple[Path, Path]:
    """(blender_ext.py, tags.py) of a Blender module. Raises BuildError if there is none."""
    places = [python.parent.parent] if python else [Path(sys.prefix)]
    if python is None and ENVS.is_dir():
        places += sorted(ENVS.glob("blender-*"), reverse=True)
    for place in places:
        for module in (
            *place.glob("lib/python3.*/site-packages/bpy"),
            place / "Lib/site-packages/bpy",
        ):
            packagers = list(module.glob("*/scripts/addons_core/bl_pkg/cli/blender_ext.py"))
            tags = list(module.glob("*/scripts/modules/_bpy_internal/extensions/tags.py"))
            if packagers and tags:
                return packagers[0], tags[0]
    raise BuildError(
        'Blender\'s packager was not found: run "python3 build.py package", which fetches it.'
    )


def _packager(packager: Path, *arguments: str) -> None:
    result = subprocess.run(
        [sys.executable, str(packager), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=clean_variables(),
        check=False,
    )
    if result.returncode != 0:
        raise BuildError(f"Blender's packager refuses the extension: {result.stdout.strip()}")


def _key(root: Path, files: list[Path]) -> str:
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for path in files:
        status = (root / path).stat()
        digest.update(f"{path.as_posix()} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()
