# SPDX-License-Identifier: GPL-3.0-or-later
"""The last heads that this process made, by the continuation that each of them keeps.

The jobs own it: a refit after a refit, such as a drag after a drag, need not make the head before
it again.
"""

from __future__ import annotations

from collections import OrderedDict

from ..rigged_head import RiggedHead

#: Heads that are kept in memory.
MOST_HEADS = 4


class LastHeads:
    """At most so many heads; the oldest goes first."""

    def __init__(self, most: int = MOST_HEADS) -> None:
        self._most = most
        self._heads: OrderedDict[str, RiggedHead] = OrderedDict()

    def add(self, head: RiggedHead) -> None:
        """A head that a refit may start from; one that keeps nothing to start from is none."""
        if head.continuation_json:
            self._heads[head.continuation_json] = head
            while len(self._heads) > self._most:
                self._heads.popitem(last=False)

    def get(self, continuation: str) -> RiggedHead | None:
        """The head that keeps this continuation, if it is still here."""
        return self._heads.get(continuation)


#: Of this process.
LAST_HEADS = LastHeads()
