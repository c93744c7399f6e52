# SPDX-License-Identifier: GPL-3.0-or-later
"""The layout of a Pixel3DMM checkpoint from names, shapes and settings alone; needs no torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core.cues.pixel3dmm.layout import NetworkLayout, read_layout
from core.errors import ModelFileError
from core.files.torch_checkpoint import open_torch_checkpoint

SETTINGS: dict[str, Any] = {"num_heads": 8, "prediction_type": "uv_map"}


def layout(**changes: Any) -> NetworkLayout:
    sizes: dict[str, Any] = {
        "outputs": {"uv": 0},
        "width": 384,
        "depth": 12,
        "patch": 16,
        "position_grid": 14,
        "embedding": 512,
        "layers": 6,
        "heads": 8,
        "channels": 2,
        "view_width": 0,
        "views": 1,
        "position_encoding": False,
        "unused": (),
        "unexpected": (),
    }
    return NetworkLayout(**{**sizes, **changes})


def read(shapes: Any, **model: Any) -> NetworkLayout:
    settings = {"cfg": {"model": {**SETTINGS, **model}}}
    return read_layout(shapes, settings, "uv.ckpt")


@pytest.mark.parametrize(("kind", "channels", "view_width"), [("uv", 2, 0), ("normals", 3, 16)])
def test_fixture_layouts(shared_dir: Path, kind: str, channels: int, view_width: int) -> None:
    path = shared_dir / "fixtures" / f"pixel3dmm_{kind}_tiny.ckpt"
    with open_torch_checkpoint(path) as opened:
        shapes = {n: t.shape for n, t in opened.tensors.items()}
        found = read_layout(shapes, opened.extra["hyper_parameters"], path.name)
    assert (found.kind, found.channels, found.view_width) == (kind, channels, view_width)
    assert (found.width, found.depth, found.vit_heads) == (192, 4, 3)
    assert (found.embedding, found.layers, found.heads) == (64, 3, 4)
    assert found.unexpected == ()
    assert "vertex_weight_mask" in found.unused
    assert "net.vol_decoder.norm.weight" in found.unused


@pytest.mark.parametrize(
    "sizes",
    [
        {},
        {"width": 768, "depth": 24, "layers": 15, "embedding": 768, "heads": 16},
        {"view_width": 16, "views": 2},
        {"view_width": 5, "views": 1},
        {"position_grid": 16, "position_encoding": True},
    ],
)
def test_every_size_is_read_back_from_the_shapes(sizes: dict[str, Any]) -> None:
    made = layout(**sizes)
    found = read(made.expected(), num_heads=made.heads, use_pos_enc=made.position_encoding)
    assert found == made


@pytest.mark.parametrize(
    ("prediction", "disentangled", "channels", "outputs"),
    [
        ("uv_map", False, 2, {"uv": 0}),
        (["uv_map"], True, 4, {"uv": 0}),
        (["normals"], True, 6, {"normals": 0}),
        ("uv_map_normals", False, 5, {"uv": 0, "normals": 2}),
        (["normals", "pos_map", "uv_map"], True, 16, {"uv": 6, "normals": 10}),
    ],
)
def test_channels_follow_the_published_order(
    prediction: Any, disentangled: bool, channels: int, outputs: dict[str, int]
) -> None:
    shapes = layout(channels=channels).expected()
    found = read(shapes, prediction_type=prediction, pred_disentangled=disentangled)
    assert found.outputs == outputs
    with pytest.raises(ModelFileError, match="predicts"):
        read(layout(channels=1).expected(), prediction_type=prediction)


def test_missing_and_misshapen_tensors_are_named() -> None:
    shapes = layout().expected()
    name = "net.vol_decoder.layers.3.mlp2.0.bias"
    short = {n: s for n, s in shapes.items() if n != name}
    with pytest.raises(ModelFileError, match=r"mlp2\.0\.bias is missing or misshapen"):
        read(short)
    with pytest.raises(ModelFileError, match=r"mlp2\.0\.bias is missing or misshapen and 1 more"):
        read({**short, "net.t_conv2.bias": (511,)})
    without_blocks = {n: s for n, s in shapes.items() if ".layers." not in n}
    with pytest.raises(ModelFileError, match="contradict"):
        read(without_blocks)


def test_tensors_that_nobody_knows_are_reported() -> None:
    extra = {"net.t_conv4.weight": (1,), "net.dir_norm.mlp.1.bias": (1,), "ema.step": ()}
    found = read({**layout().expected(), **extra})
    assert found.unused == tuple(sorted(extra))
    assert found.unexpected == ("ema.step", "net.t_conv4.weight")


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ({"num_heads": None}, "num_heads"),
        ({"num_heads": 7}, "num_heads"),
        ({"prediction_type": "depth"}, "predicts depth"),
        ({"use_uv_enc": True}, "use_uv_enc"),
        ({"use_plucker": True}, "use_plucker"),
    ],
)
def test_settings_are_checked(model: dict[str, Any], words: str) -> None:
    with pytest.raises(ModelFileError, match=words):
        read(layout().expected(), **model)


def test_another_model_is_told_apart() -> None:
    for shapes in ({}, {"conv.weight": (3, 3)}):
        with pytest.raises(ModelFileError, match="not a Pixel3DMM checkpoint"):
            read(shapes)
    with pytest.raises(ModelFileError, match="not a Pixel3DMM checkpoint"):
        read_layout(layout().expected(), {}, "uv.ckpt")


def test_operations_of_the_released_size() -> None:
    """By hand: a ViT-B layer is 12 D^2 N + 2 D N^2 multiply-adds, and so on."""
    n, d, e = 1024, 768, 512
    vit = 12 * (12 * d * d * n + 2 * n * n * d) + d * 768 * n
    decoder = d * e * n + 6 * 2 * (4 * e * e * n + 2 * n * n * e + 8 * e * e * n)
    upward = e * e * 4 * (n + 4 * n + 16 * n) + 65536 * e * 8
    assert layout(width=768).operations() == 2 * (vit + decoder + upward)


def test_importing_the_package_imports_no_torch(repository: Path) -> None:
    code = (
        "import sys, core.cues.pixel3dmm.predictor, core.cues.pixel3dmm.convert_checkpoint;"
        "sys.exit(any(m.split('.')[0] in ('torch', 'cv2', 'scipy') for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=repository, check=False).returncode == 0
