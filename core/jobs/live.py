# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's job "live": a head's fit as what follows pins at once, see core.fitting.live_fit.

params {"continuation": JSON of core.reconstruct.continuation, "photo": its index, "options": {of
core.options.Options}, "out": an existing folder, "surface": false from who has it already}. result
{"fit": .npz, "surface": .npz, only if it is wanted; both of core.reconstruct.live_files}.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..progress import FITTING, Progress
from ..reconstruct.live import live_fit
from ..reconstruct.live_files import save_fit, save_surface
from ..reconstruct.outputs import write_together
from .parameters import Parameters, incomplete


def live_job(
    params: Parameters, progress: Progress, before_naming: Callable[[], None]
) -> dict[str, Any]:
    """The result's fields. Raises PersonError; ``progress`` may raise Cancelled."""
    continuation, options, out = params.text("continuation"), params.options(), params.path("out")
    photo = params.value("photo", 0)
    if isinstance(photo, bool) or not isinstance(photo, int):
        raise incomplete()
    progress(FITTING, 0.0)
    fit = live_fit(continuation, photo, head_name=options.head)
    paths = {"fit": out / "fit.npz"}
    results = {paths["fit"]: lambda path: save_fit(fit, path)}
    if params.value("surface", True):
        paths["surface"] = out / "surface.npz"
        results[paths["surface"]] = lambda path: save_surface(fit.surface, path)
    write_together(results, before_naming=before_naming)
    return {name: str(path) for name, path in paths.items()}
