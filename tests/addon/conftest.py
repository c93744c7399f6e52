# SPDX-License-Identifier: GPL-3.0-or-later
"""The built zip, installed in a throwaway profile of the real Blender module.

Everything of the extension is reached as Blender reaches it, under bl_ext.user_default.pixel3dmm.
"""

from __future__ import annotations

import importlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

# Blender reads this when it is imported: nobody's own profile is touched.
_PROFILE = tempfile.mkdtemp(prefix="pixel3dmm-profile-")
os.environ["BLENDER_USER_RESOURCES"] = _PROFILE
# Photos and arrays pass through here, so that a test can see that nothing stays behind.
_SCRATCH = tempfile.mkdtemp(prefix="pixel3dmm-scratch-")
tempfile.tempdir = _SCRATCH

import bpy  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "bl_ext.user_default.pixel3dmm"
_status = 0


def pytest_sessionfinish(session, exitstatus):
    global _status
    _status = int(exitstatus)


def pytest_collection_modifyitems(items):
    """What is marked so comes last: 4.2 may crash in any later export or load once Rigify has
    generated a rig, with or without a head of ours (seen in 4.2.23, not in 4.5 or 5.0).
    """
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    """Ends the process by hand: bpy 4.2 crashes and 4.5 hangs where a Python callback is left."""
    if _ours is not None:
        _ours("pixel3dmm_addon.jobs.session").close()
    for folder in (_PROFILE, _SCRATCH):
        shutil.rmtree(folder, ignore_errors=True)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(_status)


_ours = None


def install() -> None:
    """The zip, enabled."""
    archive = os.environ.get("PIXEL3DMM_ZIP")
    if not archive:
        from tools.package import build_zip

        archive = str(build_zip(ROOT / "dist", Path(sys.executable)))
        os.environ["PIXEL3DMM_ZIP"] = archive
    bpy.ops.extensions.package_install_files(
        filepath=archive, repo="user_default", enable_on_install=True, overwrite=True
    )
    # The operator says FINISHED even if it installed nothing.
    assert PACKAGE in bpy.context.preferences.addons


@pytest.fixture(scope="session")
def ours():
    """ours("core.geometry.axes") is that module of the installed extension."""
    global _ours
    install()
    _ours = lambda name: importlib.import_module(f"{PACKAGE}.{name}")  # noqa: E731
    return _ours


@pytest.fixture(autouse=True)
def scene(ours):
    """An empty scene with the extension enabled; fails a test that leaves a job running."""
    # Not read_factory_settings, which disables extensions.
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    session = ours("pixel3dmm_addon.jobs.session")
    session.status.__init__()
    before = private_folders()
    yield bpy.context.scene
    assert not session.status.running
    assert private_folders() <= before


def private_folders() -> set[str]:
    """What runs of the add-on have put into the temporary folder and not removed."""
    return {name for name in os.listdir(_SCRATCH) if name.startswith("pixel3dmm-")}


@pytest.fixture(scope="session")
def profile():
    return Path(_PROFILE)


@pytest.fixture
def status(ours):
    """How the job does."""
    return ours("pixel3dmm_addon.jobs.session").status


@pytest.fixture
def modal(ours, monkeypatch):
    """(operator, context, reports): Reconstruct Face as the event loop would drive it."""
    from driving import modal_operator

    return modal_operator(ours, monkeypatch)


@pytest.fixture(scope="session")
def rigged(ours):
    """A person that nobody photographed: the open head with identity, expression and gaze."""
    from invented import invented_head

    return invented_head(ours)


@pytest.fixture(scope="session")
def few_keys(rigged):
    """The same person with a dozen keys, driven ones among them: files of a third of the work."""
    from invented import with_few_keys

    return with_few_keys(rigged)


@pytest.fixture
def loaded(ours, example_photo):
    """A photo as it comes out of Blender's loader."""
    return ours("pixel3dmm_addon.photos.loading").load_photo(example_photo)


@pytest.fixture
def person(request, ours, rigged, few_keys, loaded):
    """The invented head in the scene; with few keys where the test is marked so."""
    build = ours("pixel3dmm_addon.scene.build")
    few = request.node.get_closest_marker("few_keys")
    every = request.node.get_closest_marker("every_key")
    head = few_keys if few is not None and every is None else rigged
    return build.build_person(bpy.context, head, loaded, match_render_size=True)


@pytest.fixture(scope="session")
def usual(ours, example_photo):
    """World positions of the example photo's head."""
    from looking import evaluated, reconstruct

    reconstruct(example_photo)
    return evaluated(bpy.context.object)


@pytest.fixture(scope="session")
def example_blend(ours, example_photo, tmp_path_factory):
    """A .blend with the example photo's head, reconstructed once: a test opens it, which takes a
    fraction of a second.
    """
    from looking import reconstruct

    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    reconstruct(example_photo)
    path = tmp_path_factory.mktemp("example") / "head.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path), copy=True, relative_remap=False)
    return path
