# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators that say why they are greyed out, and the reasons that several share."""

from __future__ import annotations

import bpy

from ..blender_types import OperatorMixin
from ..translations import tr

NO_HEAD = "Select a head that was made from a photo"
BUSY = "A photo is being reconstructed: wait for it or cancel it"
NO_CAMERA = "The photo's camera is no longer in the head's collection"
EDIT_MODE = "Leave edit mode first"


class PollReason(OperatorMixin):
    """Mixed into an operator that has a ``why_not``."""

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Why the operator cannot be used now, in English; empty if it can. Quick, never raises."""
        raise NotImplementedError

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Greyed out with the reason."""
        reason = cls.why_not(context)
        if reason:
            cls.poll_message_set(tr(reason))
        return not reason
