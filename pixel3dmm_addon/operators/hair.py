# SPDX-License-Identifier: GPL-3.0-or-later
"""Hair for the active head: of a style, as it was grown with other sliders, or none."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from ...core.geometry.axes import to_head
from ...core.options import NAMED_HEADS, OPEN_HEAD
from .. import installed
from ..blender_types import OperatorReturn
from ..jobs import session
from ..jobs.hair import HairRun
from ..scene import custom_properties, hair, profiles
from ..scene.head import PREFIX, active_head, is_head, polled_head
from .poll_reason import BUSY, NO_HEAD, PollReason
from .worker_operator import WorkerOperator

NO_HAIR = "The head has no hair"
ON_OWN_MESH = "Hair does not grow on a mesh of your own"
SLIDERS = ("length", "density", "volume", "curl", "frizz", "parting")


class PIXEL3DMM_OT_grow_hair(PollReason, WorkerOperator, bpy.types.Operator):
    """Give the active head hair of the chosen style, or the hair it has under the sliders. Esc
    cancels
    """

    bl_idname = "pixel3dmm.grow_hair"
    bl_label = "Grow Hair"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """See PollReason."""
        reason = ""
        if not is_head(active_head(context)):
            reason = NO_HEAD
        elif session.status.running:
            reason = BUSY
        elif profiles.is_on_own_mesh(active_head(context)):
            reason = ON_OWN_MESH
        return reason

    def _make_run(self, context: bpy.types.Context) -> HairRun:
        head = polled_head(context)
        choices, worn = head.pixel3dmm, hair.hair_of(head)
        arrays = {"vertices": _at_rest(head)}
        text = ""
        if worn is not None:
            arrays |= hair.grown_from(worn)
            text = str(worn.data.get(hair.HAIR, ""))
        adjust = {name: float(getattr(choices, f"hair_{name}")) for name in SLIDERS}
        known = custom_properties.json_object(head, PREFIX + "recipe").get("options")
        model = str(known.get("head", OPEN_HEAD)) if isinstance(known, dict) else OPEN_HEAD
        if model not in NAMED_HEADS:
            model = str(installed.models_folder() / model)
        self._uid = head.session_uid
        return HairRun(head.name, arrays, text, choices.hair_style, adjust, model)

    def _finish(self, context: bpy.types.Context, outcome: dict[str, Any]) -> OperatorReturn:
        head = next((o for o in bpy.data.objects if o.session_uid == self._uid), None)
        if head is None:
            return self._say(context, "ERROR", "The head was removed while its hair grew.")
        collection = next(iter(head.users_collection), context.scene.collection)
        hair.put_on(collection, head, outcome, outcome["hair_json"])
        # What was grown by a style stands now: sliders work on it.
        head.pixel3dmm.hair_style = "photo"
        return self._say(context, "INFO", f"{head.name}: hair is done")


class PIXEL3DMM_OT_remove_hair(PollReason, bpy.types.Operator):
    """Take the hair off the active head"""

    bl_idname = "pixel3dmm.remove_hair"
    bl_label = "Remove Hair"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """See PollReason."""
        head = active_head(context)
        if head is None:
            return NO_HEAD
        return "" if hair.hair_of(head) is not None else NO_HAIR

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        """In one step."""
        hair.take_off(polled_head(context))
        return {"FINISHED"}


def _at_rest(head: bpy.types.Object) -> np.ndarray:
    """(V, 3) the Basis key in the head frame."""
    keys = head.data.shape_keys
    points = keys.reference_key.points if keys is not None else head.data.vertices
    flat = np.empty(3 * len(points), np.float32)
    points.foreach_get("co", flat)
    return to_head(flat.reshape(-1, 3)).astype(np.float32)


CLASSES = (PIXEL3DMM_OT_grow_hair, PIXEL3DMM_OT_remove_hair)
