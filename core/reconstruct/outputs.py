# SPDX-License-Identifier: GPL-3.0-or-later
"""What the command line writes for one photo, and how files get their names: all at once.

mesh.ply (posed head, metres, the photo's OpenCV camera frame: the surface that light meets, as
scans are compared with), neutral.ply (at rest, head frame, with the mouth's inside; the same
vertices in the same order), camera.json, lm7.json (seven landmarks, metres, mesh.ply's frame),
lm7_px.json (the same as the fit projects them, pixels), head.npz, report.json, overlay.png;
skin.png and albedo.png: the skin's texture as in the photo and without its light, where one was
painted; nphm.ply (the raw neural surface, posed, mesh.ply's frame), nphm_normal.png and
nphm_height.png (16 bits, half is the mesh, white 2 mm above it): where a neural head was fitted, of
a person's first photo; contact.jpg: a batch's pictures for its contact sheet.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import OutputError
from ..files.ply import ply_bytes
from ..files.png import encode_grey16, encode_png
from ..heads.face_landmarks import SEVEN_LANDMARKS
from ..heads.model import HeadModel, triangles_of
from ..photos.photo import Photo
from ..reconstruction import Reconstruction
from ..rigged_head import RiggedHead
from .contact import contact_jpg
from .overlay import overlay_picture, overlay_png
from .report import peak_memory_mb

Writer = Callable[[Path], object]


def write_photo(
    folder: Path,
    photo: Photo,
    head: HeadModel,
    reconstruction: Reconstruction,
    index: int,
    rigged: RiggedHead,
    seconds: Mapping[str, float],
    *,
    contact: bool = False,
    on_mesh: RiggedHead | None = None,
) -> None:
    """Everything about photo ``index`` of a reconstruction into a folder, made if missing.

    seconds: by stage, of all that was done for this person so far; goes into the report. contact:
    with the contact sheet's pictures. on_mesh: the head on a mesh of the artist's, which files of
    meshes, head and skin show then.
    Raises OutputError; then none of the files has changed.
    """
    fit = reconstruction.photos[index]
    seven = head.landmarks(fit.camera.to_camera(fit.vertices), np.array(SEVEN_LANDMARKS))
    seven_px = fit.camera.project(head.landmarks(fit.vertices, np.array(SEVEN_LANDMARKS)))
    shown = rigged if on_mesh is None else on_mesh
    own = "head_mesh" in shown.report
    shared = {k: v for k, v in reconstruction.report.items() if k != "photos"}
    report = {
        **fit.report,
        **shared,
        **({"likeness": rigged.report["likeness"]} if "likeness" in rigged.report else {}),
        **({"texture": rigged.report["texture"]} if "texture" in rigged.report else {}),
        **({"head_mesh": shown.report["head_mesh"]} if own else {}),
        **({"hair": rigged.report["hair"]} if "hair" in rigged.report else {}),
        "seconds": {stage: round(s, 4) for stage, s in seconds.items()},
        "memory_peak_mb": peak_memory_mb(),
        "recipe": reconstruction.recipe,
    }
    comment = f"{head.name}, {head.licence.spdx}, metres"
    # As rigged: lids are clear of the eyes, and wet.
    posed = fit.camera.to_camera(shown.posed.astype(np.float64))
    neutral = shown.basis.astype(np.float64)
    outer, whole = head.outer_triangles, head.triangles
    if own:
        outer = whole = triangles_of(shown.quads)
        comment = f"{shown.head_name}, metres"
    overlay = overlay_picture(photo, head, fit)
    contents = {
        "mesh.ply": ply_bytes(posed, outer, f"{comment}, OpenCV camera frame"),
        "neutral.ply": ply_bytes(neutral, whole, f"{comment}, head frame"),
        "camera.json": _json(fit.camera.to_json()),
        "lm7.json": _json(seven.tolist()),
        "lm7_px.json": _json(seven_px.tolist()),
        "report.json": _json(report),
        "overlay.png": overlay_png(overlay),
    }
    if contact:
        contents["contact.jpg"] = contact_jpg(photo, overlay, head, rigged)
    writers: dict[Path, Writer] = {
        folder / name: _bytes_writer(data) for name, data in contents.items()
    }
    for name, picture in (("skin", shown.skin_photo), ("albedo", shown.skin_albedo)):
        if picture.size:
            writers[folder / f"{name}.png"] = _bytes_writer(picture.tobytes())
    if reconstruction.neural is not None and index == 0:
        writers |= {folder / n: _bytes_writer(b) for n, b in _neural(reconstruction).items()}
    writers[folder / "head.npz"] = shown.save
    make_folder(folder)
    write_together(writers)


def _neural(reconstruction: Reconstruction) -> dict[str, bytes]:
    """Files of a neural head, by name."""
    neural, camera = reconstruction.neural, reconstruction.photos[0].camera
    assert neural is not None
    comment = f"{neural.title}, {neural.licence['spdx']}, metres, OpenCV camera frame"
    return {
        "nphm.ply": ply_bytes(camera.to_camera(neural.vertices), neural.triangles, comment),
        "nphm_normal.png": encode_png(neural.normal_map),
        "nphm_height.png": encode_grey16(neural.height_map),
    }


def write_together(
    writers: Mapping[Path, Writer], *, before_naming: Callable[[], None] = lambda: None
) -> None:
    """Each file is written aside by its writer; when all are there they get their names.

    before_naming: called in between; what it raises is the last chance to stop. Raises
    OutputError; whatever ends it early, nothing is left lying aside.
    """
    mark = secrets.token_hex(4)
    aside = {path: path.with_name(f".{path.stem}-{mark}{path.suffix}") for path in writers}
    path = next(iter(writers))
    try:
        for path, writer in writers.items():
            writer(aside[path])
        before_naming()
        for path in writers:
            os.replace(aside[path], path)
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        for leftover in aside.values():
            leftover.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Makes a folder and finds out whether it can be written to. Raises OutputError."""
    probe = folder / f".{secrets.token_hex(4)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch(exist_ok=False)
        probe.unlink()
    # ValueError: a path with a null character.
    except (OSError, ValueError) as error:
        raise _cannot_write(folder, error) from error


def _cannot_write(path: Path, error: Exception) -> OutputError:
    reason = getattr(error, "strerror", None) or str(error)
    return OutputError(
        f"{path} cannot be written ({reason}): choose another folder or make room there."
    )


def _bytes_writer(data: bytes) -> Writer:
    return lambda path: path.write_bytes(data)


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, allow_nan=False) + "\n").encode("ascii")
