# SPDX-License-Identifier: GPL-3.0-or-later
"""Training that lives on the card, at tiny size on the processor: draws, learns, exports."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="no torch: see tests/requirements-neural.txt")

from core.cues.shape_network import SIZE, ShapeNetwork  # noqa: E402
from core.geometry.raster import rasterise as exactly  # noqa: E402
from core.heads import load_open_head  # noqa: E402
from training.card.dice import Dice  # noqa: E402
from training.card.draw import Batch, draw  # noqa: E402
from training.card.export import export, export_run, folded, in_bytes  # noqa: E402
from training.card.head_arrays import HeadArrays  # noqa: E402
from training.card.network import COMPONENTS, Network  # noqa: E402
from training.card.people import draw_cameras, draw_people  # noqa: E402
from training.card.raster import FAR, rasterise, weights_of  # noqa: E402
from training.card.skin import BARE  # noqa: E402
from training.card.train import Plan, Run, arrays, train  # noqa: E402
from training.card.weights import load_weights  # noqa: E402

COUNT = 2


@pytest.fixture(scope="module")
def head() -> HeadArrays:
    torch.set_num_threads(1)
    return arrays("cpu")


@pytest.fixture(scope="module")
def batch(head: HeadArrays) -> Batch:
    return draw(head, 1, 0, COUNT)


@pytest.fixture(scope="module")
def run(head: HeadArrays, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    train(Plan(out, batch=COUNT, device="cpu", batches=2, held_out=COUNT))
    return out


def _dice(number: int = 0) -> Dice:
    return Dice(5, number, COUNT, torch.device("cpu"))


def test_the_raster_sees_what_the_exact_one_sees(head: HeadArrays) -> None:
    dice = _dice()
    people = draw_people(head, dice)
    points = draw_cameras(head, people, dice).seen(people.vertices, 96)
    seen = rasterise(points, head.triangles, 96)
    who = torch.arange(COUNT)[:, None, None, None]
    corners = head.triangles[seen.triangle.clamp(min=0)]
    weights = weights_of(points[who, corners], seen)
    for k in range(COUNT):
        p = points[k].double().numpy()
        other = exactly(p[:, :2], p[:, 2], head.triangles.numpy(), 96, 96, both_sides=False)
        both = (other.triangle >= 0) & (seen.triangle[k].numpy() >= 0)
        assert both.mean() > 0.2
        assert ((other.triangle >= 0) == (seen.triangle[k].numpy() >= 0)).mean() > 0.999
        assert (other.triangle == seen.triangle[k].numpy())[both].mean() > 0.998
        off = np.abs(other.depth - seen.depth[k].numpy())[both]
        assert np.quantile(off, 0.999) < 1e-4
        same = both & (other.triangle == seen.triangle[k].numpy())
        assert np.abs(other.barycentric - weights[k].numpy())[same].max() < 0.02
        assert (seen.depth[k].numpy()[~both & (other.triangle < 0)] == FAR).all()


def test_the_crop_holds_the_face_wherever_the_camera_stands(head: HeadArrays) -> None:
    for number in range(3):
        dice = _dice(number)
        people = draw_people(head, dice)
        cameras = draw_cameras(head, people, dice)
        marks = cameras.seen(head.marks(people.vertices), SIZE)[..., :2]
        assert ((marks > -0.1 * SIZE) & (marks < 1.1 * SIZE)).all()
        # Rays of the crop lead where its pixels are: at the depth of a landmark, to the landmark.
        rays = cameras.rays(SIZE)
        at, depth = (
            marks.round().long().clamp(0, SIZE - 1),
            cameras.seen(head.marks(people.vertices), SIZE)[..., 2],
        )
        who = torch.arange(COUNT)[:, None]
        there = cameras.centre[:, None] + rays[who, at[..., 1], at[..., 0]] * depth[..., None]
        inside = ((marks > 1) & (marks < SIZE - 1)).all(-1)
        off = (there - head.marks(people.vertices)).norm(dim=-1)[inside]
        assert off.max() < 0.006


def test_a_batch_is_the_same_whenever_it_is_drawn(head: HeadArrays, batch: Batch) -> None:
    again, other = draw(head, 1, 0, COUNT), draw(head, 1, 1, COUNT)
    for name in ("image", "identity", "yaw", "normals", "maps"):
        assert torch.equal(getattr(again, name), getattr(batch, name))
        assert not torch.equal(getattr(other, name), getattr(batch, name))


def test_what_is_drawn_is_what_a_photo_may_be(batch: Batch) -> None:
    assert batch.image.shape == (COUNT, 3, SIZE, SIZE)
    assert batch.identity.shape == (COUNT, COMPONENTS)
    assert batch.image.min() >= 0
    assert batch.image.max() <= 1
    assert (batch.image.flatten(1).std(1) > 0.05).all()
    assert (batch.surely.flatten(1).mean(1) > 0.2).all()
    assert torch.allclose(batch.maps.sum(1), torch.ones_like(batch.surely[:, :1, :1]), atol=1e-5)
    # Every crop shows skin, most of it where the face is.
    assert (batch.maps[:, BARE].mean((1, 2)) > 0.1).all()
    # Most of what is seen faces the camera, whose axis runs away from it.
    facing = batch.normals[:, 2][batch.surely > 0]
    assert (facing < 0).float().mean() > 0.95


def test_identities_are_as_people_are_spread(head: HeadArrays) -> None:
    many = draw_people(head, Dice(9, 0, 64, torch.device("cpu")))
    assert abs(float(many.identity.std()) - 1) < 0.05
    model = load_open_head()
    square = 1e6 * (model.identity_basis[model.regions["face"], :, :COMPONENTS] ** 2).sum(1)
    # The metric is measured on some of the face's vertices.
    assert float(torch.trace(head.metric)) == pytest.approx(square.mean(0).sum(), rel=0.05)


def test_it_learns_and_leaves_what_a_run_leaves(run: Path) -> None:
    for name in (
        "state.pt",
        "weights.npz",
        "errors.npz",
        "log.jsonl",
        "curves.png",
        "sheet.png",
        "held_out.txt",
    ):
        assert (run / name).stat().st_size > 0
    rows = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [row["drawn"] for row in rows] == [1, 2]
    assert all(np.isfinite(row["likelihood"]) for row in rows)
    assert "average face" in (run / "held_out.txt").read_text()


def test_a_run_goes_on_where_it_was(run: Path, tmp_path: Path) -> None:
    before = torch.load(run / "state.pt", weights_only=True)
    for name in ("state.pt", "log.jsonl"):
        (tmp_path / name).write_bytes((run / name).read_bytes())
    train(Plan(tmp_path, batch=COUNT, device="cpu", batches=1, held_out=COUNT, resume=True))
    after = torch.load(tmp_path / "state.pt", weights_only=True)
    assert after["drawn"] == before["drawn"] + 1
    assert after["steps"] > before["steps"]
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == after["drawn"]
    with pytest.raises(SystemExit, match="seed"):
        train(Plan(tmp_path, seed=2, device="cpu", batches=1, resume=True))
    with pytest.raises(SystemExit, match="no run"):
        train(Plan(tmp_path / "none", device="cpu", batches=1, resume=True))


def test_the_products_runtime_says_what_the_run_learnt(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "posterior.npz"
    said = export_run(run, out)
    assert out.stat().st_size < 8e6
    assert "%" in said
    network, errors = load_weights(run)
    assert errors["error_covariance"].shape == (3, COMPONENTS, COMPONENTS)
    colors = np.random.default_rng(1).uniform(0, 255, (SIZE, SIZE, 3)).astype(np.float32)
    mean, covariance = ShapeNetwork(out).posterior(colors, 0.0)
    with torch.no_grad():
        told = network.eval()(torch.as_tensor(colors).permute(2, 0, 1)[None] / 255)
    scale = float(told.mean.abs().max())
    assert np.abs(mean - told.mean[0].numpy()).max() < 0.05 * scale + 1e-3
    assert (np.linalg.eigvalsh(covariance) > 0).all()
    again = tmp_path / "again.npz"
    export_run(run, again)
    assert again.read_bytes() == out.read_bytes()


def test_a_run_may_begin_with_trained_weights(run: Path, tmp_path: Path) -> None:
    begun = Run(Plan(tmp_path, device="cpu", start=run), torch.device("cpu")).learner.average
    trained = load_weights(run)[0]
    for name, weights in trained.state_dict().items():
        assert torch.equal(begun.state_dict()[name], weights), name
    with np.load(run / "weights.npz", allow_pickle=False) as z:
        parts = dict(z)
    parts["mean.bias"] = parts["mean.bias"][:-1]
    (tmp_path / "other").mkdir()
    np.savez(tmp_path / "other" / "weights.npz", **parts)
    with pytest.raises(SystemExit, match="not of this network"):
        load_weights(tmp_path / "other")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no card here")
def test_the_kernel_sees_what_torch_sees() -> None:
    head, dice = arrays("cuda"), Dice(5, 0, COUNT, torch.device("cuda"))
    people = draw_people(head, dice)
    points = draw_cameras(head, people, dice).seen(people.vertices, 96)
    kernel, plain = (rasterise(points, head.triangles, 96, plain=p) for p in (False, True))
    assert (kernel.triangle != plain.triangle).float().mean() < 1e-3
    assert ((kernel.depth - plain.depth).abs() > 1e-4).float().mean() < 1e-3


def test_norms_fold_and_bytes_lose_little() -> None:
    torch.manual_seed(0)
    network = Network()
    norm = network.enter_norm
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2)
    norm.weight.data.normal_()
    norm.eval()
    x = torch.randn(1, 3, 16, 16)
    weights, bias = folded(network.enter, norm)
    folded_in = torch.nn.functional.conv2d(x, torch.as_tensor(weights), torch.as_tensor(bias), 2, 2)
    with torch.no_grad():
        assert (folded_in - norm(network.enter(x))).abs().max() < 1e-5
    values = np.random.default_rng(0).normal(size=(3, 3, 8, 5)).astype(np.float32)
    whole, step = in_bytes(values)
    assert whole.dtype == np.int8
    assert np.abs(whole * step - values).max() < np.abs(values).max() / 60


def test_another_head_makes_another_file(tmp_path: Path) -> None:
    errors = {"yaw_from": np.array([0]), "error_covariance": np.eye(COMPONENTS)[None]}
    out = tmp_path / "p.npz"
    export(Network(), errors, load_open_head(), out)
    network = ShapeNetwork(out)
    assert network.components == COMPONENTS
    network.check_head(load_open_head())


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a card here")
def test_without_a_card_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no card here"):
        train(Plan(tmp_path, batches=1))
