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
WARM_RUNS, CANCELS = 5, 5

found: dict[str, Any] = {"blender": bpy.app.version_string}
bpy.context.preferences.view.show_splash = False
# Blender refines an anti-aliased viewport in eight more draws after any change. Drawn by software
# that is seconds of Blender's own work, which no graphics card would notice.
bpy.context.preferences.system.viewport_aa = "OFF"


def press() -> None:
    """Reconstruct Face, in the viewport."""
    window = bpy.context.window_manager.windows[0]
    area = next(a for a in window.screen.areas if a.type == "VIEW_3D")
    region = next(r for r in area.regions if r.type == "WINDOW")
    with bpy.context.temp_override(window=window, area=area, region=region):
        bpy.ops.pixel3dmm.reconstruct_face("INVOKE_DEFAULT")


def escape() -> None:
    """The key, over the viewport."""
    window = bpy.context.window_manager.windows[0]
    area = next(a for a in window.screen.areas if a.type == "VIEW_3D")
    middle = (area.x + area.width // 2, area.y + area.height // 2)
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
    bpy.ops.extensions.package_install_files(
        filepath=str(FOLDER / "extension.zip"), repo="user_default", enable_on_install=True
    )
    status = importlib.import_module(f"{PACKAGE}.pixel3dmm_addon.session").status
    area = next(a for a in bpy.context.window_manager.windows[0].screen.areas
                if a.type == "VIEW_3D")  # fmt: skip
    area.spaces.active.show_region_ui = True
    yield 1.0
    next(r for r in area.regions if r.type == "UI").active_panel_category = "Pixel3DMM"
    bpy.context.scene.pixel3dmm.photo = str(FOLDER / "photo.jpg")
    importlib.import_module(f"{PACKAGE}.pixel3dmm_addon.session").jobs().stop()
    yield 3.0
    found["idle"] = yield from follow(lambda: False, seconds=2.0)
    found["runs"] = []
    for _ in range(1 + WARM_RUNS):
        start = time.perf_counter()
        press()
        gaps = yield from follow(lambda: not status.running)
        found["runs"].append({"seconds": time.perf_counter() - start, "gaps": gaps,
                              "message": status.message})  # fmt: skip
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
