# SPDX-License-Identifier: GPL-3.0-or-later
"""Command line of the training; see the package's docstring."""

from __future__ import annotations

import argparse
from pathlib import Path


def main() -> None:
    """Run one of the steps."""
    parser = argparse.ArgumentParser(prog="python -m training")
    steps = parser.add_subparsers(dest="step", required=True)
    make = steps.add_parser("make", help="draw examples")
    make.add_argument("folder", type=Path)
    make.add_argument("--count", type=int, default=4000)
    make.add_argument("--seed", type=int, default=1)
    train = steps.add_parser("train", help="train, or go on training")
    train.add_argument("data", type=Path)
    train.add_argument("--out", type=Path, required=True)
    train.add_argument("--steps", type=int, default=4000)
    train.add_argument("--batch", type=int, default=24)
    train.add_argument("--rate", type=float, default=1.5e-3)
    train.add_argument("--threads", type=int, default=1)
    train.add_argument("--device", default="cpu")
    options = parser.parse_args()
    if options.step == "make":
        from .shards import make as make_shards

        make_shards(options.folder, options.count, options.seed)
    elif options.step == "train":
        from .train import Plan
        from .train import train as train_network

        train_network(
            Plan(
                options.data,
                options.out,
                options.steps,
                options.batch,
                options.rate,
                threads=options.threads,
                device=options.device,
            )
        )


if __name__ == "__main__":
    main()
