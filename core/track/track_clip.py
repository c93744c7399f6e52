# SPDX-License-Identifier: GPL-3.0-or-later
"""A clip with a head from before, or with one that is made from the clip's own best frames."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..errors import ModelFileError
from ..geometry.camera import focal_from_35mm
from ..options import OPEN_HEAD, Options
from ..pipeline import reconstruct, rig_heads
from ..progress import Progress, part, silent
from ..reconstruct.resources import load_head, load_mediapipe
from ..rigged_head import RiggedHead
from .best_frames import best_photos
from .performance import Performance
from .person import person_of
from .tracker import TrackOptions, track
from .video import Clip


def track_clip(
    clip: Clip,
    continuation: str,
    options: TrackOptions,
    *,
    focal_35mm: float | None = None,
    progress: Progress = silent,
    stop: Callable[[], bool] = lambda: False,
) -> Performance:
    """With the open head and the face nets that are loaded once a process."""
    focal = None
    if focal_35mm is not None:
        focal = focal_from_35mm(focal_35mm, clip.width, clip.height)
    side = max(clip.width, clip.height)
    person = person_of(load_head(OPEN_HEAD), continuation, focal, side)
    return track(clip, person, load_mediapipe(), options, progress=progress, stop=stop)


def head_of_clip(
    clip: Clip, focal_35mm: float | None = None, *, progress: Progress = silent
) -> RiggedHead:
    """A head from the clip's own best frames. Raises PersonError."""
    photos = best_photos(clip, load_mediapipe(), progress=part(progress, 0.0, 0.3))
    options = Options(texture="off", same_person=True, focal_35mm=focal_35mm)
    people = reconstruct(photos, options, progress=part(progress, 0.3, 0.8))
    return rig_heads(photos, people, options, progress=part(progress, 0.8, 1.0))[0]


def load_tracked_head(path: Path) -> RiggedHead:
    """A head.npz whose fit can go on. Raises ModelFileError."""
    head = RiggedHead.load(path)
    if not head.continuation_json:
        raise ModelFileError(
            f"{path.name} does not hold what tracking begins with: reconstruct it again."
        )
    return head
