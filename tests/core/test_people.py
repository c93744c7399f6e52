# SPDX-License-Identifier: GPL-3.0-or-later
"""Statistics of people: those in vendor/, what the head makes of them, and damaged ones."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from support.open_head_measures import COMPONENTS, FOLDER, lip_gap_mm, load_head, mirrored

from core.errors import ModelFileError
from core.heads.open_head import load_open_head

PEOPLE = FOLDER.parent / "people" / "people.npz"


@pytest.fixture(scope="module")
def people():
    with np.load(PEOPLE, allow_pickle=False) as z:
        return {name: z[name] for name in z.files}


def test_average_is_even_and_components_are_even_or_odd(people):
    head = load_head()
    own = head.mirror[: head.own]
    flip = np.array([-1, 1, 1])
    assert np.array_equal(people["mean_um"][own] * flip, people["mean_um"])
    modes = people["modes_um"]
    other = modes[own] * flip[:, None]
    for k in range(modes.shape[2]):
        pair = modes[:, :, k], other[:, :, k]
        assert np.array_equal(*pair) or np.array_equal(pair[0], -pair[1]), k


def test_read_off_nearly_all_of_the_face(people):
    head = load_head()
    face = head.region("face")[: head.own]
    assert people["read"][face].mean() > 0.85
    assert not people["read"][head.region("mouth_interior")[: head.own]].any()


def test_agrees_with_an_independent_reading(people, shared_dir):
    """The same model read off by other code: nothing of it is used in the build."""
    with np.load(shared_dir / "priors" / "people.npz", allow_pickle=False) as z:
        mean, modes = z["mean_um"].astype(float), z["modes_um"].astype(float)
    head = load_head()
    face = head.region("face")[: head.own] & people["read"]
    own = people["modes_um"][face].astype(float)
    assert np.linalg.norm(own - modes[face]) < 0.06 * np.linalg.norm(modes[face])
    away = np.linalg.norm(people["mean_um"][face] - mean[face], axis=1)
    assert np.median(away) < 400


def test_head_keeps_peoples_components(people):
    """In front of the eyes' and lips' own repairs they are the statistics' to a hair."""
    head = load_head()
    named = list(head.region_names)
    repaired = np.any(
        [head.regions[named.index(n)] for n in ("lips", "eye_l", "eye_r", "mouth_interior")], axis=0
    )
    skin = people["read"] & ~repaired[: head.own]
    modes = 1e-6 * people["modes_um"][skin].astype(float)
    kept = head.shapedirs[: head.own][skin][:, :, :100]
    assert np.linalg.norm(kept - modes) < 0.03 * np.linalg.norm(modes)


def test_lips_stay_closed_far_from_the_average():
    head = load_head()
    for component in range(10):
        for far in (-3.0, 3.0):
            identity = np.zeros(COMPONENTS)
            identity[component] = far
            assert lip_gap_mm(head, head(identity)) <= 0.3, (component, far)


def test_average_is_its_own_mirror_image():
    head = load_head()
    assert np.array_equal(mirrored(head, head.v_template), head.v_template)


def damaged(arrays, what):
    out = dict(arrays)
    if what == "other size":
        out["modes_um"] = out["modes_um"][:-1]
    elif what == "missing":
        del out["mean_um"]
    elif what == "no number":
        out["modes_um"] = out["modes_um"].astype(float)
        out["modes_um"][5, 1, 2] = np.nan
    return out


@pytest.mark.parametrize("what", ["other size", "missing", "no number", "cut off"])
def test_damaged_statistics_give_one_sentence(people, tmp_path, what):
    pytest.importorskip("scipy")
    from tools.open_head.people import read_people
    from tools.open_head.source import SourceError

    file = tmp_path / "people.npz"
    np.savez(file, **damaged(people, what))
    if what == "cut off":
        file.write_bytes(file.read_bytes()[:5000])
    with pytest.raises(SourceError) as found:
        read_people(file, len(people["read"]))
    assert str(found.value).count(". ") == 0
    assert "--scans" in str(found.value)


@pytest.mark.parametrize("what", ["no number", "other size"])
def test_damaged_population_of_the_product_gives_one_sentence(tmp_path, what):
    folder = tmp_path / "open_head"
    shutil.copytree(FOLDER, folder)
    with np.load(folder / "open_head.npz", allow_pickle=False) as z:
        arrays = {name: z[name] for name in z.files}
    if what == "no number":
        arrays["shapedirs"][7, 1, 3] = np.nan
    else:
        arrays["shapedirs"] = arrays["shapedirs"][:-4]
    np.savez(folder / "open_head.npz", **arrays)
    with pytest.raises(ModelFileError, match="reinstall the extension"):
        load_open_head(folder)
