# SPDX-License-Identifier: GPL-3.0-or-later
"""What a reconstruction says of itself: figures for people, and the recipe to make it again."""

from __future__ import annotations

import hashlib
import platform
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..heads.model import HeadModel, Licence
from ..photos.photo import Photo
from ..reconstruction import Reconstruction

SCHEMA = 1

PREDICTOR_LICENCES = {
    "mediapipe": Licence(
        "Apache-2.0 AND MIT",
        True,
        "MediaPipe's landmarks (Apache-2.0), and our own shape network, trained on people drawn "
        "from ICT FaceKit's statistics (MIT, (c) 2020 USC Institute for Creative Technologies)",
    ),
    "landmarks": Licence("Apache-2.0", True),
    "pixel3dmm": Licence(
        "CC-BY-NC-4.0",
        False,
        "Pixel3DMM network weights, Giebenhain et al. 2025: not for commercial use",
    ),
}


@dataclass
class Stopwatch:
    """Seconds by stage. A stage that comes several times is summed."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Adds the time of its body to a stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


@dataclass(frozen=True)
class PhotoFacts:
    """What is known of one photo beside its fit; width and height in pixels.

    sha256: of the file; focal_px: what the photo itself says, or None. faces_found: how many, None
    if it is not known or the person gave a box; face_used: which of them. focal_source: where the
    focal length that the fit was given comes from, in words. notes: sentences.
    """

    name: str
    sha256: str
    width: int
    height: int
    focal_px: float | None
    faces_found: int | None
    face_used: int
    focal_source: str
    notes: tuple[str, ...]


def completed(
    reconstruction: Reconstruction,
    head: HeadModel,
    photos: Sequence[PhotoFacts],
    *,
    predictor: str,
    options: dict[str, Any],
    seconds: dict[str, float],
    networks: dict[str, str],
    notes: tuple[str, ...],
) -> Reconstruction:
    """A fit's reconstruction with report and recipe filled in; all JSON-ready.

    networks: SHA-256 of the checkpoints used, by kind. notes: sentences on the predictor.
    """
    fits = tuple(
        replace(fit, report={**_photo_report(facts), **fit.report})
        for fit, facts in zip(reconstruction.photos, photos, strict=True)
    )
    warnings = [*notes, *(n for facts in photos for n in facts.notes), *reconstruction.warnings]
    report = {
        **reconstruction.report,
        "schema": SCHEMA,
        "warnings": list(dict.fromkeys(warnings)),
        "head": head.name,
        "predictor": predictor,
        "licences": licences(head, predictor),
        "seconds": {name: round(s, 4) for name, s in seconds.items()},
        "memory_peak_mb": peak_memory_mb(),
        "versions": versions(),
        "photos": [fit.report for fit in fits],
    }
    recipe = {
        **reconstruction.recipe,
        "schema": SCHEMA,
        "photos": [{"name": facts.name, "sha256": facts.sha256} for facts in photos],
        "head": {"name": head.name, "sha256": head.digest},
        "networks": networks,
        "options": {**options, "predictor": predictor},
        "focal_px": [facts.focal_px for facts in photos],
        "versions": versions(),
    }
    return replace(reconstruction, photos=fits, report=report, recipe=recipe)


def _photo_report(facts: PhotoFacts) -> dict[str, Any]:
    return {
        "photo": facts.name,
        "sha256": facts.sha256,
        "width": facts.width,
        "height": facts.height,
        "focal_source": facts.focal_source,
        "faces_found": facts.faces_found,
        "face_used": facts.face_used,
        "notes": list(facts.notes),
    }


def photo_hash(photo: Photo) -> str:
    """SHA-256 of the file; of size and pixels where there never was a file."""
    if photo.sha256:
        return photo.sha256
    size = f"{photo.width}x{photo.height} ".encode("ascii")
    return hashlib.sha256(size + photo.pixels.tobytes()).hexdigest()


def licences(head: HeadModel, predictor: str) -> dict[str, Any]:
    """Under which terms the result may be used, by what it was made with."""
    used = PREDICTOR_LICENCES[predictor]
    terms = (head.licence.commercial, used.commercial)
    return {
        "software": "GPL-3.0-or-later",
        "head": _terms(head.name, head.licence),
        "predictor": _terms(predictor, used),
        "commercial_use": False if False in terms else None if None in terms else True,
    }


def _terms(name: str, licence: Licence) -> dict[str, Any]:
    return {
        "name": name,
        "spdx": licence.spdx,
        "commercial_use": licence.commercial,
        "notice": licence.notice,
    }


def versions() -> dict[str, str]:
    """Of all that can change a number."""
    return {
        "pixel3dmm": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "platform": f"{sys.platform}-{platform.machine()}",
    }


def peak_memory_mb() -> float | None:
    """Most memory this process has held at once, MB of 10^6 bytes; None if unknown."""
    status = Path("/proc/self/status")
    if status.exists():
        # Linux: ru_maxrss is inherited from the process that started us, VmHWM is our own.
        for line in status.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return round(int(line.split()[1]) * 1024 / 1e6, 1)
    try:
        import resource
    except ImportError:  # Windows has no such module
        return None
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 1)
