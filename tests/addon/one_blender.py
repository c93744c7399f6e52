# SPDX-License-Identifier: GPL-3.0-or-later
"""Another Blender with the same user files: reconstructs, or stops amid a job.

Arguments: a photo, and how often it is reconstructed, 0 for a job that is left under way. Each line
printed is JSON: the worker's process id; of a job also the sum over the head's points and a sample.
"""

import importlib
import json
import sys
import time
from pathlib import Path

import bpy  # isort: skip - it makes Blender's own modules known
import addon_utils

PACKAGE = "bl_ext.user_default.pixel3dmm"
photo, times = sys.argv[1], int(sys.argv[2])
bpy.ops.extensions.repo_refresh_all()
addon_utils.enable(PACKAGE, default_set=True)
session = importlib.import_module(f"{PACKAGE}.pixel3dmm_addon.jobs.session")


def tell(**values):
    sys.stdout.write(json.dumps({"worker": session.jobs().pid, **values}) + "\n")
    sys.stdout.flush()


if not times:
    runs = importlib.import_module(f"{PACKAGE}.pixel3dmm_addon.jobs.reconstruction")
    steps = runs.ReconstructionRun(Path(photo)).steps()
    for news in steps:
        if news is not None and news.fraction > 0.1:
            tell()
            break
        time.sleep(0.01)
    time.sleep(600)
for _ in range(times):
    bpy.context.scene.pixel3dmm.photo = photo
    ended = bpy.ops.pixel3dmm.reconstruct_face()
    points = session.last_run.outcome.rigged.posed
    tell(ended=list(ended), sum=float(points.sum()), sample=points[::600].tolist())
