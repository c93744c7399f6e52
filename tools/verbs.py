# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs of ``build.py``: what each takes, what it prepares, what it starts."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from .environments import (
    BLENDER_PYTHON,
    Environment,
    assets_recipe,
    blender_recipe,
    default_blender,
    fuzz_recipe,
    prepare,
    tests_recipe,
)
from .processes import ROOT, BuildError, clean_variables, say
from .window import SUITES
from .window import prepare as prepare_window


def main(arguments: list[str]) -> int:
    """Runs one verb; returns the exit code. 2 means a sentence says what to do."""
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    if rest and options.verb != "test":
        parser.error(f"unknown: {' '.join(rest)}")
    options.rest = rest
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        return run(options)
    except BuildError as error:
        print(f"build.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("build.py: stopped.", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="build.py",
        description="One photo becomes a rigged head in Blender. Every verb makes the "
        "environment it needs under .build/ the first time and reuses it afterwards.",
        allow_abbrev=False,
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(
        name: str, run: Callable[[argparse.Namespace], int], text: str
    ) -> argparse.ArgumentParser:
        sub = verbs.add_parser(name, help=text, description=text, allow_abbrev=False)
        sub.set_defaults(run=run)
        return sub

    blender = {
        "choices": list(BLENDER_PYTHON),
        "metavar": "VERSION",
        "help": f"Blender version: {', '.join(BLENDER_PYTHON)} (default: {default_blender()})",
    }
    run = verb("run", _run, "Make a rigged head from one photo: FBX, .blend, preview and report.")
    run.add_argument("photo", type=Path, help="the photo: JPEG, PNG, ...")
    run.add_argument("--out", type=Path, help="where to write (default: out/<name of the photo>)")
    run.add_argument("--render", action="store_true", help="render the preview (half a minute)")
    run.add_argument("--blender", **blender)
    sheet = verb("sheet", _sheet, "Make a turntable sheet of one photo: views and expressions.")
    sheet.add_argument("photo", type=Path, help="the photo: JPEG, PNG, ...")
    sheet.add_argument("--out", type=Path, help="where to write (default: out/<name of the photo>)")
    sheet.add_argument("--blender", **blender)
    test = verb(
        "test",
        _test,
        "Run all tests: core, then the add-on in Blender. Other arguments go to pytest.",
    )
    test.add_argument("--blender", action="append", **blender)
    verb("lint", _lint, "Check style, types of core, and the house rules that a tool can check.")
    package = verb("package", _package, "Make the extension zip that is installed in Blender.")
    package.add_argument("--out", type=Path, default=ROOT / "dist", help="folder (default: dist)")
    verb("assets", _assets, "Rebuild vendor/ from its sources and say whether anything changed.")
    gui = verb("gui", _gui, "Drive the extension in a real Blender window (Debian, as root).")
    gui.add_argument("--suite", choices=list(SUITES), default="trixie", help="Debian's suite")
    runtime = verb(
        "runtime", _runtime, "Install the neural runtime (torch) for the command line, in .build/."
    )
    runtime.add_argument(
        "action", nargs="?", choices=("build", "remove", "status"), default="build"
    )
    runtime.add_argument("--folder", type=Path, help="where (default: .build/runtime)")
    runtime.add_argument("--wheels", type=Path, help="a folder of wheels, instead of the network")
    verb("audit", _audit, "Ask whether pinned packages have known vulnerabilities (network).")
    fuzz = verb("fuzz", _fuzz, "Feed the readers of files with what nobody would write.")
    fuzz.add_argument("targets", nargs="*", help="names (default: all)")
    fuzz.add_argument("--minutes", type=float, default=1.0, help="for each target (default: 1)")
    fuzz.add_argument("--blind", action="store_true", help="without coverage, past all faults")
    bench = verb("bench", _bench, "Measure accuracy (needs ../shared/bench), speed and memory.")
    bench.add_argument("names", nargs="*", help="scripts of benchmarks/ (default: all)")
    return parser


def _run(options: argparse.Namespace) -> int:
    return _in_blender(options, *(["--render"] * options.render))


def _sheet(options: argparse.Namespace) -> int:
    return _in_blender(options, "--sheet")


def _in_blender(options: argparse.Namespace, *more: str) -> int:
    started = time.perf_counter()
    photo = options.photo
    if not photo.is_file():
        raise BuildError(f"There is no photo at {photo}: give the path of an image file.")
    out = options.out or Path("out") / photo.stem
    environment = prepare(blender_recipe(options.blender or default_blender()))
    from .package import build_zip

    archive = build_zip(ROOT / "dist", environment.python)
    prepared = time.perf_counter() - started
    script = ROOT / "tools" / "run_in_blender.py"
    arguments = ["--zip", archive, "--photo", photo.resolve(), "--out", out.resolve(), *more]
    command = [environment.python, script, *arguments]
    code = subprocess.run([str(x) for x in command], env=clean_variables(), check=False).returncode
    if code == 0:
        total = time.perf_counter() - started
        say(
            f"Done in {total:.1f} s: {prepared:.1f} s to prepare "
            f"({environment.downloaded_mb:.0f} MB downloaded), "
            f"{total - prepared:.1f} s in Blender. Written to {out}."
        )
    return code


def _test(options: argparse.Namespace) -> int:
    from .suites import run_tests

    return run_tests(options.blender or [default_blender()], options.rest)


def _lint(options: argparse.Namespace) -> int:
    from .lint import lint

    return lint()


def _package(options: argparse.Namespace) -> int:
    from .package import build_zip

    archive = build_zip(options.out, prepare(blender_recipe(default_blender())).python)
    say(f"{archive} ({archive.stat().st_size / 1e6:.1f} MB)")
    return 0


def _assets(options: argparse.Namespace) -> int:
    return _module(prepare(assets_recipe()), "tools.assets")


def _gui(options: argparse.Namespace) -> int:
    from .package import build_zip

    prepare_window(options.suite)
    archive = build_zip(ROOT / "dist", prepare(blender_recipe(default_blender())).python)
    python = prepare(tests_recipe()).python
    variables = {"PIXEL3DMM_ZIP": str(archive), "PIXEL3DMM_WINDOW_SUITE": options.suite}
    command = [str(python), "-m", "pytest", "-c", "tests/pytest.ini", "tests/gui"]
    variables = clean_variables(**variables)
    return subprocess.run(command, cwd=ROOT, env=variables, check=False).returncode


def _runtime(options: argparse.Namespace) -> int:
    from .neural_runtime import FOLDER, neural_runtime

    return neural_runtime(options.action, options.folder or FOLDER, options.wheels)


def _bench(options: argparse.Namespace) -> int:
    return _module(prepare(tests_recipe()), "benchmarks", *options.names)


def _audit(options: argparse.Namespace) -> int:
    from .audit import audit

    return audit()


def _fuzz(options: argparse.Namespace) -> int:
    arguments = ["--minutes", str(options.minutes), *(["--blind"] * options.blind)]
    command = [str(prepare(fuzz_recipe()).python), "tests/fuzz", *arguments, *options.targets]
    return subprocess.run(command, cwd=ROOT, env=clean_variables(), check=False).returncode


def _module(environment: Environment, *arguments: str) -> int:
    command = [str(environment.python), "-m", *arguments]
    return subprocess.run(command, cwd=ROOT, env=clean_variables(), check=False).returncode
