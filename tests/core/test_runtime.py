# SPDX-License-Identifier: GPL-3.0-or-later
"""The neural runtime made for real, by pip, from tiny wheels of our own: no network, no torch."""

from __future__ import annotations

import hashlib
import re
import shutil
import sys
import zipfile
from pathlib import Path

import pytest

from core.errors import Cancelled, OutputError, RuntimeSetupError
from core.runtime import check_python, create_runtime, remove_runtime
from core.runtime.create import _pip_options
from core.runtime.state import ENVIRONMENT, RECORD, environment_python, runtime_state
from core.runtime.variants import VARIANTS, Variant, default_variant

PROBE = """
import json, tiny_net
print(json.dumps({"torch": tiny_net.VERSION, "numpy": "0", "devices": ["CPU"], "python": "3"}))
"""


def wheel(folder: Path, version: str = "1.0") -> Path:
    """A wheel that pip installs."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"tiny_net-{version}-py3-none-any.whl"
    info = f"tiny_net-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as z:
        z.writestr("tiny_net.py", f"VERSION = {version!r}\n")
        z.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: tiny-net\nVersion: {version}\n"
        )
        z.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        z.writestr(
            f"{info}/RECORD", f"tiny_net.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n"
        )
    return path


def variant(folder: Path, version: str = "1.0", digest: str = "", probe: str = PROBE) -> Variant:
    """A runtime of one wheel."""
    made = wheel(folder / "wheels", version)
    lock = folder / "lock.txt"
    digest = digest or hashlib.sha256(made.read_bytes()).hexdigest()
    lock.write_text(f"tiny-net=={version} \\\n    --hash=sha256:{digest}\n")
    return Variant("tiny", "Tiny", lock, {}, disk_mb=1, probe=probe)


def create(folder: Path, kind: Variant, progress=lambda stage, fraction: None):
    return create_runtime(
        folder / "runtime",
        python=Path(sys.executable),
        variant=kind,
        find_links=folder / "wheels",
        offline=True,
        progress=progress,
    )


def leavings(folder: Path) -> set[str]:
    """What lies in the runtime's folder beside the log."""
    runtime = folder / "runtime"
    return {p.name for p in runtime.iterdir()} - {"install.log"} if runtime.exists() else set()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a runtime in it, what it said of itself and what it said on the way."""
    folder = tmp_path_factory.mktemp("made")
    told: list[tuple[str, float]] = []
    state = create(folder, variant(folder), lambda *news: told.append(news))
    return folder, state, told


def test_made_tried_out_and_ready(made):
    folder, state, told = made
    assert state.ready
    assert state.words.startswith("Ready: PyTorch 1.0")
    assert environment_python(folder / "runtime" / ENVIRONMENT) == state.python
    assert leavings(folder) == {ENVIRONMENT}
    fractions = [fraction for _, fraction in told]
    assert fractions == sorted(fractions)
    assert fractions[0] >= 0
    assert fractions[-1] == 1
    assert any("tiny" in stage for stage, _ in told)


def test_a_newer_lock_file_is_told(made, tmp_path, monkeypatch):
    folder, *_ = made
    newer = variant(tmp_path, "2.0")
    monkeypatch.setitem(VARIANTS, "tiny", newer)
    assert "newer" in runtime_state(folder / "runtime").words


def copy_of(made, tmp_path) -> Path:
    shutil.copytree(made[0], tmp_path / "copy", symlinks=True)
    return tmp_path / "copy"


@pytest.mark.parametrize("kind", ["wrong hash", "no wheel", "broken", "cancelled"])
def test_what_fails_leaves_what_was_there(made, tmp_path, kind):
    folder = copy_of(made, tmp_path)
    before = runtime_state(folder / "runtime").words
    broken, progress, error, words = variant(folder), lambda *news: None, RuntimeSetupError, kind
    if kind == "wrong hash":
        broken, words = variant(folder, digest="0" * 64), "not the one we know"
    elif kind == "no wheel":
        (folder / "lock.txt").write_text("absent==1.0 --hash=sha256:" + "0" * 64 + "\n")
        words = "holds no wheel of absent"
    elif kind == "broken":
        broken, words = variant(folder, probe="import nothing_like_it"), "taken away again"
    else:

        def progress(stage, fraction):
            if fraction > 0.05:
                raise Cancelled

        error, words = Cancelled, ""
    with pytest.raises(error) as told:
        create(folder, broken, progress)
    assert words in str(told.value)
    assert "\n" not in str(told.value)
    assert runtime_state(folder / "runtime").words == before
    assert leavings(folder) == {ENVIRONMENT}


def test_nothing_stays_of_a_first_try_that_failed(tmp_path):
    with pytest.raises(RuntimeSetupError):
        create(tmp_path, variant(tmp_path, digest="0" * 64))
    assert leavings(tmp_path) == set()
    assert runtime_state(tmp_path / "runtime").words == "Not installed"


def test_two_at_once(made, tmp_path):
    """The second is told so; the first goes on undisturbed."""
    folder, second = copy_of(made, tmp_path), []

    def progress(stage, fraction):
        if not second:
            with pytest.raises(OutputError, match="another Blender") as told:
                create(folder, variant(folder))
            second.append(told)

    assert create(folder, variant(folder), progress).ready
    assert second


def test_no_room(tmp_path, monkeypatch):
    kind = variant(tmp_path)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(OutputError, match="not enough room"):
        create(tmp_path, kind)
    assert leavings(tmp_path) == set()


def test_without_the_network_a_folder_of_wheels_is_needed(tmp_path):
    kind = variant(tmp_path)
    for find_links in (None, tmp_path / "empty"):
        with pytest.raises(RuntimeSetupError, match="folder"):
            create_runtime(
                tmp_path / "runtime",
                python=Path(sys.executable),
                variant=kind,
                find_links=find_links,
                offline=True,
                progress=lambda *news: None,
            )


def test_states_in_words(made, tmp_path):
    folder = copy_of(made, tmp_path) / "runtime"
    record = folder / ENVIRONMENT / RECORD
    text = record.read_text()
    for damaged in ("", "{}", "[]", text[:20]):
        record.write_text(damaged)
        assert runtime_state(folder).words.startswith("Damaged")
        assert runtime_state(folder).python is None
    record.write_text(text)
    environment_python(folder / ENVIRONMENT).unlink()
    assert "is gone" in runtime_state(folder).words
    remove_runtime(folder)
    assert runtime_state(folder).words == "Not installed"
    assert not (folder / ENVIRONMENT).exists()


def test_an_existing_python_is_tried_out(tmp_path):
    nothing = tmp_path / "python3"
    with pytest.raises(RuntimeSetupError, match="There is no file"):
        check_python(nothing)
    nothing.write_text("#!/bin/sh\necho 2.7\n")
    nothing.chmod(0o755)
    with pytest.raises(RuntimeSetupError, match=r"did not answer|cannot be started"):
        check_python(nothing)
    bare = tmp_path / "bare"
    import venv

    venv.create(bare, with_pip=False)
    with pytest.raises(RuntimeSetupError, match=r"has no (numpy|torch): install it there"):
        check_python(environment_python(bare))


def test_the_lock_file_names_every_wheel_by_its_hash():
    kind = default_variant() or next(iter(VARIANTS.values()))
    text = kind.lock.read_text("utf-8")
    requirements = re.findall(
        r"^([A-Za-z0-9_.-]+)==[^\n]*\n((?:    --hash=sha256:[0-9a-f]{64}.*\n)+)", text, re.M
    )
    assert len(requirements) == len(kind.packages)
    assert {"torch", "numpy", "scipy", "safetensors", "opencv-python-headless"} <= {
        name for name, _ in requirements
    }


@pytest.mark.parametrize("offline", [False, True])
def test_pip_takes_wheels_by_their_hashes_and_offline_nothing_else(tmp_path, offline):
    """pip wants hashes of itself where a list has some; ours wants them where it has none."""
    options = _pip_options(variant(tmp_path), tmp_path, offline)
    assert "--require-hashes" in options
    assert options[options.index("--only-binary") + 1] == ":all:"
    assert ("--no-index" in options) == offline
