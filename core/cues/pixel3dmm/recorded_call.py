# SPDX-License-Identifier: GPL-3.0-or-later
"""A function on one CUDA tensor, recorded as a graph and replayed with other values.

Needs torch, imported inside functions. The function may not wait for the device, move data to or
from it, or depend on values: it is run in Python while it is recorded, and never again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

#: Calls before recording: libraries choose their kernels and take their memory in them.
_WARM_UP = 2


class RecordedCall:
    """``function`` for inputs of one shape and type; its output is overwritten by the next call."""

    def __init__(
        self, function: Callable[[torch.Tensor], torch.Tensor], example: torch.Tensor
    ) -> None:
        """example: an input on the device. Raises what the function raises, memory included."""
        import torch

        self._input = example.clone()
        device = example.device
        aside = torch.cuda.Stream(device)
        aside.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(aside):
            for _ in range(_WARM_UP):
                function(self._input)
        torch.cuda.current_stream(device).wait_stream(aside)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._output = function(self._input)

    def __call__(self, given: torch.Tensor) -> torch.Tensor:
        """given: on the device or not. Returns before the device is done."""
        self._input.copy_(given, non_blocking=True)
        self._graph.replay()
        return self._output
