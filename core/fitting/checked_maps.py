# SPDX-License-Identifier: GPL-3.0-or-later
"""A fit that believes dense maps only where they agree with the landmarks.

The head is fitted to the landmarks alone first and drawn as the maps would show it. A map that
has little to do with that drawing (weights that are not trained, the wrong face in the crop, a
head in the way) would drag the head anywhere: it is left out, and a warning says so. So it is if
the fit to the maps fails. What the maps add must be small beside what the landmarks know already:
the bounds are several times what a face's shape and the landmarks' errors account for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..cues.face_maps import on_face, without_maps
from ..cues.rendered_cues import rendered_cues
from ..cues.screen_cues import ScreenCues
from ..errors import FitError
from ..heads.model import HeadModel
from ..progress import FITTING, Progress, part, silent
from ..reconstruction import Reconstruction
from .fit import fit_head
from .problem import FitProblem

#: Least share of the face's pixels on which the maps say something.
LEAST_COVERED = 0.15
#: Largest median distance from the uv of the fit to the landmarks: a tenth of the layout's side.
#: Maps that know nothing are off by some three tenths.
WORST_UV = 0.1
#: The same of the normals, degrees. Maps that know nothing are off by some ninety, a map that
#: faces forward everywhere by some forty.
WORST_NORMAL = 30.0
#: Every which pixel of the maps is compared.
_STRIDE = 4
#: Share of the progress that the first of the two fits takes.
_FIRST = 0.3


@dataclass(frozen=True)
class Agreement:
    """How maps compare with the fit to the landmarks.

    covered: share of the face's pixels that say something; uv: median distance in the layout;
    normal: median angle in degrees; both nan where there is no such map or nothing to compare.
    """

    covered: float
    uv: float
    normal: float

    @property
    def uv_holds(self) -> bool:
        """Whether the uv map is to be believed."""
        return self.covered >= LEAST_COVERED and self.uv <= WORST_UV

    @property
    def normal_holds(self) -> bool:
        """Whether the normals are to be believed."""
        return self.covered >= LEAST_COVERED and self.normal <= WORST_NORMAL

    def report(self) -> dict[str, Any]:
        """The figures, JSON-ready."""
        return {
            "covered_share": self.covered,
            "uv_off": None if np.isnan(self.uv) else self.uv,
            "normal_off_degrees": None if np.isnan(self.normal) else self.normal,
        }


def fit_checked_maps(
    problem: FitProblem,
    names: Sequence[str],
    *,
    landmark_fit: Reconstruction | None = None,
    progress: Progress = silent,
) -> Reconstruction:
    """As ``fit_head``, with dense maps where they can be believed; all cues have landmarks.

    names: of the photos, for the warnings. landmark_fit: the fit without maps, where it is known
    already. Each photo with maps gets ``maps`` in its report.
    """
    if not any(c.dense for c in problem.cues):
        return landmark_fit or fit_head(problem, progress=progress)
    second = progress
    if landmark_fit is None:
        first, second = part(progress, 0.0, _FIRST), part(progress, _FIRST, 1.0)
        landmark_fit = fit_head(problem.without_maps(), progress=first)
    found = [
        agreement(problem.head, landmark_fit, i, c) if c.dense else None
        for i, c in enumerate(problem.cues)
    ]
    believed, warnings = [], []
    for c, a, name in zip(problem.cues, found, names, strict=True):
        if a is not None:
            warnings += _doubts(c, a, name)
            c = without_maps(c, uv=not a.uv_holds, normal=not a.normal_holds)
        believed.append(c)
    result = landmark_fit
    if any(c.dense for c in believed):
        try:
            result = fit_head(replace(problem, cues=believed), progress=second)
        except FitError as error:
            believed = [without_maps(c) for c in believed]
            warnings.append(
                "What the networks saw led to no head, so it follows the landmarks alone "
                f"({str(error).rstrip('.')})."
            )
    progress(FITTING, 1.0)
    photos = tuple(
        photo
        if a is None
        else replace(photo, report={**photo.report, "maps": {**a.report(), "used": _used(c)}})
        for photo, a, c in zip(result.photos, found, believed, strict=True)
    )
    every = [*warnings, *result.report.get("warnings", [])]
    return replace(result, photos=photos, report={**result.report, "warnings": every})


def agreement(head: HeadModel, fit: Reconstruction, index: int, cues: ScreenCues) -> Agreement:
    """How the maps of photo ``index`` compare with a fit."""
    assert cues.confidence is not None and cues.crop_to_photo is not None
    photo = fit.photos[index]
    size = min(cues.confidence.shape) // _STRIDE
    drawn = rendered_cues(
        head,
        fit.identity,
        photo.expression,
        photo.rotations,
        photo.camera,
        size=size,
        crop_to_photo=cues.crop_to_photo * np.array([_STRIDE, _STRIDE, 1]),
    )
    assert drawn.confidence is not None and drawn.uv is not None and drawn.normal is not None
    some = slice(_STRIDE // 2, size * _STRIDE, _STRIDE)
    face = (drawn.confidence > 0) & on_face(cues)[some, some]
    sure = face & (np.nan_to_num(cues.confidence[some, some]) > 0.05)
    if not sure.any():
        return Agreement(0.0, np.nan, np.nan)
    uv = normal = np.nan
    if cues.uv is not None:
        off = np.linalg.norm(cues.uv[some, some][sure] - drawn.uv[sure], axis=1)
        uv = float(np.median(np.nan_to_num(off, nan=1.0)))
    if cues.normal is not None:
        cosine = (cues.normal[some, some][sure] * drawn.normal[sure]).sum(axis=1)
        cosine = np.clip(np.nan_to_num(cosine, nan=-1.0), -1, 1)
        normal = float(np.degrees(np.median(np.arccos(cosine))))
    return Agreement(float(sure.sum() / max(face.sum(), 1)), uv, normal)


def _doubts(cues: ScreenCues, a: Agreement, name: str) -> list[str]:
    """Sentences on the maps of a photo that are left out."""
    wrong = []
    if cues.uv is not None and not a.uv_holds:
        wrong.append(f"the texture map is off by {a.uv:.2f} of the layout")
    if cues.normal is not None and not a.normal_holds:
        wrong.append(f"the normals are off by {a.normal:.0f} degrees")
    if not wrong:
        return []
    if a.covered < LEAST_COVERED:
        wrong = [f"they are sure of {100 * a.covered:.0f} % of it"]
    other = a.uv_holds or a.normal_holds
    left = "the landmarks and the other map" if other else "the landmarks alone"
    return [
        f"What the networks saw in {name} does not explain the face ({', '.join(wrong)}), so the "
        f"head follows {left}: check their weights, or use a clearer photo."
    ]


def _used(cues: ScreenCues) -> list[str]:
    return [n for n, m in (("uv", cues.uv), ("normal", cues.normal)) if m is not None]
