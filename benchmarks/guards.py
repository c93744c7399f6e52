# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes the guards of the readers away, one by one, and sees that a test misses each of them.

A guard that can go without any test failing protects nothing, since nobody would notice that it
is gone. Works on a copy of the tree: ``python3 build.py bench guards``. With ``--only WORD`` those
whose name has the word; without the environment of Blender's module its guards are left out, and
that is said.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tools.environments import ENVS, default_blender
from tools.processes import ROOT, clean_variables

MEMORY = 8 << 30

LYING = "tests/fuzz/test_lying_files.py::"
PICKLE = "tests/core/test_restricted_pickle.py::"
SEARCH = "tests/core/test_model_search.py::"
BOMBS = "tests/core/test_bombs.py::"
BLEND = "tests/addon/test_hostile_blend.py::"
PRIVACY = "tests/addon/test_privacy.py::"


@dataclass(frozen=True)
class Guard:
    """name; file; what stands in it and what would stand there without the guard; its test."""

    name: str
    file: str
    guard: str
    without: str
    test: str


GUARDS = (
    # Pickles
    Guard("allow-list of names", "core/files/pickle_machine.py",
          "            raise ForbiddenName(module, name)",
          "            return getattr(__import__(key[0], fromlist=['x']), name)",
          PICKLE + "test_every_way_to_name_a_function_is_closed"),
    Guard("only named values are called", "core/files/pickle_machine.py",
          "if id(function) not in self.callables:", "if not callable(function):",
          PICKLE + "test_only_named_values_can_be_called"),
    Guard("depth of tuples", "core/files/pickle_machine.py",
          "if depth > self.max_tuple_depth:", "if False:",
          PICKLE + "test_deep_tuples_never_reach_the_hash"),
    Guard("number of opcodes", "core/files/pickle_machine.py",
          "if count > self.max_opcodes:", "if False:", PICKLE + "test_limits_are_kept"),
    Guard("size of a pickle", "core/files/restricted_pickle.py",
          "    if len(data) > size:", "    if False:", PICKLE + "test_limits_are_kept"),
    Guard("sparse runs as long as their data", "core/heads/flame_pickle.py",
          "if not fits or starts[0] != 0 or (runs < 0).any():", "if False:",
          LYING + "test_a_sparse_matrix_is_as_long_as_its_data"),
    # .npz
    Guard("size of all arrays", "core/files/npz.py",
          "if sum(m.file_size for m in members.values()) > largest:", "if False:",
          LYING + "test_more_than_may_be_is_not_unpacked"),
    Guard("a header fits its bytes", "core/files/npz.py",
          " or prod(shape) * dtype.itemsize != len(data) - stream.tell():", ":",
          LYING + "test_a_header_fits_its_bytes"),
    Guard("numbers and text alone", "core/files/npz.py",
          "if dtype.kind not in _KINDS or prod", "if prod",
          LYING + "test_objects_dates_and_structures_are_no_arrays_of_ours"),
    Guard("text is text", "core/files/npz.py",
          'if dtype.kind == "U" and array.size and not _is_text(array):', "if False:",
          LYING + "test_text_is_text"),
    Guard("allow_pickle=False", "core/files/npz.py", "np.load(stream, allow_pickle=False)",
          "np.load(stream, allow_pickle=True)",
          "tests/core/test_gate.py::test_what_is_shipped_obeys_the_rules"),
    # Heads
    Guard("finite numbers of a head", "core/rigged_head.py",
          'raise ValueError(f"{name} is not finite")', "continue",
          LYING + "test_a_head_that_lies_is_refused[no number]"),
    Guard("shapes of a head", "core/rigged_head.py", "if value.shape != shape:", "if False:",
          LYING + "test_a_head_that_lies_is_refused[another shape]"),
    Guard("kinds of a head's fields", "core/rigged_head.py",
          "        self._check_kinds()\n", "",
          LYING + "test_a_head_that_lies_is_refused"),
    Guard("corners within the mesh", "core/rigged_head.py",
          "if corners.min() < 0 or last.min() < -1 or index.max() >= count:", "if False:",
          LYING + "test_a_head_that_lies_is_refused"),
    Guard("keys and bones within the head", "core/rigged_head.py",
          "if index.size and not lowest <= index.min() <= index.max() < count:", "if False:",
          LYING + "test_a_head_that_lies_is_refused"),
    Guard("a joint after its parent", "core/rigged_head.py",
          "if any(not -1 <= p < j for j, p in enumerate(self.parents)):", "if False:",
          LYING + "test_a_head_that_lies_is_refused"),
    Guard("textures of a head", "core/rigged_head.py",
          "if picture.dtype != np.uint8 or not picture_sides(picture.tobytes()):", "if False:",
          LYING + "test_a_head_that_lies_is_refused[a skin too wide]"),
    Guard("finite numbers of FLAME", "core/heads/flame_file.py",
          "    if not numbers:", "    if False:",
          LYING + "test_a_flame_file_that_lies_is_refused"),
    Guard("the record of an imported head", "core/heads/flame.py",
          "if not all(isinstance(text, str) and len(text) < 1000 for text in texts):", "if False:",
          LYING + "test_the_record_of_an_imported_head_is_checked"),
    # Weights
    Guard("a tensor within its storage", "core/files/torch_checkpoint.py",
          "if not fits or member.compress_type != zipfile.ZIP_STORED:", "if False:",
          LYING + "test_a_tensor_lies_within_its_storage"),
    Guard("a tensor within its file", "core/files/safetensors.py",
          "if end - begin != tensor.nbytes or end > size:", "if False:",
          LYING + "test_safetensors_lie_within_their_file"),
    # Zips
    Guard("no path out of a zip", "core/models/search.py",
          "                name = _place(member).name\n",
          "                name = str(_place(member))\n",
          SEARCH + "test_no_path_in_a_zip_leads_out_of_the_scratch_folder"),
    Guard("no links out of a zip", "core/models/search.py",
          " and not stat.S_ISLNK(member.external_attr >> 16)", "",
          SEARCH + "test_no_path_in_a_zip_leads_out_of_the_scratch_folder"),
    Guard("what a zip says it holds", "core/models/search.py", "if size > LARGEST:", "if False:",
          SEARCH + "test_what_says_it_is_huge_is_refused_unread"),
    # Photos
    Guard("pixels of a photo", "core/photos/photo.py",
          "if width * height > MAX_PIXELS:", "if False:",
          BOMBS + "test_a_bomb_is_refused_unopened"),
    Guard("the first header of a PNG", "core/photos/container.py",
          'if name == b"IHDR" and not out.width:', 'if name == b"IHDR":',
          BOMBS + "test_a_bomb_is_refused_unopened"),
    Guard("a chunk within its file", "core/photos/container.py",
          "if at + 12 + length > len(data):", "if False:",
          BOMBS + "test_a_chunk_longer_than_its_file_gets_no_decoder"),
    Guard("kinds that only Blender reads", "core/photos/decoded_photo.py",
          "read_container(self.data) or read_header(self.data)", "read_container(self.data)",
          BOMBS + "test_a_bomb_of_the_kinds_that_only_blender_reads"),
    Guard("bytes of a photo", "core/photos/photo.py",
          "if os.fstat(file.fileno()).st_size > MAX_FILE_BYTES:", "if False:",
          "tests/core/test_images.py::test_a_file_larger_than_a_gigabyte_is_not_read"),
    # Text
    Guard("length of a recording's lines", "core/motion/table.py",
          "if len(line) > MAX_LINE:", "if False:",
          LYING + "test_a_line_without_end_is_told_as_such"),
    Guard("length of a recording", "core/motion/arkit_csv.py",
          "if times[-1] <= MAX_SECONDS:", "if True:",
          LYING + "test_a_recording_does_not_jump_by_days"),
    Guard("integers beyond floats", "core/reconstruct/continuation.py",
          "except (ArithmeticError, FitError, AttributeError, LookupError) as error:",
          "except (FitError, AttributeError, LookupError) as error:",
          LYING + "test_numbers_beyond_all_floats"),
    Guard("photos of a continuation", "core/reconstruct/continuation.py",
          "not 1 <= len(photos) <= MAX_PHOTOS", "not photos",
          "tests/core/test_refit.py::test_whatever_is_wrong_with_it_is_one_sentence"),
    Guard("length of a message", "core/protocol.py",
          "if len(self._rest) >= MAX_LINE or any(len(line) >= MAX_LINE for line in lines):",
          "if False:",
          "tests/core/test_protocol.py::test_an_endless_line_is_given_up_before_it_fills_the_memory"),
    Guard("no NaN in a message", "core/protocol.py", ", parse_constant=_refuse_constant", "",
          "tests/core/test_protocol.py::test_what_is_no_message"),
    # Processes and people
    Guard("the worker runs isolated", "core/protocol.py", '[python, "-I", "-c"', '[python, "-c"',
          "tests/core/test_protocol.py::test_the_worker_s_interpreter_runs_isolated"),
    Guard("packages have their hashes", "core/runtime/create.py",
          '"--require-hashes", ', "",
          "tests/core/test_runtime.py::test_pip_takes_wheels_by_their_hashes_and_offline_nothing_else"),
    Guard("photos are masked", "core/jobs/diagnostics.py",
          "    text = _without_pictures(text)\n", "",
          "tests/core/test_diagnostics.py::test_photos_are_masked_by_path_and_by_name"),
    # In Blender
    Guard("deep JSON in a .blend", "pixel3dmm_addon/scene/custom_properties.py",
          "except (ValueError, RecursionError):", "except ValueError:",
          BLEND + "test_whatever_stands_on_head_and_mesh"),
    Guard("parts that a mesh has", "pixel3dmm_addon/scene/rig_data.py",
          "if low is not None and values.size and not low <= values.min() <= values.max() < high:",
          "if False:", BLEND + "test_attributes_that_lie_about_regions_and_parts"),
    Guard("a thumbnail of what is a photo", "pixel3dmm_addon/photos/thumbnails.py",
          "            PhotoFile(path)\n", "            pass\n",
          "tests/addon/test_hostile_photos.py::test_no_thumbnail_is_made_of_a_bomb"),
    Guard("the log names nobody", "pixel3dmm_addon/jobs/process.py",
          "        text = masked(text, *_WHOSE)\n", "",
          PRIVACY + "test_neither_log_nor_diagnostics_name_anybody"),
    Guard("the log is private", "pixel3dmm_addon/jobs/process.py",
          "        path.chmod(0o600)\n", "        pass\n",
          PRIVACY + "test_neither_log_nor_diagnostics_name_anybody"),
    Guard("no download without leave", "pixel3dmm_addon/operators/setup.py",
          "if not wheels and not bpy.app.online_access:", "if False:",
          PRIVACY + "test_nothing_is_downloaded_without_leave"),
)  # fmt: skip


def main(arguments: list[str]) -> int:
    """Prints one line a guard; returns 1 if any could go unnoticed."""
    parser = argparse.ArgumentParser(prog="benchmarks.guards", description=__doc__)
    parser.add_argument("--only", default="", help="guards whose name has this word")
    chosen = [g for g in GUARDS if parser.parse_args(arguments).only in g.name]
    blender = ENVS / f"blender-{default_blender()}" / "bin" / "python"
    if not blender.exists():
        left = [g.name for g in chosen if "tests/addon" in g.test]
        print(f"No Blender module here (build.py test makes it), left out: {', '.join(left)}")
        chosen = [g for g in chosen if "tests/addon" not in g.test]
    with tempfile.TemporaryDirectory(prefix="guards-") as folder:
        tree = Path(folder, "tree")
        copy_tree(tree)
        sound = [g.test for g in chosen]
        for suite, python in (("tests/addon", blender), ("tests/", sys.executable)):
            tests = [t for t in dict.fromkeys(sound) if t.startswith(suite)]
            sound = [t for t in sound if t not in tests]
            if tests and (code := run(tree, python, tests)) != 0:
                print(f"With all guards in place the tests of {suite} end with {code}.")
                return 2
        missed = [g.name for g in chosen if not caught(tree, g, blender)]
    print(f"{len(chosen)} guards taken away, {len(chosen) - len(missed)} caught by their test")
    for name in missed:
        print(f"nobody would notice: {name}")
    return 1 if missed else 0


def copy_tree(target: Path) -> None:
    """Files that are the project's, as they are in the work tree now."""
    command = ["git", "ls-files", "-co", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


def caught(tree: Path, guard: Guard, blender: Path) -> bool:
    """Whether its test fails without it."""
    path = tree / guard.file
    text = path.read_text("utf-8")
    if guard.guard not in text:
        print(f"{guard.name:36} is not to be found in {guard.file}")
        return False
    path.write_text(text.replace(guard.guard, guard.without), "utf-8")
    try:
        python = blender if "tests/addon" in guard.test else sys.executable
        code = run(tree, python, [guard.test])
    finally:
        path.write_text(text, "utf-8")
    # 1 is a failed test; anything else says nothing of the guard.
    told = {0: "NOT CAUGHT", 1: "caught"}.get(code, f"pytest ended with {code}")
    print(f"{guard.name:36} {told:12} by {guard.test.rpartition('/')[2]}", flush=True)
    return code == 1


def run(tree: Path, python: Path | str, tests: list[str]) -> int:
    """pytest's exit code; what it says is for nobody. Memory is bounded: guards of it are taken
    away as well.
    """
    options = ["-q", "-x", "-p", "no:cacheprovider", "-c", "tests/pytest.ini"]
    command = [str(python), "-B", "-m", "pytest", *options, *tests]
    variables = clean_variables(OPENBLAS_NUM_THREADS="1")
    variables.pop("PIXEL3DMM_ZIP", None)
    done = subprocess.run(
        command, cwd=tree, env=variables, capture_output=True, check=False, preexec_fn=_bounded
    )
    return done.returncode


def _bounded() -> None:
    """In the child, before it begins; Blender's module reserves more than it uses."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
