# SPDX-License-Identifier: GPL-3.0-or-later
"""How the landmark net answers a face that moves: less than the face does, and partly elsewhere.

A net that has learnt what faces do reports a raised lip as half raised, and moves a cheek along
that stayed. What it reports of each slider, and how its errors hang together, was measured on
renders of the open head at rest and in motion, the person's own rest taken out; never on the heads
of a benchmark. See tools/calibration/response.py.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFileError
from ..heads.face_landmarks import LANDMARK_COUNT
from ..heads.model import HeadModel

Array = NDArray[np.float64]

VENDOR = Path(__file__).resolve().parents[2] / "vendor" / "calibration" / "response.npz"


@dataclass(frozen=True, eq=False)
class Response:
    """A linear Gaussian model of what is reported of a face in motion, head frame, metres.

    A point that sliders e move by ``motion @ e`` is reported, against the person's rest, as moved
    by ``motion @ e + change @ e + strays @ d + noise``: change (478, 3, E); strays (478, 3, K), d
    standard normal; noise independent, sigma (478,) in the image plane. names (E,) of the sliders.
    """

    names: tuple[str, ...]
    change: Array
    strays: Array
    sigma: Array

    def changed(self, head: HeadModel) -> Array:
        """``change`` in the order of a head's sliders, zero for what was not measured."""
        out = np.zeros((LANDMARK_COUNT, 3, head.expression_count))
        at = {name: i for i, name in enumerate(self.names)}
        for j, name in enumerate(head.expression_names):
            if name in at:
                out[:, :, j] = self.change[:, :, at[name]]
        return out


@lru_cache(maxsize=1)
def load_response(path: Path = VENDOR) -> Response:
    """The measured response. Raises ModelFileError if its file is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as z:
            arrays = {f.name: z[f.name] for f in fields(Response)}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ModelFileError(
            f"The calibration ({path.name}) is missing or damaged: reinstall the extension."
        ) from error
    names = tuple(str(n) for n in arrays.pop("names"))
    return Response(names, **{name: a.astype(np.float64) for name, a in arrays.items()})
