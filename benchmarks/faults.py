# SPDX-License-Identifier: GPL-3.0-or-later
"""How long Blender's main thread is held while its worker misbehaves: the longest tick by fault.

The faults are those of tests/addon/test_faults.py, by the same scripted worker; the job is stepped
as the modal operator steps it, in the bpy module that runs this script. The bar is 50 ms. Starting
the process is a row of its own. The photo is known here; benchmarks/blender.py has its decoding.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "examples" / "astronaut.jpg"
FAULTY = ROOT / "tests" / "addon" / "faulty_worker.py"
PACKAGE = "bl_ext.user_default.pixel3dmm"
BAR = 0.05
#: Seconds between two ticks here, and of patience that are enough to measure.
TICK, PATIENCE = 0.01, 3.0
FAULTS = [
    "", "exits at start", "killed at start", "hangs at start", "says why at start",
    "other protocol", "no hello", "exits in the job", "killed in the job", "crashes in the job",
    "exits while it writes", "half a frame", "garbage", "a gigabyte on one line",
    "a line without end in the log", "messages without end", "silent in the job",
    "stopped in the job", "stuck in the job", "progress without a number", "no heads",
    "no such file", "a novel for a sentence",
]  # fmt: skip
#: Ticks after which a person ends what only a person can end.
ESC = 600


def stepped(run, person_error, cancelled) -> tuple[list[tuple[float, float]], str]:
    """Seconds of every tick by the clock and of this thread's processor time, the last one of
    letting go included; and how it ended.
    """
    steps, ticks, ended = run.steps(0.0), [], "a head"
    while True:
        before, busy = time.perf_counter(), time.thread_time()
        try:
            if len(ticks) == ESC:
                run.cancel()
                raise cancelled
            next(steps)
        except StopIteration:
            break
        except cancelled:
            steps.close()
            ended = "Esc"
            break
        except person_error as error:
            ended = str(error)
            break
        finally:
            ticks.append((time.perf_counter() - before, time.thread_time() - busy))
        time.sleep(TICK)
    return ticks, ended


def measure(runs: int) -> None:
    """One line a fault."""
    import bpy

    from tools.package import build_zip

    archive = build_zip(ROOT / "dist", Path(sys.executable))
    bpy.ops.extensions.package_install_files(
        filepath=str(archive), repo="user_default", enable_on_install=True, overwrite=True
    )
    jobs = f"{PACKAGE}.pixel3dmm_addon.jobs"
    session, module, reconstruction = (
        importlib.import_module(f"{jobs}.{name}") for name in ("session", "queue", "reconstruction")
    )
    errors = importlib.import_module(f"{PACKAGE}.core.errors")
    bpy.context.scene.pixel3dmm.photo = str(EXAMPLE)
    bpy.ops.pixel3dmm.reconstruct_face()
    with tempfile.TemporaryDirectory() as folder:
        head, order = Path(folder, "head.npz"), Path(folder, "order")
        session.last_run.outcome.rigged.save(head)
        order.touch()
        module.START_SECONDS = module.SILENCE_SECONDS = module.STUCK_SECONDS = PATIENCE
        module.INTERRUPT_AFTER = module.KILL_AFTER = 0.2
        jobs, starts, worst = session.jobs(), [], []
        load = os.getloadavg()[0]
        print(f"Blender {bpy.app.version_string}, {os.cpu_count()} cores, load {load:.1f}")
        print(f"{runs} runs each; milliseconds of ticks, bar {1e3 * BAR:.0f}; busy: processor time")
        print(f"{'fault':<32}{'ticks':>6}{'median':>8}{'longest':>9}{'busy':>7}  how it ended")
        for fault in FAULTS:
            command = [sys.executable, str(FAULTY), fault, str(order), str(head)]
            jobs._command = lambda command=command: command
            ticks = []
            for _ in range(runs):
                jobs.stop()
                took, ended = stepped(
                    reconstruction.ReconstructionRun(EXAMPLE), errors.PersonError, errors.Cancelled
                )
                # First it says that it reads the photo, then it starts the process.
                starts.append(took[1][0])
                ticks += took[2:]
            wall, busy = zip(*ticks, strict=True)
            worst.append(max(wall))
            figures = f"{1e3 * statistics.median(wall):8.2f}{1e3 * max(wall):9.1f}"
            figures += f"{1e3 * max(busy):7.1f}"
            print(f"{fault or 'none':<32}{len(ticks):>6}{figures}  {ended[:50]}", flush=True)
        jobs.stop()
    print(
        f"start of the process: {1e3 * statistics.median(starts):.1f}, most {1e3 * max(starts):.1f}"
    )
    print(f"{len(worst)} faults, {sum(w > BAR for w in worst)} with a tick above the bar")


def main() -> int:
    """In Blender's module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    if importlib.util.find_spec("bpy") is None or not sys.platform.startswith("linux"):
        print("This benchmark needs Linux, and an interpreter that has bpy: left out.")
        return 0
    os.environ["BLENDER_USER_RESOURCES"] = tempfile.mkdtemp(prefix="pixel3dmm-profile-")
    measure(args.runs)
    sys.stdout.flush()
    # Blender 4.5 hangs at exit where a Python callback is left.
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
