# SPDX-License-Identifier: GPL-3.0-or-later
"""Fuzzes the readers for as long as is asked: ``python3 build.py fuzz --minutes 5 [target ...]``.

With atheris, coverage of core guides what is tried next; where there is no atheris for the system,
inputs are changed blindly, and that is said. The corpus grows under ``.build/fuzz``. An input that
breaks a promise is written there as well; once the fault is mended it belongs into
``tests/fuzz/corpus``, where the tests run it for ever.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
import time
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / ".build" / "fuzz"


def main() -> int:
    parser = argparse.ArgumentParser(prog="build.py fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", help="names (default: all)")
    parser.add_argument("--minutes", type=float, default=1.0, help="a target (default: 1)")
    parser.add_argument("--blind", action="store_true", help="without coverage, past all faults")
    parser.add_argument("--guided", help=argparse.SUPPRESS)
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    if options.guided:
        return guided(options.guided, options.minutes * 60)
    from fuzz_targets import TARGETS

    if unknown := set(options.targets) - set(TARGETS):
        parser.error(f"no target {', '.join(sorted(unknown))}: {', '.join(TARGETS)}")
    coverage = not options.blind and has_atheris()
    print("Guided by coverage (atheris)." if coverage else "Blind: no coverage guides it.")
    total = broken = 0
    started = time.monotonic()
    for name in options.targets or TARGETS:
        search = guided_apart if coverage else blind
        tried, faults = search(name, options.minutes * 60)
        total, broken = total + tried, broken + len(faults)
        print(f"{name:16} {tried:9,} inputs  {len(faults)} faults", flush=True)
        for fault in faults:
            print(f"    {fault}", flush=True)
    hours = (time.monotonic() - started) / 3600
    print(f"{total:,} inputs in {hours:.2f} hours, {broken} faults")
    return 1 if broken else 0


def has_atheris() -> bool:
    try:
        import atheris  # noqa: F401
    except ImportError:
        return False
    return True


def keep(name: str, data: bytes) -> Path:
    folder = WORK / name / "faults"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / hashlib.sha256(data).hexdigest()[:12]
    path.write_bytes(data)
    return path


def blind(name: str, seconds: float) -> tuple[int, list[str]]:
    """Inputs tried, and one line for each different fault: by exception and place."""
    import fuzz_run
    from fuzz_targets import TARGETS

    target, faults, tried = TARGETS[name], {}, 0
    end = time.monotonic() + seconds
    for data in fuzz_run.mutations(target, seed=int(time.time())):
        if time.monotonic() > end:
            break
        tried += 1
        try:
            fuzz_run.run(target, data)
        except Exception as error:
            places = [f for f in traceback.extract_tb(error.__traceback__)
                      if f"{ROOT}" in f.filename and ".build" not in f.filename]  # fmt: skip
            place = f"{Path(places[-1].filename).name}:{places[-1].lineno}"
            key = (type(error).__name__, place)
            if key not in faults:
                words = str(error).splitlines()[0][:120] if str(error) else ""
                faults[key] = f"{key[0]} at {place}: {words} [{keep(name, data)}]"
    return tried, list(faults.values())


def guided_apart(name: str, seconds: float) -> tuple[int, list[str]]:
    """The same in a process of its own, since libFuzzer ends with its process."""
    command = [sys.executable, __file__, "--guided", name, "--minutes", str(seconds / 60)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    said = done.stdout + done.stderr
    executed = re.findall(r"^(?:stat::number_of_executed_units:\s*|#)(\d+)", said, re.MULTILINE)
    tried = max(map(int, executed), default=0)
    if done.returncode == 0:
        return tried, []
    lines = [x for x in said.splitlines() if re.match(r"\w*(Error|Exception)\b|==\d+== ?ERROR", x)]
    where = re.findall(r'File "[^"]*/((?:core|tests)/[^"]*)", line (\d+)', said)
    input_ = re.findall(r"Test unit written to (\S+)", said)
    what = lines[0][:160] if lines else f"ended with code {done.returncode}"
    place = ":".join(where[-1]) if where else "?"
    return tried, [f"{what} at {place} [{input_[-1] if input_ else 'no input'}]"]


def guided(name: str, seconds: float) -> int:
    """Never returns: libFuzzer ends the process, with 0 if all went well."""
    import atheris

    # Imported before, these are not instrumented: they are not ours.
    import cv2  # noqa: F401
    import numpy  # noqa: F401

    with atheris.instrument_imports(include=["core"]):
        import fuzz_run
        from fuzz_targets import TARGETS
    target = TARGETS[name]
    corpus, faults = WORK / name / "corpus", WORK / name / "faults"
    for folder in (corpus, faults):
        folder.mkdir(parents=True, exist_ok=True)
    for data in [*target.seeds(), *(path.read_bytes() for path in fuzz_run.kept(target))]:
        (corpus / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    arguments = [f"-max_total_time={int(seconds)}", f"-max_len={target.longest}", "-timeout=20",
                 "-rss_limit_mb=4096", "-print_final_stats=1", f"-artifact_prefix={faults}/",
                 str(corpus)]  # fmt: skip
    atheris.Setup([sys.argv[0], *arguments], lambda data: fuzz_run.run(target, data))
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
