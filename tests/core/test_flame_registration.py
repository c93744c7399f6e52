# SPDX-License-Identifier: GPL-3.0-or-later
"""The open head laid on heads of other people and other meshes, a scan and a model's sample:
measured by landmarks that nobody in this project placed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support.flame_like import sphere

from core.heads import load_open_head
from core.heads.face_anchors import Surface
from core.heads.registration import register

#: The bench's names of the corners of eyes and mouth, and MediaPipe's.
CORNERS = {"ro": 33, "ri": 133, "li": 362, "lo": 263, "mr": 61, "ml": 291}


def read_ply(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and triangles of a binary file of float32 positions and triangles."""
    data = path.read_bytes()
    end = data.index(b"end_header\n") + len(b"end_header\n")
    words = data[:end].decode().split()
    count, faces = (int(words[words.index(name) + 1]) for name in ("vertex", "face"))
    vertices = np.frombuffer(data, "<f4", 3 * count, end).reshape(-1, 3).astype(float)
    kind = np.dtype([("n", "u1"), ("corners", "<i4", 3)])
    triangles = np.frombuffer(data, kind, faces, end + 12 * count)["corners"]
    return vertices, triangles.astype(int)


def on_a_bare_face(folder: Path) -> tuple[Surface, np.ndarray]:
    """A surface without eyeballs or weights, its eyes guessed, and the six corners (6, 3)."""
    vertices, triangles = read_ply(folder / "gt_world.ply")
    marks = json.loads((folder / "landmarks.json").read_text())["landmarks"]
    corners = np.array([marks[name] for name in CORNERS])
    eyes = np.stack([corners[2:4].mean(axis=0), corners[:2].mean(axis=0)]) - [0, 0, 0.012]
    nothing = triangles[:0]
    return Surface(vertices, triangles, (nothing, nothing), np.zeros(len(vertices)), eyes), corners


@pytest.mark.parametrize("subject", ["ict_01", "lps"])
def test_corners_of_eyes_and_mouth_meet(shared_dir, subject):
    head = load_open_head()
    target, corners = on_a_bare_face(shared_dir / "bench" / "public" / "subjects" / subject)
    found = register(head, target)
    assert found is not None
    assert found.residual < 0.0005
    ours = head.landmarks(found.source.vertices, np.array(list(CORNERS.values()), np.int32))
    # The heads make faces or have their eyes shut, and there are no eyeballs to start from.
    assert np.linalg.norm(ours - corners, axis=1).mean() < 0.004


def test_a_sphere_is_no_face():
    points, triangles = sphere(60, 40)
    eyes = np.array([[0.031, 0.02, 0.08], [-0.031, 0.02, 0.08]])
    nothing = triangles[:0]
    ball = Surface(0.1 * points, triangles, (nothing, nothing), np.zeros(len(points)), eyes)
    assert register(load_open_head(), ball) is None
