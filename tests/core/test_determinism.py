# SPDX-License-Identifier: GPL-3.0-or-later
"""The same photo gives the same head: in another process, with another number of threads, and in
another version of Python and numpy where the project's environments have one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from core.photos.photo import load_photo

CODE = """
import sys
from pathlib import Path
from core.photos.photo import photo_from_npz
from core.pipeline import Options, reconstruct, rig_heads
photo = photo_from_npz(Path(sys.argv[1]))
(head,) = rig_heads([photo], reconstruct([photo]), Options())
head.save(Path(sys.argv[2]))
"""


@pytest.fixture(scope="module")
def photo(example_photo, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "photo.npz"
    load_photo(example_photo).save(path)
    return path


def head(repository, photo, out, python=sys.executable, threads=1):
    env = {**os.environ, "PYTHONPATH": str(repository), "PYTHONDONTWRITEBYTECODE": "1"}
    env |= {"OPENBLAS_NUM_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}
    command = [str(python), "-c", CODE, str(photo), str(out)]
    subprocess.run(command, env=env, check=True, cwd=out.parent)
    with np.load(out, allow_pickle=False) as z:
        return {name: z[name] for name in ("posed", "basis", "key_deltas", "camera_t", "uv")}


@pytest.fixture(scope="module")
def known(repository, photo, tmp_path_factory):
    return head(repository, photo, tmp_path_factory.mktemp("known") / "head.npz")


def check_same(one, other, tolerance):
    for name, values in one.items():
        assert np.abs(values - other[name]).max() < tolerance, name


def test_another_process_with_two_threads(repository, photo, known, tmp_path):
    check_same(head(repository, photo, tmp_path / "head.npz", threads=2), known, 1e-6)


def test_another_python_and_numpy(repository, photo, known, tmp_path):
    here = f"tests-{sys.version_info[0]}.{sys.version_info[1]}"
    others = repository.glob(".build/envs/tests-*/bin/python")
    others = [python for python in sorted(others) if python.parents[1].name != here]
    if not others:
        pytest.skip("no environment with another Python: build.py test makes one on CI's matrix")
    for python in others:
        check_same(head(repository, photo, tmp_path / "head.npz", python), known, 1e-4)
