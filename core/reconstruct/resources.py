# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads and predictors by the names a person gives them; loaded once a process.

A file that was imported anew under its old name is loaded anew: what is kept is kept by path,
time and size.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ..cues.mediapipe import MediaPipePredictor
from ..cues.pixel3dmm.convert_checkpoint import ConvertedCheckpoint, find_converted
from ..cues.pixel3dmm.predictor import Pixel3DMMPredictor
from ..errors import ModelFileError
from ..heads import HeadModel, load_open_head
from ..heads.face_landmarks import SEVEN_LANDMARKS
from ..heads.flame import load_flame
from ..models.folder import has_flame_layout, wearing_flame_layout
from ..nphm.person import load_regressor
from ..nphm.regressor import Regressor
from ..nphm.weights import NeuralHead, load_nphm
from ..options import NAMED_HEADS, NEURAL_HEAD

#: A head that knows the places of fewer of the 478 points cannot be fitted to a photo.
FEWEST_LANDMARKS = 100

Stamp = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, eq=False)
class DenseTier:
    """Pixel3DMM with a head: the predictor, None if the head can use nothing of it; the head in
    the texture layout that the uv map speaks of; networks: kind -> SHA-256 of its checkpoint;
    notes: what is missing, as sentences.
    """

    predictor: Pixel3DMMPredictor | None
    head: HeadModel
    networks: dict[str, str]
    notes: tuple[str, ...]


def load_head(name: str) -> HeadModel:
    """The open head, which a neural head stands on too, or a FLAME head by the path of what it was
    imported to, with its sliders.

    Raises ModelFileError for a file that is none, and for a head that no photo can be fitted to.
    """
    if name in NAMED_HEADS:
        return load_open_head()
    path = Path(name)
    if path.suffix.lower() in (".pkl", ".pickle"):
        raise ModelFileError(
            f"{path.name} has to be imported once: do that, and give the .npz that it becomes."
        )
    head = _flame(path, _stamp([path]))
    ids = set(head.landmark_ids.tolist())
    if len(ids) < FEWEST_LANDMARKS or not ids.issuperset(SEVEN_LANDMARKS):
        raise ModelFileError(
            f"{path.name} knows only {len(ids)} points of a face, so that no photo can be fitted "
            "to it: choose another head."
        )
    return head


@dataclass(frozen=True, eq=False)
class NeuralTier:
    """A neural head with its regressor, None where there is none for it."""

    head: NeuralHead
    regressor: Regressor | None


def load_neural(head_name: str, folder: str | None) -> NeuralTier | None:
    """The neural head where a head's name asks for it, else None. Raises ModelFileError."""
    if head_name != NEURAL_HEAD:
        return None
    models = Path(folder) if folder is not None else Path()
    if folder is None or not models.is_dir():
        raise ModelFileError(
            "The neural head needs NPHM's weights: import them and name the models folder that "
            "they are in."
        )
    return _neural(models, _stamp([*models.glob("nphm*")]))


@lru_cache(maxsize=1)
def _neural(models: Path, stamp: Stamp) -> NeuralTier:
    return NeuralTier(load_nphm(models), load_regressor(models))


@lru_cache(maxsize=1)
def load_mediapipe() -> MediaPipePredictor:
    """MediaPipe, which finds the face and its landmarks whatever else is used."""
    return MediaPipePredictor()


def load_pixel3dmm(head_name: str, folder: str | None) -> DenseTier:
    """Pixel3DMM from the models folder, as far as a head can use it.

    Raises ModelFileError without weights, PersonError without torch.
    """
    if folder is None or not Path(folder).is_dir():
        raise ModelFileError(
            "Pixel3DMM needs its weights: import uv.ckpt and normals.ckpt and name the models "
            "folder that they are in."
        )
    models = Path(folder)
    files = [*models.glob("*.npz"), *models.glob("pixel3dmm_*"), Path(head_name)]
    return _dense_tier(head_name, models, _stamp(files))


@lru_cache(maxsize=2)
def _dense_tier(head_name: str, models: Path, stamp: Stamp) -> DenseTier:
    networks = find_converted(models)
    if not networks:
        raise ModelFileError(
            f"There are no Pixel3DMM weights in {models.name}: import uv.ckpt and normals.ckpt."
        )
    head = load_head(head_name)
    notes = []
    laid_out: HeadModel | None = head
    if head_name in NAMED_HEADS:
        laid_out = wearing_flame_layout(head, models)
    elif not has_flame_layout(Path(head_name)):
        laid_out = None
    if "uv" not in networks:
        notes.append(_no_network("uv.ckpt", "normals", models))
    elif laid_out is None:
        del networks["uv"]
        notes.append(
            "Pixel3DMM's texture map is not used, since this head lacks FLAME's texture layout: "
            "import a FLAME model with head_template.obj beside it."
        )
    if "normals" not in networks:
        notes.append(_no_network("normals.ckpt", "texture map", models))
    if not networks:
        notes.append("Nothing of Pixel3DMM is left, so the head follows the landmarks alone.")
    return DenseTier(
        predictor=Pixel3DMMPredictor(networks) if networks else None,
        head=laid_out or head,
        networks={kind: _digest(network) for kind, network in networks.items()},
        notes=tuple(notes),
    )


def _no_network(file: str, other: str, models: Path) -> str:
    return f"{file} is not in the folder {models.name}, so Pixel3DMM gives its {other} alone."


def _digest(network: ConvertedCheckpoint) -> str:
    return str(network.description["source_sha256"])


@lru_cache(maxsize=2)
def _flame(path: Path, stamp: Stamp) -> HeadModel:
    # load_flame keeps by the path alone.
    load_flame.cache_clear()
    return load_flame(path).with_sliders()


def _stamp(paths: list[Path]) -> Stamp:
    """Path, time and size of those files that are there."""
    known = []
    for path in sorted(paths):
        try:
            status = path.stat()
        except OSError:
            continue
        known.append((str(path), status.st_mtime_ns, status.st_size))
    return tuple(known)
