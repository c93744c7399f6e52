# SPDX-License-Identifier: GPL-3.0-or-later
"""The constants around the nets: canonical face, mirror permutation, refinement tables."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .packages import Wheel, face_mesh_asset

Array = NDArray[Any]

MESH_POINTS = 468
#: Where ``geometry_pipeline_metadata_landmarks.binarypb`` lies in the JavaScript package's bundle.
METADATA_RANGE = (3737848, 3757224)
_BINDINGS = "mediapipe/python/_framework_bindings.cpython-311-x86_64-linux-gnu.so"
_REGIONS = ("mesh", "lips", "left_eye", "right_eye", "left_iris", "right_iris")
#: The mirror images of 468 to 477: the irises' centres, then on the subject's right eye 469 on
#: the nose's side, 470 above, 471 outward, 472 below; on the left eye 474 outward, 475 above,
#: 476 on the nose's side, 477 below.
_IRIS_MIRROR = (473, 476, 475, 474, 477, 468, 471, 470, 469, 472)


def canonical_face(wheel: Wheel, face_mesh: Path, folder: Path) -> dict[str, Array]:
    """MediaPipe's canonical face out of its geometry metadata.

    vertices (468, 3) centimetres (+x subject's left, +y up, +z out of the face), uv (468, 2)
    with v downward, triangles (898, 3) counter-clockwise from outside, weights (468,) of the
    Procrustes fit (zero off its 33 points), mirror (478,) the landmark of the other side.
    """
    messages = wheel.message_module(
        "mediapipe.modules.face_geometry.protos.geometry_pipeline_metadata_pb2", folder
    )
    data = face_mesh_asset(face_mesh, *METADATA_RANGE)
    metadata = messages.GeometryPipelineMetadata.FromString(data)
    vertices = np.array(metadata.canonical_mesh.vertex_buffer, np.float32).reshape(-1, 5)
    weights = np.zeros(MESH_POINTS, np.float32)
    for point in metadata.procrustes_landmark_basis:
        weights[point.landmark_id] = point.weight
    triangles = np.array(metadata.canonical_mesh.index_buffer, np.int16).reshape(-1, 3)
    if len(vertices) != MESH_POINTS or len(triangles) != 898 or np.count_nonzero(weights) != 33:
        raise ValueError("the geometry metadata is not the one that the converter knows")
    return {
        "vertices": vertices[:, :3],
        "uv": vertices[:, 3:],
        "triangles": triangles,
        "weights": weights,
        "mirror": np.concatenate([_mirror(vertices[:, :3]), _IRIS_MIRROR]).astype(np.int16),
    }


def _mirror(vertices: Array) -> Array:
    """The permutation under x -> -x; the canonical face is symmetric to the last bit."""
    reflected = vertices * np.array([-1, 1, 1], np.float32)
    distance = np.abs(reflected[:, None] - vertices[None]).max(axis=-1)
    if distance.min(axis=1).max() > 0:
        raise ValueError("the canonical face is not symmetric")
    permutation: Array = distance.argmin(axis=1)
    return permutation


def refinement_tables(wheel: Wheel, folder: Path) -> dict[str, dict[str, Any]]:
    """How the attention mesh's outputs join: for each output, the landmarks that it overwrites.

    ``landmarks`` the index of each output point; ``depth_from`` empty, or the landmarks whose
    mean depth the points get. Read from the graph that the package's native library contains
    (node ``LandmarksRefinementCalculator``), which is data there: a serialised message.
    """
    messages = wheel.message_module("mediapipe.framework.calculator_pb2", folder)
    options = wheel.message_module(
        "mediapipe.calculators.util.landmarks_refinement_calculator_pb2", folder
    ).LandmarksRefinementCalculatorOptions
    library = wheel.read(_BINDINGS)
    # A node is field 1 of the graph: tag 0x0a, length as a two-byte varint, then its own bytes,
    # which begin with field 2, the calculator's name (29 letters).
    begin = rb"\x0a([\x80-\xff][\x00-\x7f])(?=\x12\x1dLandmarksRefinementCalculator)"
    match = re.search(begin, library)
    if match is None:
        raise ValueError("the package's library holds no refinement tables")
    low, high = match[1]
    size = (low & 0x7F) | high << 7
    node = messages.CalculatorGraphConfig.Node.FromString(library[match.end() : match.end() + size])
    refinement = node.options.Extensions[options.ext].refinement
    return {
        region: {
            "landmarks": list(part.indexes_mapping),
            "depth_from": list(part.z_refinement.assign_average.indexes_for_average),
        }
        for region, part in zip(_REGIONS, refinement, strict=True)
    }
