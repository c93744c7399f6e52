# SPDX-License-Identifier: GPL-3.0-or-later
"""Accuracy of the embedded pipeline on heads with ground truth, beside other systems.

Runs ``python -m core reconstruct`` over the public items of a bench folder, scores the meshes with
the bench's own evaluate.py (NoW's non-metrical protocol) and prints the means by group. The other
systems' figures are read from the bench's README, so that they stand in one place.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COLUMNS = {
    "median": "median mm",
    "mean": "mean mm",
    "ang_mean": "normals deg",
    "lm7_mm": "landmarks mm",
    "reproj_pct_iod": "reproj % of eye dist.",
    "cov": "covered",
}


def reconstruct(bench: Path, out: Path, *options: str) -> list[str]:
    """Writes ``out/<item>/mesh.ply`` ... for every public item; returns the items' names. options:
    of the command line.
    """
    items = [camera.parent.name for camera in sorted(bench.glob("public/*/camera.json"))]
    _run(bench, out, items, *options)
    return items


def reconstruct_together(bench: Path, out: Path, *options: str) -> list[str]:
    """The same with all photos of a person at once, where there are several."""
    people = defaultdict(list)
    for camera in sorted(bench.glob("public/*/camera.json")):
        people[json.loads(camera.read_text())["subject"]].append(camera.parent.name)
    several = [items for items in people.values() if len(items) > 1]
    for items in several:
        _run(bench, out, items, "--same-person", *options)
    return [item for items in several for item in items]


def _run(bench: Path, out: Path, items: list[str], *options: str) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        photos = [Path(scratch, f"{item}.png") for item in items]  # a result has its photo's name
        for photo in photos:
            shutil.copyfile(bench / "public" / photo.stem / "image.png", photo)
        command = [sys.executable, "-m", "core", "reconstruct", *map(str, photos), *options]
        command += ["--out", str(out)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stderr, f"reconstruct ended with code {done.returncode}", sep="\n")


def score(bench: Path, out: Path) -> dict[str, dict[str, float] | None]:
    """{item: scores, or None if there is no mesh}, by the bench's evaluator."""
    evaluate = [sys.executable, str(bench / "evaluate.py")]
    command = [*evaluate, "many", str(bench), str(out), "--split", "public"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return json.loads((out / "scores_public_free.json").read_text())


def identify(bench: Path, out: Path) -> str:
    """The evaluator's line on whether a head is nearer to its own person than to the others."""
    command = [sys.executable, str(bench / "evaluate.py"), "identify", str(bench), str(out)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def by_group(scores: dict[str, dict[str, float] | None]) -> dict[str, dict[str, float]]:
    """Means over the items of a group (the name before the first underscore), and how many."""
    groups: dict[str, list[dict[str, float]]] = defaultdict(list)
    for item, values in scores.items():
        if values:
            groups[item.split("_")[0]].append(values)
    means = {}
    for group, rows in groups.items():
        means[group] = {key: sum(r[key] for r in rows) / len(rows) for key in COLUMNS}
        means[group]["items"] = len(rows)
    return means


def peers(bench: Path) -> tuple[list[str], list[list[str]]]:
    """(group names, rows of system and "median, normals" cells) out of the bench's README."""
    lines = (bench / "README.md").read_text(encoding="utf-8").splitlines()
    rows = [
        [c.strip(" *") for c in line.strip("| ").split("|")] for line in lines if line[:1] == "|"
    ]
    rows = [[cell.replace("**", "") for cell in row] for row in rows if len(row) == 4]
    start = next(i for i, row in enumerate(rows) if row[0] == "system")
    return rows[start][1:], [row for row in rows[start + 1 :] if not re.match(r"^-+$", row[0])]


def table(means: dict[str, dict[str, float]]) -> None:
    """Prints all figures of each group."""
    print(f"{'group':8}{'items':>6}" + "".join(f"{name:>22}" for name in COLUMNS.values()))
    for group, row in means.items():
        print(f"{group:8}{row['items']:6.0f}" + "".join(f"{row[key]:22.2f}" for key in COLUMNS))


def report(bench: Path, means: dict[str, dict[str, float]], line: str) -> None:
    """Prints ours in full, then everybody's median and normals side by side."""
    table(means)
    groups, others = peers(bench)
    print(f"\n{'median mm, normals deg':40}" + "".join(f"{group:>12}" for group in groups))
    ours = [means.get(group) for group in groups]
    cells = [f"{m['median']:.2f}, {m['ang_mean']:.0f}" if m else "-" for m in ours]
    for name, *row in [["this project", *cells], *others]:
        print(f"{name.split(' (')[0]:40}" + "".join(f"{cell:>12}" for cell in row))
    print(f"\nidentify, this project: {line}")
    for text in (bench / "README.md").read_text(encoding="utf-8").splitlines():
        if text.startswith("`identify`"):
            print(text)


def folders(name: str, text: str | None) -> tuple[Path | None, Path | None]:
    """From the command line: the bench, None if it is not there, which is said; where the
    reconstructions are kept, None for nowhere.
    """
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=text)
    parser.add_argument("--bench", type=Path, default=ROOT.parent / "shared" / "bench")
    parser.add_argument("--out", type=Path, help="keep the reconstructions in this folder")
    options = parser.parse_args()
    bench = options.bench.resolve()
    if not (bench / "evaluate.py").is_file():
        print(f"There is no bench at {options.bench}: pass its folder with --bench.")
        return None, options.out
    return bench, options.out


def main() -> int:
    """Returns 0 if every item has a mesh that was scored."""
    bench, kept = folders("accuracy", __doc__)
    if bench is None:
        return 2
    with tempfile.TemporaryDirectory() as scratch:
        out = (kept or Path(scratch)).resolve()
        items = reconstruct(bench, out)
        scores = score(bench, out)
        if any(scores.values()):
            report(bench, by_group(scores), identify(bench, out))
        together = reconstruct_together(bench, out / "together")
        joint = score(bench, out / "together")
        print("\nAll photos of a person together:")
        table(by_group(joint))
    missing = [item for item in items if not scores.get(item)]
    missing += [f"{item} (together)" for item in together if not joint.get(item)]
    if missing:
        print(f"No reconstruction of: {', '.join(missing)}")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
