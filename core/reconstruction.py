# SPDX-License-Identifier: GPL-3.0-or-later
"""What a fit returns: one identity, and for each photo its expression, pose and camera."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .geometry.camera import Camera

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PhotoFit:
    """One photo of the person.

    expression (E,) slider values; rotations (J, 3) joint rotation vectors, the root's and the
    neck's zero, since the camera carries the head's pose; camera: head frame to photo;
    residual (V, 3) metres in the head frame, before skinning: what the sliders cannot express;
    neutral (V, 3) and vertices (V, 3): at rest and as in the photo, head frame;
    landmarks (478, 2) as detected and landmarks_fit (478, 2) as the fit projects them, pixels
    (nan where the head model has no such point). gaze (4,), drift (D,) and solved (E,) are the
    unknowns that the fit solved for, so that another one can start from here: in ``expression``
    lids and teeth may be closed beyond them, and it stands for ``solved`` where that is empty.
    closed: sides of the eyes, "left" and "right", that the photo shows closed. unseen (478,):
    landmarks that were placed and not seen; detail: metres on the face that the photo's smallest
    detail measures.
    """

    expression: Array
    rotations: Array
    camera: Camera
    residual: Array
    neutral: Array
    vertices: Array
    landmarks: Array
    landmarks_fit: Array
    report: dict[str, Any] = field(default_factory=dict)
    gaze: Array = field(default_factory=lambda: np.zeros(4))
    drift: Array = field(default_factory=lambda: np.zeros(0))
    solved: Array = field(default_factory=lambda: np.zeros(0))
    closed: tuple[str, ...] = ()
    unseen: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(478, bool))
    detail: float = 0.0


@dataclass(frozen=True, eq=False)
class NeuralDetail:
    """What a neural head adds to a person's mesh; see core.nphm.

    detail (V, 3) metres at rest and posed, (V, 3) for each photo, head frame; normal_map (n, n, 3)
    tangent-space normals and height_map (n, n), 0.5 is the mesh, in the head's texture layout;
    vertices (m, 3) metres and triangles (k, 3) of the raw neural surface in the first photo's
    expression, head frame. title and digest of the decoder; licence: spdx, commercial, notice.
    """

    detail: Array
    posed: tuple[Array, ...]
    normal_map: NDArray[np.uint8]
    height_map: NDArray[np.float32]
    vertices: Array
    triangles: NDArray[np.int32]
    title: str
    digest: str
    licence: dict[str, Any]
    report: dict[str, Any]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """One person: identity (I,) shared by all photos, in sigma units.

    report: JSON-ready figures and ``warnings`` (sentences). recipe: JSON-ready; what is needed
    to compute the same vertices again (input hash, model hash, parameters, versions).
    uncertainty (V,) standard deviation of the neutral surface in metres, and information (I, I)
    the inverse covariance of the identity that it comes from, or None. continuation:
    core.reconstruct.continuation.Continuation as JSON, or empty. neural: a neural head's detail.
    """

    head_name: str
    head_digest: str
    identity: Array
    photos: tuple[PhotoFit, ...]
    report: dict[str, Any]
    recipe: dict[str, Any]
    uncertainty: Array | None = None
    information: Array | None = None
    continuation: str = ""
    neural: NeuralDetail | None = None

    @property
    def warnings(self) -> list[str]:
        """Sentences for the person, the most important first."""
        return list(self.report.get("warnings", []))
