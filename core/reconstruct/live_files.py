# SPDX-License-Identifier: GPL-3.0-or-later
"""LiveFit and LiveSurface as .npz files, which pass from the worker to whoever draws."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFileError
from ..files.npz import read_npz
from ..fitting.live_fit import LiveFit
from ..fitting.live_rest import RestBlock
from ..fitting.live_surface import LiveSurface
from ..fitting.points import GazeMap, PointSet
from ..fitting.state import PhotoState, State
from ..heads.followers import Followers
from ..heads.handles import Handle
from ..rigged_head import MAX_BYTES

_SURFACE = (
    "skin", "triangles", "wire", "wire_sides", "wire_triangles", "mirror", "landmark_vertices",
    "landmark_barycentric", "landmark_mirror",
)  # fmt: skip
_FIT = (
    "photo", "width", "height", "ids", "target", "sigma", "free", "lower", "upper", "shift",
    "damp", "seen",
)  # fmt: skip
_REST = ("matrix", "gradient", "at_rest")


def save_surface(surface: LiveSurface, path: Path) -> None:
    """Of a head model: the larger part, the same for all photos."""
    arrays: dict[str, Any] = {**_points(surface.points, "points")}
    for name in _SURFACE:
        arrays[name] = getattr(surface, name)
    arrays["handle_names"] = np.array([h.name for h in surface.handles] or [""])
    rows = [[h.landmark, h.vertex, h.first] for h in surface.handles]
    arrays["handle_places"] = np.array(rows, np.int32).reshape(-1, 3)
    followers = surface.followers
    if followers is not None:
        for name in ("start", "leader", "weight"):
            arrays[f"followers_{name}"] = getattr(followers, name)
    _save(arrays, path)


def load_surface(path: Path) -> LiveSurface:
    """Raises ModelFileError for a file that is damaged."""
    try:
        a = read_npz(path, MAX_BYTES)
        names, rows = a["handle_names"].tolist(), a["handle_places"].tolist()
        found = tuple(
            Handle(name, landmark, vertex, bool(first))
            for name, (landmark, vertex, first) in zip(names, rows, strict=False)
        )
        followers = None
        if "followers_start" in a:
            followers = Followers(*(a[f"followers_{n}"] for n in ("start", "leader", "weight")))
        named = {name: a[name] for name in _SURFACE}
        surface = LiveSurface(
            points=_points_of(a, "points"), handles=found, followers=followers, **named
        )
        _check(surface)
        return surface
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(path) from error


def _check(surface: LiveSurface) -> None:
    """Raises ValueError for what points outside of the mesh."""
    count = surface.count
    for index, lowest, size in (
        (surface.skin, 0, count),
        (surface.triangles, 0, count),
        (surface.wire, 0, count),
        (surface.wire_triangles, 0, count),
        (surface.wire_sides, 0, len(surface.wire_triangles)),
        (surface.mirror, 0, count),
        (surface.landmark_vertices, -1, count),
        (surface.landmark_mirror, -1, len(surface.landmark_vertices)),
    ):
        if index.size and not lowest <= index.min() <= index.max() < size:
            raise ValueError("an index outside of the mesh")
    if surface.followers is not None:
        surface.followers.check(count)


def save_fit(fit: LiveFit, path: Path) -> None:
    """All but its surface."""
    state = fit.rest.around
    photo = state.photos[0]
    arrays: dict[str, Any] = {**_points(fit.points, "points"), "identity": state.identity}
    arrays |= {name: getattr(fit, name) for name in _FIT}
    arrays |= {f"rest_{name}": getattr(fit.rest, name) for name in _REST}
    arrays |= {f"photo_{f.name}": getattr(photo, f.name) for f in fields(PhotoState)}
    _save(arrays, path)


def load_fit(path: Path, surface: LiveSurface) -> LiveFit:
    """Raises ModelFileError for a file that is damaged."""
    try:
        a = read_npz(path, MAX_BYTES)
        values: dict[str, Any] = {f.name: a[f"photo_{f.name}"] for f in fields(PhotoState)}
        values["log_focal"] = float(values["log_focal"])
        state = State(a["identity"], (PhotoState(**values),))
        matrix, gradient, at_rest = (a[f"rest_{name}"] for name in _REST)
        rest = RestBlock(state, matrix, gradient, float(at_rest))
        named: dict[str, Any] = {name: a[name] for name in _FIT}
        for name in ("photo", "width", "height"):
            named[name] = int(named[name])
        if len(named["damp"]) != surface.count or len(named["seen"]) != surface.count:
            raise ValueError("of another surface")
        return LiveFit(surface=surface, rest=rest, points=_points_of(a, "points"), **named)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(path) from error


def _points(points: PointSet, name: str) -> dict[str, Any]:
    """In single precision what is large: tenths of a micrometre."""
    out = {f"{name}_{f.name}": getattr(points, f.name) for f in fields(PointSet)}
    gaze = out.pop(f"{name}_gaze_map")
    for part in ("identity", "expression", "drift"):
        out[f"{name}_{part}"] = out[f"{name}_{part}"].astype(np.float32)
    return {**out, f"{name}_gaze_columns": gaze.columns, f"{name}_gaze_rate": gaze.rate}


def _points_of(a: dict[str, NDArray[Any]], name: str) -> PointSet:
    gaze = GazeMap(a[f"{name}_gaze_columns"].astype(np.intp), a[f"{name}_gaze_rate"])
    parts = {f.name: a[f"{name}_{f.name}"] for f in fields(PointSet) if f.name != "gaze_map"}
    for part in ("identity", "expression", "drift"):
        parts[part] = parts[part].astype(np.float64)
    return PointSet(gaze_map=gaze, **parts)


def _save(arrays: dict[str, Any], path: Path) -> None:
    with open(path, "wb") as file:
        np.savez(file, **{k: np.asarray(v) for k, v in arrays.items()})  # type: ignore[arg-type]


def _damaged(path: Path) -> ModelFileError:
    return ModelFileError(f"The file {path.name} is damaged: start Correct Fit again.")
