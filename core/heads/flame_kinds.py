# SPDX-License-Identifier: GPL-3.0-or-later
"""Which FLAME a file is, and under which licence: by its hash where that is known, else by
what is in it.

A licence that permits more than another is granted only to the very file that was published
under it, so a look-alike of FLAME 2023 Open gets "unknown" and not "yes".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.rotation import matrix_from_vector
from .model import Licence

Array = NDArray[np.float64]

#: Every published FLAME has this mesh, these components and these joints.
VERTICES, TRIANGLES, SHAPES, EXPRESSIONS = 5023, 9976, 300, 100
JOINT_NAMES = ("root", "neck", "jaw", "eye_l", "eye_r")
PARENTS = (-1, 0, 1, 1, 1)

_RESEARCH = Licence(
    "LicenseRef-FLAME",
    False,
    "FLAME, Max Planck Institute for Intelligent Systems. Non-commercial research licence; "
    "commercial use needs a licence from its owners.",
)
_OPEN = Licence(
    "CC-BY-4.0",
    True,
    "FLAME 2023 Open, Max Planck Institute for Intelligent Systems, CC BY 4.0. Name its authors "
    "where you show or pass on what you make with it.",
)
_OPEN_LOOKALIKE = Licence(
    "CC-BY-4.0",
    None,
    "Looks like FLAME 2023 Open (CC BY 4.0) but is not the file its authors published: whether "
    "its licence holds for this file is for you to find out.",
)
_UNKNOWN = Licence(
    "LicenseRef-unknown",
    None,
    "A head in FLAME's format of unknown origin: ask whoever made it for its licence.",
)


@dataclass(frozen=True)
class FlameKind:
    """title: as an artist reads it. jaw: False where the jaw must not turn, since this kind
    opens the mouth through its expressions.
    """

    identifier: str
    title: str
    licence: Licence
    jaw: bool = True


FLAME_2020 = FlameKind("flame2020", "FLAME 2020", _RESEARCH)
FLAME_2023 = FlameKind("flame2023", "FLAME 2023", _RESEARCH)
FLAME_2023_NO_JAW = FlameKind("flame2023-no-jaw", "FLAME 2023 without jaw", _RESEARCH, jaw=False)
FLAME_2023_OPEN = FlameKind("flame2023-open", "FLAME 2023 Open", _OPEN)
OPEN_LOOKALIKE = FlameKind("flame2023-open-unverified", "FLAME 2023 Open?", _OPEN_LOOKALIKE)
FLAME_OTHER = FlameKind("flame", "FLAME", _RESEARCH)
FLAME_OTHER_NO_JAW = FlameKind("flame-no-jaw", "FLAME without jaw", _RESEARCH, jaw=False)
FLAME_FORMAT = FlameKind("flame-format", "FLAME-format head", _UNKNOWN)

#: SHA-256, or the first characters where no more of it is known, of the published files.
KNOWN_FILES: dict[str, FlameKind] = {
    "efcd14cc4a69f3a3d9af8ded80146b5b6b50df3bd74cf69108213b144eba725b": FLAME_2020,
    "8fb1af0db1abb51053ead8fd1f2624a63d01c9602f4a4fb4ea23bd2c82017fa0": FLAME_2023,
    "b291fcd1": FLAME_2023_NO_JAW,
    "e75a0990728ba038c7da2a420ae4396f7ddd7781366c13026066c5b24f127623": FLAME_2023_OPEN,
}


def recognise(
    sha256: str, keys: set[str], arrays: Mapping[str, NDArray[Any]], identity_count: int
) -> FlameKind:
    """The kind of a file that holds a FLAME-format model.

    keys: all keys of the file; arrays: the checked ones of ``flame_file``; identity_count: how
    many of the components are identity.
    """
    for known, kind in KNOWN_FILES.items():
        if sha256.startswith(known):
            return kind
    if len(arrays["v_template"]) != VERTICES or len(arrays["f"]) != TRIANGLES:
        return FLAME_FORMAT
    if "supr_expression_metadata" in keys:  # only the Open file has it
        return OPEN_LOOKALIKE
    expressions = arrays["shapedirs"][:, :, identity_count:]
    return FLAME_OTHER_NO_JAW if jaw_lives_in_expressions(arrays, expressions) else FLAME_OTHER


def jaw_lives_in_expressions(arrays: Mapping[str, NDArray[Any]], expressions: Array) -> bool:
    """Whether plausible expressions (up to 4 standard deviations) open the mouth as the jaw
    joint would, by 15 degrees, leaving less than a tenth of its motion (in squares).
    """
    template = arrays["v_template"]
    jaw = JOINT_NAMES.index("jaw")
    pivot = arrays["J_regressor"][jaw] @ template
    turn = matrix_from_vector(np.radians([15.0, 0.0, 0.0]))
    moved = arrays["weights"][:, jaw, None] * ((template - pivot) @ (turn - np.eye(3)).T)
    basis = expressions.reshape(moved.size, -1)
    target = moved.reshape(-1)
    if not target.any():
        return False
    # One millimetre of noise a coordinate against a unit prior.
    precision = 1.0 / 0.001**2
    normal = precision * basis.T @ basis + np.eye(basis.shape[1])
    weights = np.linalg.solve(normal, precision * basis.T @ target)
    left = float(np.sum((basis @ weights - target) ** 2) / np.sum(target**2))
    return left < 0.1 and float(np.linalg.norm(weights)) < 4.0
