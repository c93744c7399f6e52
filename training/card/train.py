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
from .learn import YAW_FROM, HeldOut, measure
from .learner import Ahead, Learner
from .picture import varied
from .sheets import curves, sheet
from .weights import load_weights

#: Steps on earlier batches for each new one, and how many of these are kept.
AGAIN, KEPT = 3, 384
#: The largest rate, and that of a run that starts from trained weights.
RATE, GENTLER = 9e-4, 7e-4
#: Seed of the people that are only measured with, and how many of them there are.
HELD_OUT_SEED, HELD_OUT = 777, 8192
#: Seconds between two saved states, and seconds that are kept for measuring at the end.
SAVE_EVERY, ENDING = 60.0, 12.0
#: Batches between two lines of the log, on a card.
_LOG_EVERY = 20


@dataclass(frozen=True)
class Plan:
    """out: the run's folder; minutes of this sitting; people a batch; device: "cuda" or "cpu";
    resume: go on with the run in that folder; start: a folder of trained weights to begin with.
    batches: stop after so many, whatever the time; held_out: people to measure with; compiled: draw
    with compiled kernels (a card alone; takes a minute to begin with).
    """

    out: Path
    minutes: float = 8.0
    batch: int = 256
    seed: int = 1
    device: str = "cuda"
    resume: bool = False
    start: Path | None = None
    batches: int | None = None
    held_out: int = HELD_OUT
    compiled: bool = False


class Run:
    """A learner, and how far it is."""

    def __init__(self, plan: Plan, device: torch.device) -> None:
        torch.manual_seed(plan.seed)
        self.plan = plan
        self.learner = Learner(device)
        self.drawn, self.rate = 0, RATE
        if plan.start is not None and not plan.resume:
            self.learner.begin_with(load_weights(plan.start)[0])
            self.rate = GENTLER

    @property
    def steps(self) -> int:
        """How many have been made."""
        return self.learner.steps

    def save(self) -> None:
        """All of it, atomically, and the weights alone in half precision."""
        learner = self.learner
        learner.keep_norms()
        state = {
            "network": learner.network.state_dict(),
            "average": learner.average.state_dict(),
            "optimiser": learner.optimiser.state_dict(),
            "drawn": self.drawn,
            "steps": self.steps,
            "seed": self.plan.seed,
        }
        path = self.plan.out / "state.pt"
        torch.save(state, path.with_suffix(".part"))
        os.replace(path.with_suffix(".part"), path)
        half = {n: v.cpu().numpy() for n, v in state["average"].items()}
        half = {n: v.astype(np.float16) if v.dtype == np.float32 else v for n, v in half.items()}
        np.savez(self.plan.out / "part.npz", **half)
        os.replace(self.plan.out / "part.npz", self.plan.out / "weights.npz")

    def load(self) -> None:
        """Raises SystemExit where there is no run, or one of another seed."""
        path = self.plan.out / "state.pt"
        if not path.is_file():
            raise SystemExit(f"There is no run in {self.plan.out}: start one without --resume.")
        state = torch.load(path, map_location=self.learner.device, weights_only=True)
        if state["seed"] != self.plan.seed:
            raise SystemExit(f"The run in {self.plan.out} has seed {state['seed']}: pass that one.")
        self.learner.network.load_state_dict(state["network"])
        self.learner.average.load_state_dict(state["average"])
        self.learner.optimiser.load_state_dict(state["optimiser"])
        self.drawn, self.learner.steps = int(state["drawn"]), int(state["steps"])


def train(plan: Plan) -> HeldOut:
    """Trains until ``minutes`` after the call; ``out`` gets state.pt, weights.npz, errors.npz,
    log.jsonl, curves.png, sheet.png and held_out.txt. Raises SystemExit for a device that is not
    there.
    """
    if plan.device.startswith("cuda") and not torch.cuda.is_available():
        raise SystemExit("There is no card here: pass --device cpu, or train where there is one.")
    began = time.monotonic()
    plan.out.mkdir(parents=True, exist_ok=True)
    device = torch.device(plan.device)
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    run = Run(plan, device)
    if plan.resume:
        run.load()
    else:
        (plan.out / "log.jsonl").unlink(missing_ok=True)
    head = arrays(plan.device)
    say = _Log(plan.out / "log.jsonl", run, began, every=_LOG_EVERY if device.type == "cuda" else 1)
    ahead = Ahead(device, lambda number: _drawn(head, plan, number))
    with ahead.beside():
        held = _held_out(head, plan)
    sheet(held[0], plan.out / "sheet.png")
    before = measure(run.learner.average, held, head.metric)
    print(
        f"{time.monotonic() - began:.0f} s: {plan.held_out} held out\n{before.table()}", flush=True
    )
    with ahead.beside():
        kept = [_small(_drawn(head, plan, k)) for k in _recent(run.drawn)]
    started = saved = time.monotonic()
    first = run.drawn
    ahead.begin(first)
    while not _over(plan, run, first, began):
        # A rate that falls to nothing with the time of this sitting.
        whole = max(60 * plan.minutes - ENDING - (started - began), 1e-3)
        gone = min(1.0, (time.monotonic() - started) / whole)
        if plan.batches is not None:
            gone = (run.drawn - first) / plan.batches
        rate = run.rate * 0.5 * (1 + math.cos(math.pi * gone))
        batch = ahead.take(run.drawn + 1)
        kept = [*kept[-(KEPT - 1) :], _small(batch)]
        parts = run.learner.step(batch, head.metric, rate)
        # A copy: the next step writes where these lie.
        parts = {name: value.clone() for name, value in parts.items()}
        for again in range(AGAIN if len(kept) > 1 else 0):
            dice = Dice(plan.seed + 1, AGAIN * run.drawn + again, plan.batch, device)
            run.learner.step(_replayed(kept, dice), head.metric, rate)
        run.drawn += 1
        say(parts)
        if time.monotonic() - saved > SAVE_EVERY:
            run.save()
            saved = time.monotonic()
    run.save()
    found = measure(run.learner.average, held, head.metric)
    np.savez(
        plan.out / "errors.npz",
        yaw_from=np.array(YAW_FROM),
        error_covariance=found.covariance.cpu().numpy(),
    )
    text = f"before:\n{before.table()}\nafter:\n{found.table()}\n"
    (plan.out / "held_out.txt").write_text(text, encoding="utf-8")
    say.flush()
    curves(plan.out / "log.jsonl", plan.out / "curves.png")
    print(found.table())
    seconds = time.monotonic() - began
    print(f"{run.drawn} batches of {plan.batch}, {run.steps} steps, {seconds:.0f} s")
    return found


@lru_cache(maxsize=1)
def arrays(device: str) -> HeadArrays:
    """The open head's, baked once a process."""
    return HeadArrays.of(load_open_head(), torch.device(device))


def _over(plan: Plan, run: Run, first: int, began: float) -> bool:
    if plan.batches is not None:
        return run.drawn - first >= plan.batches
    return time.monotonic() - began > 60 * plan.minutes - ENDING


def _drawn(head: HeadArrays, plan: Plan, number: int) -> Batch:
    return draw(head, plan.seed, number, plan.batch, compiled=plan.compiled)


def _held_out(head: HeadArrays, plan: Plan) -> list[Batch]:
    count = max(1, plan.held_out // plan.batch)
    return [draw(head, HELD_OUT_SEED, k, plan.batch, compiled=plan.compiled) for k in range(count)]


def _recent(drawn: int) -> range:
    """Batches that are drawn anew when a run goes on, so that there is something to replay."""
    return range(max(0, drawn - 16), drawn)


def _small(batch: Batch) -> Batch:
    """As it is kept."""
    half = {n: getattr(batch, n).half() for n in ("normals", "surely", "expression")}
    bytes_ = {n: (getattr(batch, n) * 255).round().to(torch.uint8) for n in ("image", "maps")}
    return replace(batch, **half, **bytes_)


def _replayed(kept: list[Batch], dice: Dice) -> Batch:
    """Half of the people of two batches each, in pictures developed anew."""
    chooser = torch.Generator()  # on the processor, which so does not wait for the card
    chooser.manual_seed(dice.seed)
    which = torch.randint(len(kept), (2,), generator=chooser).tolist()
    # Cells of the maps are two pixels wide.
    shift = (2 * torch.randint(-1, 2, (2,), generator=chooser)).tolist()
    half = dice.count // 2
    picked = [torch.argsort(dice.uniform())[:n] for n in (half, dice.count - half)]

    def joined(name: str) -> Tensor:
        rows = [getattr(kept[k], name)[at] for k, at in zip(which, picked, strict=True)]
        return torch.cat(rows).float()

    values = {f.name: joined(f.name) for f in fields(Batch)}
    image = torch.roll(values.pop("image") / 255, tuple(shift), (2, 3))
    maps = torch.roll(values.pop("maps") / 255, tuple(n // 2 for n in shift), (2, 3))
    return Batch(image=varied(image, dice.grain(*image.shape[1:]), dice), maps=maps, **values)


class _Log:
    """A line for every so many batches, so that the processor seldom waits for the card."""

    def __init__(self, path: Path, run: Run, began: float, *, every: int) -> None:
        self.path, self.run, self.began, self.every = path, run, began, every
        self.waiting: list[tuple[dict[str, float], dict[str, Tensor]]] = []

    def __call__(self, parts: dict[str, Tensor]) -> None:
        row = {"drawn": self.run.drawn, "steps": self.run.steps}
        self.waiting.append((row, parts))
        if len(self.waiting) >= self.every:
            self.flush()

    def flush(self) -> None:
        """Writes what waits."""
        if not self.waiting:
            return
        seconds = round(time.monotonic() - self.began, 2)
        with self.path.open("a", encoding="utf-8") as file:
            for row, parts in self.waiting:
                said = {name: float(value) for name, value in parts.items()}
                file.write(json.dumps(row | {"seconds": seconds} | said) + "\n")
        if self.every > 1:
            print(
                row | {"seconds": seconds} | {n: round(v, 3) for n, v in said.items()}, flush=True
            )
        self.waiting = []
