# SPDX-License-Identifier: GPL-3.0-or-later
"""What the artist chooses for the next reconstruction, saved with the scene."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
from bpy.props import (
    BoolProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from . import installed
from .fit_properties import PIXEL3DMM_PG_fit
from .jobs import looks, session

#: Identifier, label and description of each choice of a menu.
Items = list[tuple[str, str, str]]

#: Of the surface, in the viewport and in renders.
SUBDIVISION = (
    "How often each face of the surface is divided in four to look smooth: 0 is as fast as can be, "
    "2 has no corners in a close view. Exported files never get it"
)
#: The face that is taken where none was chosen: the largest.
LARGEST = -1


def _photo_chosen(choices: PIXEL3DMM_PG_scene, context: bpy.types.Context) -> None:
    """Another photo has other faces; in a window they are looked for and shown."""
    choices.face = LARGEST
    if not session.status.running:
        # A message about another photo would be read as one about this photo.
        session.status.message = ""
    if choices.photo and not bpy.app.background:
        looks.begin(Path(bpy.path.abspath(choices.photo)))


def _items(entries: tuple[installed.Entry, ...]) -> Items:
    # Blender keeps no reference to the strings: they must outlive the call.
    return _ITEMS.setdefault(entries, [(e.name, e.label, e.badge) for e in entries])


_ITEMS: dict[tuple[installed.Entry, ...], Items] = {}


def _index(entries: tuple[installed.Entry, ...], name: str) -> int:
    found = installed.chosen(entries, name)
    return entries.index(found) if found else 0


def _head_items(
    choices: PIXEL3DMM_PG_scene, context: bpy.types.Context
) -> list[tuple[str, str, str]]:
    return _items(installed.heads())


def _predictor_items(
    choices: PIXEL3DMM_PG_scene, context: bpy.types.Context
) -> list[tuple[str, str, str]]:
    return _items(installed.predictors())


def _get_head(choices: PIXEL3DMM_PG_scene) -> int:
    return _index(installed.heads(), choices.head)


def _get_predictor(choices: PIXEL3DMM_PG_scene) -> int:
    return _index(installed.predictors(), choices.predictor)


def _set_head(choices: PIXEL3DMM_PG_scene, number: int) -> None:
    choices.head = installed.heads()[number].name


def _set_predictor(choices: PIXEL3DMM_PG_scene, number: int) -> None:
    choices.predictor = installed.predictors()[number].name


class PIXEL3DMM_PG_scene(bpy.types.PropertyGroup):
    """On the scene: choices for the next reconstruction."""

    photo: StringProperty(
        name="Photo",
        description="Picture of one person, best from the front and evenly lit",
        subtype="FILE_PATH",
        update=_photo_chosen,
    )
    face: IntProperty(
        name="Face",
        description="Which of several faces, 0 is the largest; -1 takes the largest as well",
        default=LARGEST,
        min=LARGEST,
    )
    # By name: what is installed differs from machine to machine.
    head: StringProperty(default=installed.OPEN_HEAD, options={"HIDDEN"})
    predictor: StringProperty(default=installed.MEDIAPIPE, options={"HIDDEN"})
    head_choice: EnumProperty(
        name="Head Model",
        description="The head that is fitted to the photo",
        items=_head_items,
        get=_get_head,
        set=_set_head,
        options={"SKIP_SAVE"},
    )
    predictor_choice: EnumProperty(
        name="Predictor",
        description="What reads the photo",
        items=_predictor_items,
        get=_get_predictor,
        set=_set_predictor,
        options={"SKIP_SAVE"},
    )
    search: StringProperty(
        name="Search",
        description="Shows the sliders whose names contain these words",
        options={"TEXTEDIT_UPDATE", "SKIP_SAVE"},
    )
    texture: EnumProperty(
        name="Skin Texture",
        description="Pixels on a side of the skin's texture that is made from the photo",
        items=(
            ("auto", "Automatic", "What holds the photo's detail, up to 2048"),
            ("1k", "1024", "Small"),
            ("2k", "2048", "For a face that fills a large photo"),
            ("4k", "4096", "For photos of 20 megapixels and more"),
            ("off", "None", "Plain skin in the photo's tone"),
        ),
        default="auto",
    )
    hair: EnumProperty(
        name="Hair",
        description="Hair for the head that is made, as curves that follow it",
        items=(
            ("none", "None", "A head without hair"),
            ("photo", "From Photo", "The hair that the photo shows; the back by its style"),
        ),
        default="none",
    )
    subdivision_view: IntProperty(
        name="Subdivide View", description=SUBDIVISION, default=0, min=0, max=3
    )
    subdivision_render: IntProperty(
        name="Subdivide Render", description=SUBDIVISION, default=2, min=0, max=3
    )
    clip: StringProperty(
        name="Movie",
        description="A movie of the person whose head is active",
        subtype="FILE_PATH",
    )
    clip_first: IntProperty(
        name="First Frame", description="Of the movie, counted from 0", default=0, min=0
    )
    clip_last: IntProperty(
        name="Last Frame", description="Of the movie; -1 is its end", default=-1, min=-1
    )
    clip_start: IntProperty(
        name="Scene Frame", description="Where the movie's first frame goes", default=1, min=0
    )
    smooth_face: FloatProperty(
        name="Smooth Face",
        description="How much of the sliders' flicker is taken out; fast motion stays",
        default=1.0,
        min=0.0,
        max=10.0,
    )
    smooth_head: FloatProperty(
        name="Smooth Head",
        description="How much of the head's and the eyes' flicker is taken out",
        default=1.0,
        min=0.0,
        max=10.0,
    )
    contacts: BoolProperty(
        name="Close Lids and Lips",
        description="Lids and lips that touch in the movie touch on the head",
        default=True,
    )
    clip_camera: BoolProperty(
        name="Move Camera",
        description="The camera moves instead of the head, which then lies on the movie",
        default=False,
    )
    clip_background: BoolProperty(
        name="Movie Behind Camera",
        description="Shows the movie in the camera's view, if it has the scene's frame rate",
        default=True,
    )
    fit: PointerProperty(type=PIXEL3DMM_PG_fit, options={"HIDDEN"})
    folder: StringProperty(
        name="Folder", description="Photos of people, also in sub-folders", subtype="DIR_PATH"
    )
    folder_people: EnumProperty(
        name="One Person",
        description="Which photos show the same person",
        items=[
            (
                "FOLDERS",
                "Per Sub-Folder",
                "All photos of a sub-folder, and each right in the folder",
            ),
            ("EACH", "Per Photo", "Each photo is a person of its own"),
        ],
        default="FOLDERS",
    )
    folder_into: EnumProperty(
        name="Into",
        description="Where the heads go",
        items=[
            ("SCENE", "This Scene", "Side by side in this scene"),
            ("BLEND", "A .blend Each", "A .blend file a person, as an asset; this scene stays"),
        ],
        default="SCENE",
    )
    folder_out: StringProperty(
        name="Files In", description="Folder for the .blend files", subtype="DIR_PATH"
    )
    match_render_size: BoolProperty(
        name="Match Render Size",
        description="Give renders of this scene the photo's size",
        default=False,
    )


CLASSES = (PIXEL3DMM_PG_scene,)


def register() -> None:
    """Every scene gets the group."""
    bpy.types.Scene.pixel3dmm = PointerProperty(type=PIXEL3DMM_PG_scene)


def unregister() -> None:
    """Takes it away; what scenes have saved stays in their files."""
    del bpy.types.Scene.pixel3dmm


def job_options(choices: PIXEL3DMM_PG_scene) -> dict[str, Any]:
    """The scene's choices as fields of core.pipeline.Options."""
    options: dict[str, Any] = {}
    if choices.face != LARGEST:
        options["face"] = choices.face
    # What another machine chose and this one lacks is refused by core, in a sentence.
    options["head"] = choices.head or installed.OPEN_HEAD
    if installed.is_own_mesh(options["head"]):
        options |= {"head": installed.OPEN_HEAD, "head_mesh": options["head"]}
    options["predictor"] = choices.predictor or installed.MEDIAPIPE
    options["texture"] = choices.texture
    options["hair"] = choices.hair
    options["models"] = str(installed.models_folder())
    return options
