"""One frame of a placed net, as one of its processes computes it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from rillnet.model.assembly import call_tied
from rillnet.model.flat import FlatSource, part
from rillnet.model.net import Net, Outputs
from rillnet.runtime.placement.boxes import Box, sizes
from rillnet.runtime.placement.exchange import Anchored, Exchange
from rillnet.runtime.placement.local import Local, local_of
from rillnet.runtime.placement.plan import PlacementPlan
from rillnet.runtime.placement.transfers import Transfers
from rillnet.runtime.plan import ALWAYS, Seeds, available_in, draws_of, needed_by, slots_of, top_level
from rillnet.runtime.state import State
from rillnet.runtime.turns import seed_generators

TOKEN = "#token"
"""The key of a state under which the token of the last exchange stands."""


class ProcessGroups:
    """Groups of processes, each made once.

    Args:
        processes: how many there are in all.
    """

    def __init__(self, processes: int) -> None:
        self.processes = processes
        self._made: dict[tuple[int, ...], Any] = {}

    def __call__(self, ranks: Iterable[int]) -> Any:
        """The group of these processes; every process must ask for it, in the same order."""
        chosen = tuple(sorted(set(ranks)))
        if chosen not in self._made:
            everyone = len(chosen) == self.processes
            self._made[chosen] = dist.group.WORLD if everyone else dist.new_group(list(chosen))
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


class PlacedProgram:
    """One frame: what this process computes of it, and what it sends to and gets from the others.

    All processes are given the same inputs, and all get the same outputs, whole.

    Args:
        placed: the net.
        outputs: what is wanted.
        phase: train, val or test; None is the net's phase when it is called.
    """

    def __init__(self, placed: PlacedNet, outputs: Sequence[str] | None = None, phase: str | None = None) -> None:
        self.placed, self.plan, self.rank, self.phase = placed, placed.plan, placed.rank, phase
        flat = self.plan.flat
        wanted = top_level(flat, ()) if outputs is None else {name: flat.sent_by(name) for name in outputs}
        self._wanted = wanted
        read = [source for sources in wanted.values() for source in sources]
        every = {*flat.inputs, *flat.blocks}
        names = every if outputs is None else needed_by((s.block for s in read), self.plan.rollout, every)
        self.slots = slots_of(self.plan.rollout, names, read)
        self._prepared = functools.lru_cache(maxsize=32)(self._prepare)
        self._exchanges: dict[tuple[str, int, int], tuple[Exchange, Any]] = {}

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
            zeros = torch.empty(0) if held is None else torch.zeros(sizes(held), dtype=slot.signature.dtype)
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
        frame = _Frame(self, inputs, state, batch, frame_seed)
        computed, there = self._prepared(self.phase or self.net.phase, tuple(inputs))
        for name in computed:
            frame.compute(name, there)
        outputs = Outputs()
        for name, sources in self._wanted.items():
            if all(source.block in there for source in sources):
                found = tuple(frame.whole(source) for source in sources)
                outputs[name] = found if len(found) > 1 else found[0]
        return outputs, frame.following()

    def _prepare(self, phase: str, given: tuple[str, ...]) -> tuple[list[str], set[str]]:
        rollout, flat = self.plan.rollout, self.plan.flat
        available = available_in(flat, phase, given)
        wanted = [source.block for sources in self._wanted.values() for source in sources]
        read = [*wanted, *(slot.source.block for slot in self.slots)]
        needed = needed_by(read, rollout, available, given)
        return [name for name in rollout.order() if name in needed and name in flat.blocks and name not in given], (
            needed | {name for name in given if name in available}
        )

    def exchange(self, key: tuple[str, int, int], make: Callable[[], Transfers], label: str, kind: torch.dtype) -> Any:
        """The exchange on an edge for a batch of some size, made once."""
        if key not in self._exchanges:
            transfers = make()
            self._exchanges[key] = Exchange(transfers, self.rank, kind, label), transfers
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
    ) -> None:
        self.program, self.plan, self.state, self.batch, self.seeds = program, program.plan, state, batch, seeds
        self.values: dict[str, Any] = dict(inputs)
        self.moved: dict[Any, Tensor] = {}
        self.learning = torch.is_grad_enabled()
        self.token: Tensor | None = None
        if self.learning:
            self.token = state.get(TOKEN)
            if self.token is None:
                self.token = torch.zeros((), requires_grad=True)

    def compute(self, name: str, there: set[str]) -> None:
        """One block's turn."""
        program, plan = self.program, self.plan
        sources = [(port, s) for port, s in enumerate(plan.rollout.sources(name)) if s.block in there]
        read = [self._read(name, port, source) for port, source in sources]
        local = program.placed.locals[name]
        box = plan.work(name, program.rank, self.batch)
        if local is None or box is None:
            return
        module = local.module
        draws = draws_of(module)
        if self.seeds is not None and draws and (draws == ALWAYS or module.training):
            seed_generators(self.seeds(name))
        ties = plan.flat.blocks[name].ties
        try:
            if ties:
                self.values[name] = call_tied(program.net, module, ties, read)
            else:
                self.values[name], self.token = local(read, box, self.batch, self.token)
        except Exception as error:  # whatever a foreign forward raises, with its address
            shapes = ", ".join(str(list(getattr(value, "shape", ["?"]))) for value in read)
            error.add_note(f"in net/{name} of process {program.rank}, which read {shapes or 'nothing'}")
            raise

    def _value(self, source: FlatSource) -> Any:
        """What this process has of a tensor; None for nothing."""
        if source.delay:
            tensor = self.state[f"{source.name}@{source.delay}"]
            return None if self.plan.held(source, self.program.rank, self.batch) is None else tensor
        value = self.values.get(source.block)
        return None if value is None else part(value, source.place)

    def _read(self, name: str, port: int, source: FlatSource) -> Any:
        program, plan, batch = self.program, self.plan, self.batch
        kind = plan.signature(source).dtype
        exchange, transfers = program.exchange(
            (name, port, batch), lambda: plan.on_edge(name, port, batch), f"{name} <- {source.name}", kind
        )
        return self._moved(exchange, transfers, source)

    def whole(self, source: FlatSource) -> Any:
        """All of a tensor."""
        kind = self.plan.signature(source).dtype
        key = (f"-> {source.name}", source.delay, self.batch)
        exchange, transfers = self.program.exchange(
            key, lambda: self.plan.gathered(source, self.batch), f"outputs <- {source.name}", kind
        )
        found = self._moved(exchange, transfers, source)
        if self.token is not None and isinstance(found, Tensor) and found.is_floating_point():
            found = Anchored.apply(found, self.token)  # type: ignore[no-untyped-call]
        return found

    def _moved(self, exchange: Exchange, transfers: Transfers, source: FlatSource) -> Any:
        key = (source, transfers.needed, transfers.backward)
        if key not in self.moved:
            value = self._value(source)
            is_given = source.block in self.plan.flat.inputs
            if transfers.is_local(learning=self.learning and not is_given):
                needed = exchange.needed
                unchanged = value is None or needed is None or needed == exchange.held
                found = value if unchanged else exchange.forward(value)
            else:
                found, self.token = exchange(value, self.token)
            self.moved[key] = found
        return self.moved[key]

    def following(self) -> State:
        """The state for the next frame."""
        following: dict[str, Tensor] = {}
        for slot in self.program.slots:
            if slot.source.block in self.values:
                sent = part(self.values[slot.source.block], slot.source.place)
            else:
                held = self.plan.held(slot.source, self.program.rank, self.batch)
                sent = torch.empty(0) if held is None else self.state[slot.key(1)]
            following[slot.key(1)] = sent
            following |= {slot.key(delay + 1): self.state[slot.key(delay)] for delay in range(1, slot.length)}
        if self.token is not None:
            following[TOKEN] = self.token
        return following
