# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls that move several keys or bones of a head at once, on its mesh object.

They hold nothing themselves: each reads keys and bones, and sets them. So what they do is
keyframed, saved and exported as keys and bones are. Those of hair are what it is grown by.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, PointerProperty

from ..core.rig import expression as core_expression
from ..core.rig.traits import TRAITS
from .properties import SUBDIVISION
from .scene import expression, identity, parts, smooth, turns

Getter, Setter = Callable[..., Any], Callable[..., None]
_ON_BONES = "It lives on the bones: key it with Key All"


def _photo(head_properties: bpy.types.PropertyGroup) -> float:
    head = head_properties.id_data
    return core_expression.photo_amount(expression.values(head), expression.photo_values(head))


def _set_photo(head_properties: bpy.types.PropertyGroup, amount: float) -> None:
    head = head_properties.id_data
    wanted = core_expression.with_photo_amount(
        expression.values(head), expression.photo_values(head), amount
    )
    expression.set_values(head, wanted)


def _angle(name: str, what: str, get: Getter, put: Setter, limit: float) -> FloatProperty:
    return FloatProperty(
        name=name,
        description=f"{what}, in degrees. {_ON_BONES}",
        subtype="ANGLE",
        soft_min=-limit,
        soft_max=limit,
        step=100,
        get=get,
        set=put,
    )


def _turn(joint: str, axis: int) -> tuple[Getter, Setter]:
    def get(head_properties: bpy.types.PropertyGroup) -> float:
        rig = head_properties.id_data.find_armature()
        return turns.turn_of(rig, joint)[axis] if rig else 0.0

    def put(head_properties: bpy.types.PropertyGroup, value: float) -> None:
        rig = head_properties.id_data.find_armature()
        if rig:
            angles = list(turns.turn_of(rig, joint))
            angles[axis] = value
            turns.set_turn(rig, joint, (angles[0], angles[1], angles[2]))

    return get, put


def _gaze(axis: int) -> tuple[Getter, Setter]:
    def get(head_properties: bpy.types.PropertyGroup) -> float:
        rig = head_properties.id_data.find_armature()
        return turns.gaze(rig)[axis] if rig else 0.0

    def put(head_properties: bpy.types.PropertyGroup, value: float) -> None:
        rig = head_properties.id_data.find_armature()
        if rig:
            angles = list(turns.gaze(rig))
            angles[axis] = value
            turns.set_gaze(rig, *angles)

    return get, put


def _trait(name: str) -> tuple[Getter, Setter]:
    def get(head_properties: bpy.types.PropertyGroup) -> float:
        return identity.traits(head_properties.id_data).get(name, 0.0)

    def put(head_properties: bpy.types.PropertyGroup, value: float) -> None:
        identity.set_trait(bpy.context, head_properties.id_data, name, value)

    return get, put


def _part(part: str) -> tuple[Getter, Setter]:
    def get(head_properties: bpy.types.PropertyGroup) -> bool:
        return parts.shown(head_properties.id_data, part)

    def put(head_properties: bpy.types.PropertyGroup, on: bool) -> None:
        parts.show(head_properties.id_data, part, on)

    return get, put


def _smooth(head_properties: bpy.types.PropertyGroup) -> bool:
    return smooth.seen(head_properties.id_data)


def _set_smooth(head_properties: bpy.types.PropertyGroup, on: bool) -> None:
    smooth.show(head_properties.id_data, on)


def _level(which: int) -> tuple[Getter, Setter]:
    def get(head_properties: bpy.types.PropertyGroup) -> int:
        return smooth.levels(head_properties.id_data)[which]

    def put(head_properties: bpy.types.PropertyGroup, level: int) -> None:
        levels = list(smooth.levels(head_properties.id_data))
        levels[which] = level
        smooth.set_levels(head_properties.id_data, levels[0], levels[1])

    return get, put


class PIXEL3DMM_PG_head(bpy.types.PropertyGroup):
    """On a head: the controls that are not keys themselves."""

    photo_expression: FloatProperty(
        name="Photo Expression",
        description="How much of the photo's expression is in the sliders: 1 as in the photo, "
        "0 without it. What was moved by hand stays",
        subtype="FACTOR",
        min=-1.0,
        max=2.0,
        soft_min=0.0,
        soft_max=1.0,
        precision=3,
        get=_photo,
        set=_set_photo,
    )


_RADIANS = 0.017453292519943295
_CONTROLS = (
    ("gaze_up", "Gaze Up", "Both eyes, up", *_gaze(0), 30),
    ("gaze_left", "Gaze Left", "Both eyes, to the person's left", *_gaze(1), 40),
    ("head_nod", "Head Nod", "The head, chin down", *_turn("head", 0), 30),
    ("head_turn", "Head Turn", "The head, to the person's left", *_turn("head", 2), 40),
    ("head_tilt", "Head Tilt", "The head, to the person's right shoulder", *_turn("head", 1), 22),
    ("neck_nod", "Neck Nod", "The neck, forward", *_turn("neck", 0), 30),
    ("neck_turn", "Neck Turn", "The neck, to the person's left", *_turn("neck", 2), 40),
    ("neck_tilt", "Neck Tilt", "The neck, to the person's right shoulder", *_turn("neck", 1), 22),
)
for _name, _label, _what, _get, _put, _limit in _CONTROLS:
    PIXEL3DMM_PG_head.__annotations__[_name] = _angle(_label, _what, _get, _put, _limit * _RADIANS)
_PARTS = (
    ("lashes", "Lashes", "Lashes, as modelled hairs", "lashes"),
    ("brows", "Brows", "Brows, as modelled hairs: for a skin that has none painted on", "brows"),
    ("tears", "Tear Line", "The strip of wet where the lids meet the eyes", "tears"),
    ("neck_base", "Neck Base", "The rim and base that close the neck's cut", "neck cut"),
)
for _name, _label, _what, _kind in _PARTS:
    _get, _put = _part(_kind)
    PIXEL3DMM_PG_head.__annotations__[_name] = BoolProperty(
        name=_label, description=_what, get=_get, set=_put
    )
PIXEL3DMM_PG_head.__annotations__["smooth"] = BoolProperty(
    name="Smooth",
    description="Show the surface subdivided in the viewport, as renders always do; "
    "files never get it",
    get=_smooth,
    set=_set_smooth,
)
for _name, _label, _which in (("view", "Subdivide View", 0), ("render", "Subdivide Render", 1)):
    _get, _put = _level(_which)
    PIXEL3DMM_PG_head.__annotations__[f"subdivision_{_name}"] = IntProperty(
        name=_label, description=SUBDIVISION, min=0, max=3, get=_get, set=_put
    )
for _group in TRAITS.values():
    for _one in _group:
        _get, _put = _trait(_one.name)
        PIXEL3DMM_PG_head.__annotations__[f"trait_{_one.name}"] = FloatProperty(
            name=_one.label,
            description=f"-1 is {_one.less}, 1 is {_one.more}. Keys and bones follow",
            subtype="FACTOR",
            min=-1.0,
            max=1.0,
            precision=2,
            get=_get,
            set=_put,
        )

_STYLES = (
    ("photo", "As Grown", "The hair that the head has, under the sliders below"),
    ("shaved", "Shaved", ""), ("buzz", "Buzz Cut", ""), ("short", "Short", ""),
    ("side_part", "Side Part", ""), ("swept_back", "Swept Back", ""), ("fringe", "Fringe", ""),
    ("bob", "Bob", ""), ("long", "Long, Straight", ""), ("wavy", "Wavy", ""),
    ("curly", "Curly", ""), ("coily", "Coily", ""), ("tied_back", "Tied Back", ""),
)  # fmt: skip
PIXEL3DMM_PG_head.__annotations__["hair_style"] = EnumProperty(
    name="Hair Style", description="What Grow Hair gives the head", items=_STYLES, default="photo"
)
for _name, _label, _most in (
    ("length", "Length", 2.0),
    ("density", "Density", 3.0),
    ("volume", "Volume", 3.0),
    ("curl", "Curl", 3.0),
    ("frizz", "Frizz", 5.0),
):
    PIXEL3DMM_PG_head.__annotations__[f"hair_{_name}"] = FloatProperty(
        name=_label, description="1 is as it was grown", min=0.1, max=_most, default=1.0
    )
PIXEL3DMM_PG_head.__annotations__["hair_parting"] = FloatProperty(
    name="Parting",
    description="Metres by which a style's parting is moved to the person's left",
    min=-0.06,
    max=0.06,
    precision=3,
    default=0.0,
)

CLASSES = (PIXEL3DMM_PG_head,)


def register() -> None:
    """Every object gets the group; it means something on heads alone."""
    bpy.types.Object.pixel3dmm = PointerProperty(type=PIXEL3DMM_PG_head)


def unregister() -> None:
    """Takes it away; it stored nothing."""
    del bpy.types.Object.pixel3dmm
