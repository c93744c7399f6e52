# SPDX-License-Identifier: GPL-3.0-or-later
"""From raw maps to cues: the published conventions on the fixtures' own raw maps; no torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.cues.pixel3dmm import postprocess as post


def expected(shared: Path, kind: str) -> dict[str, np.ndarray]:
    path = shared / "fixtures" / f"pixel3dmm_{kind}_tiny_expected.npz"
    with np.load(path, allow_pickle=False) as z:
        return {name: z[name] for name in z.files}


def channels_last(array: np.ndarray) -> np.ndarray:
    return array.transpose(1, 2, 0)


@pytest.mark.parametrize("i", [0, 1])
def test_uv_range_is_the_published_one(shared_dir: Path, i: int) -> None:
    wanted = expected(shared_dir, "uv")
    uv = post.uv_from_raw(channels_last(wanted[f"raw_{i}"]))
    assert np.abs(uv - channels_last(wanted[f"post_noflip_{i}"])).max() < 1e-6


@pytest.mark.parametrize("i", [0, 1])
def test_normals_are_swizzled_to_the_head_frame(shared_dir: Path, i: int) -> None:
    wanted = expected(shared_dir, "normals")
    normals = post.normals_from_raw(channels_last(wanted[f"raw_{i}"]))
    assert np.abs(np.linalg.norm(normals, axis=-1) - 1).max() < 1e-6
    assert np.abs((normals + 1) / 2 - channels_last(wanted[f"post_noflip_{i}"])).max() < 1e-6


def test_the_head_frame_by_hand() -> None:
    raw = np.array([[[2.0, 0, 0], [0, -3, 0], [0, 0, -5], [0, 0, 0]]], np.float32)
    left, out, up, nothing = post.normals_from_raw(raw)[0]
    assert left.tolist() == [1, 0, 0]  # to the subject's left
    assert out.tolist() == [0, 0, 1]  # out of the face
    assert up.tolist() == [0, 1, 0]
    assert nothing.tolist() == [0, 0, 0]


def test_a_symmetric_face_agrees_with_its_mirror_image() -> None:
    """uv and normals painted on a symmetric face, as a perfect network sees image and mirror."""
    axis = 0.4964
    u = np.linspace(0.2, 0.8, 9, dtype=np.float32)
    uv = np.stack(np.meshgrid(u, u), axis=-1)
    # The mirror image of a face is a face: its own left has the larger u again.
    mirrored_face = uv[:, ::-1].copy()
    mirrored_face[..., 0] = 2 * axis - mirrored_face[..., 0]
    raw, seen = 2 * uv - 1, 2 * mirrored_face - 1
    back = post.unflip_uv(seen, axis)
    assert np.abs(back - raw).max() < 1e-6
    assert post.uv_disagreement(raw, back).max() < 1e-6
    normals = np.random.default_rng(0).normal(size=(4, 6, 3)).astype(np.float32)
    flipped = normals[:, ::-1] * np.array([-1, 1, 1], np.float32)
    assert np.array_equal(post.unflip_normals(flipped), normals)


def test_a_wrong_axis_is_seen_in_the_disagreement() -> None:
    """The axis can be told from real maps: it is where image and mirror image agree best."""
    true = 0.4964
    rng = np.random.default_rng(1)
    uv = rng.uniform(0.2, 0.8, (32, 32, 2)).astype(np.float32)
    mirrored = uv[:, ::-1].copy()
    mirrored[..., 0] = 2 * true - mirrored[..., 0]
    seen = (2 * mirrored - 1) + rng.normal(0, 0.01, mirrored.shape).astype(np.float32)
    candidates = np.linspace(0.48, 0.51, 61)
    differ = [post.uv_disagreement(2 * uv - 1, post.unflip_uv(seen, a)).mean() for a in candidates]
    assert candidates[int(np.argmin(differ))] == pytest.approx(true, abs=0.001)


def test_disagreement_is_in_its_units() -> None:
    raw = np.zeros((1, 2, 2), np.float32)
    other = np.array([[[0.06, 0.08], [0, 0]]], np.float32)
    assert post.uv_disagreement(raw, other)[0] == pytest.approx([0.05, 0])
    a = np.array([[[1, 0, 0], [0, 2, 0], [0, 0, 1], [0, 0, 0]]], np.float32)
    b = np.array([[[0, 3, 0], [0, 1, 0], [0, 0, -1], [1, 0, 0]]], np.float32)
    angles = post.normal_disagreement(a, b)[0]
    assert angles == pytest.approx([np.pi / 2, 0, np.pi, np.pi], abs=1e-6)


def test_confidence_falls_with_disagreement() -> None:
    differ = np.array([0, 0.01, 0.02, 0.2], np.float32)
    confidence = post.agreement(differ, 0.02)
    assert confidence == pytest.approx([1, np.exp(-1 / 8), np.exp(-1 / 2), 0], abs=1e-6)
