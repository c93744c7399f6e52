# SPDX-License-Identifier: GPL-3.0-or-later
"""Same photo, same recipe: how far apart are the vertices, over processes, threads and versions?

Every environment under .build/envs takes part, with one and with two threads: plain Pythons with
the command line's decoder, Blenders with their own and through the installed extension. Figures are
the largest difference of any vertex from the first row's, in metres; the bars are 1e-6 on one
machine and 1e-4 across versions of Blender and numpy.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENTS = ROOT / ".build" / "envs"
EXAMPLE = ROOT / "examples" / "astronaut.jpg"
BENCH = ROOT.parent / "shared" / "bench"
PACKAGE = "bl_ext.user_default.pixel3dmm"


def one(photos: list[Path], out: Path) -> None:
    """Posed and neutral vertices and keys of each photo as made here, and who made them."""
    if importlib.util.find_spec("bpy") is None:
        name, heads = _plain(photos)
    else:
        name, heads = _in_blender(photos)
    arrays = {}
    for i, head in enumerate(heads):
        arrays |= {f"{i} posed": head.posed, f"{i} basis": head.basis, f"{i} keys": head.key_deltas}
    np.savez(out, name=f"{name}, Python {platform.python_version()}, numpy {np.__version__}",
             **arrays)  # fmt: skip


def _plain(photos: list[Path]) -> tuple[str, list]:
    from core.options import Options
    from core.photos.photo import load_photo
    from core.pipeline import reconstruct, rig_heads

    heads = []
    for path in photos:
        photo = load_photo(path)
        heads += rig_heads([photo], reconstruct([photo]), Options())
    return "command line", heads


def _in_blender(photos: list[Path]) -> tuple[str, list]:
    os.environ["BLENDER_USER_RESOURCES"] = tempfile.mkdtemp(prefix="pixel3dmm-profile-")
    import bpy

    from tools.package import build_zip

    archive = build_zip(ROOT / "dist", Path(sys.executable))
    bpy.ops.extensions.package_install_files(
        filepath=str(archive), repo="user_default", enable_on_install=True, overwrite=True
    )
    session = importlib.import_module(f"{PACKAGE}.pixel3dmm_addon.jobs.session")
    heads = []
    for path in photos:
        bpy.context.scene.pixel3dmm.photo = str(path)
        bpy.ops.pixel3dmm.reconstruct_face()
        heads.append(session.last_run.outcome.rigged)
    session.close()
    return f"Blender {bpy.app.version_string}", heads


def main() -> int:
    """All environments, or with --one this process's own heads."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    bench = [BENCH / "public" / name / "image.png" for name in ("ict_00", "ict_03", "lps_00")]
    parser.add_argument("photos", type=Path, nargs="*")
    parser.add_argument("--one", type=Path, help="a .npz to write this process's heads to")
    args = parser.parse_args()
    photos = args.photos or [EXAMPLE, *(path for path in bench if path.is_file())]
    if args.one:
        one(photos, args.one)
        sys.stdout.flush()
        # Blender 4.5 hangs at exit where a Python callback is left.
        os._exit(0)
    print(f"{len(photos)} photos; metres from the first row: posed, neutral, keys")
    first, worst = None, 0.0
    with tempfile.TemporaryDirectory() as scratch:
        for python in sorted(ENVIRONMENTS.glob("tests-*/bin/python")) + sorted(
            ENVIRONMENTS.glob("blender-*/bin/python")
        ):
            for threads in ("1", "2"):
                out = Path(scratch, "heads.npz")
                out.unlink(missing_ok=True)
                env = {**os.environ, "OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads}
                command = [str(python), "-m", "benchmarks.determinism", "--one", str(out)]
                done = subprocess.run([*command, *map(str, photos)], cwd=ROOT, env=env,
                                      capture_output=True, text=True, check=False)  # fmt: skip
                if not out.exists():
                    print(f"{python.parents[1].name}: {done.stderr.strip().splitlines()[-1:]}")
                    continue
                with np.load(out, allow_pickle=False) as found:
                    heads = dict(found)
                first = first or heads
                away = {
                    kind: max(np.abs(heads[n] - first[n]).max() for n in heads if n.endswith(kind))
                    for kind in ("posed", "basis", "keys")
                }
                worst = max(worst, *away.values())
                figures = "".join(f"{value:10.1e}" for value in away.values())
                print(f"{heads['name']!s:<56} threads {threads}{figures}", flush=True)
    print(f"largest difference: {worst:.1e} m")
    return 0


if __name__ == "__main__":
    sys.exit(main())
