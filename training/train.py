# SPDX-License-Identifier: GPL-3.0-or-later
"""The training loop: AdamW, a rate that warms up and falls as a cosine, half precision where the
machine has it. State is saved every SAVE_EVERY steps and taken up again; the log is a text file.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from .batches import Examples
from .losses import errors, losses
from .network import Network

SAVE_EVERY, CHECK_EVERY = 100, 300
WARM_UP = 100
#: Share of each part in the loss.
SHARES = {"normal": 0.5, "flow": 2.0, "skin": 0.3}
#: Weights of the network that is kept are a mean over about so many steps.
AVERAGE = 200


@dataclass(frozen=True)
class Plan:
    """How to train. steps: all of them, from the first start on; held_out: seed whose examples
    are only measured with.
    """

    data: Path
    run: Path
    steps: int = 4000
    batch: int = 24
    rate: float = 1.5e-3
    seed: int = 1
    held_out: int = 2
    threads: int = 1
    device: str = "cpu"


def train(plan: Plan) -> None:
    """Trains to the plan's last step; ``run`` gets state.pt and log.jsonl."""
    torch.set_num_threads(plan.threads)
    torch.manual_seed(plan.seed)
    plan.run.mkdir(parents=True, exist_ok=True)
    network = Network().to(plan.device, memory_format=torch.channels_last)
    kept = Network().to(plan.device)
    optimiser = torch.optim.AdamW(network.parameters(), lr=plan.rate, weight_decay=0.01)
    step = 0
    state_path = plan.run / "state.pt"
    if state_path.exists():
        state = torch.load(state_path, map_location=plan.device, weights_only=True)
        network.load_state_dict(state["network"])
        kept.load_state_dict(state["kept"])
        optimiser.load_state_dict(state["optimiser"])
        step = int(state["step"])
    else:
        kept.load_state_dict(network.state_dict())
    examples, held_out = Examples(plan.data, plan.seed), Examples(plan.data, plan.held_out)
    running: dict[str, float] = {}
    began = time.monotonic()
    while step < plan.steps:
        examples.refresh()
        rng = np.random.default_rng([plan.seed, step])
        for batch in examples.batches(plan.batch, rng, vary=True):
            if step >= plan.steps:
                break
            for group in optimiser.param_groups:
                group["lr"] = rate_at(step, plan)
            parts = _step(network, optimiser, _on(batch, plan.device))
            step += 1
            _average(kept, network, step)
            for name, value in parts.items():
                running[name] = 0.98 * running.get(name, value) + 0.02 * value
            if step % SAVE_EVERY == 0 or step == plan.steps:
                _save(state_path, network, kept, optimiser, step)
                row = {"step": step, "seconds": time.monotonic() - began, "looks": examples.count}
                row |= {f"train_{n}": v for n, v in running.items()}
                if step % CHECK_EVERY == 0 or step == plan.steps:
                    row |= measure(kept, held_out, plan)
                _log(plan.run / "log.jsonl", row)


def rate_at(step: int, plan: Plan) -> float:
    """The learning rate of a step."""
    if step < WARM_UP:
        return plan.rate * (step + 1) / WARM_UP
    done = (step - WARM_UP) / max(plan.steps - WARM_UP, 1)
    return plan.rate * (0.02 + 0.98 * 0.5 * (1 + float(np.cos(np.pi * min(done, 1.0)))))


def measure(network: Network, examples: Examples, plan: Plan) -> dict[str, float]:
    """Means over held-out examples: losses, and errors of the network and of the fit itself."""
    network.eval()
    total: dict[str, float] = {}
    likelihood: dict[str, list[float]] = {}
    with torch.no_grad():
        for batch in examples.batches(plan.batch, np.random.default_rng(0), vary=False):
            batch = _on(batch, plan.device)
            output = network(batch["input"]).float()
            for name, value in errors(output, batch).items():
                total[name] = total.get(name, 0.0) + float(value)
            for name, value in losses(output, batch).items():
                likelihood.setdefault(name, []).append(float(value))
    network.train()
    cells = max(total.pop("cells", 0.0), 1.0)
    out = {f"error_{name}": value / cells for name, value in total.items()}
    return out | {f"held_out_{n}": float(np.mean(v)) for n, v in likelihood.items()}


def _step(
    network: Network, optimiser: torch.optim.Optimizer, batch: dict[str, torch.Tensor]
) -> dict[str, float]:
    device = batch["input"].device.type
    with torch.autocast(device, torch.bfloat16):
        output = network(batch["input"].contiguous(memory_format=torch.channels_last))
    parts = losses(output.float(), batch)
    total = sum(SHARES[name] * value for name, value in parts.items())
    optimiser.zero_grad(set_to_none=True)
    total.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimiser.step()
    return {name: float(value.detach()) for name, value in parts.items()}


def _average(kept: Network, network: Network, step: int) -> None:
    share = max(1 / AVERAGE, 1 / (1 + step / 2))
    with torch.no_grad():
        for a, b in zip(kept.parameters(), network.parameters(), strict=True):
            a.lerp_(b, share)


def _on(batch: dict[str, torch.Tensor], device: str) -> dict[str, torch.Tensor]:
    return {name: value.to(device) for name, value in batch.items()}


def _save(
    path: Path, network: Network, kept: Network, optimiser: torch.optim.Optimizer, step: int
) -> None:
    part = path.with_suffix(".part")
    torch.save(
        {
            "network": network.state_dict(),
            "kept": kept.state_dict(),
            "optimiser": optimiser.state_dict(),
            "step": step,
        },
        part,
    )
    os.replace(part, path)


def _log(path: Path, row: dict[str, float]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
