# SPDX-License-Identifier: GPL-3.0-or-later
"""The training loop: draw a batch, learn from it, learn again from earlier ones drawn otherwise.

Drawing takes longer than learning, so that each batch is kept (eight bits a channel) and seen about
AGAIN times more, under another development of its picture. Batches are numbered, and what is drawn
and replayed depends on seed and number alone: a run that was stopped goes on where it was, with
the same people, though not to the last bit (its kept pictures are drawn anew).
"""

from __future__ import annotations

import json
import math
import os
import time
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from core.heads import load_open_head

from .dice import Dice
from .draw import Batch, draw
from .head_arrays import HeadArrays
from .learn import YAW_FROM, HeldOut, loss, measure
from .network import Network
from .picture import varied
from .sheets import curves, sheet

#: Steps on earlier batches for each new one, and how many of these are kept.
AGAIN, KEPT = 6, 384
#: The largest rate, steps until it is reached, and what the weights decay by.
RATE, WARM_UP, DECAY = 9e-4, 100, 2e-2
#: Weights that are kept are a mean over about so many steps.
AVERAGE = 500
#: Seed of the people that are only measured with, and how many of them there are.
HELD_OUT_SEED, HELD_OUT = 777, 8192
#: Seconds between two saved states.
SAVE_EVERY = 60.0


@dataclass(frozen=True)
class Plan:
    """out: the run's folder; minutes of this sitting; people a batch; device: "cuda" or "cpu";
    resume: go on with the run in that folder. batches: stop after so many, whatever the time;
    held_out: people to measure with.
    """

    out: Path
    minutes: float = 8.0
    batch: int = 96
    seed: int = 1
    device: str = "cuda"
    resume: bool = False
    batches: int | None = None
    held_out: int = HELD_OUT


class Run:
    """Networks and optimiser of a run, and how far it is."""

    def __init__(self, plan: Plan, device: torch.device) -> None:
        torch.manual_seed(plan.seed)
        self.plan, self.device = plan, device
        self.network = Network().to(device, memory_format=torch.channels_last)
        self.average = Network().to(device)
        self.average.load_state_dict(self.network.state_dict())
        self.optimiser = torch.optim.AdamW(self.network.parameters(), lr=RATE, weight_decay=DECAY)
        self.drawn, self.steps = 0, 0

    def save(self) -> None:
        """All of it, atomically."""
        path = self.plan.out / "state.pt"
        part = path.with_suffix(".part")
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "drawn": self.drawn,
            "steps": self.steps,
            "seed": self.plan.seed,
        }
        torch.save(state, part)
        os.replace(part, path)

    def load(self) -> None:
        """Raises SystemExit where there is no run, or one of another seed."""
        path = self.plan.out / "state.pt"
        if not path.is_file():
            raise SystemExit(f"There is no run in {self.plan.out}: start one without --resume.")
        state = torch.load(path, map_location=self.device, weights_only=True)
        if state["seed"] != self.plan.seed:
            raise SystemExit(f"The run in {self.plan.out} has seed {state['seed']}: pass that one.")
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.drawn, self.steps = int(state["drawn"]), int(state["steps"])

    def step(self, batch: Batch, metric: Tensor, rate: float) -> dict[str, Tensor]:
        """One step; the parts of its loss."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate * min(1.0, (self.steps + 1) / WARM_UP)
        self.network.train()
        image = batch.image.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16):
            said = self.network(image)
        total, parts = loss(said, batch, metric)
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        self.steps += 1
        share = max(1 / AVERAGE, 1 / (1 + self.steps / 2))
        with torch.no_grad():
            for kept, now in zip(self.average.parameters(), self.network.parameters(), strict=True):
                kept.lerp_(now, share)
            for kept, now in zip(self.average.buffers(), self.network.buffers(), strict=True):
                kept.copy_(now)
        return parts


def train(plan: Plan) -> HeldOut:
    """Trains until the time is up; ``out`` gets state.pt, errors.npz, log.jsonl, curves.png,
    sheet.png and held_out.txt. Raises SystemExit for a device that is not there.
    """
    if plan.device.startswith("cuda") and not torch.cuda.is_available():
        raise SystemExit("There is no card here: pass --device cpu, or train where there is one.")
    began = time.monotonic()
    plan.out.mkdir(parents=True, exist_ok=True)
    device = torch.device(plan.device)
    torch.backends.cuda.matmul.allow_tf32 = True
    run = Run(plan, device)
    if plan.resume:
        run.load()
    else:
        (plan.out / "log.jsonl").unlink(missing_ok=True)
    head = arrays(plan.device)
    held = _held_out(head, plan)
    sheet(held[0], plan.out / "sheet.png")
    kept = [_small(draw(head, plan.seed, k, plan.batch)) for k in _recent(run.drawn)]
    started, saved = time.monotonic(), time.monotonic()
    first = run.drawn
    while not _over(plan, run, first, started):
        # A rate that falls to nothing with the time of this sitting.
        gone = min(1.0, (time.monotonic() - started) / (60 * plan.minutes))
        if plan.batches is not None:
            gone = (run.drawn - first) / plan.batches
        rate = RATE * 0.5 * (1 + math.cos(math.pi * gone))
        batch = draw(head, plan.seed, run.drawn, plan.batch)
        parts = run.step(batch, head.metric, rate)
        kept = [*kept[-(KEPT - 1) :], _small(batch)]
        for again in range(AGAIN if len(kept) > 1 else 0):
            dice = Dice(plan.seed + 1, AGAIN * run.drawn + again, plan.batch, device)
            run.step(_replayed(kept, dice), head.metric, rate)
        run.drawn += 1
        _log(plan.out / "log.jsonl", run, parts, time.monotonic() - began)
        if time.monotonic() - saved > SAVE_EVERY:
            run.save()
            saved = time.monotonic()
    run.save()
    found = measure(run.average, held, head.metric)
    np.savez(
        plan.out / "errors.npz",
        yaw_from=np.array(YAW_FROM),
        error_covariance=found.covariance.cpu().numpy(),
    )
    (plan.out / "held_out.txt").write_text(found.table() + "\n", encoding="utf-8")
    curves(plan.out / "log.jsonl", plan.out / "curves.png")
    print(found.table())
    seconds = time.monotonic() - began
    print(f"{run.drawn} batches of {plan.batch}, {run.steps} steps, {seconds:.0f} s")
    return found


@lru_cache(maxsize=1)
def arrays(device: str) -> HeadArrays:
    """The open head's, baked once a process."""
    return HeadArrays.of(load_open_head(), torch.device(device))


def _over(plan: Plan, run: Run, first: int, started: float) -> bool:
    if plan.batches is not None:
        return run.drawn - first >= plan.batches
    return time.monotonic() - started > 60 * plan.minutes


def _held_out(head: HeadArrays, plan: Plan) -> list[Batch]:
    count = max(1, plan.held_out // plan.batch)
    return [draw(head, HELD_OUT_SEED, k, plan.batch) for k in range(count)]


def _recent(drawn: int) -> range:
    """Batches that are drawn anew when a run goes on, so that there is something to replay."""
    return range(max(0, drawn - 16), drawn)


def _small(batch: Batch) -> Batch:
    """As it is kept."""
    values = {f.name: getattr(batch, f.name) for f in fields(batch)}
    half = {
        name: v.half() if name in ("normals", "surely", "expression") else v
        for name, v in values.items()
    }
    half["image"] = (batch.image * 255).round().to(torch.uint8)
    return replace(batch, **half)


def _replayed(kept: list[Batch], dice: Dice) -> Batch:
    """Half of the people of two batches each, in pictures developed anew."""
    which = torch.randint(len(kept), (2,), generator=_chooser(dice)).tolist()
    half = dice.count // 2
    picked = [torch.argsort(dice.uniform())[:n] for n in (half, dice.count - half)]

    def joined(name: str) -> Tensor:
        rows = [getattr(kept[k], name)[at] for k, at in zip(which, picked, strict=True)]
        return torch.cat(rows).float()

    values = {f.name: joined(f.name) for f in fields(Batch)}
    shift = (dice.uniform(2)[0] * 7).long() - 3
    image = torch.roll(values.pop("image") / 255, tuple(shift.tolist()), (2, 3))
    return Batch(image=varied(image, dice), **values)


def _chooser(dice: Dice) -> torch.Generator:
    """On the processor, so that choosing does not wait for the card's numbers."""
    out = torch.Generator()
    out.manual_seed(dice.seed)
    return out


def _log(path: Path, run: Run, parts: dict[str, Tensor], seconds: float) -> None:
    row = {"drawn": run.drawn, "steps": run.steps, "seconds": round(seconds, 2)}
    row |= {name: float(value) for name, value in parts.items()}
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
