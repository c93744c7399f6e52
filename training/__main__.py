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
    make.add_argument("--fits", choices=("quick", "product", "detected"), default="detected")
    train = steps.add_parser("train", help="train, or go on training")
    train.add_argument("data", type=Path)
    train.add_argument("--out", type=Path, required=True)
    train.add_argument("--steps", type=int, default=4000)
    train.add_argument("--batch", type=int, default=24)
    train.add_argument("--rate", type=float, default=1.5e-3)
    train.add_argument("--threads", type=int, default=1)
    train.add_argument("--device", default="cpu")
    sheet = steps.add_parser("sheet", help="a picture of examples")
    sheet.add_argument("data", type=Path)
    sheet.add_argument("--out", type=Path, required=True)
    sheet.add_argument("--seed", type=int, default=1)
    curves = steps.add_parser("curves", help="a picture of a run's log")
    curves.add_argument("run", type=Path)
    curves.add_argument("--out", type=Path, required=True)
    export = steps.add_parser("export", help="a run's weights for the product")
    export.add_argument("run", type=Path)
    export.add_argument("--out", type=Path, required=True)
    judge = steps.add_parser("evaluate", help="the whole fit on held-out people")
    judge.add_argument("weights", type=Path, help="as exported")
    judge.add_argument("--count", type=int, default=40)
    judge.add_argument("--seed", type=int, default=3)
    shots = steps.add_parser("shoot", help="whole photos of held-out people")
    shots.add_argument("folder", type=Path)
    shots.add_argument("--renderer", choices=("quick", "cycles"), default="cycles")
    shots.add_argument("--count", type=int, default=48)
    shots.add_argument("--seed", type=int, default=5)
    photos = steps.add_parser("photos", help="the product's whole way on such photos")
    photos.add_argument("folder", type=Path)
    photos.add_argument("weights", type=Path)
    photos.add_argument("--bare", action="store_true", help="nothing before the faces")
    bench = steps.add_parser("bench", help="the ablation on a bench's public items")
    bench.add_argument("weights", type=Path)
    bench.add_argument("--bench", type=Path, required=True, help="the bench's folder")
    bench.add_argument("--out", type=Path, required=True, help="for the meshes")
    card = steps.add_parser("card", help="the shape network, in one process")
    card.add_argument("--out", type=Path, required=True, help="the run's folder")
    card.add_argument("--minutes", type=float, default=8.0)
    card.add_argument("--batch", type=int, default=96)
    card.add_argument("--seed", type=int, default=1)
    card.add_argument("--device", default="cuda")
    card.add_argument("--resume", action="store_true", help="go on with the run in that folder")
    carried = steps.add_parser("card-export", help="a shape network's weights for the product")
    carried.add_argument("run", type=Path, help="a run's folder, or one of the trial's weights")
    carried.add_argument("--out", type=Path, required=True)
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
            )
        )
    elif options.step == "card-export":
        from .card.export import export_run

        print(export_run(options.run, options.out))
    elif options.step == "make":
        from .shards import make as make_shards

        make_shards(options.folder, options.count, options.seed, fits=options.fits)
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
    elif options.step == "evaluate":
        from .evaluate import evaluate, table

        print(table(evaluate(options.weights, options.count, options.seed)))
    elif options.step == "shoot":
        from .renderers import shoot

        shoot(options.renderer, options.count, options.seed, options.folder)
    elif options.step == "photos":
        from .photos import measure
        from .photos import table as photo_table

        print(photo_table(measure(options.folder, options.weights, covered=not options.bare)))
    elif options.step == "bench":
        from .bench import ablation
        from .bench import table as bench_table

        print(bench_table(ablation(options.bench, options.weights, options.out)))
    elif options.step == "sheet":
        from .pictures import sheet as draw_sheet

        draw_sheet(options.data, options.out, options.seed)
    elif options.step == "curves":
        from .pictures import curves as draw_curves

        draw_curves(options.run, options.out)
    elif options.step == "export":
        from .export import export as write_weights

        write_weights(options.run / "state.pt", options.out)


if __name__ == "__main__":
    main()
