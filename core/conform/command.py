# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m core conform`` and ``python -m core wrap``: their arguments, and what they write."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..errors import MeshError
from ..heads.model import HeadModel
from ..options import OPEN_HEAD
from ..progress import Progress
from ..reconstruct.outputs import make_folder, write_together
from ..reconstruct.resources import load_head, load_mediapipe
from ..rigged_head import RiggedHead
from .by_hand import NAMED_POINTS, pairs_of
from .mesh_file import read_mesh
from .outputs import write_sent
from .profile import HeadProfile
from .register import profile_of
from .send import Source, send
from .wrap import wrapped_head

Say = Callable[[str], None]


def add_conform_arguments(verb: argparse.ArgumentParser) -> None:
    """MESH, the person, and where to write."""
    verb.add_argument("mesh", type=Path, help="OBJ of a head of any make, unit and axes")
    verb.add_argument("--head", type=Path, help="head.npz of a person; without one only the keys")
    verb.add_argument("--out", type=Path, required=True)
    verb.add_argument("--profile", type=Path, help="of the same mesh, as written before")
    verb.add_argument(
        "--pairs", type=Path, help="JSON: points on the mesh by name, or lists of six numbers"
    )
    verb.add_argument("--strength", type=float, default=1.0, help="0 keeps the mesh's own face")
    verb.add_argument("--texture", type=int, default=2048, help="side in texels, 0 for none")


def add_wrap_arguments(verb: argparse.ArgumentParser) -> None:
    """MESH and where to write."""
    verb.add_argument("mesh", type=Path, help="OBJ of a sculpted or scanned head")
    verb.add_argument("--out", type=Path, required=True)
    verb.add_argument("--profile", type=Path)
    verb.add_argument("--pairs", type=Path)


def conform_command(args: argparse.Namespace, terminal: Callable[[], Progress], say: Say) -> int:
    """Runs the verb; returns the exit code. Raises PersonError."""
    make_folder(args.out)
    mesh = read_mesh(args.mesh)
    head, nets = load_head(OPEN_HEAD), load_mediapipe()
    done = send(
        head,
        mesh,
        None if args.head is None else Source.of(RiggedHead.load(args.head), head, nets),
        nets,
        profile=None if args.profile is None else HeadProfile.load(args.profile),
        pairs=_pairs(head, args.pairs),
        strength=float(np.clip(args.strength, 0.0, 1.0)),
        texture=int(np.clip(args.texture, 0, 8192)),
        checked=True,
        progress=terminal(),
    )
    report = (json.dumps(done.report, indent=1) + "\n").encode("ascii")
    write_sent(done, args.out, {"report.json": report})
    failed = [] if done.check is None else sorted({f.check for f in done.check.failures})
    keys = f"beyond the limits of: {', '.join(failed)}" if failed else "all within limits"
    say(
        f"{mesh.name}: face {1e3 * done.profile.median:.2f} mm off, {len(done.person.rows)} of "
        f"{len(mesh.vertices)} vertices move, keys {keys} -> {args.out}"
    )
    for sentence in done.warnings:
        say(f"Note: {sentence}")
    return 0


def wrap_command(args: argparse.Namespace, terminal: Callable[[], Progress], say: Say) -> int:
    """Runs the verb; returns the exit code. Raises PersonError."""
    make_folder(args.out)
    mesh, head = read_mesh(args.mesh), load_head(OPEN_HEAD)
    known = None if args.profile is None else HeadProfile.load(args.profile)
    profile = profile_of(head, mesh, load_mediapipe(), known, _pairs(head, args.pairs), terminal())
    rigged = wrapped_head(head, profile)
    write_together({args.out / "head.npz": rigged.save, args.out / "profile.npz": profile.save})
    say(f"{mesh.name}: face {1e3 * profile.median:.2f} mm off -> {args.out}")
    for sentence in profile.notes:
        say(f"Note: {sentence}")
    return 0


def _pairs(head: HeadModel, path: Path | None) -> np.ndarray | None:
    """From {"Tip of the Nose": [x, y, z], ...}, or [[six numbers], ...]."""
    if path is None:
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            return np.array(found, np.float64).reshape(-1, 6)
        points = {str(k): np.array(v, np.float64).reshape(3) for k, v in found.items()}
    except (OSError, ValueError, TypeError) as error:
        raise MeshError(
            f"{path.name} holds no points: give lists of six numbers, or three a name, such as "
            f"{next(iter(NAMED_POINTS))}."
        ) from error
    return pairs_of(head, points)
