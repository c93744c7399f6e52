# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a rig does what its names say: figures, limits, and a verdict.

The limits are drawn just beyond what ICT FaceKit's shapes, a known-good rig made from scans, do
on its own face (docs/rig.md has both columns): what fails is worse than what artists use already.
Only of lips more is asked: ICT's cross by 4.5 mm where the chin is raised fully, and by 9.6 mm
where mouthClose meets a fully open jaw.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .poses import common_pairs
from .rig_arrays import RigArrays
from .rig_measures import MEASURES, Figures, additivity, finite, lids, lips, names


@dataclass(frozen=True)
class Limit:
    """A figure stays at or under ``most`` and at or over ``least``."""

    unit: str
    what: str
    most: float = np.inf
    least: float = -np.inf

    def holds(self, value: float) -> bool:
        """False for a value that is not a number."""
        return self.least <= value <= self.most

    def margin(self, value: float) -> float:
        """How far inside the limit, in units of it; the smallest is the worst."""
        ends = [e for e in (self.most - value, value - self.least) if np.isfinite(e)]
        return min(ends) if np.isfinite(value) else -np.inf


LIMITS: dict[str, Limit] = {
    "names": Limit("times", "every one of the 52 names and photoResidual stands once", 1, 1),
    "finite": Limit("values", "numbers that are not finite", most=0),
    "region": Limit("share", "of a key's motion that lies where its name says", least=0.55),
    "side": Limit("share", "of a one-sided key's motion on its own side", least=0.85),
    "direction": Limit("cosine", "of a landmark's motion with where it should go", least=0.5),
    "amplitude": Limit("times", "the known-good rig's amplitude", most=2.2, least=0.35),
    "symmetry": Limit("share", "of the amplitude by which left and right differ", most=0.15),
    "skull": Limit("mm", "mean motion of scalp and ears", most=0.5),
    "lips": Limit("mm", "one lip inside the other, single keys", most=3.0),
    "lips in pairs": Limit("mm", "one lip inside the other, common pairs", most=3.0),
    "lids": Limit("mm", "one lid inside the other, single keys", most=1.0),
    "lids in pairs": Limit("mm", "one lid inside the other, common pairs", most=3.0),
    "blink": Limit("share", "of the eye that a full blink leaves open", most=0.07),
    "mouthClose": Limit("share", "of jawOpen's gap that mouthClose leaves", most=0.2),
    "additivity": Limit("times", "stretch of a pair over that of its keys alone", most=2.0),
    "pivots": Limit("sides", "of a bone's head where no surface is", most=0),
    "weights": Limit("", "difference of a vertex's weights from a sum of 1", most=1e-3),
    "influences": Limit("bones", "that move one vertex", most=4),
}


@dataclass(frozen=True)
class Finding:
    """One figure: of which check, of what, and whether it is within the check's limit."""

    check: str
    subject: str
    value: float
    passed: bool


@dataclass(frozen=True)
class RigCheck:
    """All figures of a rig, and whether they are within their limits."""

    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether every figure is within its limit."""
        return all(f.passed for f in self.findings)

    @property
    def failures(self) -> tuple[Finding, ...]:
        """The figures outside their limits."""
        return tuple(f for f in self.findings if not f.passed)

    def worst(self, check: str) -> Finding | None:
        """The figure nearest to, or furthest outside, a check's limit; None if it had none."""
        own = [f for f in self.findings if f.check == check]
        return min(own, key=lambda f: LIMITS[check].margin(f.value), default=None)

    def report(self) -> dict[str, Any]:
        """As JSON holds it."""
        checks: dict[str, Any] = {}
        for name, limit in LIMITS.items():
            worst = self.worst(name)
            ends = {"at_most": limit.most, "at_least": limit.least}
            checks[name] = {
                "what": limit.what,
                "unit": limit.unit,
                **{k: v for k, v in ends.items() if np.isfinite(v)},
                "figures": sum(f.check == name for f in self.findings),
                "worst": None if worst is None else _row(worst),
                "failed": [_row(f) for f in self.failures if f.check == name],
            }
        return {"passed": self.passed, "checks": checks}


def _row(finding: Finding) -> dict[str, Any]:
    value = float(f"{finding.value:.4g}")
    return {"subject": finding.subject, "value": value if np.isfinite(value) else None}


def check_rig(rig: RigArrays, pairs: Iterable[tuple[str, str]] | None = None) -> RigCheck:
    """Measures a rig. pairs: of keys, to be tried together; the 200 most common if None.

    A rig that lacks names or numbers is measured no further.
    """
    findings: list[Finding] = []

    def take(check: str, figures: Figures) -> bool:
        new = [Finding(check, s, v, LIMITS[check].holds(v)) for s, v in figures]
        findings.extend(new)
        return all(f.passed for f in new)

    if take("names", names(rig)) and take("finite", finite(rig)):
        tried = list(common_pairs() if pairs is None else pairs)
        for check, measure in MEASURES.items():
            take(check, measure(rig))
        take("lips in pairs", lips(rig, tried))
        take("lids in pairs", lids(rig, tried))
        take("additivity", additivity(rig, tried))
    return RigCheck(tuple(findings))
