# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's job "refit": a head's fit goes on under pins, or with further photos.

params {"continuation": JSON of core.reconstruct.continuation, "pins": [[photo, landmark, x, y],
...], "photos": [.npz of core.photos.photo.Photo.save, further photos of the person], "earlier":
[.npz or null, the pixels of the continuation's own photos in its order, for further ones to be
compared with; none if it is missing], "options": {of core.options.Options}, "out": an existing
folder, "before": false from who has it already}. result {"after", "before": .npz of
core.rigged_head.RiggedHead, the first photo's head as it is now and as the last fit left it,
"before" only if it is wanted, "warnings": [sentences]}.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..errors import ModelFileError, WorkerError
from ..options import Options
from ..photos.photo import photo_from_npz
from ..pipeline import look_again
from ..progress import part
from ..reconstruct.continuation import MAX_PHOTOS, Continuation, pins_from_json
from ..reconstruct.outputs import write_together
from ..reconstruct.refit import refit


def refit_job(
    params: object,
    progress: Callable[[str, float], None],
    before_naming: Callable[[], None],
) -> dict[str, Any]:
    """The result's fields. Raises PersonError; ``progress`` may raise Cancelled."""
    if not isinstance(params, Mapping):
        raise WorkerError(_INCOMPLETE)
    told, paths, out = params.get("continuation"), params.get("photos", []), params.get("out")
    options = params.get("options", {})
    if not (isinstance(told, str) and isinstance(out, str) and isinstance(options, Mapping)):
        raise WorkerError(_INCOMPLETE)
    earlier = params.get("earlier", [])
    if not isinstance(paths, list) or not all(isinstance(p, str) for p in paths):
        raise WorkerError(_INCOMPLETE)
    if not isinstance(earlier, list) or not all(p is None or isinstance(p, str) for p in earlier):
        raise WorkerError(_INCOMPLETE)
    chosen = Options.from_json(options)
    last = Continuation.from_json(told)
    if len(earlier) > len(last.photos):
        raise WorkerError(_INCOMPLETE)
    count = len(last.photos) + len(paths)
    if count > MAX_PHOTOS:
        raise ModelFileError(f"A head is made from at most {MAX_PHOTOS} photos.")
    try:
        pins = pins_from_json(params.get("pins", []), count)
    except (ValueError, TypeError) as error:
        raise ModelFileError(
            "The pins of this head are damaged: remove them and set them again."
        ) from error
    photos = [photo_from_npz(Path(p)) for p in paths]
    # Without a further photo there is nothing to compare them with.
    known = [None if p is None else photo_from_npz(Path(p)) for p in earlier if photos]
    end = 0.5 if photos else 0.0
    more = look_again(photos, chosen, progress=part(progress, 0.0, end))
    done = refit(
        told,
        pins,
        more,
        head_name=chosen.head,
        own_components=chosen.own_components,
        earlier=known,
        progress=part(progress, end, 0.95),
    )
    heads = {"after": done.after}
    if params.get("before", True):
        heads["before"] = done.before
    paths_of = {name: Path(out, f"{name}.npz") for name in heads}
    results = {paths_of[name]: rigged.save for name, rigged in heads.items()}
    write_together(results, before_naming=before_naming)
    named = {name: str(path) for name, path in paths_of.items()}
    return {**named, "warnings": list(done.warnings)}


_INCOMPLETE = "The other process sent a job with incomplete parameters."
