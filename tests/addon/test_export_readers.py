# SPDX-License-Identifier: GPL-3.0-or-later
"""Readers that are not Blender's open what was exported: names, counts and figures are equal."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import bpy
import numpy as np
import pytest
from conftest import ROOT
from test_export_presets import animate, export

from tools.environments import prepare, readers_recipe
from tools.processes import clean_variables

READER = Path(__file__).with_name("independent_reader.py")


@pytest.fixture(scope="session")
def read():
    """read(path) -> what an independent reader finds in it."""
    python = prepare(readers_recipe()).python

    def run(path):
        done = subprocess.run(
            [str(python), str(READER), str(path)],
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=clean_variables(),
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def key_names(person):
    return [b.name for b in person.head.data.shape_keys.key_blocks[1:]]


@pytest.mark.parametrize("preset", ["UNREAL", "UNITY", "FBX"])
def test_ufbx_finds_every_key_bone_and_figure(person, read, tmp_path, preset):
    animate(person)
    person.head.modifiers.new("Smooth", "SUBSURF")
    export(tmp_path / "head.fbx", preset)
    found = read(tmp_path / "head.fbx")
    assert sorted(found["keys"]) == sorted(key_names(person))
    rename = (lambda n: n.replace(".", "_")) if preset == "UNREAL" else str
    bones = {rename(b.name) for b in person.rig.data.bones}
    assert set(found["bones"]) == set(found["weighted"]) == bones
    mesh = found["meshes"]["someone"]
    assert mesh["vertices"] == len(person.head.data.vertices)
    assert mesh["faces"] == len(person.head.data.polygons)
    assert mesh["stamps"]["pixel3dmm_licence"] == "CC0-1.0 AND MIT"
    assert mesh["stamps"]["pixel3dmm_notice"].endswith("Commercial use is allowed.")
    assert found["unit"] == 0.01
    assert found["curves"] >= 52 + 3 * 3
    fps = bpy.context.scene.render.fps
    assert [end - begin for begin, end in found["takes"]] == [pytest.approx(5 / fps, abs=1e-4)]


@pytest.mark.parametrize("preset", ["UNREAL", "UNITY"])
def test_ufbx_finds_each_vertex_where_it_is(person, read, tmp_path, preset):
    export(tmp_path / "head.fbx", preset)
    found = read(tmp_path / "head.fbx")
    assert {"someone", {"UNREAL": "Armature", "UNITY": "someone rig"}[preset]} <= {
        *found["still_nodes"]
    }
    turn = {
        "UNREAL": np.eye(3),
        "UNITY": np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]]),
    }[preset]
    blocks = person.head.data.shape_keys.key_blocks
    rest = points(blocks[0])
    assert np.abs(np.array(found["meshes"]["someone"]["points"]) - rest @ turn.T).max() < 1e-6
    for block in blocks[1:]:
        delta = np.zeros_like(rest)
        for vertex, offset in found["moved"][block.name].items():
            delta[int(vertex)] = offset
        assert np.abs(delta - (points(block) - rest) @ turn.T).max() < 1e-6, block.name


def points(block):
    co = np.empty(len(block.points) * 3, np.float32)
    block.points.foreach_get("co", co)
    return co.reshape(-1, 3).astype(float)


@pytest.mark.parametrize("preset", ["GODOT", "VRM"])
def test_pygltflib_finds_every_key_and_bone(person, read, tmp_path, preset):
    animate(person)
    bpy.data.scenes.new("another scene of the artist's")
    export(tmp_path / "head.glb", preset, animation=True, tangents=True)
    found = read(tmp_path / "head.glb")
    mesh = found["meshes"]["someone"]
    assert mesh["keys"] == key_names(person)
    assert set(mesh["targets"]) == {len(key_names(person))}
    triangles = sum(len(p.vertices) - 2 for p in person.head.data.polygons)
    assert mesh["triangles"] == triangles
    assert mesh["vertices"] >= len(person.head.data.vertices)
    rename = {"eye.L": "leftEye", "eye.R": "rightEye"} if preset == "VRM" else {}
    bones = {rename.get(b.name, b.name) for b in person.rig.data.bones}
    assert set(found["bones"]) == bones
    assert found["scenes"] == found["animations"] == 1
    assert "someone" in found["moving"]
    assert mesh["tangents"] and not mesh["normals"]
    assert mesh["stamps"]["pixel3dmm_commercial_use"] == "yes"
    assert found["copyright"].startswith("Made with the head model Open Head: CC0-1.0 AND MIT")


def test_morph_normals_are_there_when_asked_for(person, read, tmp_path):
    export(tmp_path / "head.glb", "GODOT", morph_normals=True)
    assert read(tmp_path / "head.glb")["meshes"]["someone"]["normals"]
