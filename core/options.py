# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person may choose for a reconstruction, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from .errors import PersonError

OPEN_HEAD = "open-head"
#: The open head with the detail of a neural head (core.nphm), whose weights are the person's own.
NEURAL_HEAD = "nphm"
#: What is no file.
NAMED_HEADS = (OPEN_HEAD, NEURAL_HEAD)
PREDICTORS = ("mediapipe", "landmarks", "pixel3dmm")

#: Sizes of a texture by the names a person gives them; "auto" is the smallest that holds the
#: photo's detail.
SIZES = {"1k": 1024, "2k": 2048, "4k": 4096}
TEXTURES = ("off", "auto", *SIZES)
#: No hair, the photo's, or one of core.hair.styles.
HAIRS = ("none", "photo", "shaved", "buzz", "short", "side_part", "swept_back", "fringe", "bob",
         "long", "wavy", "curly", "coily", "tied_back")  # fmt: skip

#: Pixels or millimetres; beyond it is no photo.
_LARGEST = 1e9


@dataclass(frozen=True)
class Options:
    """What a person may choose. Raises PersonError for values that make no sense.

    predictor: "mediapipe", MediaPipe's landmarks and, for the open head, what our network says of
    the face's shape around them; "landmarks" without that network; or "pixel3dmm", whose
    maps are added to the landmarks;
    head: "open-head"; "nphm", the same with a neural head's detail; or the path of an imported
    FLAME head;
    models: the folder with Pixel3DMM's weights, and with the FLAME head whose texture layout the
    open head borrows for them;
    face: which of several, 0 is the largest that is sure (None: that one, and the report says so);
    people, on the command line and in sentences, count from 1;
    box: x0, y0, x1, y1 around the face in pixels, instead of looking for it;
    focal_px or focal_35mm (mm, 35 mm equivalent) override the photo's EXIF;
    same_person: all photos show one person, who gets one identity;
    own_components: a FLAME head's own expression components become keys too, after the others;
    texture: size of the skin's texture, "1k", "2k" or "4k", "auto" for what holds the photo's
    detail, "off" for none;
    hair: "photo" for the hair that the photo shows, a style's name for hair of that style in the
    photo's colour, "none" for a head without;
    head_mesh: path of the profile of a mesh of the artist's own, which the person is put on.
    """

    predictor: str = "mediapipe"
    head: str = OPEN_HEAD
    models: str | None = None
    face: int | None = None
    box: tuple[float, float, float, float] | None = None
    focal_px: float | None = None
    focal_35mm: float | None = None
    same_person: bool = False
    own_components: bool = False
    texture: str = "auto"
    hair: str = "none"
    head_mesh: str | None = None

    def __post_init__(self) -> None:
        if self.predictor not in PREDICTORS:
            raise PersonError(
                f"There is no predictor {self.predictor!r}: use {' or '.join(PREDICTORS)}."
            )
        if self.head not in NAMED_HEADS and not str(self.head).lower().endswith((".npz", ".pkl")):
            raise PersonError(
                f"There is no head model {self.head!r}: use {OPEN_HEAD}, {NEURAL_HEAD} or the .npz "
                "of an imported FLAME head."
            )
        if not (self.models is None or isinstance(self.models, str)):
            raise PersonError("The models folder must be a path.")
        if self.face is not None and (type(self.face) is not int or self.face < 0):
            raise PersonError(
                "The face's number must be 1 (the largest that is sure), 2, 3 and so on."
            )
        if type(self.same_person) is not bool or type(self.own_components) is not bool:
            raise PersonError("same_person and own_components must be true or false.")
        for focal in (self.focal_px, self.focal_35mm):
            if focal is not None and not (_is_number(focal) and focal > 0):
                raise PersonError("The focal length must be a number above zero.")
        if self.texture not in TEXTURES:
            raise PersonError(
                f"There is no texture of size {self.texture!r}: use {', '.join(TEXTURES)}."
            )
        if self.hair not in HAIRS:
            raise PersonError(f"There is no hair {self.hair!r}: use {', '.join(HAIRS)}.")
        if not (self.head_mesh is None or isinstance(self.head_mesh, str)):
            raise PersonError("The profile of the head mesh must be a path.")
        if self.head_mesh is not None and self.head != OPEN_HEAD:
            raise PersonError(
                f"Only people on the {OPEN_HEAD} can be put on a mesh of your own: leave the head "
                "model as it is."
            )
        if self.box is not None and not _is_box(self.box):
            raise PersonError("The box must be x0, y0, x1, y1 in pixels with x0 < x1 and y0 < y1.")

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Options:
        """From a JSON object; unknown names are ignored."""
        known = {f.name for f in fields(cls)}
        values = {name: value for name, value in data.items() if name in known}
        if isinstance(values.get("box"), list):
            values["box"] = tuple(values["box"])
        return cls(**values)

    def for_recipe(self) -> dict[str, Any]:
        """JSON-ready, without the folders of this machine; what lay in them has its hashes."""
        values = {**asdict(self), "head": Path(self.head).name}
        del values["models"]
        if self.head_mesh is None:
            del values["head_mesh"]
        else:
            values["head_mesh"] = Path(self.head_mesh).name
        return values


def _is_number(value: object) -> bool:
    # Compared, not asked for its finiteness: JSON knows integers that no float can hold.
    return type(value) in (int, float) and -_LARGEST < value < _LARGEST  # type: ignore[operator]


def _is_box(box: object) -> bool:
    if not isinstance(box, tuple) or len(box) != 4 or not all(_is_number(v) for v in box):
        return False
    x0, y0, x1, y1 = box
    return bool(x0 < x1 and y0 < y1)
