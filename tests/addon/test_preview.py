# SPDX-License-Identifier: GPL-3.0-or-later
"""preview.png, drawn and rendered: six pictures each, and both show the same head."""

from __future__ import annotations

import bpy
import numpy as np

TILE = (84, 100)


def tiles_of(path):
    """Six pictures (H, W, 3), rows from the top."""
    picture = bpy.data.images.load(str(path))
    width, height = picture.size
    assert (width, height) == (3 * TILE[0], 2 * TILE[1])
    pixels = np.empty(width * height * 4, np.float32)
    picture.pixels.foreach_get(pixels)
    pixels = pixels.reshape(height, width, 4)[::-1, :, :3]
    return [tile for row in np.split(pixels, 2) for tile in np.split(row, 3, axis=1)]


def head_in(tile, backdrop):
    """(H, W): where the picture is not the plain background."""
    return np.abs(tile - backdrop).max(axis=2) > 0.15


def test_the_drawn_and_the_rendered_show_the_same_head(
    ours, person, example_photo, tmp_path, monkeypatch
):
    from tools import drawn_preview, preview

    for module in (drawn_preview, preview):
        monkeypatch.setattr(module, "TILE", TILE)
    monkeypatch.setattr(preview, "SAMPLES", 4)
    # Far from the grey of this head's skin.
    linear = 0.8
    monkeypatch.setattr(ours("pixel3dmm_addon.scene.studio"), "BACKDROP", linear)
    before = sorted(b.name for b in bpy.data.user_map())
    drawn_preview.draw_preview(person.head, person.camera, example_photo, tmp_path / "drawn.png")
    assert sorted(b.name for b in bpy.data.user_map()) == before
    preview.render_preview(person.head, person.camera, example_photo, tmp_path / "rendered.png")
    drawn, rendered = (tiles_of(tmp_path / f"{name}.png") for name in ("drawn", "rendered"))
    np.testing.assert_allclose(drawn[0], rendered[0], atol=0.01)
    backdrop = 1.055 * linear ** (1 / 2.4) - 0.055
    for one, other in zip(drawn[2:], rendered[2:], strict=True):
        masks = head_in(one, backdrop), head_in(other, backdrop)
        assert 0.15 < masks[0].mean() < 0.9
        assert (masks[0] & masks[1]).sum() > 0.88 * (masks[0] | masks[1]).sum()
    # Lines of the mesh lie where the head is.
    for tiles in (drawn, rendered):
        lines = np.abs(tiles[1] - tiles[0]).max(axis=2) > 0.05
        assert lines.any()
        assert (lines & head_in(tiles[2], backdrop)).sum() > 0.8 * lines.sum()
