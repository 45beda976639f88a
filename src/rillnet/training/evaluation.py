"""Metrics over a whole phase: sums of statistics, so that batches, however they fall, do not matter."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from rillnet.data.feed import Feed
from rillnet.errors import Fault, RequestError, suggest
from rillnet.model.flat import FlatNet, FlatSource, part
from rillnet.model.graph import ZeroDelayCycleError, frame_order
from rillnet.model.layers.metrics import Metric
from rillnet.model.rollout import Rollout
from rillnet.model.shapes import Signature
from rillnet.runtime.session import Session
from rillnet.runtime.state import State
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
        """What of a frame it is told from: what a metric reads now, and the metric itself where it reads the past."""
        now = [source.block for source in self.sources if not source.delay]
        return [*now, self.name] if len(now) < len(self.sources) or not now else now

    @property
    def looks_back(self) -> bool:
        """Whether it is told from earlier frames as well."""
        return any(source.delay for source in self.sources)

    def add(self, values: Mapping[str, Any], before: State, size: int) -> None:
        """Adds a batch.

        Args:
            values: what the frame was given, and sent.
            before: the state that it was computed from; needed by what looks back.
            size: how many examples it has.
        """
        if self.sources and isinstance(self.module, Metric):
            read = [_whole(_read(source, values, before)) for source in self.sources]
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

    def table(self) -> dict[str, Any] | None:
        """What the metric tells besides, for results in JSON."""
        assert self.total is not None
        return self.module.table(self.total) if self.sources and isinstance(self.module, Metric) else None


@dataclass(frozen=True)
class Evaluation:
    """The metrics of a phase.

    Args:
        phase: val or test.
        examples: how many were evaluated, each once.
        metrics: by name of the metric's block, `res1/penalty` for one in a nested net.
        tables: what metrics tell besides, as JSON has it, by the same names.
    """

    phase: Phase
    examples: int
    metrics: dict[str, float] = field(default_factory=dict)
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)


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
        raise session.no_data("evaluate")
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
    metrics = {name: value for one in watched for name, value in one.values().items()}
    tables = {one.name: table for one in watched if (table := one.table()) is not None}
    return Evaluation(phase, examples, metrics, tables)


@torch.no_grad()
def _add_up(session: Session, feed: Feed, phase: Phase, watched: Sequence[_Watched]) -> int:
    """Runs a pass over the feed; returns how many examples counted."""
    flat, executor = session.rollout.flat, session.executor
    outputs = tuple(dict.fromkeys(name for one in watched for name in one.reads if name not in flat.inputs))
    # streams go on from frame to frame; the first frames are seen by blocks that nothing has reached yet
    first = _frames_unreached(session.rollout, outputs) if feed.continuous else 0
    held = 0 if feed.continuous else _frames_added(session.rollout)
    looks_back = any(one.looks_back for one in watched)
    before: State = {}
    examples, state = 0, None
    for index, batch in enumerate(feed.once()):
        placed = executor.place(batch.fields)
        fields = {**batch.fields, **placed}
        state = state if feed.continuous else None
        for _ in range(held):  # examples that do not go on from frame to frame are shown until the last block has them
            _, state = executor.look(fields, outputs, phase, index, state)
        if looks_back:
            before = executor.entering(fields, outputs, phase, state)
        sent, state = executor.look(fields, outputs, phase, index, state)
        if index >= first:
            values = {**executor.seen(placed, phase, index), **sent}
            for one in watched:
                one.add(values, before, batch.size)
            examples += batch.size
    return examples


def _frames_added(rollout: Rollout) -> int:
    """How many frames the rollout adds to the longest path; 0 in a net with cycles, which never has all of an input."""
    sources = {name: [source.block for source in block.sources] for name, block in rollout.flat.blocks.items()}
    try:
        order = frame_order(rollout.flat.blocks, sources)
    except ZeroDelayCycleError:
        return 0
    entering: dict[str, list[tuple[str, int]]] = {}
    for edge, own in zip(rollout.edges, rollout.flat.edges, strict=True):
        entering.setdefault(edge.target, []).append((edge.source, max(0, edge.delay - own.delay)))
    frames = dict.fromkeys(rollout.flat.inputs, 0)
    for name in order:
        frames[name] = max((frames[source] + added for source, added in entering.get(name, ())), default=0)
    return max(frames.values(), default=0)


def _frames_unreached(rollout: Rollout, names: Sequence[str]) -> int:
    """How many frames at the beginning of a stream the last of these blocks sends nothing that an input has reached."""
    frames = dict.fromkeys(rollout.flat.inputs, 0)
    waiting = list(frames)
    onward: dict[str, list[tuple[str, int]]] = {}
    for edge in rollout.edges:
        onward.setdefault(edge.source, []).append((edge.target, edge.delay))
    while waiting:
        node = waiting.pop()
        for target, delay in onward.get(node, ()):
            if frames[node] + delay < frames.get(target, math.inf):
                frames[target] = frames[node] + delay
                waiting.append(target)
    sources = [source for name in names for source in rollout.flat.sent_by(name)]
    return max((frames.get(source.block, 0) + source.delay for source in sources), default=0)


def _watched(session: Session, name: str) -> _Watched:
    flat = session.rollout.flat
    module = flat.module(name)
    # a metric that something is done to is told by what it sends: what its sources send is not what it reads
    tells = isinstance(module, Metric) and name not in session.executor.interventions.blocks
    return _Watched(name, module, session.rollout.sources(name) if tells else ())


def _read(source: FlatSource, values: Mapping[str, Any], before: State) -> Any:
    """What a metric reads: of this frame, or of an earlier one."""
    return before[f"{source.name}@{source.delay}"] if source.delay else part(values[source.block], source.place)


def _whole(value: Any) -> Any:
    """Sums of many numbers need more digits than autocast leaves."""
    return value.float() if isinstance(value, Tensor) and value.dtype in _HALF else value
