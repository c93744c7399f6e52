# SPDX-License-Identifier: GPL-3.0-or-later
"""The forward pass of a Pixel3DMM network in torch, written as plain functions on its weights.

torch is imported inside functions, since this package imports without it.

Tokens stay rows of a matrix from the first patch to the last pixel: a transposed convolution of
kernel 2 and stride 2 maps each token to its four children independently, so the three of them,
their activations and the pixel map are matrix products over a handful of tokens at a time, which
stay in the processor's cache, and only the last, small result is put into image order. In torch's
words the maps are channels-last throughout.

On a CUDA device a batch of one size is recorded once as a graph and replayed from then on: the
pass is some 600 short kernels, whose launching takes longer than their work. Maps come back
through page-locked memory, which a device writes to at its bus's full rate.

Sizes: B images, N tokens, D backbone width, E decoder width, C channels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...files.safetensors import SafetensorsFile
from .convert_checkpoint import ConvertedCheckpoint
from .layout import IMAGE_SIZE, NetworkLayout
from .recorded_call import RecordedCall

if TYPE_CHECKING:
    import torch

#: Mean and standard deviation of ImageNet's colours, which the backbone was trained with.
IMAGE_MEAN = (0.485, 0.456, 0.406)
IMAGE_STD = (0.229, 0.224, 0.225)
_VIT_EPS = 1e-6
_DECODER_EPS = 1e-5
#: Tokens that go through the up-convolutions together. On a CPU their largest activation,
#: 64 rows for each token, has to fit the cache; a GPU wants more work at once.
_TOKENS_ON_CPU = 64
_TOKENS_ON_GPU = 1024


class Pixel3DMMNetwork:
    """One network, ready to run on one device in one precision."""

    def __init__(
        self, layout: NetworkLayout, weights: dict[str, torch.Tensor], device: str, half: bool
    ) -> None:
        """weights: float tensors by the checkpoint's names, at least ``layout.expected()``."""
        import torch

        self.layout = layout
        self.device = torch.device(device)
        self.dtype = torch.float16 if half else torch.float32
        self._graphs: dict[int, RecordedCall] = {}
        mean, std = (torch.tensor(v, device=self.device) for v in (IMAGE_MEAN, IMAGE_STD))
        self._colour_mean, self._colour_std = mean, std
        w = {name: weights[name].float() for name in layout.expected()}
        backbone, decoder = "net.img_encoder.model.", "net.vol_decoder."
        self._patch = self._linear(
            w[backbone + "patch_embed.proj.weight"].flatten(1),
            w[backbone + "patch_embed.proj.bias"],
        )
        position = w[backbone + "pos_embed"]
        self._class_token = self._place(w[backbone + "cls_token"] + position[:, :1])
        self._position = self._place(_resample(position[0, 1:], layout.position_grid, layout.grid))
        self._blocks = [
            {
                "norm1": self._pair(w, f"{backbone}blocks.{i}.norm1"),
                "qkv": self._pair(w, f"{backbone}blocks.{i}.attn.qkv"),
                "out": self._pair(w, f"{backbone}blocks.{i}.attn.proj"),
                "norm2": self._pair(w, f"{backbone}blocks.{i}.norm2"),
                "mlp": (
                    *self._pair(w, f"{backbone}blocks.{i}.mlp.fc1"),
                    *self._pair(w, f"{backbone}blocks.{i}.mlp.fc2"),
                ),
            }
            for i in range(layout.depth)
        ]
        self._norm = self._pair(w, backbone + "norm")
        self._down = self._linear(*_fold_view(w, layout))
        self._position_encoding = None
        if layout.position_encoding:
            grid = w["net.patch_pos_enc"][0].flatten(1).T
            self._position_encoding = self._place(grid.contiguous())
        self._layers = [
            {
                part: self._half_layer(w, f"{decoder}layers.{i}.", *names)
                for part, names in {
                    "first": ("norm1", "self_attn", "norm2", "mlp"),
                    "second": ("norm3", "self_attn2", "norm4", "mlp2"),
                }.items()
            }
            for i in range(layout.layers)
        ]
        self._up = [
            self._linear(*_as_linear(w[f"net.t_conv{i}.weight"], w[f"net.t_conv{i}.bias"]))
            for i in (1, 2, 3)
        ]
        self._pixels = self._pair(w, "net.token_2_patch_content")

    @classmethod
    def load(
        cls, converted: ConvertedCheckpoint, device: str = "cpu", *, half: bool = False
    ) -> Pixel3DMMNetwork:
        """The network of a converted checkpoint; its files are closed again when this returns."""
        import torch

        file = SafetensorsFile(converted.weights)
        weights = {
            name: torch.from_numpy(np.array(file.array(name), np.float32))
            for name in converted.layout.expected()
        }
        return cls(converted.layout, weights, device, half)

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Raw maps (B, 512, 512, C) of images (B, 512, 512, 3), sRGB bytes."""
        import torch

        with torch.inference_mode():
            return self.downloaded(self.begin(images))

    def begin(self, images: NDArray[np.uint8]) -> torch.Tensor:
        """Starts the pass; raw maps (B, 512, 512, C) on the device, which may still be at work.

        On a CUDA device they are valid until the next call with as many images.
        """
        import torch

        with torch.inference_mode():
            given = torch.from_numpy(np.ascontiguousarray(images))
            if self.device.type != "cuda":
                return self._maps(given.to(self.device))
            recorded = self._graphs.get(len(given))
            if recorded is None:
                recorded = RecordedCall(self._maps, given.to(self.device))
                self._graphs[len(given)] = recorded
            return recorded(given)

    def downloaded(self, maps: torch.Tensor) -> NDArray[np.float32]:
        """What ``begin`` returned, once it is there, in memory of its own."""
        import torch

        if maps.device.type != "cuda":
            result: NDArray[np.float32] = maps.cpu().numpy()
            return result
        with torch.inference_mode():
            aside = torch.empty(maps.shape, dtype=maps.dtype, pin_memory=True)
            aside.copy_(maps, non_blocking=True)
            torch.cuda.current_stream(self.device).synchronize()
            result = aside.numpy()
            return result

    def tokens(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The backbone's tokens after its last norm, (B, 1024, D), row by row of the grid."""
        import torch

        with torch.inference_mode():
            given = torch.from_numpy(np.ascontiguousarray(images)).to(self.device)
            result: NDArray[np.float32] = self._encode(given).float().cpu().numpy()
            return result

    # --- weights -----------------------------------------------------------------------------
    def _place(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor.to(self.device, self.dtype).contiguous()

    def _linear(self, weight: torch.Tensor, bias: torch.Tensor) -> tuple[Any, Any]:
        return self._place(weight), self._place(bias)

    def _pair(self, w: dict[str, torch.Tensor], name: str) -> tuple[Any, Any]:
        return self._linear(w[name + ".weight"], w[name + ".bias"])

    def _half_layer(
        self, w: dict[str, torch.Tensor], at: str, norm1: str, attention: str, norm2: str, mlp: str
    ) -> dict[str, Any]:
        return {
            "norm1": self._pair(w, at + norm1),
            "qkv": (self._place(w[f"{at}{attention}.in_proj_weight"]), None),
            "out": (self._place(w[f"{at}{attention}.out_proj.weight"]), None),
            "norm2": self._pair(w, at + norm2),
            "mlp": (*self._pair(w, f"{at}{mlp}.0"), *self._pair(w, f"{at}{mlp}.3")),
        }

    # --- forward pass ------------------------------------------------------------------------
    def _maps(self, images: torch.Tensor) -> torch.Tensor:
        """Raw maps (B, 512, 512, C), float32, of images (B, 512, 512, 3), uint8, on the device."""
        return self._image_order(self._pixel_rows(self._decode(self._encode(images))).float())

    def _encode(self, images: torch.Tensor) -> torch.Tensor:
        """The ViT on 512 x 512 pixels: (B, N, D), the class token dropped after the last norm."""
        import torch
        from torch.nn import functional

        p, g, d = self.layout.patch, self.layout.grid, self.layout.width
        x = images.to(torch.float32) / 255
        x = ((x - self._colour_mean) / self._colour_std).to(self.dtype)
        patches = x.view(-1, g, p, g, p, 3).permute(0, 1, 3, 5, 2, 4).reshape(-1, g * g, 3 * p * p)
        x = functional.linear(patches, *self._patch) + self._position
        x = torch.cat([self._class_token.expand(len(x), 1, d), x], dim=1)
        for block in self._blocks:
            y = _layer_norm(x, block["norm1"], _VIT_EPS)
            x += _attention(y, block, self.layout.vit_heads)
            y = _layer_norm(x, block["norm2"], _VIT_EPS)
            x += _mlp(y, block["mlp"])
        return _layer_norm(x[:, 1:], self._norm, _VIT_EPS)

    def _decode(self, tokens: torch.Tensor) -> torch.Tensor:
        """Decoder blocks: (B, N, D) to (B, N, E). The skips start at the normalised stream."""
        from torch.nn import functional

        if self._position_encoding is not None:
            tokens = tokens + self._position_encoding
        x = functional.linear(tokens, *self._down)
        for layer in self._layers:
            for part in (layer["first"], layer["second"]):
                x = _layer_norm(x, part["norm1"], _DECODER_EPS)
                x += _attention(x, part, self.layout.heads)
                y = _layer_norm(x, part["norm2"], _DECODER_EPS)
                x += _mlp(y, part["mlp"])
        return x

    def _pixel_rows(self, tokens: torch.Tensor) -> torch.Tensor:
        """Up-convolutions and pixel map: (B, N, E) to one row of C for each pixel, unordered."""
        import torch
        from torch.nn import functional

        e = self.layout.embedding
        size = _TOKENS_ON_CPU if self.device.type == "cpu" else _TOKENS_ON_GPU
        pieces = []
        for rows in tokens.reshape(-1, e).split(size):
            x = rows
            for weight, bias in self._up:
                x = functional.gelu(functional.linear(x, weight, bias)).view(-1, e)
            pieces.append(functional.linear(x, *self._pixels))
        return torch.cat(pieces)

    def _image_order(self, rows: torch.Tensor) -> torch.Tensor:
        """(B, 512, 512, C) of rows that run over token, then row and column of each doubling."""
        g, c = self.layout.grid, self.layout.channels
        nested = rows.view(-1, g, g, *(2,) * 8, c)
        pixels = nested.permute(0, 1, 3, 5, 7, 9, 2, 4, 6, 8, 10, 11)
        return pixels.reshape(-1, IMAGE_SIZE, IMAGE_SIZE, c)


def _attention(x: torch.Tensor, weights: dict[str, Any], heads: int) -> torch.Tensor:
    """Softmax attention of (B, N, width) with itself, scaled by the square root of its heads."""
    from torch.nn import functional

    b, n, width = x.shape
    qkv = functional.linear(x, *weights["qkv"]).view(b, n, 3, heads, width // heads)
    q, k, v = qkv.permute(2, 0, 3, 1, 4)
    y = functional.scaled_dot_product_attention(q, k, v)
    return functional.linear(y.transpose(1, 2).reshape(b, n, width), *weights["out"])


def _layer_norm(x: torch.Tensor, weights: tuple[Any, Any], eps: float) -> torch.Tensor:
    from torch.nn import functional

    return functional.layer_norm(x, x.shape[-1:], weights[0], weights[1], eps)


def _mlp(x: torch.Tensor, weights: tuple[Any, Any, Any, Any]) -> torch.Tensor:
    from torch.nn import functional

    return functional.linear(functional.gelu(functional.linear(x, *weights[:2])), *weights[2:])


def _resample(position: torch.Tensor, stored: int, grid: int) -> torch.Tensor:
    """The position embedding for another grid: bicubic with antialiasing, (grid^2, D)."""
    from torch.nn import functional

    d = position.shape[1]
    square = position.view(1, stored, stored, d).permute(0, 3, 1, 2)
    size = (grid, grid)
    square = functional.interpolate(
        square, size, mode="bicubic", align_corners=False, antialias=True
    )
    return square.permute(0, 2, 3, 1).reshape(grid * grid, d)


def _fold_view(w: dict[str, torch.Tensor], layout: NetworkLayout) -> tuple[Any, Any]:
    """The decoder's entry. The first view's embedding is constant, so it becomes bias."""
    weight, bias = w["net.vol_decoder.down_proj.weight"], w["net.vol_decoder.down_proj.bias"]
    if not layout.view_width:
        return weight, bias
    view = w["net.view_embed"][0, 0].flatten()
    return weight[:, : layout.width], bias + weight[:, layout.width :] @ view


def _as_linear(weight: torch.Tensor, bias: torch.Tensor) -> tuple[Any, Any]:
    """A transposed convolution (E, E, 2, 2) of stride 2 as a map from E to 2 x 2 children of E."""
    e = weight.shape[0]
    return weight.permute(2, 3, 1, 0).reshape(4 * e, e), bias.repeat(4)
