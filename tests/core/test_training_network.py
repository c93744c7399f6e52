# SPDX-License-Identifier: GPL-3.0-or-later
"""Training: learns, goes on where it stopped, and the product's runtime says what torch says."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="no torch: see tests/requirements-neural.txt")

from core.cues.dense_input import CHANNELS, GRID  # noqa: E402
from core.cues.dense_output import FLOW_UNIT, OUTPUTS  # noqa: E402
from core.cues.dense_predictor import dense_path  # noqa: E402
from core.cues.tensor_program import TensorProgram  # noqa: E402
from training import shards  # noqa: E402
from training.batches import Examples  # noqa: E402
from training.export import load, write  # noqa: E402
from training.losses import errors, losses  # noqa: E402
from training.network import Network  # noqa: E402
from training.pictures import curves, sheet  # noqa: E402
from training.train import Plan, train  # noqa: E402

_PLACE = slice(15, 18)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("examples")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "SHARD", 4)
        shards.make(folder, 8, seed=1)
        shards.make(folder, 4, seed=2)
    return folder


def test_the_runtime_says_what_torch_says(tmp_path: Path) -> None:
    torch.manual_seed(0)
    write(Network(), tmp_path / "net.npz")
    network = load(tmp_path / "net.npz")  # with what a file of halves can hold
    assert (tmp_path / "net.npz").stat().st_size < 6_000_000
    x = np.random.default_rng(0).normal(size=(1, GRID, GRID, CHANNELS)).astype(np.float32)
    (ours,) = TensorProgram(tmp_path / "net.npz")(x).values()
    with torch.no_grad():
        theirs = network(torch.from_numpy(x).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).numpy()
    assert ours.shape == (1, GRID, GRID, OUTPUTS)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_the_shipped_network_says_what_torch_says_of_the_same_weights() -> None:
    network = load(dense_path())
    x = np.random.default_rng(0).normal(size=(1, GRID, GRID, CHANNELS)).astype(np.float32)
    (ours,) = TensorProgram(dense_path())(x).values()
    with torch.no_grad():
        theirs = network(torch.from_numpy(x).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).numpy()
    assert np.abs(theirs).max() > 0.1
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_losses_are_least_where_the_truth_is_said(data: Path) -> None:
    examples = Examples(data, 1)
    batch = next(examples.batches(4, np.random.default_rng(0), vary=False))
    exact = torch.zeros(4, OUTPUTS, GRID, GRID)
    exact[:, :2] = torch.nan_to_num(batch["flow"]) / FLOW_UNIT
    exact[:, 2:5] = batch["true_normal"] - batch["normal"]
    exact[:, 5:7] = -4.0
    exact[:, 7] = torch.where(batch["skin"] > 0.5, 9.0, -9.0)
    nothing = torch.zeros_like(exact)
    for name, value in losses(exact, batch).items():
        assert value < losses(nothing, batch)[name] - 0.3, name
    found = errors(exact, batch)
    assert found["normal"] / found["cells"] < 0.1 < found["normal_fit"] / found["cells"]
    assert found["flow"] / found["cells"] < 0.01 < found["flow_fit"] / found["cells"]


def test_a_mirrored_batch_is_a_mirrored_truth(data: Path) -> None:
    """Whatever is drawn, the flow still leads from what is seen to what the fit shows."""
    examples = Examples(data, 1)
    plain = next(examples.batches(24, np.random.default_rng(0), vary=False))
    varied = next(examples.batches(24, np.random.default_rng(0), vary=True))
    known = {_key(n): i for i, n in enumerate(plain["input"][:, _PLACE])}
    mirrored = 0
    for k in range(24):
        place = varied["input"][k, _PLACE]
        i = known.get(_key(place))
        if i is None:
            mirrored += 1
            flip = torch.tensor([-1.0, 1, 1])[:, None, None]
            i = known[_key(place.flip(2) * flip)]
            flow = varied["flow"][k].flip(2) * flip[:2]
        else:
            flow = varied["flow"][k]
        same = [
            j
            for j in range(24)
            if _key(plain["input"][:, _PLACE][j]) == _key(plain["input"][:, _PLACE][i])
        ]
        assert any(torch.equal(flow.nan_to_num(), plain["flow"][j].nan_to_num()) for j in same)
    assert 0 < mirrored < 24


def _key(values: torch.Tensor) -> bytes:
    return (values.contiguous() + 0.0).numpy().tobytes()


def test_training_learns_and_goes_on_where_it_stopped(data: Path, tmp_path: Path) -> None:
    plan = Plan(data, tmp_path / "run", steps=100, batch=4, rate=1e-3)
    train(plan)
    rows = _log(tmp_path / "run")
    assert rows[-1]["step"] == 100 and "error_normal" in rows[-1]
    first = rows[-1]["train_normal"]
    train(replace(plan, steps=120))
    rows = _log(tmp_path / "run")
    assert rows[-1]["step"] == 120
    assert rows[-1]["train_normal"] < first
    curves(tmp_path / "run", tmp_path / "curves.png")
    sheet(data, tmp_path / "sheet.png", seed=1)
    for name in ("curves.png", "sheet.png"):
        assert (tmp_path / name).read_bytes()[:4] == b"\x89PNG"


def _log(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
