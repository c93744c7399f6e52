# SPDX-License-Identifier: GPL-3.0-or-later
"""One command for ten minutes of a card or fewer: decoder, judgement, regressor, files."""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from .network import SMALL, TINY, TRIAL, Decoder, Sizes
from .regressor import Statistics, train_regressor, write_regressor
from .surfaces import People
from .train import Plan, Trained, judged, train, write_weights

SIZES = {"tiny": TINY, "trial": TRIAL, "small": SMALL, "published": Sizes()}


def run(people_file: Path, out: Path, plan: Plan, size: str) -> None:
    """Writes decoder.npz, regressor.npz and log.txt; three quarters go to the decoder."""
    out.mkdir(parents=True, exist_ok=True)
    log = (out / "log.txt").open("w")

    def say(text: str) -> None:
        print(text, flush=True)
        log.write(text + "\n")
        log.flush()

    start = time.monotonic()
    people = People.load(people_file, plan.device)
    device, seconds = plan.device, plan.seconds
    model = train(people, SIZES[size], replace(plan, seconds=0.76 * seconds), say)
    facts = judged(model, people, device, 32 if device != "cpu" else 8, plan.components)
    say(json.dumps(facts))
    write_weights(model, people, {k: round(v, 4) for k, v in facts.items()}, out / "decoder.npz")
    statistics, draw = codes_of(model, people)
    left = seconds - (time.monotonic() - start)
    net = train_regressor(model.decoder, statistics, draw, max(left, 5.0), say)
    write_regressor(net, statistics, out / "regressor.npz")
    if device != "cpu":
        say(f"{speed(device):.0f} queries a second at the published sizes (random weights)")
    say(f"{time.monotonic() - start:.0f} s in all")


@torch.no_grad()
def speed(device: str, count: int = 1 << 17, times: int = 8) -> float:
    """Posed queries a second of a decoder of the published sizes."""
    sizes = Sizes()
    decoder = Decoder(sizes, torch.rand(sizes.anchors, 3) - 0.5).to(device).eval()
    z_geo = 0.1 * torch.randn(1, sizes.geometry, device=device)
    z_exp = 0.1 * torch.randn(1, sizes.expression, device=device)
    points = torch.rand(1, count, 3, device=device) - 0.5
    decoder(points, z_geo, z_exp)[0].sum().item()
    start = time.monotonic()
    for _ in range(times):
        decoder(points, z_geo, z_exp)[0].sum().item()
    return times * count / (time.monotonic() - start)


def codes_of(model: Trained, people: People):  # type: ignore[no-untyped-def]
    """The statistics of the model's codes and a drawer of coordinates."""
    generator = torch.Generator(people.template.device).manual_seed(11)
    with torch.no_grad():
        codes = people.draw(2000, generator)[1] @ model.expression.T
        mean = codes.mean(0)
        _, values, vectors = torch.linalg.svd(codes - mean, full_matrices=False)
        spread = (values / len(codes) ** 0.5).clamp(min=1e-4)
        basis_exp = vectors.T * spread
        basis = model.geometry.detach()
        statistics = Statistics(torch.zeros_like(basis[:, 0]), basis, mean, basis_exp)

    def draw(count: int) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            a, e = people.draw(count, generator)
            return a, ((e @ model.expression.T - mean) @ vectors.T) / spread

    return statistics, draw


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="nphm")
    parser.add_argument("people", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=150.0)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--batch", type=int, default=24)
    parser.add_argument("--points", type=int, default=1600)
    parser.add_argument("--pool", type=int, default=0, help="heads drawn once (for a processor)")
    parser.add_argument("--components", type=int, default=0, help="of the identity; 0 for all")
    args = parser.parse_args()
    plan = Plan(
        args.seconds,
        batch=args.batch,
        points=args.points,
        device=args.device,
        pool=args.pool,
        components=args.components,
    )
    run(args.people, args.out, plan, args.size)


if __name__ == "__main__":
    main()
