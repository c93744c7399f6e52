# SPDX-License-Identifier: GPL-3.0-or-later
"""Exports of a batch: Blender in the background, as one more worker with one job, "export".

It runs this package's own add-on (pixel3dmm_addon.export_worker), so that nothing needs to be
installed in that Blender.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from ..errors import PersonError

#: Endings by what a person asks for: a format, or a program as in the add-on's Export For.
FORMATS = {"fbx": ".fbx", "glb": ".glb", "usd": ".usdc", "blend": ".blend"}
PROGRAMS = {
    "unreal": ".fbx", "unity": ".fbx", "godot": ".glb", "vrm": ".glb", "blender": ".blend",
}  # fmt: skip


@dataclass(frozen=True)
class Export:
    """One file beside each head. preset: of the add-on, None for what suits the ending."""

    file: str
    preset: str | None


def exports_of(text: str) -> tuple[Export, ...]:
    """From "fbx,glb,unreal". Raises PersonError."""
    out = []
    for word in dict.fromkeys(part.strip().lower() for part in text.split(",") if part.strip()):
        if word in FORMATS:
            out.append(Export(f"head{FORMATS[word]}", None))
        elif word in PROGRAMS:
            out.append(Export(f"head-{word}{PROGRAMS[word]}", word.upper()))
        else:
            known = ", ".join([*FORMATS, *PROGRAMS])
            raise PersonError(f"Nothing can be exported as {word!r}: use some of {known}.")
    return tuple(out)


def blender_command(program: str) -> list[str]:
    """The command line of the export worker. program: Blender's, or a Python that has the module
    bpy. Raises PersonError if there is none.
    """
    found = shutil.which(program)
    if found is None:
        raise PersonError(
            f"There is no program {program}: give --blender the path of Blender 4.2 or later."
        )
    root = Path(__file__).resolve().parents[2]
    # The folder above is a package under a name of its own, whatever it is called on disk.
    bootstrap = (
        "import importlib.util, sys; "
        f"root = {str(root)!r}; "
        "spec = importlib.util.spec_from_file_location('pixel3dmm_batch', root + '/__init__.py', "
        "submodule_search_locations=[root]); "
        "module = importlib.util.module_from_spec(spec); "
        "sys.modules['pixel3dmm_batch'] = module; "
        "spec.loader.exec_module(module); "
        "import importlib; "
        "importlib.import_module('pixel3dmm_batch.pixel3dmm_addon.export_worker').main()"
    )
    if Path(found).name.lower().startswith("python"):
        return [found, "-P", "-c", bootstrap]
    quiet = ["--background", "--factory-startup", "--python-exit-code", "1"]
    return [found, *quiet, "--python-expr", bootstrap]
