"""One frame of a placed net, as one of its processes computes it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from rillnet.model.assembly import call_tied
from rillnet.model.flat import FlatSource, part
from rillnet.model.net import Net, Outputs
from rillnet.runtime.interventions.changes import BlockChange, Changes
from rillnet.runtime.interventions.intervening import silenced
from rillnet.runtime.observers.taps import Taps
from rillnet.runtime.placement.boxes import Box, cut, numel, sizes, whole
from rillnet.runtime.placement.changing import LocalChange, local_change
from rillnet.runtime.placement.computing import local_of
from rillnet.runtime.placement.exchange import Anchored, Exchange
from rillnet.runtime.placement.joining import group_of
from rillnet.runtime.placement.local import Local
from rillnet.runtime.placement.plan import PlacementPlan
from rillnet.runtime.placement.transfers import Transfers
from rillnet.runtime.plan import ALWAYS, Seeds, available_in, draws_of, needed_by, slots_of, top_level, works_in_place
from rillnet.runtime.state import State
from rillnet.runtime.turns import seed_generators

TOKEN = "#token"
"""The key of a state under which the token of the last exchange stands."""


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
        self.plan, self.rank, self.groups = plan, rank, groups
        self.locals: dict[str, Local | None] = {name: local_of(plan, name, rank, groups) for name in plan.flat.blocks}

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


@dataclass(frozen=True, slots=True)
class _Read:
    """One tensor that a block reads, or that is sent on whole.

    Args:
        source: the tensor.
        exchange: how it gets here.
        number: of what is moved in a frame; the same for all that read the same part of it.
        is_input: whether every process was given all of it.
    """

    source: FlatSource
    exchange: Exchange
    number: int
    is_input: bool


@dataclass(frozen=True, slots=True)
class _Step:
    """One block's turn.

    Args:
        name: the block.
        reads: for each thing that it reads its tensors, one or nested ones.
        local: what this process computes of it; None for nothing.
        box: the part.
        ties: transposed parameters.
        draws: when it draws random numbers.
        copies: whether it changes what it reads.
        nothing: what it sends where the part is empty, without being computed.
        silent: which of the things it reads are zeros.
        change: what interventions do to what it sends.
    """

    name: str
    reads: tuple[Any, ...]
    local: Local | None
    box: Box | None
    ties: tuple[tuple[str, str, str], ...]
    draws: int
    copies: bool
    nothing: Any
    silent: tuple[int, ...] = ()
    change: LocalChange | None = None


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A frame for one phase, one set of inputs and one size of batch."""

    steps: tuple[_Step, ...]
    outputs: tuple[tuple[str, Any], ...]


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
        self._is_alone = len(self.plan.ranks) == 1
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
        frame = _Frame(self, inputs, state, batch, frame_seed, alone=self._is_alone)
        for step in prepared.steps:
            frame.compute(step)
        if self.taps is not None:
            self.taps.keep_parts(frame.values)
        outputs = Outputs()
        for name, reads in prepared.outputs:
            outputs[name] = frame.whole(reads)
        return outputs, frame.following()

    # --- preparing ----------------------------------------------------------------------------

    def _prepare(self, phase: str, given: tuple[str, ...], batch: int, changed: int) -> _Prepared:
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
        return _Prepared(tuple(self._step(name, there, batch) for name in computed), tuple(outputs))

    def _step(self, name: str, there: set[str], batch: int) -> _Step:
        plan, local = self.plan, self.placed.locals[name]
        module, box = plan.flat.module(name), plan.work(name, self.rank, batch)
        sources = [(port, source) for port, source in enumerate(plan.rollout.sources(name)) if source.block in there]
        reads = tuple(self._on_edge(name, port, source, batch) for port, source in sources)
        block = plan.flat.blocks[name]
        skips = local is not None and box is not None and not local.needs_all and not numel(box)
        nothing = self._nothing(FlatSource(name), batch) if skips else None
        step = _Step(name, reads, local, box, block.ties, draws_of(module), works_in_place(module), nothing)
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

        return self._nested(source, empty)

    def _on_edge(self, name: str, port: int, source: FlatSource, batch: int) -> Any:
        numbers = {leaf: number for number, (leaf, _) in enumerate(self.plan.leaves(source))}

        def read(leaf: FlatSource) -> _Read:
            number = numbers[leaf]
            return self._read(
                leaf,
                (f"{name}[{number}]", port, batch),
                name,
                functools.partial(self.plan.on_edge, name, port, batch, number),
            )

        return self._nested(source, read)

    def _gathered(self, source: FlatSource, batch: int) -> Any:
        def read(leaf: FlatSource) -> _Read:
            key = (f"-> {leaf.name}", leaf.delay, batch)
            return self._read(leaf, key, "outputs", functools.partial(self.plan.gathered, leaf, batch))

        return self._nested(source, read)

    def _nested(self, source: FlatSource, make: Callable[[FlatSource], Any]) -> Any:
        """What is made of each tensor of a source, nested as these are."""
        flat = self.plan.flat
        output = flat.inputs[source.block] if source.block in flat.inputs else flat.blocks[source.block].output

        def nest(output: Any, place: tuple[int, ...]) -> Any:
            if isinstance(output, tuple):
                return tuple(nest(item, (*place, index)) for index, item in enumerate(output))
            return make(FlatSource(source.block, place, source.delay))

        return nest(part(output, source.place), source.place)

    def _read(self, source: FlatSource, key: tuple[str, int, int], reader: str, make: Callable[[], Transfers]) -> _Read:
        label = f"{reader} <- {source.name}"
        exchange, transfers = self.exchange(key, make, label, self.placed.dtype(source))
        number = self._moves.setdefault((source, transfers.needed, transfers.backward), len(self._moves))
        return _Read(source, exchange, number, source.block in self.plan.flat.inputs and not source.delay)

    def exchange(self, key: tuple[str, int, int], make: Callable[[], Transfers], label: str, kind: torch.dtype) -> Any:
        """The exchange on an edge for a batch of some size, made once."""
        if key not in self._exchanges:
            transfers = make()
            self._exchanges[key] = Exchange(transfers, self.rank, kind, label, self.placed.device), transfers
        return self._exchanges[key]


class _Frame:
    """The values of one frame in one process."""

    def __init__(
        self,
        program: PlacedProgram,
        inputs: Mapping[str, Tensor],
        state: Mapping[str, Tensor],
        batch: int,
        seeds: Seeds | None,
        *,
        alone: bool,
    ) -> None:
        self.program, self.plan, self.state, self.batch, self.seeds = program, program.plan, state, batch, seeds
        self.inputs, self.values = inputs, dict[str, Any](inputs)
        for name in inputs:
            if name in self.plan.flat.blocks:
                self.values[name] = self._own_part(FlatSource(name), inputs[name])
        self.moved: dict[int, Any] = {}
        self.token: Tensor | None = None
        if torch.is_grad_enabled() and not alone:
            token = state.get(TOKEN)
            cut_off = token is None or not token.requires_grad
            self.token = torch.zeros((), requires_grad=True) if cut_off else token

    def _own_part(self, source: FlatSource, value: Any) -> Any:
        """Of a block's value that was given, whole, what this process would have computed."""
        held = self.plan.held(source, self.program.rank, self.batch)
        if held is None or not isinstance(value, Tensor):
            return None if held is None else value
        return cut(value, whole(value.shape), held)

    def compute(self, step: _Step) -> None:
        """One block's turn."""
        read = [self._get(item) for item in step.reads]
        local, box = step.local, step.box
        if local is None or box is None:
            return
        if step.nothing is not None:
            self.values[step.name] = step.nothing
            return
        module: nn.Module = local.module
        if self.seeds is not None and step.draws and (step.draws == ALWAYS or module.training):
            seed_generators(self.seeds(step.name))
        if step.copies:
            read = [value.clone() if isinstance(value, Tensor) else value for value in read]
        for position in step.silent:
            read[position] = silenced(read[position])
        try:
            if step.ties:
                self.values[step.name] = call_tied(self.program.net, module, step.ties, read)
            else:
                self.values[step.name], self.token = local(read, box, self.batch, self.token)
        except Exception as error:  # whatever a foreign forward raises, with its address
            shapes = ", ".join(str(list(getattr(value, "shape", ["?"]))) for value in read)
            error.add_note(f"in net/{step.name} of process {self.program.rank}, which read {shapes or 'nothing'}")
            raise
        if step.change is not None:
            self.values[step.name] = step.change(self.values[step.name], self.inputs)

    def _get(self, item: Any) -> Any:
        return tuple(self._get(inner) for inner in item) if isinstance(item, tuple) else self._moved(item)

    def _value(self, source: FlatSource) -> Any:
        """What this process has of a tensor; None for nothing."""
        if source.delay:
            return self.state[f"{source.name}@{source.delay}"]
        value = self.values.get(source.block)
        return None if value is None else part(value, source.place)

    def _moved(self, read: _Read) -> Any:
        if read.number in self.moved:
            return self.moved[read.number]
        exchange = read.exchange
        value = self._value(read.source) if exchange.held is not None else None
        learns = self.token is not None and not (read.is_input and value is not None and not value.requires_grad)
        if exchange.is_local if learns else exchange.is_local_forward:
            found = value if value is None or exchange.needed in (None, exchange.held) else exchange.forward(value)
        else:
            found, token = exchange(value, self.token if learns else None)
            self.token = token if learns else self.token
        self.moved[read.number] = found
        return found

    def whole(self, item: Any) -> Any:
        """All of a tensor, or of several."""
        if isinstance(item, tuple):
            return tuple(self.whole(inner) for inner in item)
        found = self._moved(item)
        if self.token is not None and isinstance(found, Tensor) and found.is_floating_point():
            found = Anchored.apply(found, self.token)  # type: ignore[no-untyped-call]
        return found

    def following(self) -> State:
        """The state for the next frame."""
        following: dict[str, Tensor] = {}
        for slot in self.program.slots:
            sent = self.values.get(slot.source.block)
            if sent is not None:
                sent = part(sent, slot.source.place)
            elif slot.source.block in self.values:
                sent = torch.empty(0)
            else:
                sent = self.state[slot.key(1)]
            following[slot.key(1)] = sent
            following |= {slot.key(delay + 1): self.state[slot.key(delay)] for delay in range(1, slot.length)}
        if self.token is not None:
            following[TOKEN] = self.token
        return following
