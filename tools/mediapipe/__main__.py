# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tools.mediapipe --out vendor/mediapipe``: build the data files.

Needs numpy, tflite, flatbuffers and protobuf; without --wheel and --face-mesh also pip and npm
with a network. The same sources give the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from pathlib import Path

from .face_tables import canonical_face, refinement_tables
from .packages import (
    FACE_MESH,
    FACE_MESH_SHA256,
    WHEEL,
    WHEEL_SHA256,
    PackageError,
    Wheel,
    download_face_mesh,
    download_wheel,
)
from .tensor_program_writer import write, write_npz
from .tflite_reader import read

NETS = (
    "face_detection/face_detection_short_range",
    "face_detection/face_detection_full_range_sparse",
    "face_landmark/face_landmark_with_attention",
    "selfie_segmentation/selfie_segmentation",
)

SOURCE = """\
MediaPipe, Copyright The MediaPipe Authors, Apache License 2.0 (see LICENSE).

These files are MODIFIED: converted from the files below by tools/mediapipe of this project
(python -m tools.mediapipe). Values are unchanged; the containers, the layout of the weights and
the names are ours. Sparse weights were made dense.

Sources
  Python package mediapipe 0.10.21, file {wheel}
    sha256 {wheel_sha256}
  JavaScript package @mediapipe/face_mesh 0.4.1657299874, file {face_mesh}
    sha256 {face_mesh_sha256}

Files, and what they were made from
{files}
"""


def build(wheel_path: Path, face_mesh_path: Path, out: Path, scratch: Path) -> None:
    """Write all files of ``vendor/mediapipe`` into ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    wheel = Wheel(wheel_path)
    origins: dict[str, str] = {}
    for net in NETS:
        member = f"mediapipe/modules/{net}.tflite"
        data = wheel.read(member)
        name = f"{Path(net).name}.npz"
        write(read(data), out / name)
        origins[name] = f"{member} of the Python package\n    sha256 {_sha256(data)}"
    write_npz(out / "canonical_face.npz", canonical_face(wheel, face_mesh_path, scratch))
    origins["canonical_face.npz"] = (
        "geometry_pipeline_metadata_landmarks.binarypb in the JavaScript package's\n"
        "    face_mesh_solution_packed_assets.data; mirror permutation derived"
    )
    tables = refinement_tables(wheel, scratch)
    (out / "attention_refinement.json").write_text(json.dumps(tables) + "\n", encoding="utf-8")
    origins["attention_refinement.json"] = (
        "the graph TensorsToFaceLandmarksWithAttention in the Python package's library"
    )
    (out / "LICENSE").write_bytes(wheel.read("mediapipe-0.10.21.dist-info/LICENSE"))
    files = "\n".join(f"  {name}\n    from {origin}" for name, origin in origins.items())
    text = SOURCE.format(
        wheel=WHEEL,
        wheel_sha256=WHEEL_SHA256,
        face_mesh=FACE_MESH,
        face_mesh_sha256=FACE_MESH_SHA256,
        files=files,
    )
    (out / "SOURCE").write_text(text, encoding="utf-8")


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def main() -> int:
    """Parse the arguments, fetch what is missing, build."""
    parser = argparse.ArgumentParser(prog="python -m tools.mediapipe", description=__doc__)
    parser.add_argument("--wheel", type=Path, help=f"{WHEEL}; fetched with pip if left out")
    parser.add_argument("--face-mesh", type=Path, help=f"{FACE_MESH}; fetched with npm if left out")
    parser.add_argument("--out", type=Path, default=Path("vendor/mediapipe"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        scratch = Path(temporary)
        try:
            wheel = arguments.wheel or download_wheel(scratch)
            face_mesh = arguments.face_mesh or download_face_mesh(scratch)
            build(wheel, face_mesh, arguments.out, scratch / "messages")
        except PackageError as error:
            print(error, file=sys.stderr)
            return 2
    for path in sorted(arguments.out.iterdir()):
        print(f"{path.stat().st_size:9,d}  {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
