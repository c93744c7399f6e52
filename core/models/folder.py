# SPDX-License-Identifier: GPL-3.0-or-later
"""The models folder: what a person imported into it, and how a file gets there.

It holds FLAME heads (``<name>.npz``, see ``heads.flame_import``), Pixel3DMM's networks
(``pixel3dmm_<kind>.safetensors``, see ``files.convert_checkpoint``) and a neural head
(``nphm.safetensors``, see ``nphm.weights``). A file is recognised by its
content; its name may be anything.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

from ..cues.pixel3dmm.convert_checkpoint import convert_checkpoint
from ..errors import ModelFileError
from ..files.torch_checkpoint import holds_part
from ..heads.flame import in_flame_layout, read_info
from ..heads.flame_import import TEMPLATE_NAME, import_flame
from ..heads.model import HeadModel
from ..nphm.weights import PARTS, convert_nphm, read_description
from ..progress import Progress

_ZIP, _OLD_TORCH = b"PK\x03\x04", b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"
#: A broken zip file larger than any FLAME model must be a checkpoint.
_LARGEST_FLAME = 1 << 29


@dataclass(frozen=True)
class Imported:
    """title: what the file turned out to be; path: what was made of it; spdx and commercial: its
    licence; notes: sentences on what it lacks.
    """

    title: str
    path: Path
    spdx: str
    commercial: bool | None
    notes: tuple[str, ...]


def import_file(source: Path, folder: Path, progress: Progress) -> Imported:
    """Imports a FLAME model, a Pixel3DMM or an NPHM checkpoint into the models folder.

    progress(stage, fraction) may raise. Raises ModelFileError for any other or a damaged file,
    OutputError where the folder cannot be written; then nothing new is in it.
    """
    if is_checkpoint(source) and holds_part(source, PARTS):
        path = convert_nphm(source, folder, progress)
        made = read_description(path)
        terms = made["licence"]
        title = f"Neural head ({made['title']})"
        return Imported(title, path, terms["spdx"], terms["commercial"], tuple(made["notes"]))
    if is_checkpoint(source):
        network = convert_checkpoint(source, folder, progress)
        licence = network.description["licence"]
        return Imported(
            f"Pixel3DMM network for {network.kind}",
            network.weights,
            licence["spdx"],
            licence["commercial"],
            network.notes,
        )
    stage = "Importing the head"
    progress(stage, 0.0)
    path = import_flame(source, folder, progress=lambda fraction: progress(stage, fraction))
    info = read_info(path)
    notes = list(info["warnings"])
    if info["texture_layout"] != TEMPLATE_NAME:
        notes.append(
            f"There was no {TEMPLATE_NAME} beside {source.name}, so that Pixel3DMM's texture maps "
            "cannot be used with this head: put it there and import the head again."
        )
    licence = info["licence"]
    return Imported(info["title"], path, licence["spdx"], licence["commercial"], tuple(notes))


def is_checkpoint(path: Path) -> bool:
    """Whether a file is a torch checkpoint by its content, damaged or not.

    False for a file that cannot be read: whoever opens it next says why.
    """
    try:
        with path.open("rb") as stream:
            start = stream.read(len(_OLD_TORCH))
        if not start.startswith(_ZIP):
            return start == _OLD_TORCH
        try:
            with zipfile.ZipFile(path) as archive:
                return any(name.endswith("/data.pkl") for name in archive.namelist())
        except (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError):
            return path.stat().st_size > _LARGEST_FLAME
    except OSError:
        return False


def has_flame_layout(path: Path) -> bool:
    """Whether a converted FLAME head brings the texture layout that Pixel3DMM speaks of."""
    return bool(read_info(path)["texture_layout"] == TEMPLATE_NAME)


def wearing_flame_layout(head: HeadModel, folder: Path) -> HeadModel | None:
    """The open head in the layout that a FLAME head in the folder brings; None without one."""
    for path in sorted(folder.glob("*.npz")):
        try:
            return in_flame_layout(head, path)
        except ModelFileError:
            continue
    return None
