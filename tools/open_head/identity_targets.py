# SPDX-License-Identifier: GPL-3.0-or-later
"""MakeHuman's modelling targets as head shapes, and the artist sliders that drive them.

420 named shapes: 348 targets behind 146 sliders (117 of MakeHuman's head groups, 29 pairs of
asymmetries) and 72 macro targets (race, gender, age, muscle, weight).  A shape is named
``group/target``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .mesh import HeadMesh
from .source import Source

SLIDER_GROUPS = (
    "head",
    "forehead",
    "eyebrows",
    "eyes",
    "nose",
    "cheek",
    "mouth",
    "chin",
    "ears",
    "neck",
)
RACES = ("african", "asian", "caucasian")
GENDERS = ("female", "male")
AGES = ("child", "young", "old")
MUSCLES = ("minmuscle", "averagemuscle", "maxmuscle")
WEIGHTS = ("minweight", "averageweight", "maxweight")


@dataclass(frozen=True)
class Slider:
    """One artist slider in -1..1: ``negative`` shapes below zero, ``positive`` above."""

    name: str
    group: str
    negative: tuple[str, ...]
    positive: tuple[str, ...]
    sigma: float
    """Standard deviation of the slider over the sampled population."""


_SIGMA_OF_GROUP = {
    "nose": 0.33,
    "mouth": 0.30,
    "eyes": 0.30,
    "ears": 0.30,
    "cheek": 0.30,
    "eyebrows": 0.30,
    "chin": 0.28,
    "head": 0.24,
    "forehead": 0.22,
    "neck": 0.22,
    "asym": 0.18,
}
# Cranium sliders compound into pointed and pear-shaped skulls at the groups' own sigma; the values
# were lowered by looking at renders of the population.  First match counts.
_SIGMA_OF_PREFIX = (
    ("ear-shape-pointed-triangle", 0.10),
    ("ear-shape-square-round", 0.10),
    ("forehead-nubian", 0.04),
    ("forehead-scale-vert", 0.10),
    ("neck-scale-vert", 0.10),
    ("measure-neck-height", 0.10),
    ("head-trans", 0.05),
    ("mouth-trans-in", 0.10),
    ("nose-trans-in", 0.10),
    ("head-angle", 0.10),
    ("head-back", 0.14),
    ("head-oval", 0.18),
    ("head-round", 0.18),
    ("head-square", 0.18),
    ("head-rectangular", 0.18),
    ("head-triangular", 0.18),
    ("head-invertedtriangular", 0.18),
    ("head-diamond", 0.18),
)


def _sigma(group: str, name: str) -> float:
    for prefix, sigma in _SIGMA_OF_PREFIX:
        if name.startswith(prefix):
            return sigma
    return _SIGMA_OF_GROUP[group]


def read_sliders(source: Source) -> list[Slider]:
    """The slider table of MakeHuman's head groups, then the asymmetry pairs."""
    sliders = []
    for group in SLIDER_GROUPS:
        for entry in source.slider_table[group]["categories"]:
            sides = ("left", "right") if entry["has_left_and_right"] else ("unsided",)
            opposites = entry.get("opposites") or {}
            ends = {
                end: [opposites[f"{end}-{s}"] for s in sides if opposites.get(f"{end}-{s}")]
                for end in ("negative", "positive")
            }
            if not any(ends.values()):
                ends["positive"] = entry["targets"] if len(sides) == 2 else entry["targets"][:1]
            shapes = {
                end: tuple(f"{group}/{t}" for t in names if source.has_target(group, t))
                for end, names in ends.items()
            }
            name = entry["name"]
            sliders.append(
                Slider(name, group, shapes["negative"], shapes["positive"], _sigma(group, name))
            )
    names = source.target_names("asym")
    for stem in sorted(
        {n[:-2] for n in names if n.endswith(("-l", "-r")) and n.startswith("asym-")}
    ):
        ends = (f"asym/{stem}-l",), (f"asym/{stem}-r",)
        sliders.append(Slider(stem, "asym", *ends, _sigma("asym", stem)))
    return sliders


def race_shape(race: str, gender: str, age: str) -> str:
    """Name of a macro shape."""
    return f"macrodetails/{race}-{gender}-{age}"


def body_shape(gender: str, age: str, muscle: str, weight: str) -> str:
    """Name of a macro shape."""
    return f"macrodetails/universal-{gender}-{age}-{muscle}-{weight}"


def shape_names(sliders: list[Slider]) -> list[str]:
    """All named shapes in their fixed order: slider shapes first, then the macros."""
    names = [n for s in sliders for n in (*s.negative, *s.positive)]
    names += [race_shape(r, g, a) for r in RACES for g in GENDERS for a in AGES]
    names += [
        body_shape(g, a, m, w) for g in GENDERS for a in AGES for m in MUSCLES for w in WEIGHTS
    ]
    return list(dict.fromkeys(names))


def read_shapes(
    source: Source, mesh: HeadMesh, names: list[str], joints: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Every named shape at 1.0, with the head's rigid motion taken out.

    MakeHuman's targets also lift, tilt and shift the head with the body.  A head model's identity
    is shape alone, so the translation and the infinitesimal rotation of cranium and face (least
    squares, linear in the displacement) are subtracted.

    Args:
        source: the wheel.
        mesh: the head.
        names: the shapes wanted, ``group/target``.
        joints: base-mesh vertices whose mean is a joint, for each joint.

    Returns:
        (n, V, 3) and (n, len(joints), 3) metres: displacement of the vertices and of the joints.

    """
    aligned = _aligned_vertices(mesh)
    centre = mesh.positions[aligned].mean(axis=0)
    solve = np.linalg.pinv(_rigid_motions(mesh.positions[aligned] - centre).reshape(-1, 6))
    motions = _rigid_motions(mesh.positions - centre)
    rest = np.stack([source.positions[j].mean(axis=0) for j in joints])
    joint_motions = _rigid_motions(rest - centre)
    shapes, joint_shapes = [], []
    for name in names:
        target = source.identity_target(*name.split("/"))
        moved = mesh.displacement(target)
        rigid = solve @ moved[aligned].ravel()
        shapes.append(moved - motions @ rigid)
        joint_shapes.append(
            np.stack([target[j].mean(axis=0) for j in joints]) - joint_motions @ rigid
        )
    return np.stack(shapes), np.stack(joint_shapes)


_ALIGN_ABOVE, _ALIGN_WITHIN = 0.677, 0.084
"""Metres in MakeHuman's origin: cranium and face above the jaw line, without the ears."""


def _aligned_vertices(mesh: HeadMesh) -> np.ndarray:
    skin = mesh.positions[mesh.spans["skin"]]
    return np.flatnonzero((skin[:, 1] > _ALIGN_ABOVE) & (np.abs(skin[:, 0]) < _ALIGN_WITHIN))


def _rigid_motions(arms: np.ndarray) -> np.ndarray:
    """(n, 3, 6) matrices that turn (translation, rotation vector) into displacement t + w x arm."""
    x, y, z = arms.T
    zero = np.zeros_like(x)
    cross = np.stack([zero, z, -y, -z, zero, x, y, -x, zero], axis=1).reshape(-1, 3, 3)
    return np.concatenate([np.broadcast_to(np.eye(3), cross.shape), cross], axis=2)
