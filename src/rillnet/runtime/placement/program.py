"""One frame of a placed net, as one of its processes computes it."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from rillnet.model.flat import FlatSource, part
from rillnet.model.net import Net, Outputs
from rillnet.runtime.interventions.changes import BlockChange, Changes
from rillnet.runtime.observers.taps import Taps
from rillnet.runtime.placement.boxes import Box, Span, numel, sizes
from rillnet.runtime.placement.changing import local_change
from rillnet.runtime.placement.computing import local_of
from rillnet.runtime.placement.exchange import Exchange, UnderWay
from rillnet.runtime.placement.frame import AHEAD, TOKEN, Arriving, PlacedFrame
from rillnet.runtime.placement.joining import group_of
from rillnet.runtime.placement.local import Local
from rillnet.runtime.placement.own_statistics import LocalPartNorm, remember_statistics
from rillnet.runtime.placement.plan import PlacementPlan
from rillnet.runtime.placement.steps import Prepared, Read, Step, scheduled
from rillnet.runtime.placement.transfers import Transfers
from rillnet.runtime.plan import Seeds, available_in, draws_of, needed_by, slots_of, top_level, works_in_place
from rillnet.runtime.state import State

__all__ = ["TOKEN", "PlacedNet", "PlacedProgram", "ProcessGroups"]

_NUMBERS = itertools.count()
"""Of frames that have sent something ahead, so that no state is taken for another's."""


class ProcessGroups:
    """Groups of processes, each made once.

    Args:
        processes: how many there are in all.
        apart: whether even the group of all is one of its own, for messages whose order is another.
    """

    def __init__(self, processes: int, *, apart: bool = False) -> None:
        self.processes, self.apart = processes, apart
        self._made: dict[tuple[int, ...], Any] = {}

    def __call__(self, ranks: Iterable[int]) -> Any:
        """The group of these processes; every process must ask for it, in the same order."""
        chosen = tuple(sorted(set(ranks)))
        if chosen not in self._made:
            everyone = len(chosen) == self.processes and not self.apart
            self._made[chosen] = dist.group.WORLD if everyone else group_of(chosen)
        return self._made[chosen]


class PlacedNet:
    """A net of which this process has its part.

    Args:
        plan: who computes what; the net's modules hold this process' parameters.
        rank: this process.
        groups: makes process groups.
    """

    def __init__(self, plan: PlacementPlan, rank: int, groups: ProcessGroups) -> None:
        self.plan, self.rank, self.groups, self.under_way = plan, rank, groups, UnderWay()
        self.locals: dict[str, Local | None] = {name: local_of(plan, name, rank, groups) for name in plan.flat.blocks}
        self.part_norms = [local for local in self.locals.values() if isinstance(local, LocalPartNorm)]

    def box(self, name: str, batch: int) -> Box | None:
        """The part of a block that this process computes."""
        return self.plan.work(name, self.rank, batch)

    @functools.cached_property
    def float_type(self) -> torch.dtype:
        """The type of its floating-point parameters, which is that of what its blocks send."""
        parameters = self.plan.flat.net.parameters()
        return next((p.dtype for p in parameters if p.is_floating_point()), torch.float32)

    def dtype(self, source: FlatSource) -> torch.dtype:
        """The element type of a tensor."""
        told = self.plan.signature(source).dtype
        return self.float_type if told.is_floating_point else told

    @property
    def device(self) -> torch.device:
        """Where its tensors are."""
        net = self.plan.flat.net
        return net.device if isinstance(net, Net) else torch.device("cpu")


class PlacedProgram:
    """One frame: what this process computes of it, and what it sends to and gets from the others.

    All processes are given the same inputs, and all get the same outputs, whole.

    Args:
        placed: the net.
        outputs: what is wanted.
        phase: train, val or test; None is the net's phase when it is called.
        interventions: what is done to blocks from outside, the same in all processes.
    """

    def __init__(
        self,
        placed: PlacedNet,
        outputs: Sequence[str] | None = None,
        phase: str | None = None,
        interventions: Changes | None = None,
    ) -> None:
        self._interventions = interventions
        self.placed, self.plan, self.rank, self.phase = placed, placed.plan, placed.rank, phase
        flat = self.plan.flat
        self.is_alone = len(self.plan.ranks) == 1
        wanted = top_level(flat, ()) if outputs is None else {name: flat.sent_by(name) for name in outputs}
        self._wanted = wanted
        read = [source for sources in wanted.values() for source in sources]
        every = {*flat.inputs, *flat.blocks}
        names = every if outputs is None else needed_by((s.block for s in read), self.plan.rollout, every)
        self.slots = slots_of(self.plan.rollout, names, read)
        self.taps: Taps | None = None
        self._prepared = functools.lru_cache(maxsize=32)(self._prepare)
        self._exchanges: dict[tuple[str, int, int], tuple[Exchange, Any]] = {}
        self._moves: dict[Any, int] = {}
        self._ahead = Arriving()
        self._number = -1

    @property
    def net(self) -> Net:
        """The net, with this process' parameters."""
        net = self.plan.flat.net
        assert isinstance(net, Net)
        return net

    def initial_state(self, batch: int) -> State:
        """The state before the first frame: zeros, of the parts that this process has."""
        state: dict[str, Tensor] = {}
        for slot in self.slots:
            held = self.plan.held(slot.source, self.rank, batch)
            kind, device = self.placed.dtype(slot.source), self.placed.device
            zeros = torch.zeros((0,) if held is None else sizes(held), dtype=kind, device=device)
            state |= {slot.key(delay): zeros for delay in range(1, slot.length + 1)}
        return state

    def __call__(
        self,
        inputs: Mapping[str, Tensor],
        state: Mapping[str, Tensor] | None = None,
        *,
        frame_seed: Seeds | None = None,
    ) -> tuple[Outputs, State]:
        """Computes one frame.

        Args:
            inputs: by name, whole, the same in every process.
            state: what the last frame left; zeros if None.
            frame_seed: the seed of what each block draws in this frame.

        Returns:
            What was sent, whole, and the state for the next frame.
        """
        batch = next((tensor.shape[0] for tensor in inputs.values() if tensor.dim()), 1)
        state = self.initial_state(batch) if state is None else state
        changed = 0 if self._interventions is None else self._interventions.key
        prepared = self._prepared(self.phase or self.net.phase, tuple(inputs), batch, changed)
        self.placed.under_way.turn()
        frame = PlacedFrame(self, inputs, state, batch, frame_seed, self._arriving(state))
        for norm in self.placed.part_norms:
            norm.taken = None  # of a frame that failed
        frame.begin(prepared.ahead)
        for step in prepared.steps:
            frame.compute(step)
        if self.placed.part_norms:
            self.remember()
        if self.taps is not None:
            self.taps.keep_parts({name: frame.sent(name) for name in self.taps.wanted})
        outputs = Outputs()
        for name, reads in prepared.outputs:
            outputs[name] = frame.whole(reads)
        self._ahead, self._number = frame.ahead, next(_NUMBERS)
        return outputs, frame.following(self._number)

    def remember(self) -> None:
        """Has running statistics follow what the frame has taken of parts of the batch."""
        remember_statistics(self.placed.part_norms)

    def _arriving(self, state: Mapping[str, Tensor]) -> Arriving:
        """What the frame before has sent for one that goes on from its state; for another it is of no use."""
        found, self._ahead = self._ahead, {}
        told = state.get(AHEAD)
        if found and (told is None or int(told) != self._number):
            for crossing in found.values():
                crossing.drop()
            found = {}
        return found

    # --- preparing ----------------------------------------------------------------------------

    def _prepare(self, phase: str, given: tuple[str, ...], batch: int, changed: int) -> Prepared:
        rollout, flat = self.plan.rollout, self.plan.flat
        if self._interventions is not None:
            given = tuple(name for name in given if name not in self._interventions.drawn)
        available = available_in(flat, phase, given)
        wanted = [source.block for sources in self._wanted.values() for source in sources]
        read = [*wanted, *(slot.source.block for slot in self.slots)]
        needed = needed_by(read, rollout, available, given)
        there = needed | {name for name in given if name in available}
        computed = [name for name in rollout.order() if name in needed and name in flat.blocks and name not in given]
        outputs = []
        for name, sources in self._wanted.items():
            if all(source.block in there for source in sources):
                found = tuple(self._gathered(source, batch) for source in sources)
                outputs.append((name, found if len(found) > 1 else found[0]))
        changed_ones = frozenset() if self._interventions is None else frozenset(self._interventions.blocks)
        parted = self.plan.micro_batches.blocks - changed_ones - set(given)
        turns = self.plan.micro_batches.turns(computed, batch, parted)
        steps = [self._step(name, part, there, batch, parted) for name, part in turns]
        return scheduled(steps, outputs, frozenset(slot.source.block for slot in self.slots))

    def _step(self, name: str, part: int | None, there: set[str], batch: int, parted: frozenset[str]) -> Step:
        plan, local = self.plan, self.placed.locals[name]
        module, rows = plan.flat.module(name), None if part is None else plan.micro_batches.spans(batch)[part]
        box = plan.work(name, self.rank, batch)
        if box is not None and rows is not None:
            box = (rows, *box[1:])
        sources = [(port, source) for port, source in enumerate(plan.rollout.sources(name)) if source.block in there]
        reads = tuple(
            self._on_edge(
                name, port, source, batch, part if source.block in parted and not source.delay else None, rows
            )
            for port, source in sources
        )
        block = plan.flat.blocks[name]
        skips = local is not None and box is not None and not local.needs_all and not numel(box)
        nothing = self._nothing(FlatSource(name), batch if rows is None else rows[1] - rows[0]) if skips else None
        step = Step(name, part, reads, local, box, block.ties, draws_of(module), works_in_place(module), nothing)
        change: BlockChange | None = None if self._interventions is None else self._interventions.blocks.get(name)
        if change is None:
            return step
        silent = tuple(position for position, (port, _) in enumerate(sources) if port in change.silent)
        return replace(step, silent=silent, change=local_change(plan, name, self.rank, batch, change))

    def _nothing(self, source: FlatSource, batch: int) -> Any:
        """What a block sends where its part is empty."""

        def empty(leaf: FlatSource) -> Tensor:
            held = self.plan.held(leaf, self.rank, batch)
            assert held is not None
            return torch.zeros(sizes(held), dtype=self.placed.dtype(leaf), device=self.placed.device)

        return self.nested(source, empty)

    def _on_edge(
        self, name: str, port: int, source: FlatSource, batch: int, part: int | None, rows: Span | None
    ) -> Any:
        """What a block reads at a port: of a part of the batch it is moved alone, or as some rows of all of it."""
        numbers = {leaf: number for number, (leaf, _) in enumerate(self.plan.leaves(source))}
        size = batch if part is None or rows is None else rows[1] - rows[0]

        def read(leaf: FlatSource) -> Read:
            number = numbers[leaf]
            key = (f"{name}[{number}]", port, size)
            found = self._read(leaf, key, name, functools.partial(self.plan.on_edge, name, port, size, number))
            signature = self.plan.signature(leaf)
            if part is not None:
                return replace(found, part=part)
            return replace(found, rows=(signature.batch_dim, rows)) if rows and signature.batched else found

        return self.nested(source, read)

    def _gathered(self, source: FlatSource, batch: int) -> Any:
        def read(leaf: FlatSource) -> Read:
            key = (f"-> {leaf.name}", leaf.delay, batch)
            return self._read(leaf, key, "outputs", functools.partial(self.plan.gathered, leaf, batch))

        return self.nested(source, read)

    def nested(self, source: FlatSource, make: Callable[[FlatSource], Any]) -> Any:
        """What is made of each tensor of a source, nested as these are."""
        flat = self.plan.flat
        output = flat.inputs[source.block] if source.block in flat.inputs else flat.blocks[source.block].output

        def nest(output: Any, place: tuple[int, ...]) -> Any:
            if isinstance(output, tuple):
                return tuple(nest(item, (*place, index)) for index, item in enumerate(output))
            return make(FlatSource(source.block, place, source.delay))

        return nest(part(output, source.place), source.place)

    def _read(self, source: FlatSource, key: tuple[str, int, int], reader: str, make: Callable[[], Transfers]) -> Read:
        label = f"{reader} <- {source.name}"
        exchange, transfers = self.exchange(key, make, label, self.placed.dtype(source))
        number = self._moves.setdefault((source, transfers.needed, transfers.backward), len(self._moves))
        return Read(source, exchange, number, source.block in self.plan.flat.inputs and not source.delay)

    def exchange(self, key: tuple[str, int, int], make: Callable[[], Transfers], label: str, kind: torch.dtype) -> Any:
        """The exchange on an edge for a batch of some size, made once."""
        if key not in self._exchanges:
            transfers = make()
            found = Exchange(transfers, self.rank, kind, label, self.placed.device, self.placed.under_way)
            self._exchanges[key] = found, transfers
        return self._exchanges[key]
