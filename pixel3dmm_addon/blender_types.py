# SPDX-License-Identifier: GPL-3.0-or-later
"""Names for types of Blender's module that have none at run time.

A mixin's class must not derive from Blender's own at run time: Blender would not look for
properties in it. To a type checker it does, since only then does it know ``report`` and the like.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import bpy

#: What an operator's execute, invoke and modal return.
OperatorReturn = set[Literal["RUNNING_MODAL", "CANCELLED", "FINISHED", "PASS_THROUGH", "INTERFACE"]]

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import IconItems as Icon

    OperatorMixin = bpy.types.Operator
    PanelMixin = bpy.types.Panel
else:
    Icon = str
    OperatorMixin = PanelMixin = object

__all__ = ["Icon", "OperatorMixin", "OperatorReturn", "PanelMixin"]
