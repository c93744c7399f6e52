# SPDX-License-Identifier: GPL-3.0-or-later
"""A network, its optimiser and the mean of its weights; on a card a whole step is recorded once and
then played back, so that the processor has time for the drawing, which goes on beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields

import torch
from torch import Tensor

from .draw import Batch
from .learn import loss
from .network import Network

#: What the weights decay by, and about how many steps the mean of them goes over.
DECAY, AVERAGE = 2e-2, 500
#: Steps until the rate is reached.
WARM_UP = 100
#: Steps that are made before one is recorded.
_BEFORE = 4


class Learner:
    """network learns; average is what is kept of it."""

    def __init__(self, device: torch.device) -> None:
        self.device, self.steps = device, 0
        self.network = Network().to(device, memory_format=torch.channels_last)
        self.average = Network().to(device)
        self.average.load_state_dict(self.network.state_dict())
        card = device.type == "cuda"
        # On a card the rate is a number there, which a recorded step reads.
        self._rate = torch.zeros((), device=device)
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=self._rate if card else 0.0, weight_decay=DECAY,
            capturable=card, fused=card,
        )  # fmt: skip
        self._pairs = (list(self.average.parameters()), list(self.network.parameters()))
        self._made = 0
        self._recorded: torch.cuda.CUDAGraph | None = None
        self._record = card
        self._batch: Batch | None = None
        self._parts: dict[str, Tensor] = {}

    def begin_with(self, trained: Network) -> None:
        """Its weights, before the first step."""
        for network in (self.network, self.average):
            network.load_state_dict(trained.state_dict())

    def step(self, batch: Batch, metric: Tensor, rate: float) -> dict[str, Tensor]:
        """One step; the parts of its loss, valid until the next."""
        rate = rate * min(1.0, (self.steps + 1) / WARM_UP)
        if self.device.type == "cuda":
            for group in self.optimiser.param_groups:
                group["lr"].fill_(rate)
            parts = self._on_card(batch, metric)
        else:
            for group in self.optimiser.param_groups:
                group["lr"] = rate
            parts = self._step(batch, metric)
        self.steps += 1
        share = max(1 / AVERAGE, 1 / (1 + self.steps / 2))
        with torch.no_grad():
            torch._foreach_lerp_(*self._pairs, share)
        return parts

    def keep_norms(self) -> None:
        """Gives the mean what the norms have seen."""
        for kept, now in zip(self.average.buffers(), self.network.buffers(), strict=True):
            kept.copy_(now)

    def _step(self, batch: Batch, metric: Tensor) -> dict[str, Tensor]:
        self.network.train()
        image = batch.image.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16, cache_enabled=False):
            said = self.network(image)
        total, parts = loss(said, batch, metric)
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        return parts

    def _on_card(self, batch: Batch, metric: Tensor) -> dict[str, Tensor]:
        if self._batch is None:
            self._batch = Batch(**{f.name: getattr(batch, f.name).clone() for f in fields(Batch)})
        for f in fields(Batch):
            getattr(self._batch, f.name).copy_(getattr(batch, f.name))
        if self._recorded is not None:
            self._recorded.replay()
            return self._parts
        self._made += 1
        if self._made <= _BEFORE or not self._record:
            # On a stream of its own, as recording asks for.
            beside = torch.cuda.Stream()
            beside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(beside):
                parts = self._step(self._batch, metric)
            torch.cuda.current_stream().wait_stream(beside)
            return parts
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        self.optimiser.zero_grad(set_to_none=True)
        try:
            with torch.cuda.graph(graph):
                self._parts = self._step(self._batch, metric)
        except RuntimeError as error:
            print(f"Steps are made one by one, since recording one failed: {error}", flush=True)
            self._record = False
            return self._step(self._batch, metric)
        self._recorded = graph
        graph.replay()
        return self._parts


class Ahead:
    """Draws the next batch beside the steps on the last, on a stream of its own."""

    def __init__(self, device: torch.device, draw: Callable[[int], Batch]) -> None:
        self._draw = draw
        self._stream = torch.cuda.Stream() if device.type == "cuda" else None
        self._next: Batch | None = None

    @contextmanager
    def beside(self) -> Iterator[None]:
        """All drawing happens on one stream, since what is compiled may be so for a stream."""
        if self._stream is None:
            yield
            return
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            yield
        torch.cuda.current_stream().wait_stream(self._stream)

    def begin(self, number: int) -> None:
        """Starts to draw a batch."""
        if self._stream is None:
            self._next = self._draw(number)
            return
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            self._next = self._draw(number)

    def take(self, after: int) -> Batch:
        """The batch that was begun, and begins the one with number ``after``."""
        batch = self._next
        assert batch is not None
        if self._stream is not None:
            torch.cuda.current_stream().wait_stream(self._stream)
            for f in fields(Batch):
                # So that its memory is not drawn into while steps still read it.
                getattr(batch, f.name).record_stream(torch.cuda.current_stream())
        self.begin(after)
        return batch
