# SPDX-License-Identifier: GPL-3.0-or-later
"""A batch whose workers are the real process with a job that takes no time: for tests of what goes
wrong. ``python batch_harness.py run FOLDER OUT`` is the run, ``... worker`` one of its workers.

What a photo's file says is what its job does: "ok", "crash", "crash once", "hang", "hang once",
"full once" (the disk is, for the first who asks), "slow".
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from core.batch.crew import Crew  # noqa: E402
from core.batch.ledger import Ledger  # noqa: E402
from core.batch.plan import plan_people  # noqa: E402
from core.batch.progress import BatchProgress  # noqa: E402
from core.batch.run import BatchRun, Crews  # noqa: E402
from core.console import Console  # noqa: E402
from core.errors import NoFaceError, OutputError  # noqa: E402
from core.options import Options  # noqa: E402
from core.reconstruct.outputs import make_folder, write_together  # noqa: E402
from core.worker import Worker  # noqa: E402


def act(params, progress, before_naming):
    """The job: obeys the first photo."""
    photos, folders = params.paths("photos"), params.paths("folders")
    wish = photos[0].read_text(encoding="utf-8").split(";")[0]
    kind, _, once = wish.partition(" ")
    seen = folders[0].parent / f"seen-{photos[0].stem}"
    first = not seen.exists()
    with seen.open("a", encoding="utf-8") as log:
        log.write(f"{os.getpid()}\n")
    for folder in folders:
        make_folder(folder)
    if not once or first:
        if kind == "crash":
            (folders[0] / ".head-0123abcd.npz").write_text("half")
            os.abort()
        if kind == "hang":
            time.sleep(600)
        if kind == "full":
            raise OutputError("head.npz cannot be written (No space left on device): make room.")
        if kind == "noface":
            raise NoFaceError("No face was found.")
    if kind == "slow":
        time.sleep(0.2)
    for folder in folders:
        names = [folder / name for name in ("head.npz", "report.json", "contact.jpg")]
        write_together({name: lambda path: path.write_text("x") for name in names})
    one = {"percent": 1.0, "focal_mm": 50.0, "uncertainty_mm": 2.0}
    return {"photos": [one] * len(photos), "seconds": 0.01, "warnings": [], "memory_mb": 50.0}


def batch(folder: Path, out: Path, console: Console | None = None, **options):
    """One run; the progress, which has the counts."""
    plan = plan_people(folder)
    make_folder(out)
    progress = BatchProgress(console or Console(as_json=True), plan.photo_count)
    command = [sys.executable, str(Path(__file__).resolve()), "worker"]
    count = options.pop("workers", 2)
    crew = Crew(command, count, out / ".logs", {}, recycle_tasks=options.pop("recycle", 200))
    run = BatchRun(plan, out, Options(), Ledger(out), Crews(crew), progress, pause=0.1, **options)
    try:
        with crew:
            run.run()
    finally:
        run.release()
    return progress


if __name__ == "__main__":
    if sys.argv[1] == "worker":
        os.write(1, b"Blender says its version before any script is run\n")
        wire = os.dup(1)
        os.dup2(2, 1)
        sys.exit(Worker(0, wire, {"person_files": act}).serve())
    batch(Path(sys.argv[2]), Path(sys.argv[3]))
