# SPDX-License-Identifier: GPL-3.0-or-later
"""Rebuilding vendor/: what counts as a change."""

from __future__ import annotations

import numpy as np

from tools.assets import changed_arrays, differences


def test_only_arrays_that_differ_are_named(tmp_path):
    old, new = tmp_path / "old.npz", tmp_path / "new.npz"
    same = np.arange(6.0)
    np.savez(old, same=same, value=same, kind=same, shape=same, gone=same)
    np.savez_compressed(
        new,
        same=same,
        value=np.nextafter(same, 9),
        kind=same.astype(np.float32),
        shape=same.reshape(2, 3),
        fresh=same,
    )
    assert changed_arrays(old, new) == ["fresh", "gone", "kind", "shape", "value"]


def test_files_are_compared_by_content(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    for folder, text in ((old, "a"), (new, "b")):
        folder.mkdir()
        (folder / "LICENSE").write_text("the same")
        (folder / "SOURCE").write_text(text)
    np.savez(old / "x.npz", a=np.ones(3))
    np.savez_compressed(new / "x.npz", a=np.ones(3))
    (new / "added").touch()
    assert differences(old, new) == {"SOURCE": "changed", "added": "new"}
    assert differences(new, new) == {}
