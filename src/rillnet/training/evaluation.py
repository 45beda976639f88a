"""Metrics over a whole phase: sums of statistics, so that batches, however they fall, do not matter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from rillnet.model.layers.metrics import Metric
from rillnet.model.net import Net
from rillnet.model.shapes import Signature, pick
from rillnet.runtime.session import Session
from rillnet.spec import Phase


@dataclass
class _Watched:
    """A metric block of the net and what its batches have added up to."""

    name: str
    metric: Metric | None
    sources: list[tuple[str, int | None]]
    total: Tensor | None = None

    def add(self, values: Mapping[str, Any], size: int) -> None:
        if self.metric is not None:
            read = [pick(values[block], output) for block, output in self.sources]
            statistics = self.metric.statistics(*read).to(torch.float64)
        else:  # any other block that sends one number for a batch: its mean over examples
            value = values[self.name].detach().to(torch.float64)
            statistics = torch.stack([value * size, value.new_full((), float(size))])
        self.total = statistics if self.total is None else self.total + statistics

    def value(self) -> float:
        assert self.total is not None
        if self.metric is not None:
            return float(self.metric.value(self.total))
        return float(self.total[0] / self.total[1])


@dataclass(frozen=True)
class Evaluation:
    """The metrics of a phase.

    Args:
        phase: val or test.
        examples: how many were evaluated, each once.
        metrics: by name of the metric's block.
    """

    phase: Phase
    examples: int
    metrics: dict[str, float] = field(default_factory=dict)


def watched_blocks(net: Net, phase: Phase) -> list[str]:
    """The blocks whose output is one number for a batch: losses and metrics."""
    return [
        name
        for name, block in net.blocks.items()
        if phase not in block.exclude
        and isinstance(block.output, Signature)
        and not block.output.batched
        and block.output.shape == ()
    ]


def evaluate(session: Session, phase: Phase) -> Evaluation:
    """The metrics of a session's net over all examples of a phase.

    Args:
        session: whose net, data and executor are used; learning is not disturbed.
        phase: val or test.

    Raises:
        RequestError: the data have no such phase.
    """
    assert session.data is not None
    net = session.net
    session.check_fields(phase)
    watched = []
    for name in watched_blocks(net, phase):
        module = net[name]
        metric = module if isinstance(module, Metric) else None
        watched.append(_Watched(name, metric, [(s.block, s.output) for s in net.blocks[name].sources]))
    wanted = [
        block
        for one in watched
        for block in ([source for source, _ in one.sources] if one.metric is not None else [one.name])
        if block not in net.inputs
    ]
    outputs = tuple(dict.fromkeys(wanted))
    feed = session.data.feed(phase)
    examples = 0
    try:
        for index, batch in enumerate(feed.once()):
            sent = session.executor.evaluate(batch.fields, outputs, phase, index)
            values = {**session.executor.place(batch.fields), **sent}
            with torch.no_grad():
                for one in watched:
                    one.add(values, batch.size)
            examples += batch.size
    finally:
        feed.close()
    return Evaluation(phase, examples, {one.name: one.value() for one in watched})
