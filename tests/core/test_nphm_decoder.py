# SPDX-License-Identifier: GPL-3.0-or-later
"""The neural head's decoder against the published code's own output (fixtures), and against
formulas written out plainly; derivatives against differences.
"""

from __future__ import annotations

import lzma
from pathlib import Path

import numpy as np
import pytest

from core.errors import Cancelled, ModelFileError
from core.files.torch_checkpoint import open_torch_checkpoint
from core.heads import load_open_head
from core.models.folder import import_file
from core.nphm.decoder import NEGLIGIBLE, Codes, Decoder
from core.nphm.layout import IDENTITY, read_sizes
from core.nphm.statistics import lookup
from core.nphm.weights import NAME, convert_nphm, find_nphm, load_nphm
from tests.support.nphm_like import nphm_like

PARITY = 1e-5


@pytest.fixture(scope="module")
def published(shared_dir, tmp_path_factory):
    """A folder as the experiment's: the checkpoint, its configuration, and anchors above it."""
    folder = tmp_path_factory.mktemp("pretrained_mononphm")
    source = folder / "checkpoints" / "checkpoint_epoch_2500.tar"
    source.parent.mkdir()
    fixtures = shared_dir / "fixtures"
    with lzma.open(fixtures / "mononphm_checkpoint_epoch_2500.tar.xz") as stream:
        source.write_bytes(stream.read())
    (folder / "configs.yaml").write_bytes((fixtures / "mononphm_configs.yaml").read_bytes())
    with np.load(fixtures / "mononphm_expected.npz", allow_pickle=False) as z:
        expected = {name: z[name] for name in z.files}
    np.save(folder / "anchors_65.npy", expected["anchors_mean"])
    models = tmp_path_factory.mktemp("models")
    made = import_file(source, models, lambda stage, fraction: None)
    return source, load_nphm(models), expected, made


def apart(a, b):
    return float(np.abs(np.asarray(a) - np.asarray(b).reshape(np.shape(a))).max())


def expected(z, name):
    """Every fifth of the fixture's 2000 queries."""
    return z[name][::5] if len(z[name]) == 2000 else z[name]


@pytest.mark.parametrize("i", range(3))
def test_decoder_is_the_published_one(published, i):
    _, head, z, _ = published
    q = expected(z, "queries")
    codes = Codes(z[f"z_geo_{i}"], z[f"z_exp_{i}"], z[f"z_app_{i}"])
    field = head.decoder.field(codes)
    query = field.canonical(q)
    figures = {
        "anchors": apart(field.anchors, z[f"anchors_{i}"]),
        "offsets": apart(query[:, :3] - q, expected(z, f"offsets_{i}")),
        "hyper": apart(query[:, 3:], expected(z, f"hyper_coords_{i}")),
        "sdf": apart(field.distance(q), expected(z, f"sdf_{i}")),
        "colour": apart(field.colour(q), expected(z, f"color_{i}")),
    }
    rest = head.decoder.field(Codes(z[f"z_geo_{i}"], None, z[f"z_app_{i}"]))
    figures["sdf at rest"] = apart(rest.distance(q), expected(z, f"sdf_canonical_{i}"))
    figures["colour at rest"] = apart(rest.colour(q), expected(z, f"color_canonical_{i}"))
    assert max(figures.values()) < PARITY, figures
    # Derivatives of up to 19: of a number of that size float32 keeps five digits.
    assert apart(field.gradients(q, codes=False).place, expected(z, f"gradient_{i}")) < 1e-4
    # What is left out for speed costs less than a thousandth of a millimetre and a half.
    assert apart(field.distance(q, NEGLIGIBLE), field.distance(q)) < 6e-6


def test_codebooks_are_looked_up_as_in_training(published):
    source, head, z, _ = published
    with open_torch_checkpoint(source, ("latent_codes",)) as checkpoint:
        for kind in ("geo", "app", "exp"):
            name = f"codebook.{kind}.embedding.weight"
            shape = checkpoint.tensors[name].shape
            book = np.frombuffer(b"".join(checkpoint.chunks(name)), "<f4").reshape(shape)
            assert apart(lookup(book), z[f"latent_lookup_{kind}"]) < 1e-6
    assert head.statistics.basis.shape == (2176, 3)


def test_what_was_imported_is_told(published):
    _, head, _, made = published
    assert made.title == "Neural head (MonoNPHM)" and made.commercial is False
    assert head.decoder.sizes.nearest == 12 and head.decoder.sizes.blend == 3.75


@pytest.mark.parametrize("damage", ["truncated", "other", "no anchors", "cancelled"])
def test_what_is_no_neural_head_is_refused_in_one_sentence(published, shared_dir, tmp_path, damage):
    source = published[0]
    models = tmp_path / "models"
    models.mkdir()
    error, progress = ModelFileError, lambda stage, fraction: None
    path = tmp_path / "renamed.bin"
    if damage == "truncated":
        path.write_bytes(source.read_bytes()[: 20 << 20])
    elif damage == "other":
        path = shared_dir / "fixtures" / "pixel3dmm_normals_tiny.ckpt"
    elif damage == "no anchors":
        path.write_bytes(source.read_bytes())
    else:
        path, error = source, Cancelled

        def progress(stage, fraction):
            raise Cancelled

    with pytest.raises(error) as caught:
        convert_nphm(path, models, progress)
    assert str(caught.value).count("\n") == 0
    assert [p.name for p in models.iterdir()] == [] and find_nphm(models) is None


def test_weights_that_are_no_numbers_and_other_configurations(published, tmp_path):
    source = published[0]
    data = bytearray(source.read_bytes())
    with open_torch_checkpoint(source, ("latent_codes", "none")) as checkpoint:
        raw = b"".join(checkpoint.chunks("latent_codes.codebook.exp.embedding.weight"))
    at = data.find(raw[:400])
    data[at : at + 4] = np.float32(np.nan).tobytes()
    bad = source.with_name("nan.tar")
    bad.write_bytes(data)
    # The zip's own check of its bytes may speak first: either is one sentence.
    with pytest.raises(ModelFileError):
        convert_nphm(bad, tmp_path)
    assert not (tmp_path / NAME).exists()
    shapes = {f"{IDENTITY}.deepSDFensemble.layers.0.layers.0.weight": (200, 101)}
    with pytest.raises(ModelFileError, match="another configuration"):
        read_sizes(shapes, {}, "x.tar")


def test_derivatives_by_codes_are_those_of_the_field():
    head = nphm_like(load_open_head())
    rng = np.random.default_rng(2)
    s = head.statistics
    x = rng.uniform(-0.3, 0.3, (60, 3)).astype(np.float32)
    geometry, face = s.geometry + 0.3 * rng.standard_normal(len(s.geometry)), s.face(np.ones(6))
    gradients = head.decoder.field(Codes(geometry, face)).gradients(x)
    step = 1e-3
    for name, size in (("geometry", len(geometry)), ("expression", len(face))):
        v = rng.standard_normal(size)
        there = []
        for sign in (1, -1):
            g, f = geometry, face
            if name == "geometry":
                g = geometry + sign * step * v
            else:
                f = face + sign * step * v
            there.append(head.decoder.field(Codes(g, f)).distance(x).astype(float))
        difference = (there[0] - there[1]) / (2 * step)
        said = getattr(gradients, name) @ v
        assert np.median(np.abs(difference - said)) < 0.01 * np.abs(said).max()


def nphm_2023(rng):
    """Arrays of NPHM's identity network at small sizes, and its formula written out."""
    pairs, anchors, glob, local, hidden = 3, 8, 5, 4, 20
    inner, networks = glob + local + 3, anchors - pairs + 1
    shapes = [(hidden, inner), (hidden - inner, hidden), *[(hidden, hidden)] * 2, (1, hidden)]
    a = {}
    for j, shape in enumerate(shapes):
        name = f"{IDENTITY}.ensembled_deep_sdf.lin{j}"
        a[f"{name}.weight"] = rng.standard_normal((networks, *shape)) / 4
        a[f"{name}.bias"] = rng.standard_normal((networks, shape[0])) / 9
    for i, shape in ((0, (7, glob)), (2, (7, 7)), (4, (3 * anchors, 7))):
        a[f"{IDENTITY}.mlp_pos.{i}.weight"] = rng.standard_normal(shape) / 9
        a[f"{IDENTITY}.mlp_pos.{i}.bias"] = rng.standard_normal(shape[0]) / 9
    mean = rng.uniform(-0.3, 0.3, (anchors, 3))
    z = rng.standard_normal(glob + (anchors + 1) * local) / 3

    def plainly(x):
        h = z[:glob]
        for i in (0, 2, 4):
            h = a[f"{IDENTITY}.mlp_pos.{i}.weight"] @ h + a[f"{IDENTITY}.mlp_pos.{i}.bias"]
            h = np.maximum(h, 0) if i < 4 else h
        place = mean + h.reshape(-1, 3)
        weights, values = [np.exp(-0.2 / 0.01)], [1.0]
        for k in range(anchors):
            delta = x - place[k]
            weights.append(np.exp(-((np.linalg.norm(delta) + 1e-5) ** 2) / 0.01))
            n = k // 2 if k < 2 * pairs else k - pairs
            if k < 2 * pairs and k % 2:
                delta = delta * [-1, 1, 1]
            inp = np.concatenate([delta, z[:glob], z[glob + k * local : glob + (k + 1) * local]])
            y = inp
            for j in range(5):
                if j == 2:
                    y = np.concatenate([y, inp]) / np.sqrt(2)
                y = a[f"{IDENTITY}.ensembled_deep_sdf.lin{j}.weight"][n] @ y
                y = y + a[f"{IDENTITY}.ensembled_deep_sdf.lin{j}.bias"][n]
                y = np.logaddexp(0, 100 * y) / 100 if j < 4 else y
            values.append(y[0])
        return np.dot(weights, values) / (np.sum(weights) + 1e-6)

    return {n: v.astype(np.float32) for n, v in a.items()}, mean, z, plainly


def test_nphm_of_2023_by_its_formula():
    rng = np.random.default_rng(4)
    arrays, mean, z, plainly = nphm_2023(rng)
    sizes = read_sizes({n: v.shape for n, v in arrays.items()}, {}, "nphm")
    assert (sizes.kind, sizes.pairs, sizes.expression) == ("NPHM", 3, 0)
    field = Decoder.of(arrays, sizes, mean).field(Codes(z))
    x = rng.uniform(-0.4, 0.4, (200, 3))
    assert apart(field.distance(x), [plainly(p) for p in x]) < PARITY
    gradient = field.gradients(x).place
    step = 1e-4 * np.eye(3)
    difference = [[(plainly(p + s) - plainly(p - s)) / 2e-4 for s in step] for p in x]
    assert np.abs(gradient - difference).max() < 2e-3 * np.abs(gradient).max()


def test_a_folder_without_weights_says_what_to_do(tmp_path: Path):
    with pytest.raises(ModelFileError, match="import a checkpoint"):
        load_nphm(tmp_path)
