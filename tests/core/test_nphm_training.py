# SPDX-License-Identifier: GPL-3.0-or-later
"""training/nphm: its decoder and regressor are what core reads, and training lowers the loss.

Tier 1: needs torch (tests/requirements-neural.txt) and is skipped without it.
"""

from __future__ import annotations

import numpy as np
import pytest

from core.nphm.decoder import Codes, Decoder
from core.nphm.layout import read_sizes
from core.nphm.regressor import SIZE, Regressor
from core.nphm.weights import load_nphm

torch = pytest.importorskip("torch", reason="no torch: see tests/requirements-neural.txt")


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    from training.nphm.people import write_people
    from training.nphm.surfaces import People

    path = tmp_path_factory.mktemp("people") / "people.npz"
    write_people(path)
    return People.load(path, "cpu")


@pytest.fixture(scope="module")
def trained(people):
    from training.nphm.network import TINY
    from training.nphm.train import Trained

    torch.manual_seed(0)
    return Trained(people, TINY).eval()


def test_decoder_of_torch_is_that_of_numpy(people, trained):
    arrays = {
        f"{part}.{name}": value.numpy()
        for part, weights in trained.decoder.published().items()
        for name, value in weights.items()
    }
    sizes = read_sizes({n: a.shape for n, a in arrays.items()}, {}, "trained")
    ours = Decoder.of(arrays, sizes, trained.decoder.anchors.numpy())
    g = torch.Generator().manual_seed(2)
    a, e = people.draw(1, g)
    x = torch.rand(1, 500, 3, generator=g) - 0.5
    with torch.no_grad():
        z_geo, z_exp = trained.codes(a, e)
        sdf, query, anchors = trained.decoder(x, z_geo, z_exp)
    field = ours.field(Codes(z_geo[0].numpy(), z_exp[0].numpy()))
    assert np.abs(field.anchors - anchors[0].numpy()).max() < 1e-5
    assert np.abs(field.canonical(x[0].numpy()) - query[0].numpy()).max() < 1e-5
    assert np.abs(field.distance(x[0].numpy()) - sdf[0].numpy()).max() < 1e-5


def test_signed_distances_are_those_of_the_mesh(people):
    from training.nphm.surfaces import sample

    trimesh = pytest.importorskip("trimesh")
    g = torch.Generator().manual_seed(1)
    a, e = people.draw(1, g)
    neutral, posed = people.shapes(a, e)
    s = sample(people, neutral, posed, 400, g)
    mesh = trimesh.Trimesh(posed[0].numpy(), people.triangles.numpy(), process=False)
    _, distance, _ = trimesh.proximity.closest_point_naive(mesh, s.points[0, :60].numpy())
    off = np.abs(distance - s.distance[0, :60].abs().numpy())
    assert np.median(off) < 1e-5 and np.percentile(off, 90) < 1e-3


def test_a_regressor_of_torch_is_that_of_numpy(tmp_path):
    from training.nphm.regressor import Regressor as Net
    from training.nphm.regressor import Statistics, write_regressor

    torch.manual_seed(1)
    net = Net(5, 3).eval()
    stats = Statistics(torch.zeros(20), torch.rand(20, 5), torch.zeros(4), torch.rand(4, 3))
    write_regressor(net, stats, tmp_path / "r.npz")
    read = Regressor.load(tmp_path / "r.npz")
    view = np.random.default_rng(0).standard_normal((5, SIZE, SIZE)).astype(np.float32)
    with torch.no_grad():
        a, e = net(torch.as_tensor(view)[None])
    ours = read.coordinates(view)
    # Weights are kept in half precision.
    assert np.abs(ours[0] - a[0].numpy()).max() < 0.01 * float(a.abs().max()) + 0.01
    assert np.abs(ours[1] - e[0].numpy()).max() < 0.01 * float(e.abs().max()) + 0.01
    start = read.start(view, read.statistics)
    assert np.abs(start.identity - ours[0]).max() < 1e-3


def test_few_steps_lower_the_loss_and_the_files_open(people, tmp_path):
    from training.nphm.export import to_models
    from training.nphm.network import TINY
    from training.nphm.train import Trained, losses, write_weights

    torch.manual_seed(0)
    model = Trained(people, TINY)
    from training.nphm.surfaces import sample

    g = torch.Generator().manual_seed(3)
    a, e = people.draw(2, g, 4)
    neutral, posed = people.shapes(a, e)
    target = sample(people, neutral, posed, 150, g)
    optimiser = torch.optim.Adam(model.parameters(), lr=2e-3)
    said = []
    for _ in range(8):
        loss, _ = losses(model, people, a, e, neutral, target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        said.append(loss.item())
    assert said[-1] < 0.95 * said[0]
    write_weights(model.eval(), people, {}, tmp_path / "decoder.npz")
    to_models(tmp_path / "decoder.npz", tmp_path / "models")
    head = load_nphm(tmp_path / "models")
    assert head.decoder.sizes.anchors == 65 and head.statistics.basis.shape[1] == 100
