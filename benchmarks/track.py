# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips with known curves: what tracking finds of them, beside the same frames each alone.

The clips and the evaluator, which defines every figure, lie in ``../shared/clips`` beside the
repository; ``frame by frame`` is each frame through ``core reconstruct``, as its README reports.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from core.track.files import write_performance
from core.track.track_clip import load_tracked_head, track_clip
from core.track.tracker import TrackOptions
from core.track.video import open_clip

CLIPS = Path(__file__).resolve().parents[2] / "shared" / "clips"
#: Of every figure: its name in the evaluator's table, what it should be, and frame by frame.
FIGURES = (
    ("correlation", "correlation", ">= 0.92", {"speech": 0.42, "hold_fast": 0.60}),
    ("blink_recall", "blinks, recall", ">= 0.98", {"speech": 1.0, "hold_fast": 1.0}),
    ("blink_precision", "blinks, precision", ">= 0.98", {"speech": 1.0, "hold_fast": 1.0}),
    ("closure_recall", "closures, recall", ">= 0.95", {"speech": 1.0}),
    ("jitter", "jitter", "<= 1.2", {"speech": 2.0, "hold_fast": 25.2}),
    ("lag", "lag, frames", "<= 0.5", {"speech": 0.0, "hold_fast": 0.1}),
    ("silent_energy", "silent keys, energy", "<= 0.08", {"speech": 0.09, "hold_fast": 1.46}),
    ("pose_frontal", "pose, frontal, degrees", "<= 1.0", {"speech": 0.7, "hold_fast": 1.1}),
    ("pose_15_30", "pose, 15 to 30, degrees", "<= 2.5", {"hold_fast": 4.1}),
)


def main() -> None:
    """Tracks the public clips and prints the table."""
    public = CLIPS / "public"
    if not public.is_dir():
        raise SystemExit(f"There are no clips in {public}: this measure needs them.")
    with tempfile.TemporaryDirectory(prefix="pixel3dmm-track-") as folder:
        speeds = {}
        for clip in sorted(p for p in public.iterdir() if p.is_dir()):
            speeds[clip.name] = _track(clip, Path(folder))
        done = subprocess.run(
            [sys.executable, str(CLIPS / "evaluate_clip.py"), "many", str(public), folder],
            capture_output=True,
            text=True,
            check=True,
        )
    table = json.loads(done.stdout)["table"]
    for name, figures in table.items():
        print(f"\n| {name} | frame by frame | tracked | goal |\n|---|---|---|---|")
        for key, words, goal, floor in FIGURES:
            if figures[key] is not None:
                print(f"| {words} | {floor.get(name, '')} | {figures[key]:.2f} | {goal} |")
        print(f"| frames a second | | {speeds[name]:.1f} | >= 25 |")


def _track(clip: Path, folder: Path) -> float:
    """Writes the clip's curves; frames a second."""
    command = [sys.executable, "-m", "core", "reconstruct", str(clip / "rest.png")]
    command += ["--texture", "off", "--out", str(folder / "heads" / clip.name)]
    subprocess.run(command, check=True, capture_output=True)
    head = load_tracked_head(folder / "heads" / clip.name / "rest" / "head.npz")
    movie = open_clip(clip / "video.mp4")
    done = track_clip(movie, head.continuation_json, TrackOptions())
    (folder / clip.name).mkdir()
    write_performance(folder / clip.name, done)
    return float(done.report["frames_per_second"])


if __name__ == "__main__":
    main()
