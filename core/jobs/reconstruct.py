# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's job "reconstruct": photos to rigged heads.

params {"photos": [.npz of core.photos.photo.Photo.save], "options": {of core.options.Options},
"out": an existing folder}. result {"heads": [.npz of core.rigged_head.RiggedHead, one a photo],
"seconds": of the whole job, "warnings": [sentences]}.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ..conform.target import notes_of, on_target, target_of
from ..photos.photo import photo_from_npz
from ..pipeline import reconstruct, rig_heads
from ..progress import WRITING, Progress, part
from ..reconstruct.outputs import write_together
from .last_heads import LAST_HEADS
from .parameters import Parameters, incomplete


def reconstruct_job(
    params: Parameters, progress: Progress, before_naming: Callable[[], None]
) -> dict[str, Any]:
    """The result's fields. Raises PersonError; ``progress`` may raise Cancelled. before_naming is
    called when all is written aside, the last moment at which the job may end without a result.
    """
    start = time.perf_counter()
    paths, options, out = params.paths("photos"), params.options(), params.path("out")
    if not paths:
        raise incomplete()
    photos = [photo_from_npz(path) for path in paths]
    # Now: what is missing is said before the work and not after it.
    target = target_of(options)
    people = reconstruct(photos, options, progress=part(progress, 0.0, 0.8))
    heads = rig_heads(photos, people, options, progress=part(progress, 0.8, 0.95))
    progress(WRITING, 0.95)
    shown = [on_target(target, head) for head in heads]
    results = {out / f"head-{i}.npz": head.save for i, head in enumerate(shown)}
    write_together(results, before_naming=before_naming)
    for head in heads:
        LAST_HEADS.add(head)
    warnings = [sentence for person in people for sentence in person.warnings]
    warnings += [sentence for head in shown for sentence in notes_of(head)]
    return {
        "heads": [str(path) for path in results],
        "seconds": time.perf_counter() - start,
        "warnings": list(dict.fromkeys(warnings)),
    }
