# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole way of an export: copy, bake, write aside, read back, compare, and only then a name."""

from __future__ import annotations

import logging
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import bpy

from ...core.errors import OutputError
from ...core.rig.round_trip import Check, Verdict, compare
from ..scene import skin
from ..scene.camera import photo_camera
from . import facts
from .borrowed_names import borrowed_names, holders
from .draft import LEVELS, Draft, File
from .family import family
from .licence import licence_of
from .obstacles import reasons, refuse
from .presets import Options, Preset
from .read_back import read_file
from .stage import stage

LOG = logging.getLogger("pixel3dmm")


@dataclass(frozen=True)
class ExportedFile:
    """What came of it. verdict is None if the file was not read back; seconds: of writing and of
    reading back; kept: False if nothing was written because the check failed; reasons: of a red
    verdict, what may be mended.
    """

    path: Path
    preset: Preset
    files: tuple[Path, ...]
    megabytes: float
    seconds: tuple[float, float]
    verdict: Verdict | None
    notes: tuple[str, ...]
    kept: bool
    reasons: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """What the panel and the status bar say."""
        name = self.path.name
        if self.verdict is None:
            return f"{name}: {self.megabytes:.1f} MB, not checked"
        if self.verdict.passed:
            return f"{name}: {self.megabytes:.1f} MB, read back: {self.verdict.sentence}"
        why = f" To mend it: {'; '.join(self.reasons)}." if self.reasons else ""
        fate = "was written all the same" if self.kept else "was not written"
        return f"{name} {fate}. What was read back differs: {self.verdict.sentence}{why}"


def export_head(
    context: bpy.types.Context,
    head: bpy.types.Object,
    path: Path,
    preset: Preset,
    options: Options,
    *,
    keep_failed: bool = False,
) -> ExportedFile:
    """Writes the head. Nothing of the artist's changes, nor a file of old if the check fails.

    Raises OutputError for a head that no file can hold, if the folder cannot be written to, or with
    the words of Blender's exporter.
    """
    refuse(head, preset)
    try:
        return _export(context, head, path, preset, options, keep_failed)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(
            f"{path.name} cannot be written to {path.parent} ({reason}): choose another."
        ) from error
    except (RuntimeError, AttributeError) as error:
        LOG.exception("Blender's exporter failed")
        reason = (str(error).strip().splitlines() or ["no reason given"])[-1]
        raise OutputError(f"{path.name} could not be exported ({reason}).") from error


def why_not_exported(context: bpy.types.Context, head: bpy.types.Object) -> str:
    """Why the head cannot be exported now, in a sentence; empty if it can."""
    if any(obj.name not in context.view_layer.objects for obj in family(head)):
        return "The head or its rig is excluded from this view layer"
    return ""


def _export(
    context: bpy.types.Context,
    head: bpy.types.Object,
    path: Path,
    preset: Preset,
    options: Options,
    keep_failed: bool,
) -> ExportedFile:
    licence = licence_of(head)
    # Blender's glTF and USD exporters take any unit of the scene for a metre (4.2 to 5.0).
    metres = preset.format in ("GLB", "USD")
    unit = context.scene.unit_settings.scale_length if metres else 1.0
    with tempfile.TemporaryDirectory(prefix=".pixel3dmm-", dir=path.parent) as scratch:
        with borrowed_names(_taken(head, preset)) as names:
            started = time.perf_counter()
            with stage(context, names[head], metres=metres) as scene:
                draft = Draft(scene, head, names, preset, options, licence, unit)
                files, notes = draft.write(Path(scratch, path.name))
            written = time.perf_counter()
            checks: list[Check] = []
            for file in files if options.check else ():
                with stage(context, names[head], metres=metres) as scene:
                    checks += _check(scene, Path(scratch, file.name), file, preset)
            read = time.perf_counter()
        verdict = Verdict(tuple(checks)) if options.check else None
        kept = verdict is None or verdict.passed or keep_failed
        moved, size = _move(Path(scratch), path.parent) if kept else ((), 0)
    return ExportedFile(
        path=path,
        preset=preset,
        files=moved,
        megabytes=size / 1e6,
        seconds=(written - started, read - written),
        verdict=verdict,
        notes=(*notes, *filter(None, [licence.warning])),
        kept=kept,
        reasons=() if verdict is None or verdict.passed else tuple(reasons(head, preset)),
    )


def _taken(head: bpy.types.Object, preset: Preset) -> list[bpy.types.ID]:
    """Every datablock whose name something in the file shall have."""
    blocks: list[bpy.types.ID] = []
    for obj in (*family(head), *filter(None, [photo_camera(head)])):
        blocks += [obj, obj.data]
    if head.data.shape_keys is not None:
        blocks.append(head.data.shape_keys)
    levels = [f"{head.name}{suffix}" for suffix in LEVELS]
    blocks += holders("objects", [*levels, preset.rig_name])
    blocks += holders("meshes", levels) + holders("armatures", [preset.rig_name])
    for kind in ("scenes", "actions", "collections"):
        blocks += holders(kind, [head.name])
    if preset.format != "BLEND":
        blocks += [m for m in head.data.materials if skin.is_special(m)]
    return blocks


def _check(scene: bpy.types.Scene, path: Path, file: File, preset: Preset) -> list[Check]:
    """What an importer makes of the file, against what went in."""
    try:
        meshes, rigs = read_file(path, preset)
    except (RuntimeError, AttributeError, ValueError, KeyError) as error:
        LOG.exception("The exported file cannot be read")
        last = (str(error).strip().splitlines() or ["no reason given"])[-1]
        return [Check("file", False, f"{file.name} cannot be read ({last})")]
    found = facts.gather(
        scene, meshes, rigs, file.frames, animated=bool(file.facts.frames), axes=file.axes
    )
    checks = compare(file.facts, found, ranges_kept=preset.format == "BLEND").checks
    if not file.prefix:
        return list(checks)
    return [Check(c.name, c.passed, f"{file.prefix}: {c.figure}") for c in checks]


def _move(scratch: Path, folder: Path) -> tuple[tuple[Path, ...], int]:
    """Gives everything that was written its place; sizes in bytes."""
    moved, size = [], 0
    for source in sorted(p for p in scratch.rglob("*") if p.is_file()):
        target = folder / source.relative_to(scratch)
        target.parent.mkdir(parents=True, exist_ok=True)
        size += source.stat().st_size
        os.replace(source, target)
        moved.append(target)
    return tuple(moved), size
