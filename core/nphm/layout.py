# SPDX-License-Identifier: GPL-3.0-or-later
"""What kind of decoder a set of weights is, and how large; read off the arrays' shapes.

MonoNPHM: identity as local networks with K nearest anchors blended, a backward deformation with
hyper coordinates, colour (Giebenhain et al., "MonoNPHM", CVPR 2024). NPHM: identity as local
networks that all blend, a forward deformation, no colour ("Learning neural parametric head
models", CVPR 2023). Names are those of the published checkpoints.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ..errors import ModelFileError

MONONPHM, NPHM = "MonoNPHM", "NPHM"
#: Where the parts of a checkpoint stand: its top-level names.
IDENTITY, EXPRESSION, CODES = "id_decoder", "ex_decoder", "latent_codes"
_LAST = "layers.{}.weight"
Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Sizes:
    """kind; anchors A, of which the first 2 ``pairs`` are symmetric; lengths of the codes: glob,
    local, local of colour (0 without) and expression (0 without a deformation); hyper coordinates;
    layers of a local network; nearest anchors that blend; blend: distances over the blend's width.
    """

    kind: str
    anchors: int
    pairs: int
    glob: int
    local: int
    colour: int
    expression: int
    hyper: int
    layers: int
    nearest: int = 12
    blend: float = 3.75

    @property
    def networks(self) -> int:
        """Local networks, and the global one."""
        return self.anchors - self.pairs + 1

    @property
    def geometry(self) -> int:
        """Length of the identity's code."""
        return self.glob + (self.anchors + 1) * self.local

    @property
    def appearance(self) -> int:
        """Length of the colour's code."""
        return self.glob + (self.anchors + 1) * self.colour if self.colour else 0

    def to_json(self) -> dict[str, Any]:
        """Plain."""
        return asdict(self)


def local_name(network: int, layer: int, part: str = "deepSDFensemble") -> str:
    """Of a MonoNPHM local network's layer, without ".weight"."""
    return f"{IDENTITY}.{part}.layers.{network}.layers.{2 * layer}"


def read_sizes(shapes: Shapes, settings: Mapping[str, Any], source: str) -> Sizes:
    """The sizes, every array's shape checked against them.

    settings: nearest and blend where a configuration names them. Raises ModelFileError.
    """
    try:
        if local_name(0, 0) + ".weight" in shapes:
            sizes = _mononphm(shapes, settings)
        elif f"{IDENTITY}.ensembled_deep_sdf.lin0.weight" in shapes:
            sizes = _nphm(shapes)
        else:
            raise ModelFileError(
                f"{source} holds no NPHM decoder: choose a checkpoint of MonoNPHM or NPHM."
            )
        _check(shapes, sizes)
    except (KeyError, IndexError, ValueError, TypeError) as error:
        raise ModelFileError(
            f"{source} is an NPHM checkpoint of another configuration than the published one "
            f"({error}): choose one with local networks."
        ) from error
    return sizes


def expected(sizes: Sizes, shapes: Shapes) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every array that the decoder needs; hidden widths as in ``shapes``."""
    s = sizes
    out: dict[str, tuple[int, ...]] = {}

    def chain(
        names: list[str], width: int, last: int, add: Mapping[int, int] | None = None
    ) -> None:
        for i, name in enumerate(names):
            rows = last if i == len(names) - 1 else shapes[f"{name}.weight"][-2]
            batch = shapes[f"{name}.weight"][:-2]
            out[f"{name}.weight"] = (*batch, rows, width + (add or {}).get(i, 0))
            out[f"{name}.bias"] = (*batch, rows)
            width = rows

    place = [f"{IDENTITY}.mlp_pos.{i}" for i in (0, 2, 4)]
    chain(place, s.glob, 3 * s.anchors)
    inner = s.glob + s.local + 3 + s.hyper
    if s.kind == MONONPHM:
        for n in range(s.networks):
            chain([local_name(n, j) for j in range(s.layers + 1)], inner, 1)
        if s.colour:
            said = shapes[f"{IDENTITY}.communcation_bottleneck1.weight"][0]
            hidden = shapes[local_name(0, s.layers - 1) + ".weight"][0]
            for i, width in ((1, hidden), (2, said)):
                chain([f"{IDENTITY}.communcation_bottleneck{i}"], width, said)
            for n in range(s.networks):
                names = [local_name(n, j, "aggr_app") for j in range(s.layers + 1)]
                chain(names, s.glob + s.colour + said, 3)
    else:
        names = [f"{IDENTITY}.ensembled_deep_sdf.lin{j}" for j in range(s.layers + 1)]
        chain(names, inner, 1, {s.layers // 2: inner})
    if s.expression:
        compressed = shapes[f"{EXPRESSION}.compressor.0.weight"][0]
        chain([f"{EXPRESSION}.compressor.0"], s.geometry + 3 * s.anchors, compressed)
        inner = 3 + compressed + s.expression
        names = deform_names(shapes)
        out_width = shapes[f"{names[-1]}.weight"][0] if s.kind == NPHM else 3 + s.hyper
        chain(names, inner, out_width, {(len(names) - 1) // 2: inner})
    return out


def deform_names(shapes: Shapes) -> list[str]:
    """Of the deformation's layers, without ".weight"."""
    stem = f"{EXPRESSION}.defDeepSDF.lin"
    count = sum(name.startswith(stem) and name.endswith(".weight") for name in shapes)
    return [f"{stem}{i}" for i in range(count)]


def _mononphm(shapes: Shapes, settings: Mapping[str, Any]) -> Sizes:
    networks = _count(shapes, f"{IDENTITY}.deepSDFensemble.layers.", ".layers.0.weight")
    layers = _count(shapes, f"{IDENTITY}.deepSDFensemble.layers.0.layers.", ".weight") - 1
    anchors = shapes[f"{IDENTITY}.mlp_pos.4.weight"][0] // 3
    pairs = anchors + 1 - networks
    glob = shapes[f"{IDENTITY}.mlp_pos.0.weight"][1]
    deform = deform_names(shapes)
    hyper = shapes[f"{deform[-1]}.weight"][0] - 3 if deform else 0
    local = shapes[local_name(0, 0) + ".weight"][1] - glob - 3 - hyper
    colour = 0
    if local_name(0, 0, "aggr_app") + ".weight" in shapes:
        said = shapes[f"{IDENTITY}.communcation_bottleneck1.weight"][0]
        colour = shapes[local_name(0, 0, "aggr_app") + ".weight"][1] - glob - said
    nearest, blend = int(settings.get("nearest", 12)), float(settings.get("blend", 3.75))
    if not (8 <= nearest <= anchors and blend > 0):
        raise ValueError("nneigh or blend_std")
    expression = _expression(shapes, deform)
    return Sizes(
        MONONPHM, anchors, pairs, glob, local, colour, expression, hyper, layers, nearest, blend
    )


def _nphm(shapes: Shapes) -> Sizes:
    stem = f"{IDENTITY}.ensembled_deep_sdf.lin"
    layers = _count(shapes, stem, ".weight") - 1
    networks, _, inner = shapes[f"{stem}0.weight"]
    anchors = shapes[f"{IDENTITY}.mlp_pos.4.weight"][0] // 3
    glob = shapes[f"{IDENTITY}.mlp_pos.0.weight"][1]
    expression = _expression(shapes, deform_names(shapes))
    pairs = anchors + 1 - networks
    return Sizes(NPHM, anchors, pairs, glob, inner - 3 - glob, 0, expression, 0, layers, anchors)


def _expression(shapes: Shapes, deform: list[str]) -> int:
    if not deform:
        return 0
    compressed = shapes[f"{EXPRESSION}.compressor.0.weight"][0]
    return shapes[f"{deform[0]}.weight"][1] - 3 - compressed


def _count(shapes: Shapes, start: str, end: str) -> int:
    found = {n[len(start) : -len(end)] for n in shapes if n.startswith(start) and n.endswith(end)}
    numbers = {int(n) for n in found if n.isdecimal()}
    return len(numbers)


def _check(shapes: Shapes, sizes: Sizes) -> None:
    """Raises ValueError for an array that is missing or of another shape."""
    if min(sizes.anchors, sizes.glob, sizes.local, sizes.layers) < 1 or sizes.pairs < 0:
        raise ValueError("sizes")
    for name, shape in expected(sizes, shapes).items():
        if shapes.get(name) != shape:
            raise ValueError(f"{name} is {shapes.get(name)}, not {shape}")
