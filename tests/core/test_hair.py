# SPDX-License-Identifier: GPL-3.0-or-later
"""Hair: styles grow outside of the skull, the photo's hair is found, fields go there and back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.errors import ModelFileError, PersonError
from core.geometry.raster import rasterise
from core.hair import colour
from core.hair.dress import with_hair
from core.hair.hair import STEP, Adjust, drawn, from_style, stored
from core.hair.see import see_hair
from core.hair.shell import shell_of
from core.hair.styles import STYLES
from core.heads.model import HeadModel
from core.options import HAIRS, Options
from core.photos.photo import Photo, load_photo
from core.pipeline import reconstruct, rig_heads
from core.reconstruct.resources import load_head
from core.reconstruction import Reconstruction
from core.rigged_head import RiggedHead

ASTRONAUT = Path(__file__).parents[2] / "examples" / "astronaut.jpg"


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return load_head("open-head")


@pytest.fixture(scope="module")
def photo() -> Photo:
    return load_photo(ASTRONAUT)


@pytest.fixture(scope="module")
def person(photo: Photo) -> Reconstruction:
    return reconstruct([photo], Options(texture="off", predictor="landmarks"))[0]


@pytest.fixture(scope="module")
def bald(photo: Photo, person: Reconstruction) -> RiggedHead:
    return rig_heads([photo], [person], Options(texture="off"))[0]


@pytest.fixture(scope="module")
def dressed(head: HeadModel, photo: Photo, person: Reconstruction, bald: RiggedHead) -> RiggedHead:
    return with_hair(head, bald, person.photos[0], photo, "photo")


def test_options_name_every_style() -> None:
    assert set(HAIRS) == {"none", "photo", *STYLES}
    with pytest.raises(PersonError, match="beehive"):
        Options(hair="beehive")


@pytest.mark.parametrize("name", sorted(STYLES))
def test_no_strand_of_a_style_enters_the_skull(head: HeadModel, name: str) -> None:
    vertices = head.template
    hair = from_style(head, vertices, name)
    shell = shell_of(head, vertices)
    # Beyond the first centimetre, where a strand still rises from the mesh itself.
    azimuth, place, radius = shell.chart(hair.guides[:, 4:].reshape(-1, 3))
    inside = radius - shell.at(shell.skull, azimuth, place)
    assert np.quantile(inside, 0.01) > -0.0015
    assert np.isfinite(hair.guides).all()


def test_styles_are_as_long_as_they_say(head: HeadModel) -> None:
    lowest = {
        name: np.quantile(from_style(head, head.template, name).guides[:, -1, 1], 0.02)
        for name in ("buzz", "bob", "long")
    }
    assert lowest["long"] < lowest["bob"] - 0.1 < lowest["buzz"] - 0.1


def test_the_astronauts_hair_is_found(
    head: HeadModel, photo: Photo, person: Reconstruction, dressed: RiggedHead
) -> None:
    sight = see_hair(head, person.photos[0], photo)
    assert sight.scalp > 0.9 and not sight.bald and not sight.cut
    report = dressed.report["hair"]
    # Over her forehead and her ears, not on her shoulders.
    assert report["style"] == "fringe"
    assert report["forehead_covered"] > 0.6
    assert max(report["hangs_below_middle_mm"]) < 80
    strands = dressed.hair_strands * STEP
    # Outside of the head's own picture hair is drawn where the photo shows it.
    fit = person.photos[0]
    at = np.floor(fit.camera.project(strands.reshape(-1, 3))).astype(int)
    points = fit.camera.project(fit.vertices)
    own = rasterise(
        points, np.ones(len(points)), head.triangles, photo.width, photo.height
    ).triangle  # fmt: skip
    beside = own[at[:, 1], at[:, 0]] < 0
    assert np.mean(sight.at(at[beside] + 0.5, sight.hair[..., None]) > 0.5) > 0.8


def test_a_head_painted_as_skin_is_bald(
    head: HeadModel, photo: Photo, person: Reconstruction, bald: RiggedHead
) -> None:
    fit = person.photos[0]
    pixels = photo.pixels.copy()
    sight = see_hair(head, fit, photo)
    rows, columns = np.mgrid[: photo.height, : photo.width] + 0.5
    at = np.stack([columns, rows], axis=-1).reshape(-1, 2)
    hair = sight.at(at, sight.hair[..., None])[:, 0].reshape(rows.shape) > 0.2
    cheek = pixels[fit.landmarks[205].astype(int)[1], fit.landmarks[205].astype(int)[0]]
    pixels[hair] = cheek
    shaven = replace(photo, pixels=pixels)
    out = with_hair(head, bald, fit, shaven, "photo")
    assert out.report["hair"]["style"] == "bald"
    assert not len(out.hair_strands)


def test_hair_goes_to_a_file_and_back(dressed: RiggedHead, tmp_path: Path) -> None:
    dressed.save(tmp_path / "head.npz")
    found = RiggedHead.load(tmp_path / "head.npz")
    assert np.array_equal(found.hair_strands, dressed.hair_strands)
    assert found.hair["style"] == "fringe"
    replace(dressed, hair_uv=dressed.hair_uv[:-1]).save(tmp_path / "torn.npz")
    with pytest.raises(ModelFileError):
        RiggedHead.load(tmp_path / "torn.npz")


def test_sliders_change_stored_hair(head: HeadModel, dressed: RiggedHead) -> None:
    hair = stored(
        dressed.hair_guides, dressed.hair_root_triangle, dressed.hair_root_place,
        dressed.hair_density, dressed.hair,
    )  # fmt: skip
    vertices = dressed.basis.astype(float)

    def lengths(**sliders: float) -> tuple[float, int]:
        strands = drawn(head, vertices, hair, Adjust(**sliders))["hair_strands"] * STEP
        return float(np.linalg.norm(np.diff(strands, axis=1), axis=2).sum(1).mean()), len(strands)

    usual, count = lengths()
    assert lengths(length=0.5)[0] == pytest.approx(0.5 * usual, rel=0.15)
    assert lengths(length=1.4)[0] > 1.2 * usual
    assert lengths(density=0.5)[1] == pytest.approx(0.5 * count, rel=0.05)
    with pytest.raises(PersonError):
        Adjust(curl=float("nan"))


def test_pigment_is_the_inverse_of_colour() -> None:
    for melanin, redness in ((0.1, 0.2), (0.5, 0.5), (0.8, 0.0)):
        found = colour.pigment(colour.colour_of(melanin, redness))
        assert found == pytest.approx((melanin, redness), abs=0.03)
