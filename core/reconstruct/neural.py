# SPDX-License-Identifier: GPL-3.0-or-later
"""A reconstruction with a neural head's detail: report, recipe and licence say so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..heads.model import HeadModel, Licence
from ..reconstruction import NeuralDetail, Reconstruction


def with_neural(reconstruction: Reconstruction, detail: NeuralDetail) -> Reconstruction:
    """The fit with its detail; the result may be used as far as the decoder's licence allows."""
    licences = dict(reconstruction.report.get("licences", {}))
    terms = detail.licence
    licences["neural_head"] = {
        "name": detail.title,
        "spdx": terms["spdx"],
        "commercial_use": terms["commercial"],
        "notice": terms["notice"],
    }
    both: list[Any] = [licences.get("commercial_use"), terms["commercial"]]
    licences["commercial_use"] = False if False in both else None if None in both else True
    said = list(dict.fromkeys([*reconstruction.warnings, *detail.notes]))
    report = {
        **reconstruction.report,
        "licences": licences,
        "neural_head": detail.report,
        "warnings": said,
    }
    networks = {**reconstruction.recipe.get("networks", {}), "nphm": detail.digest}
    recipe = {**reconstruction.recipe, "networks": networks}
    return replace(reconstruction, report=report, recipe=recipe, neural=detail)


def licence_of(head: HeadModel, detail: NeuralDetail | None) -> Licence:
    """Of a rigged head."""
    own = head.licence
    if detail is None:
        return own
    both = (own.commercial, detail.licence["commercial"])
    commercial = False if False in both else None if None in both else True
    if detail.licence["spdx"] == own.spdx:
        return replace(own, commercial=commercial)
    notice = f"{own.notice}; {detail.licence['notice']}"
    return Licence(f"{own.spdx} AND {detail.licence['spdx']}", commercial, notice)
