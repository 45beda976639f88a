"""Metrics over a whole phase: sums of statistics, so that batches, however they fall, do not matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from rillnet.data.feed import Feed
from rillnet.errors import Fault, RequestError, suggest
from rillnet.model.flat import FlatNet, FlatSource, part
from rillnet.model.layers.metrics import Metric
from rillnet.model.shapes import Signature
from rillnet.runtime.session import Session
from rillnet.spec import Phase

PHASES: tuple[Phase, ...] = ("val", "test")
"""What is evaluated on."""

_HALF = (torch.bfloat16, torch.float16)


@dataclass
class _Watched:
    """A block that sends one number for a batch, and what its batches have added up to."""

    name: str
    module: nn.Module
    sources: Sequence[FlatSource] = ()
    total: Tensor | None = None

    @property
    def reads(self) -> list[str]:
        """What of a frame it is told from: what a metric reads, or else what the block sends."""
        return [source.block for source in self.sources] or [self.name]

    def add(self, values: Mapping[str, Any], size: int) -> None:
        if self.sources and isinstance(self.module, Metric):
            read = [_whole(part(values[source.block], source.place)) for source in self.sources]
            statistics = self.module.statistics(*read).to(torch.float64)
        elif getattr(self.module, "reduction", None) == "sum":
            statistics = values[self.name].detach().to(torch.float64)
        else:  # the mean over batches, each weighted by its examples
            value = values[self.name].detach().to(torch.float64)
            statistics = torch.stack([value * size, value.new_full((), float(size))])
        self.total = statistics if self.total is None else self.total + statistics

    def values(self) -> dict[str, float]:
        """By name; a metric of several numbers as `name/0`, `name/1` ..."""
        assert self.total is not None
        if self.sources and isinstance(self.module, Metric):
            value = self.module.value(self.total)
        else:
            value = self.total[0] / self.total[1] if self.total.dim() else self.total
        if value.dim() == 0:
            return {self.name: float(value)}
        return {f"{self.name}/{number}": part for number, part in enumerate(value.flatten().tolist())}


@dataclass(frozen=True)
class Evaluation:
    """The metrics of a phase.

    Args:
        phase: val or test.
        examples: how many were evaluated, each once.
        metrics: by name of the metric's block, `res1/penalty` for one in a nested net.
    """

    phase: Phase
    examples: int
    metrics: dict[str, float] = field(default_factory=dict)


def watched_blocks(flat: FlatNet, phase: Phase) -> list[str]:
    """Losses, metrics, and other blocks that send one number for a batch; those of nested nets by their paths."""
    return [
        name
        for name, block in flat.blocks.items()
        if phase not in block.exclude
        and isinstance(block.output, Signature)
        and not block.output.batched
        and (block.output.shape == () or isinstance(flat.module(name), Metric))
    ]


def check_phase(phase: str | None, there: Sequence[str], address: str = "phase") -> list[Fault]:
    """Why a phase cannot be evaluated; nothing if it can.

    Args:
        phase: what is asked for; None is whatever there is.
        there: the phases that there are examples of.
        address: where the phase is asked for.
    """
    known = [name for name in PHASES if name in there]
    if not known:
        hint = "hold out some training examples with data.validation"
        return [Fault("data", f"has no val or test phase to evaluate on, but {', '.join(there)}", hint=hint)]
    if phase is None or phase in known:
        return []
    if phase in PHASES:
        return [Fault("data", f"has no {phase} phase, but {', '.join(there)}")]
    return [Fault(address, "must be val or test", phase, hint=suggest(phase, PHASES))]


def evaluate(session: Session, phase: Phase | None = None) -> Evaluation:
    """The metrics of a session's net over all examples of a phase.

    Args:
        session: whose net, data and executor are used; learning is not disturbed.
        phase: val or test; None is val where there is such data.

    Raises:
        RequestError: the data have no such phase, or the net has no metric.
    """
    data, flat = session.data, session.rollout.flat
    if data is None:
        raise RequestError(Fault("data", "is required to evaluate; give the experiment a source"))
    faults = check_phase(phase, data.phases)
    if faults:
        raise RequestError(faults)
    phase = phase or data.evaluation_phase
    assert phase is not None
    session.check_fields(phase)
    watched = [_watched(session, name) for name in watched_blocks(flat, phase)]
    if not watched:
        rule = f"has no loss and no metric in the {phase} phase, so there is nothing to evaluate"
        raise RequestError(Fault("net", rule))
    feed = data.feed(phase)
    try:
        examples = _add_up(session, feed, phase, watched)
    finally:
        feed.close()
    return Evaluation(phase, examples, {name: value for one in watched for name, value in one.values().items()})


@torch.no_grad()
def _add_up(session: Session, feed: Feed, phase: Phase, watched: Sequence[_Watched]) -> int:
    """Runs a pass over the feed; returns how many examples counted."""
    flat, executor = session.rollout.flat, session.executor
    outputs = tuple(dict.fromkeys(name for one in watched for name in one.reads if name not in flat.inputs))
    # streams go on from frame to frame; the first frames are seen by blocks that nothing has reached yet
    unreached = max((session.rollout.first_response(name) or 0 for name in outputs), default=0)
    first = unreached if feed.continuous else 0
    examples, state = 0, None
    for index, batch in enumerate(feed.once()):
        placed = executor.place(batch.fields)
        sent, state = executor.look(placed, outputs, phase, index, state if feed.continuous else None)
        if index >= first:
            values = placed | sent
            for one in watched:
                one.add(values, batch.size)
            examples += batch.size
    return examples


def _watched(session: Session, name: str) -> _Watched:
    flat = session.rollout.flat
    sources = session.rollout.sources(name)
    # what is read of earlier frames is in the state only, so such a metric is told from what it sends
    is_exact = isinstance(flat.module(name), Metric) and not any(source.delay for source in sources)
    return _Watched(name, flat.module(name), sources if is_exact else ())


def _whole(value: Any) -> Any:
    """Sums of many numbers need more digits than autocast leaves."""
    return value.float() if isinstance(value, Tensor) and value.dtype in _HALF else value
