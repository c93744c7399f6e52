# SPDX-License-Identifier: GPL-3.0-or-later
"""Under which terms a head may be used, in words that travel with the file.

Unreal shows custom properties of FBX as the asset's metadata, glTF has asset.copyright and extras,
USD userProperties, a .blend asset its licence field: all carry the same sentences.
"""

from __future__ import annotations

from dataclasses import dataclass

import bpy

from ..scene import custom_properties
from ..scene.head import PREFIX

_WORDS = {True: "yes", False: "no", None: "unknown"}


@dataclass(frozen=True)
class Licence:
    """head, predictor: "name: licence". commercial: "yes", "no" or "unknown"."""

    head: str
    head_licence: str
    predictor: str
    commercial: str

    @property
    def notice(self) -> str:
        """One sentence for the file."""
        made = f"Made with the head model {self.head}"
        if self.predictor:
            made += f" and the predictor {self.predictor}"
        use = {
            "yes": "Commercial use is allowed.",
            "no": "NON-COMMERCIAL USE ONLY.",
        }.get(self.commercial, "Whether commercial use is allowed is not known.")
        return f"{made}. {use}"

    @property
    def warning(self) -> str:
        """What to say aloud when such a head leaves the house; empty where there is nothing."""
        if self.commercial == "no":
            return "Made with non-commercial parts: do not sell this file nor put it into a product"
        if self.commercial != "yes":
            return "Whether this head may be used commercially is not known: see its licence"
        return ""

    @property
    def stamps(self) -> dict[str, str]:
        """Custom properties."""
        return {
            PREFIX + "licence": self.head_licence,
            PREFIX + "commercial_use": self.commercial,
            PREFIX + "predictor": self.predictor,
            PREFIX + "notice": self.notice,
        }


def licence_of(head: bpy.types.Object) -> Licence:
    """From what the head remembers of itself; the strictest of its parts decides."""
    model = custom_properties.text(head, PREFIX + "head_model")
    spdx = custom_properties.text(head, PREFIX + "licence")
    said = [custom_properties.text(head, PREFIX + "commercial_use")]
    terms = custom_properties.json_object(head, PREFIX + "report").get("licences")
    terms = terms if isinstance(terms, dict) else {}
    predictor = terms.get("predictor")
    name = ""
    if isinstance(predictor, dict):
        parts = (predictor.get(key, "unknown") for key in ("name", "spdx"))
        name = ": ".join(str(part)[:100] for part in parts)
    if "commercial_use" in terms:
        said.append(next((w for v, w in _WORDS.items() if terms["commercial_use"] is v), "unknown"))
    commercial = "no" if "no" in said else "unknown" if "unknown" in said else "yes"
    return Licence(f"{model}: {spdx}", spdx, name, commercial)


def stamp(objects: list[bpy.types.ID], licence: Licence) -> None:
    """Custom properties on each."""
    for obj in objects:
        for name, value in licence.stamps.items():
            obj[name] = value
