# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's job "refit": a head's fit goes on under pins, or with further photos.

params {"continuation": JSON of core.reconstruct.continuation, "pins": [[photo, landmark, x, y],
...], "photos": [.npz of core.photos.photo.Photo.save, further photos of the person], "earlier":
[.npz or null, the pixels of the continuation's own photos in its order, for further ones to be
compared with; none if it is missing], "options": {of core.options.Options}, "out": an existing
folder, "before": false from who has it already}. result {"after", "before": .npz of
core.rigged_head.RiggedHead, the first photo's head as it is now and as the last fit left it,
"before" only if it is wanted, both on the mesh that the options name, "warnings": [sentences]}.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..conform.target import on_target, target_of
from ..errors import ModelFileError
from ..photos.photo import photo_from_npz
from ..progress import Progress, part
from ..reconstruct.continuation import MAX_PHOTOS, Continuation, pins_from_json
from ..reconstruct.outputs import write_together
from ..reconstruct.refit import refit
from ..reconstruct.seen_photo import see
from .last_heads import LAST_HEADS
from .parameters import Parameters, incomplete


def refit_job(
    params: Parameters, progress: Progress, before_naming: Callable[[], None]
) -> dict[str, Any]:
    """The result's fields. Raises PersonError; ``progress`` may raise Cancelled."""
    continuation, options, out = params.text("continuation"), params.options(), params.path("out")
    target = target_of(options)
    paths, earlier = params.paths("photos"), params.paths_or_none("earlier")
    last = Continuation.from_json(continuation)
    if len(earlier) > len(last.photos):
        raise incomplete()
    count = len(last.photos) + len(paths)
    if count > MAX_PHOTOS:
        raise ModelFileError(f"A head is made from at most {MAX_PHOTOS} photos.")
    try:
        pins = pins_from_json(params.value("pins", []), count)
    except (ValueError, TypeError) as error:
        raise ModelFileError(
            "The pins of this head are damaged: remove them and set them again."
        ) from error
    photos = [photo_from_npz(path) for path in paths]
    # Without a further photo there is nothing to compare them with.
    at_hand = [None if path is None else photo_from_npz(path) for path in earlier if photos]
    end = 0.5 if photos else 0.0
    more = see(photos, options, progress=part(progress, 0.0, end))
    done = refit(
        continuation,
        pins,
        more,
        head_name=options.head,
        own_components=options.own_components,
        earlier=at_hand,
        before=LAST_HEADS.get(continuation),
        shape=options.predictor != "landmarks",
        progress=part(progress, end, 0.95),
    )
    LAST_HEADS.add(done.after)
    heads = {"after": on_target(target, done.after)}
    if params.value("before", True):
        heads["before"] = on_target(target, done.before)
    paths_of = {name: out / f"{name}.npz" for name in heads}
    results = {paths_of[name]: rigged.save for name, rigged in heads.items()}
    write_together(results, before_naming=before_naming)
    named = {name: str(path) for name, path in paths_of.items()}
    return {**named, "warnings": list(done.warnings)}
