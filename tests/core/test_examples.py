# SPDX-License-Identifier: GPL-3.0-or-later
"""The tour of core runs as its docstring says."""

from __future__ import annotations

import subprocess
import sys

import trimesh


def test_the_tour_fits_the_example_and_writes_its_mesh(repository, example_photo, tmp_path):
    mesh = tmp_path / "head.ply"
    command = [sys.executable, "-m", "examples.fit_head", str(example_photo), str(mesh)]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert "mouthSmileLeft" in done.stdout  # she smiles
    head = trimesh.load(mesh, process=False)
    assert head.vertices[:, 2].min() > 0.2  # before the camera, in metres
    assert 0.15 < head.extents[1] < 0.45
