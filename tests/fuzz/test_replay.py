# SPDX-License-Identifier: GPL-3.0-or-later
"""Every input that ever broke a reader, and some hundred new ones, the same in every run.

The long run is ``python3 build.py fuzz``.
"""

from __future__ import annotations

from itertools import islice

import fuzz_run
import pytest
from fuzz_targets import TARGETS

#: Inputs a target: about a second each.
COUNT = 150


@pytest.mark.parametrize("name", TARGETS)
def test_readers_keep_their_promises(name):
    target = TARGETS[name]
    for number, data in enumerate(islice(fuzz_run.mutations(target), COUNT)):
        try:
            fuzz_run.run(target, data)
        except Exception as error:
            raise AssertionError(f"input {number} of {name}: {data[:200]!r}") from error


@pytest.mark.parametrize("name", TARGETS)
def test_inputs_that_broke_a_reader_are_kept(name):
    for path in fuzz_run.kept(TARGETS[name]):
        fuzz_run.run(TARGETS[name], path.read_bytes())
