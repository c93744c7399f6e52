# SPDX-License-Identifier: GPL-3.0-or-later
"""Pixel3DMM as a predictor: a photo and the box of a face in, ScreenCues out.

Each network sees the crop and its mirror image; the mean of the two is the prediction, and what
they disagree on lowers the confidence of a pixel. Runs where torch is; memory that runs out
lowers the demands step by step, and each step is noted in the cues.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import ModelFileError, PersonError
from ..screen_cues import ScreenCues
from . import postprocess
from .convert_checkpoint import ConvertedCheckpoint, find_converted
from .crop import face_crop
from .devices import Rung, choose_device, ladder, out_of_memory, release_memory
from .layout import IMAGE_SIZE
from .network import Pixel3DMMNetwork

Progress = Callable[[float], None]
Map = NDArray[np.float32]
Maps = dict[str, tuple[Map, Map | None]]


class Pixel3DMMPredictor:
    """The uv and the normal network, or one of them.

    mirror_axis: u about which the uv of a mirrored face is mirrored.
    notes: what was degraded on the way, as sentences; grows while the predictor is used.
    """

    name = "pixel3dmm"

    def __init__(
        self,
        checkpoints: Mapping[str, ConvertedCheckpoint],
        *,
        device: str = "auto",
        half: bool = True,
        flip_average: bool = True,
        mirror_axis: float = postprocess.MIRROR_AXIS,
    ) -> None:
        """checkpoints: "uv", "normals" or both. half: on a GPU only; a CPU is always exact.

        Raises PersonError if there is no torch, ModelFileError if there is no network.
        """
        if find_spec("torch") is None:
            raise PersonError(
                "Pixel3DMM needs the neural runtime: install it in the extension's preferences."
            )
        if not checkpoints:
            raise ModelFileError(
                "There are no Pixel3DMM weights: choose uv.ckpt and normals.ckpt in the "
                "extension's preferences."
            )
        self.checkpoints = dict(checkpoints)
        self.flip_average = flip_average
        self.mirror_axis = mirror_axis
        self.notes: list[str] = [n for c in self.checkpoints.values() for n in c.notes]
        self._rungs = ladder(choose_device(device), half)
        if device not in ("auto", "cpu") and self._rungs[0].device == "cpu":
            self.notes.append(f"There is no device {device} here: Pixel3DMM runs on the CPU.")
        self._loaded: dict[tuple[Path, str, bool], Pixel3DMMNetwork] = {}

    @classmethod
    def from_folder(cls, folder: Path, *, device: str = "auto") -> Pixel3DMMPredictor:
        """The networks that were converted into ``folder``."""
        return cls(find_converted(folder), device=device)

    @property
    def rung(self) -> Rung:
        """Device, precision and batch that the next run starts with."""
        return self._rungs[0]

    def cues(
        self,
        image: NDArray[np.uint8],
        box: tuple[float, float, float, float],
        progress: Progress = lambda fraction: None,
    ) -> ScreenCues:
        """Dense cues of the face in ``box`` of the photo (H, W, 3), sRGB bytes.

        box: left, top, right, bottom in pixels, forehead to chin (see ``crop.face_crop``).
        progress may raise ``errors.Cancelled``. Raises NoFaceError for a box without a face and
        PersonError if even the CPU has too little memory.
        """
        crop = face_crop(box)
        pixels = crop.cut(image)
        height, width = image.shape[:2]
        progress(0.0)
        maps = self.raw_maps(pixels, progress)
        confidence = crop.inside(width, height).astype(np.float32)
        uv = normal = None
        if "uv" in maps:
            raw, mirrored = maps["uv"]
            if mirrored is not None:
                differ = postprocess.uv_disagreement(raw, mirrored)
                confidence *= postprocess.agreement(differ, postprocess.UV_TOLERANCE)
            uv = postprocess.uv_from_raw(_mean(raw, mirrored))
        if "normals" in maps:
            raw, mirrored = maps["normals"]
            if mirrored is not None:
                differ = postprocess.normal_disagreement(raw, mirrored)
                confidence *= postprocess.agreement(differ, postprocess.NORMAL_TOLERANCE)
            normal = postprocess.normals_from_raw(_mean(raw, mirrored))
            confidence[~np.any(normal, axis=-1)] = 0
        return ScreenCues(
            width=width,
            height=height,
            predictor=self.name,
            uv=uv,
            normal=normal,
            confidence=confidence,
            crop_to_photo=crop.crop_to_photo,
            notes=tuple(self.notes),
        )

    def raw_maps(self, crop: NDArray[np.uint8], progress: Progress = lambda fraction: None) -> Maps:
        """Raw map, and that of the mirror image brought back (None without flip averaging), of
        a crop (512, 512, 3): "uv" (512, 512, 2) and "normals" (512, 512, 3).
        """
        images = np.stack([crop, crop[:, ::-1]]) if self.flip_average else crop[None]
        if images.shape[1:] != (IMAGE_SIZE, IMAGE_SIZE, 3):
            raise ValueError(f"a crop of {crop.shape}")
        maps: Maps = {}
        files = {c.weights: c for c in self.checkpoints.values()}
        for done, checkpoint in enumerate(files.values()):

            def inner(fraction: float, done: int = done) -> None:
                progress((done + fraction) / len(files))

            raw = self._run(checkpoint, images, inner)
            for output, first in checkpoint.layout.outputs.items():
                size = 2 if output == "uv" else 3
                part = raw[..., first : first + size]
                maps[output] = part[0], self._unflip(output, part[1]) if len(part) > 1 else None
        return maps

    def _unflip(self, output: str, raw: Map) -> Map:
        if output == "uv":
            return postprocess.unflip_uv(raw, self.mirror_axis)
        return postprocess.unflip_normals(raw)

    def _run(
        self, checkpoint: ConvertedCheckpoint, images: NDArray[np.uint8], progress: Progress
    ) -> Map:
        """Raw maps of the images, on the first rung that has the memory and keeps them finite."""
        while True:
            rung = self._rungs[0]
            result = self._try(checkpoint, rung, images, progress)
            if result is None:
                # Only now: while the error was handled, its frames still held the memory.
                self._step_down(rung)
            elif np.isfinite(result).all():
                return result
            elif not rung.half:
                raise ModelFileError(
                    f"{checkpoint.weights.name} computes values that are not numbers: convert the "
                    "checkpoint again."
                )
            else:
                self.notes.append(
                    "Half precision was too coarse for these weights: Pixel3DMM runs in full "
                    "precision."
                )
                self._loaded.clear()
                self._rungs = ladder(rung.device, False)

    def _try(
        self,
        checkpoint: ConvertedCheckpoint,
        rung: Rung,
        images: NDArray[np.uint8],
        progress: Progress,
    ) -> Map | None:
        """Raw maps of the images, or None if the rung's memory ran out."""
        try:
            network = self._network(checkpoint, rung)
            raw = []
            for start in range(0, len(images), rung.batch):
                raw.append(network(images[start : start + rung.batch]))
                progress(min(1.0, (start + rung.batch) / len(images)))
            return np.concatenate(raw)
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            return None

    def _step_down(self, rung: Rung) -> None:
        self._loaded.clear()
        release_memory(rung.device)
        if len(self._rungs) == 1:
            raise PersonError(
                "There is too little memory for Pixel3DMM: close other programs and try again."
            )
        del self._rungs[0]
        self.notes.append(
            f"The memory of {rung.device} ran out: Pixel3DMM goes on with {self._rungs[0]}."
        )

    def _network(self, checkpoint: ConvertedCheckpoint, rung: Rung) -> Pixel3DMMNetwork:
        key = (checkpoint.weights, rung.device, rung.half)
        if key not in self._loaded:
            self._loaded[key] = Pixel3DMMNetwork.load(checkpoint, rung.device, half=rung.half)
        return self._loaded[key]


def _mean(raw: Map, mirrored: Map | None) -> Map:
    result: Map = raw if mirrored is None else (raw + mirrored) / np.float32(2)
    return result
