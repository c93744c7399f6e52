# SPDX-License-Identifier: GPL-3.0-or-later
"""Command line of the training; see the package's docstring."""

from __future__ import annotations

import argparse
from pathlib import Path


def main() -> None:
    """Run one of the steps."""
    parser = argparse.ArgumentParser(prog="python -m training")
    steps = parser.add_subparsers(dest="step", required=True)
    shots = steps.add_parser("shoot", help="whole photos of held-out people")
    shots.add_argument("folder", type=Path)
    shots.add_argument("--renderer", choices=("quick", "cycles"), default="cycles")
    shots.add_argument("--count", type=int, default=48)
    shots.add_argument("--seed", type=int, default=5)
    card = steps.add_parser("card", help="the shape network, in one process")
    card.add_argument("--out", type=Path, required=True, help="the run's folder")
    card.add_argument("--minutes", type=float, default=8.0)
    card.add_argument("--batch", type=int, default=256)
    card.add_argument("--seed", type=int, default=1)
    card.add_argument("--device", default="cuda")
    card.add_argument("--resume", action="store_true", help="go on with the run in that folder")
    card.add_argument("--start", type=Path, help="a folder of trained weights to begin with")
    card.add_argument("--compiled", action="store_true", help="draw with compiled kernels")
    carried = steps.add_parser("card-export", help="a shape network's weights for the product")
    carried.add_argument("run", type=Path, help="a run's folder, or one of the trial's weights")
    carried.add_argument("--out", type=Path, required=True)
    people = steps.add_parser("nphm-people", help="the open head's population as arrays")
    people.add_argument("--out", type=Path, required=True)
    models = steps.add_parser("nphm-export", help="a trained neural head into a models folder")
    models.add_argument("trained", type=Path, metavar="DECODER.npz")
    models.add_argument("--models", type=Path, required=True)
    options = parser.parse_args()
    if options.step == "card":
        from .card.train import Plan as CardPlan
        from .card.train import train as train_on_card

        train_on_card(
            CardPlan(
                options.out,
                options.minutes,
                options.batch,
                options.seed,
                options.device,
                options.resume,
                options.start,
                compiled=options.compiled,
            )
        )
    elif options.step == "nphm-people":
        from .nphm.people import write_people

        print(write_people(options.out))
    elif options.step == "nphm-export":
        from .nphm.export import to_models

        print(to_models(options.trained, options.models))
    elif options.step == "card-export":
        from .card.export import export_run

        print(export_run(options.run, options.out))
    else:
        from .renderers import shoot

        shoot(options.renderer, options.count, options.seed, options.folder)


if __name__ == "__main__":
    main()
