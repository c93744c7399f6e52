# SPDX-License-Identifier: GPL-3.0-or-later
"""Photos as arrays: what every later stage gets, whoever decoded the file.

On the command line :func:`load_photo` decodes with OpenCV; inside Blender the pixels come from
Blender's own loader and travel to the worker as the .npz of :meth:`Photo.save`. Either way they
are upright (EXIF orientation applied exactly once), 8 bit, three channels, display-referred.

Choices: 16 bit is rounded to 8; grey is spread over three channels; transparency is laid over
mid grey; of several frames or pages the first is used. Decoders ignore colour profiles: what
``colour_profile`` reads is made sRGB afterwards, and any other profile is said in the notes.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import PhotoError
from ..files.npz import read_npz
from ..geometry.camera import focal_from_35mm
from ..options import Options
from .colour_profile import read_profile
from .container import Container, profile_name, read_container
from .exif import read_exif, upright

Pixels = NDArray[np.uint8]

#: Weights of red, green and blue in the luminance of display-referred pixels (ITU-R BT.601).
LUMINANCE = np.array([0.299, 0.587, 0.114])
#: Pixels beyond which a photo is refused before it is decoded: 200 megapixels decode to 600 MB.
MAX_PIXELS = 200_000_000
MAX_FILE_BYTES = 1 << 30
#: Pixels that a byte of a file may stand for; photos have at most a hundred. What claims more keeps
#: decoders busy for many seconds (WebP in Blender 4.2 to 5.0). Small pictures may be empty.
MOST_PER_BYTE, MOST_EMPTY = 1000, 4_000_000
#: Sides in a greater proportion than this are no camera's: phones' sensors have 1.33 to 2.17.
PANORAMA = 2.2
#: Below this many pixels on a side no face can be read.
MIN_SIDE = 32

_OTHER_KINDS = {
    b"GIF8": "a GIF",
    b"%PDF": "a PDF",
    b"8BPS": "a Photoshop file",
    b"v/1\x01": "an OpenEXR file",
    b"#?RA": "a Radiance HDR file",
    b"\0\0\0\x0c": "a JPEG 2000 or JPEG XL file",
}
_BRANDS = {
    b"heic": "an HEIC photo",
    b"heix": "an HEIC photo",
    b"mif1": "an HEIC photo",
    b"avif": "an AVIF photo",
    b"crx ": "a camera raw file",
}


@dataclass(frozen=True, eq=False)
class Photo:
    """pixels (H, W, 3) uint8, display-referred sRGB, upright; name: for people and folders.

    sha256: of the file as it lay on disk. focal_px: focal length in pixels of this image from
    EXIF, or None. notes: sentences on what was found or changed on the way.
    """

    pixels: Pixels
    name: str
    path: Path | None = None
    sha256: str = ""
    focal_px: float | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises PhotoError for what is no photo, so that no later stage has to."""
        shape = self.pixels.shape
        if self.pixels.dtype != np.uint8 or len(shape) != 3 or shape[2] != 3:
            raise PhotoError(f"The pixels of {self.name} are not 8-bit colour.")
        _check_size(self.name, self.width, self.height)

    @property
    def width(self) -> int:
        """Pixels."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Pixels."""
        return int(self.pixels.shape[0])

    def save(self, path: Path) -> None:
        """As .npz, uncompressed: for the worker. Raises OSError."""
        np.savez(
            path,
            pixels=self.pixels,
            name=np.array(self.name),
            path=np.array(str(self.path or "")),
            sha256=np.array(self.sha256),
            focal_px=np.array(np.nan if self.focal_px is None else self.focal_px),
            width=np.array(self.width),
            height=np.array(self.height),
            notes=np.array(self.notes, dtype=np.str_),
        )


def photo_from_npz(path: Path) -> Photo:
    """Inverse of :meth:`Photo.save`; ``notes`` may be missing. Raises PhotoError."""
    broken = PhotoError(f"The picture handed over in {Path(path).name} is damaged: try again.")
    try:
        z = read_npz(Path(path), 4 * MAX_PIXELS)
        focal = float(z["focal_px"].item())
        where = str(z["path"])
        photo = Photo(
            pixels=np.ascontiguousarray(z["pixels"]),
            name=str(z["name"]),
            path=Path(where) if where else None,
            sha256=str(z["sha256"]),
            focal_px=focal if np.isfinite(focal) and focal > 0 else None,
            notes=tuple(str(n) for n in z["notes"]) if "notes" in z else (),
        )
        if (z["width"].item(), z["height"].item()) != (photo.width, photo.height):
            raise broken
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise broken from error
    return photo


def load_photo(path: Path | str) -> Photo:
    """Read and decode a file. Needs opencv-python-headless. Raises PhotoError."""
    path = Path(path)
    name = path.name
    data = read_photo_file(path)
    container = read_container(data)
    if container is None:
        raise PhotoError(f"{name} is {_kind(data)}: use a JPEG, PNG, TIFF, WebP or BMP photo.")
    check_container(name, container)
    exif = read_exif(container.exif)
    pixels, notes = _decode(name, data, container)
    # OpenCV (4.11 and 5.0) turns TIFFs itself whatever it is told, and other files as asked: not.
    if container.format != "TIFF":
        pixels = upright(pixels, exif.orientation)
    focal, focal_note = exif.focal_px(pixels.shape[1], pixels.shape[0])
    notes += [focal_note] if focal_note else []
    digest = hashlib.sha256(data).hexdigest()
    return Photo(pixels, path.stem, path, digest, focal, tuple(notes))


def check_container(name: str, container: Container) -> None:
    """Refuse, undecoded, what is too big, too small, cut off or raw. Raises PhotoError."""
    if container.raw:
        raise PhotoError(f"{name} is a camera raw file: develop it and save a JPEG or PNG.")
    if not container.width or not container.height:
        raise PhotoError(f"{name} is a damaged {container.format} file: export it again.")
    _check_size(name, container.width, container.height)
    pixels = container.width * container.height
    if pixels > MOST_EMPTY and pixels > MOST_PER_BYTE * container.file_bytes:
        raise PhotoError(
            f"{name} has {container.width} x {container.height} pixels in "
            f"{container.file_bytes} bytes, which no photo has: export it again."
        )
    if not container.complete:
        raise PhotoError(
            f"{name} is cut off, the file ends before the picture does: copy or export it again."
        )


def _check_size(name: str, width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise PhotoError(
            f"{name} has {width} x {height} pixels: make it smaller than "
            f"{MAX_PIXELS // 1_000_000} megapixels."
        )
    if min(width, height) < MIN_SIDE:
        raise PhotoError(
            f"{name} has {width} x {height} pixels: a face needs a photo of at least "
            f"{MIN_SIDE} pixels on each side."
        )


def known_focal(photo: Photo, options: Options) -> tuple[float | None, str]:
    """Focal length in pixels if it is known, and where it comes from, in words."""
    if options.focal_px:
        return options.focal_px, "given"
    if options.focal_35mm:
        return focal_from_35mm(options.focal_35mm, photo.width, photo.height), "given"
    if photo.focal_px and not is_panorama(photo):
        return photo.focal_px, "EXIF"
    return None, "estimated"


def is_panorama(photo: Photo) -> bool:
    """Whether a photo is wider or taller than any camera takes one: it was joined out of several,
    or cut, and no lens's focal length applies to it.
    """
    return max(photo.width, photo.height) > PANORAMA * min(photo.width, photo.height)


def photo_advice(photo: Photo, *, focal_given: bool = False) -> tuple[str, ...]:
    """Sentences on the photo as a whole. focal_given: a person has said the focal length."""
    if focal_given or not photo.focal_px or not is_panorama(photo):
        return ()
    return (
        "This is a panorama or a strip of a photo, to which the focal length in its file does not "
        "apply: it is estimated. Give it by hand if you know it.",
    )


def read_photo_file(path: Path) -> bytes:
    """The file's bytes. Raises PhotoError for a folder, a missing, empty or closed file."""
    name = path.name or str(path)
    try:
        if path.is_dir():
            raise PhotoError(f"{name} is a folder: choose the photo in it.")
        # A pipe or a device may never end.
        if path.exists() and not path.is_file():
            raise PhotoError(f"{name} is not a file: choose a photo.")
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size > MAX_FILE_BYTES:
                raise PhotoError(f"{name} is larger than a gigabyte: choose a smaller photo.")
            data = file.read()
    except FileNotFoundError:
        raise PhotoError(f"{name} does not exist: check the path.") from None
    # ValueError: a path with a null character.
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise PhotoError(f"{name} cannot be read ({reason}): check its permissions.") from error
    if not data:
        raise PhotoError(f"{name} is empty (0 bytes): copy or export it again.")
    return data


def _kind(data: bytes) -> str:
    """What a file that is no supported picture seems to be, for a sentence."""
    if data[4:8] == b"ftyp":
        return _BRANDS.get(data[8:12], "a video or an unknown kind of photo")
    for start, kind in _OTHER_KINDS.items():
        if data.startswith(start):
            return kind
    return "not a picture of a kind that can be read"


def _decode(name: str, data: bytes, container: Container) -> tuple[Pixels, list[str]]:
    try:
        import cv2
    except ImportError:
        raise PhotoError(
            "Reading photos on the command line needs OpenCV: run "
            "python -m pip install opencv-python-headless."
        ) from None
    damaged = PhotoError(f"{name} is a damaged {container.format} file: export it again.")
    try:
        # From memory, since OpenCV's own file reading fails on some unicode paths on Windows.
        # UNCHANGED keeps 16 bit and alpha, and (TIFF apart) leaves the orientation to us.
        raw = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise damaged from error
    if raw is None or set(raw.shape[:2]) != {container.height, container.width}:
        raise damaged
    notes = []
    if container.pictures > 1:
        notes.append(f"{name} holds {container.pictures} pictures: the first is used.")
    if raw.dtype == np.uint16:
        # round(value / 257) by a table, so that a large photo is not widened on the way.
        raw = ((np.arange(65536) + 128) // 257).astype(np.uint8)[raw]
        notes.append(f"{name} has 16 bits a channel: rounded to 8.")
    if raw.dtype != np.uint8:
        raise PhotoError(f"{name} holds {raw.dtype} pixels: save it with 8 or 16 bits a channel.")
    pixels, said = in_srgb(name, _to_rgb(name, raw, notes), container.icc)
    return pixels, notes + said


def in_srgb(name: str, pixels: Pixels, icc: bytes) -> tuple[Pixels, list[str]]:
    """pixels (H, W, 3) of a file with an ICC profile, which may be empty, as sRGB; and notes."""
    profile = read_profile(icc)
    if profile is not None:
        return (pixels if profile.is_srgb else profile.to_srgb(pixels)), []
    title = profile_name(icc)
    if not title or "srgb" in title.lower().replace(" ", ""):
        return pixels, []
    return pixels, [f'The colour profile "{title}" of {name} is ignored: colours may be off.']


def _to_rgb(name: str, raw: Pixels, notes: list[str]) -> Pixels:
    """(H, W), or (H, W, 1..4) in OpenCV's order, to (H, W, 3) RGB."""
    if raw.ndim == 2:
        raw = raw[..., None]
    channels = raw.shape[2]
    colour = raw[..., 2::-1] if channels >= 3 else np.repeat(raw[..., :1], 3, axis=2)
    if channels in (2, 4):
        alpha = raw[..., -1:]
        if alpha.min() < 255:
            notes.append(f"{name} is transparent in places: laid over mid grey.")
            a = alpha.astype(np.uint16)
            colour = ((colour * a + 128 * (255 - a) + 127) // 255).astype(np.uint8)
    return np.ascontiguousarray(colour)
