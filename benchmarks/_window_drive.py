# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs inside a windowed Blender for :mod:`benchmarks.blender`: presses the button, with a clock.

extension.zip and photo.jpg lie beside it; times.json is what it leaves.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import bpy

FOLDER = Path(__file__).resolve().parent
PACKAGE = "bl_ext.user_default.pixel3dmm"
WARM_RUNS, CANCELS, REDRAWS = 5, 5, 6

found: dict[str, Any] = {"blender": bpy.app.version_string}
bpy.context.preferences.view.show_splash = False
# Blender refines an anti-aliased viewport in eight more draws after any change. Drawn by software
# that is seconds of Blender's own work, which no graphics card would notice.
bpy.context.preferences.system.viewport_aa = "OFF"


def area() -> bpy.types.Area:
    """The 3D viewport."""
    return next(a for a in bpy.context.window_manager.windows[0].screen.areas
                if a.type == "VIEW_3D")  # fmt: skip


def region_of(kind: str) -> bpy.types.Region:
    """One of the viewport's regions."""
    return next(r for r in area().regions if r.type == kind)


def redraws(kind: str) -> Generator[float, None, list[float]]:
    """Seconds of each of several redraws of a region, everything else at rest."""
    found = []
    for _ in range(REDRAWS):
        region_of(kind).tag_redraw()
        found.append(max((yield from follow(lambda: False, seconds=0.6))))
    return found


def timed(owner: type, name: str, into: list[float]) -> None:
    """A method of ours writes down how long each call of it takes."""
    method = getattr(owner, name)

    # With its arguments named: Blender counts them.
    def call(self: Any, context: bpy.types.Context) -> Any:
        start = time.perf_counter()
        try:
            return method(self, context)
        finally:
            into.append(time.perf_counter() - start)

    setattr(owner, name, call)


def press() -> None:
    """Reconstruct Face, in the viewport."""
    window, region = bpy.context.window_manager.windows[0], region_of("WINDOW")
    with bpy.context.temp_override(window=window, area=area(), region=region):
        bpy.ops.pixel3dmm.reconstruct_face("INVOKE_DEFAULT")


def escape() -> None:
    """The key, over the viewport."""
    window = bpy.context.window_manager.windows[0]
    view = area()
    middle = (view.x + view.width // 2, view.y + view.height // 2)
    for value in ("PRESS", "RELEASE"):
        window.event_simulate(type="ESC", value=value, x=middle[0], y=middle[1])


def follow(over: Callable[[], bool], seconds: float = 60.0) -> Generator[float, None, list[float]]:
    """Seconds from tick to tick, until it is over."""
    gaps, last = [], time.perf_counter()
    while not over() and sum(gaps) < seconds:
        yield 0.001
        now = time.perf_counter()
        gaps.append(now - last)
        last = now
    return gaps


def steps() -> Generator[float, None, None]:
    """The whole measurement."""
    yield 2.0
    found["viewport"] = yield from redraws("WINDOW")
    area().spaces.active.show_region_ui = True
    yield 1.0
    found["sidebar"] = yield from redraws("UI")
    bpy.ops.extensions.package_install_files(
        filepath=str(FOLDER / "extension.zip"), repo="user_default", enable_on_install=True
    )
    addon = f"{PACKAGE}.pixel3dmm_addon"
    status = importlib.import_module(f"{addon}.jobs.session").status
    found["panel"], steps_of_ours = [], []
    running = importlib.import_module(f"{addon}.operators.worker_operator")
    timed(running.WorkerOperator, "_advance", steps_of_ours)
    timed(importlib.import_module(f"{addon}.panels.photo").PIXEL3DMM_PT_photo, "draw",
          found["panel"])  # fmt: skip
    yield 1.0
    region_of("UI").active_panel_category = "Pixel3DMM"
    bpy.context.scene.pixel3dmm.photo = str(FOLDER / "photo.jpg")
    importlib.import_module(f"{PACKAGE}.pixel3dmm_addon.jobs.session").jobs().stop()
    yield 3.0
    found["runs"] = []
    for _ in range(1 + WARM_RUNS):
        steps_of_ours.clear()
        start, processor = time.perf_counter(), time.process_time()
        press()
        gaps = yield from follow(lambda: not status.running)
        found["runs"].append({"seconds": time.perf_counter() - start, "gaps": gaps,
                              "ours": list(steps_of_ours), "message": status.message,
                              "processor": time.process_time() - processor})  # fmt: skip
        yield 1.5
    found["cancels"] = []
    for k in range(CANCELS):
        press()
        yield from follow(lambda k=k: status.fraction > 0.15 * k or not status.running)
        start = time.perf_counter()
        escape()
        yield from follow(lambda: not status.running)
        found["cancels"].append({"seconds": time.perf_counter() - start,
                                 "message": status.message})  # fmt: skip
        yield 1.0


walk = steps()


def tick() -> float | None:
    """One step of the walk; the last one ends Blender."""
    try:
        return next(walk)
    except StopIteration:
        pass
    except Exception:
        found["traceback"] = traceback.format_exc()
    (FOLDER / "times.json").write_text(json.dumps(found))
    sys.stdout.flush()
    os._exit(0)


bpy.app.timers.register(tick, first_interval=1.0, persistent=True)
