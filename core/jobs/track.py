# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's job "track": a clip's face as curves.

params {"clip": a movie, or a folder of numbered pictures, "rate": frames a second of pictures or
null, "continuation": JSON of core.reconstruct.continuation of the head, "focal_35mm": of the clip
or null, "track": {of core.track.tracker.TrackOptions}, "out": an existing folder}. While a file
named ``stop`` lies in that folder, what was read so far is tracked and the rest left out. result
{"track": .npz of core.track.files.save_performance, "warnings": [sentences], "frames_per_second"}.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from ..errors import VideoError
from ..progress import Progress
from ..reconstruct.outputs import write_together
from ..track.files import save_performance
from ..track.track_clip import track_clip
from ..track.tracker import TrackOptions
from ..track.video import open_clip
from .parameters import Parameters, incomplete

#: Its name in the job's folder asks for an end that keeps what is tracked.
STOP = "stop"


def track_job(
    params: Parameters, progress: Progress, before_naming: Callable[[], None]
) -> dict[str, Any]:
    """The result's fields. Raises PersonError; ``progress`` may raise Cancelled."""
    out = params.path("out")
    rate, focal = _number(params, "rate"), _number(params, "focal_35mm")
    clip = open_clip(params.path("clip"), rate)
    done = track_clip(
        clip,
        params.text("continuation"),
        track_options(params.value("track", {})),
        focal_35mm=focal,
        progress=progress,
        stop=(out / STOP).exists,
    )
    path = out / "track.npz"
    write_together({path: lambda p: save_performance(p, done)}, before_naming=before_naming)
    return {
        "track": str(path),
        "warnings": done.report["warnings"],
        "frames_per_second": done.report["frames_per_second"],
    }


def track_options(data: object) -> TrackOptions:
    """From a JSON object; unknown names are ignored. Raises VideoError, WorkerError."""
    if not isinstance(data, Mapping):
        raise incomplete()
    known = {f.name for f in fields(TrackOptions)}
    try:
        return TrackOptions(**{k: v for k, v in data.items() if k in known})
    except TypeError as error:
        raise VideoError("The tracking options must be numbers and switches.") from error


def _number(params: Parameters, name: str) -> float | None:
    value = params.value(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e9:
        raise incomplete()
    return float(value)
