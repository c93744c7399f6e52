# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Pixel3DMM checkpoint holds: every dimension, read from its own tensors.

Giebenhain et al., "Pixel3DMM: Versatile Screen-Space Priors for Single-Image 3D Face
Reconstruction", 2025: a ViT backbone (Dosovitskiy et al., ICLR 2021), a transformer decoder, three
transposed convolutions and one linear map for each pixel. Only the number of attention heads is
written nowhere in the weights: the decoder's stands in the hyper-parameters, and a ViT's heads are
64 wide.

Works on names and shapes alone, so a file is judged before a byte of its weights is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isqrt
from typing import Any

from ...errors import ModelFileError

#: Side of the network's input and of its maps, in pixels.
IMAGE_SIZE = 512
VIT_HEAD_WIDTH = 64
_BACKBONE = "net.img_encoder.model."
_DECODER = "net.vol_decoder."
#: Heads that a network may carry, in the order of its channels, with the channels of each.
_PREDICTIONS = {"pos_map": 3, "uv_map": 2, "normals": 3}
_KINDS = {"uv_map": "uv", "normals": "normals"}
#: Tensors the published checkpoints carry and their published inference never touches.
_KNOWN_UNUSED = (
    "vertex_weight_mask",
    "net.dir_norm",
    "net.uv_enc_mlp.",
    "net.vol_decoder.norm.",
    "net.facial_components",
    "net.head_",
    "net.t_conv3_conf.",
    "net.token_2_patch_conf.",
    "net.patch_pos_enc",
    "net.img_encoder.model.head.",
)
#: Switches of the training configuration that ask for an input beside the photo.
_EXTRA_INPUTS = ("use_uv_enc", "use_plucker", "prior_input")

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class NetworkLayout:
    """Sizes of one network.

    outputs: "uv" or "normals" -> first channel of that map among ``channels``.
    width: D, of the backbone's tokens; depth: its blocks; position_grid: side of the stored
    position embedding. embedding: E, of the decoder; layers: its blocks; heads: their attention
    heads; view_width: channels of the view embedding, 0 without one; position_encoding: True if
    a learned grid is added to the backbone's tokens.
    unused: tensors that the file holds and the network does not need; unexpected: those among
    them that nobody knows, to be reported.
    """

    outputs: dict[str, int]
    width: int
    depth: int
    patch: int
    position_grid: int
    embedding: int
    layers: int
    heads: int
    channels: int
    view_width: int
    views: int
    position_encoding: bool
    unused: tuple[str, ...]
    unexpected: tuple[str, ...]

    @property
    def kind(self) -> str:
        """Name of the file's predictions: "uv", "normals", or both joined by a hyphen."""
        return "-".join(self.outputs)

    @property
    def vit_heads(self) -> int:
        """Attention heads of the backbone."""
        return self.width // VIT_HEAD_WIDTH

    @property
    def grid(self) -> int:
        """Side of the token grid of one image."""
        return IMAGE_SIZE // self.patch

    def operations(self) -> int:
        """Floating-point operations of one image: two for each multiply-add of a matrix product.

        Counts products alone (patches, attention, MLPs, up-convolutions, the pixel map).
        """
        n, d, e = self.grid**2, self.width, self.embedding
        backbone = self.depth * (12 * d * d * n + 2 * n * n * d) + 3 * self.patch**2 * d * n
        decoder = self.layers * (24 * e * e * n + 4 * n * n * e)
        decoder += (d + self.view_width) * e * n
        upward = 4 * e * e * n * (1 + 4 + 16) + 4 * self.channels * e * n * 64
        return 2 * (backbone + decoder + upward)

    def expected(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of each tensor that the network needs."""
        d, e = self.width, self.embedding
        shapes: dict[str, tuple[int, ...]] = {
            _BACKBONE + "cls_token": (1, 1, d),
            _BACKBONE + "pos_embed": (1, 1 + self.position_grid**2, d),
            _BACKBONE + "patch_embed.proj.weight": (d, 3, self.patch, self.patch),
            _BACKBONE + "patch_embed.proj.bias": (d,),
            **_pair(_BACKBONE + "norm", (d,)),
            **_pair(_DECODER + "down_proj", (e, d + self.view_width)),
            **_pair("net.token_2_patch_content", (4 * self.channels, e)),
        }
        if self.view_width:
            shapes["net.view_embed"] = (1, self.views, self.view_width, 1, 1)
        if self.position_encoding:
            shapes["net.patch_pos_enc"] = (1, d, self.grid, self.grid)
        for i in range(self.depth):
            block = f"{_BACKBONE}blocks.{i}."
            shapes |= _pair(block + "norm1", (d,)) | _pair(block + "norm2", (d,))
            shapes |= _pair(block + "attn.qkv", (3 * d, d)) | _pair(block + "attn.proj", (d, d))
            shapes |= _pair(block + "mlp.fc1", (4 * d, d)) | _pair(block + "mlp.fc2", (d, 4 * d))
        for i in range(self.layers):
            block = f"{_DECODER}layers.{i}."
            for norm in ("norm1", "norm2", "norm3", "norm4"):
                shapes |= _pair(block + norm, (e,))
            for attention in ("self_attn", "self_attn2"):
                shapes[f"{block}{attention}.in_proj_weight"] = (3 * e, e)
                shapes[f"{block}{attention}.out_proj.weight"] = (e, e)
            for mlp in ("mlp", "mlp2"):
                shapes |= _pair(f"{block}{mlp}.0", (4 * e, e))
                shapes |= _pair(f"{block}{mlp}.3", (e, 4 * e))
        for i in (1, 2, 3):
            shapes[f"net.t_conv{i}.weight"] = (e, e, 2, 2)
            shapes[f"net.t_conv{i}.bias"] = (e,)
        return shapes


def read_layout(shapes: Shapes, hyper_parameters: Mapping[str, Any], source: str) -> NetworkLayout:
    """The layout of the checkpoint ``source`` from its tensors' shapes and its configuration.

    hyper_parameters: as plain values, with the configuration under "cfg" or itself.
    Raises ModelFileError for another model's checkpoint, a missing or misshapen tensor, and a
    network that wants an input beside the photo.
    """
    config = hyper_parameters.get("cfg", hyper_parameters)
    model = config.get("model") if isinstance(config, Mapping) else None
    anchors = ("cls_token", "pos_embed", "patch_embed.proj.weight")
    names = [_BACKBONE + a for a in anchors]
    names += [_DECODER + "down_proj.weight", "net.token_2_patch_content.weight"]
    ranks = (3, 3, 4, 2, 2)
    if not isinstance(model, Mapping) or any(
        len(shapes.get(n, ())) != rank for n, rank in zip(names, ranks, strict=True)
    ):
        raise ModelFileError(
            f"{source} is not a Pixel3DMM checkpoint: choose the authors' uv.ckpt or normals.ckpt."
        )
    for switch in _EXTRA_INPUTS:
        if model.get(switch):
            raise ModelFileError(
                f"{source} needs more than a photo ({switch} is on): choose the authors' released "
                "uv.ckpt or normals.ckpt."
            )
    width, patch = shapes[names[0]][2], shapes[names[2]][3]
    embedding, joined = shapes[names[3]]
    channels = shapes[names[4]][0] // 4
    view = shapes.get("net.view_embed", (1, 1, 0, 1, 1))
    layout = NetworkLayout(
        outputs=_outputs(model, channels, source),
        width=width,
        depth=_count(shapes, _BACKBONE + "blocks.{}.norm1.weight"),
        patch=patch,
        position_grid=isqrt(max(0, shapes[names[1]][1] - 1)),
        embedding=embedding,
        layers=_count(shapes, _DECODER + "layers.{}.norm1.weight"),
        heads=_heads(model, embedding, source),
        channels=channels,
        view_width=joined - width,
        views=view[1] if len(view) == 5 else 0,
        position_encoding="net.patch_pos_enc" in shapes and bool(model.get("use_pos_enc")),
        unused=(),
        unexpected=(),
    )
    _check(layout, shapes, source)
    unused = tuple(sorted(set(shapes) - set(layout.expected())))
    unexpected = tuple(n for n in unused if not n.startswith(_KNOWN_UNUSED))
    return NetworkLayout(**{**layout.__dict__, "unused": unused, "unexpected": unexpected})


def _pair(name: str, shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    return {name + ".weight": shape, name + ".bias": shape[:1]}


def _count(shapes: Shapes, pattern: str) -> int:
    count = 0
    while pattern.format(count) in shapes:
        count += 1
    return count


def _outputs(model: Mapping[str, Any], channels: int, source: str) -> dict[str, int]:
    """First channel of each map. A disentangled network has a second part after each."""
    stored = model.get("prediction_type", "")
    names = " ".join(map(str, stored)) if isinstance(stored, list) else str(stored)
    outputs, first = {}, 0
    for name, size in _PREDICTIONS.items():
        if name in names:
            if name in _KINDS:
                outputs[_KINDS[name]] = first
            first += 2 * size if model.get("pred_disentangled") else size
    if not outputs or first > channels:
        raise ModelFileError(
            f"{source} predicts {names[:60] or 'nothing known'} and not uv or normals: choose the "
            "authors' uv.ckpt or normals.ckpt."
        )
    return outputs


def _heads(model: Mapping[str, Any], embedding: int, source: str) -> int:
    heads = model.get("num_heads")
    if type(heads) is not int or heads < 1 or embedding % heads:
        raise ModelFileError(
            f"{source} does not say how many attention heads its decoder has (num_heads): get the "
            "file again from its authors."
        )
    return heads


def _check(layout: NetworkLayout, shapes: Shapes, source: str) -> None:
    """Every needed tensor is there, in the shape the others imply."""
    expected = layout.expected()
    wrong = [n for n, shape in expected.items() if tuple(shapes.get(n, ())) != shape]
    sound = layout.depth and layout.layers and layout.view_width >= 0
    sound = sound and not layout.width % VIT_HEAD_WIDTH and not IMAGE_SIZE % layout.patch
    # Three doublings and pixels of 2 x 2 bring 16-pixel patches back to the image's size.
    if layout.patch != 16 or not sound or wrong:
        first = (
            f"{wrong[0]} is missing or misshapen" if wrong else "its sizes contradict each other"
        )
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        raise ModelFileError(
            f"{source} is an incomplete Pixel3DMM checkpoint ({first}{more}): get it again from "
            "its authors."
        )
