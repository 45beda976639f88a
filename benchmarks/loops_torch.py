"""Training loops in plain PyTorch: as people write them, tuned by hand, and compiled."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from cases import LEARNING_RATE, MOMENTUM, Case
from measuring import time_calls
from peers_torch import NETS
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset


class PlainLoop:
    """As people write it: a `DataLoader` over a `TensorDataset`, a net, an optimiser, torch's defaults.

    Args:
        case: what is trained.
        compiled: put the net through `torch.compile`.
    """

    def __init__(self, case: Case, *, compiled: bool = False) -> None:
        torch.manual_seed(0)
        self.net = NETS[case.net]()
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM)
        if compiled:
            self.net = torch.compile(self.net)
        self.loader = DataLoader(TensorDataset(*case.data()), batch_size=case.batch, shuffle=True, drop_last=True)
        self._batches = self._forever()

    def _forever(self) -> Iterator[list[Tensor]]:
        while True:
            yield from self.loader

    def _step(self) -> None:
        x, y = next(self._batches)
        self.optimizer.zero_grad()
        loss = cross_entropy(self.net(x), y)
        loss.backward()
        self.optimizer.step()

    def seconds_per_step(self, steps: int) -> float:
        return time_calls(self._step, steps)


@dataclass(frozen=True)
class Tuning:
    """What a patient user tries out by hand.

    Args:
        channels_last: memory format of net and batches.
        fused: torch's fused optimiser.
        threads: of torch; None is its default.
    """

    channels_last: bool
    fused: bool
    threads: int | None = None

    def __str__(self) -> str:
        words = ["channels-last" if self.channels_last else "contiguous", "fused" if self.fused else "default"]
        return f"{', '.join(words)} optimiser, {self.threads or torch.get_num_threads()} threads"


class TunedLoop:
    """As a patient user writes it: whole batches gathered from tensors in memory, in the order of a permutation.

    Args:
        case: what is trained.
        tuning: how.
        bare: a step and nothing else, always on the same batch, which costs nothing.
    """

    def __init__(self, case: Case, tuning: Tuning, *, bare: bool = False) -> None:
        torch.manual_seed(0)
        self.layout = torch.channels_last if tuning.channels_last else torch.contiguous_format
        self.threads = tuning.threads or torch.get_num_threads()
        self.net = NETS[case.net]().to(memory_format=self.layout)
        self.optimizer = torch.optim.SGD(
            self.net.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM, fused=tuning.fused or None
        )
        self.images, self.labels, self.batch = *case.data(), case.batch
        self._batches = itertools.repeat(next(self._forever())) if bare else self._forever()

    def _forever(self) -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            for indices in torch.randperm(len(self.images)).split(self.batch):
                x = self.images.index_select(0, indices).contiguous(memory_format=self.layout)
                yield x, self.labels.index_select(0, indices)

    def _step(self) -> None:
        x, y = next(self._batches)
        loss = cross_entropy(self.net(x), y)
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()

    def seconds_per_step(self, steps: int) -> float:
        before = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        try:
            return time_calls(self._step, steps)
        finally:
            torch.set_num_threads(before)


def tunings() -> list[Tuning]:
    """Every combination: memory format, optimiser, all threads or one."""
    counts = [None, 1] if torch.get_num_threads() > 1 else [None]
    return [Tuning(last, fused, count) for count in counts for last in (False, True) for fused in (False, True)]
