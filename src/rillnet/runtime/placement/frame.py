"""The values of one frame in one process: computed block by block, sent on as soon as they are there."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from rillnet.model.flat import FlatSource, part
from rillnet.model.net import Net
from rillnet.model.tying import call_tied
from rillnet.runtime.interventions.intervening import silenced
from rillnet.runtime.observers.taps import Taps
from rillnet.runtime.placement.boxes import cut, whole
from rillnet.runtime.placement.crossing import Crossing
from rillnet.runtime.placement.exchange import Anchored
from rillnet.runtime.placement.plan import PlacementPlan
from rillnet.runtime.placement.steps import Read, Step
from rillnet.runtime.plan import ALWAYS, Seeds, Slot
from rillnet.runtime.state import State
from rillnet.runtime.turns import seed_generators

TOKEN = "#token"
"""The key of a state under which the token of the last exchange stands; what ends so is for exchanges only."""

AHEAD = "#ahead" + TOKEN
"""The key of a state under which stands, with which number its values have been sent ahead."""

Arriving = dict[int, Crossing]
"""What was sent ahead in the frame before, by the number of what is moved."""


class Owner(Protocol):
    """The program whose frames are computed."""

    plan: PlacementPlan
    rank: int
    is_alone: bool
    slots: list[Slot]
    taps: Taps | None

    @property
    def net(self) -> Net:
        """With this process' parameters."""
        ...

    def nested(self, source: FlatSource, make: Callable[[FlatSource], Any]) -> Any:
        """What is made of each tensor of a source, nested as these are."""
        ...


class PlacedFrame:
    """One frame.

    Args:
        program: whose frame it is.
        inputs: by name, whole.
        state: what the frame before left.
        batch: examples.
        seeds: the seed of what each block draws.
        arriving: what the frame before has sent for this one.
    """

    def __init__(
        self,
        program: Owner,
        inputs: Mapping[str, Tensor],
        state: Mapping[str, Tensor],
        batch: int,
        seeds: Seeds | None,
        arriving: Arriving,
    ) -> None:
        self.program, self.plan, self.state, self.batch, self.seeds = program, program.plan, state, batch, seeds
        self.inputs = inputs
        self.values = dict[Hashable, Any](inputs.items())
        for name in inputs:
            if name in self.plan.flat.blocks:
                self.values[name] = self._own_part(FlatSource(name), inputs[name])
        self.parts: dict[Hashable, Any] = {}
        self.moved: dict[Hashable, Any] = {}
        self.crossings: dict[tuple[int, int | None], Crossing] = {}
        self.arriving, self.ahead = arriving, Arriving()
        self.token: Tensor | None = None
        self.goes_back = True
        if torch.is_grad_enabled() and not program.is_alone:
            token = state.get(TOKEN)
            cut_off = token is None or not token.requires_grad
            self.goes_back = token is None or not cut_off  # nothing is learned from a state that was cut off
            self.token = torch.zeros((), requires_grad=True) if cut_off else token

    def _own_part(self, source: FlatSource, value: Any) -> Any:
        """Of a block's value that was given, whole, what this process would have computed."""
        held = self.plan.held(source, self.program.rank, self.batch)
        if held is None or not isinstance(value, Tensor):
            return None if held is None else value
        return cut(value, whole(value.shape), held)

    # --- blocks -------------------------------------------------------------------------------

    def compute(self, step: Step) -> None:
        """One block's turn."""
        takes_part = step.local is not None and step.box is not None
        read = [self._get(item, rows=takes_part) for item in step.reads]
        if takes_part:
            found = self._computed(step, read) if step.nothing is None else self._skipped(step)
            if step.part is None:
                self.values[step.name] = found
            else:
                self.parts[step.name, step.part] = found
        for one in step.sends:
            self._send(one)
        for one in step.ahead:
            self._send_ahead(one, FlatSource(one.source.block, one.source.place))
        if step.frees and self.program.taps is None:
            del read
            for key in step.frees:
                self.values.pop(key, None)
                self.parts.pop(key, None)
                self.moved.pop(key, None)

    def _computed(self, step: Step, read: list[Any]) -> Any:
        local, box = step.local, step.box
        assert local is not None
        assert box is not None
        module: nn.Module = local.module
        if self.seeds is not None and step.draws and (step.draws == ALWAYS or module.training):
            seed_generators(self.seeds(step.name))
        if step.copies:
            read = [value.clone() if isinstance(value, Tensor) else value for value in read]
        for position in step.silent:
            read[position] = silenced(read[position])
        try:
            if step.ties:
                entered, self.token = local.enter(read, self.token)
                found = call_tied(self.program.net, module, step.ties, entered)
                found, self.token = local.leave(found, self.token)
            else:
                found, self.token = local(read, box, self.batch, self.token)
        except Exception as error:  # whatever a foreign forward raises, with its address
            shapes = ", ".join(str(list(getattr(value, "shape", ["?"]))) for value in read)
            error.add_note(f"in net/{step.name} of process {self.program.rank}, which read {shapes or 'nothing'}")
            raise
        return found if step.change is None else step.change(found, self.inputs)

    def _skipped(self, step: Step) -> Any:
        """What is sent where the part is empty."""
        assert step.local is not None
        self.token = step.local.skip(self.token)
        return step.nothing

    # --- what is read -------------------------------------------------------------------------

    def _get(self, item: Any, *, rows: bool) -> Any:
        if isinstance(item, tuple):
            return tuple(self._get(inner, rows=rows) for inner in item)
        found = self._moved(item)
        if item.rows is None or not rows or not isinstance(found, Tensor):
            return found
        dim, (first, end) = item.rows
        return found.narrow(dim, first, end - first)

    def _value(self, source: FlatSource, which: int | None = None) -> Any:
        """What this process has of a tensor; None for nothing."""
        if source.delay:
            return self.state[f"{source.name}@{source.delay}"]
        value = self._whole(source.block) if which is None else self.parts.get((source.block, which))
        return None if value is None else part(value, source.place)

    def _whole(self, name: str) -> Any:
        """What a block has sent, of all examples."""
        if name not in self.values and (name, 0) in self.parts:
            count = len(self.plan.micro_batches.spans(self.batch))
            pieces = [self.parts[name, number] for number in range(count)]

            def joined(leaf: FlatSource) -> Tensor:
                dim = self.plan.signature(leaf).batch_dim
                return torch.cat([part(piece, leaf.place) for piece in pieces], dim)

            self.values[name] = self.program.nested(FlatSource(name), joined)
        return self.values.get(name)

    def _moved(self, read: Read) -> Any:
        if read.key in self.moved:
            return self.moved[read.key]
        if read.key in self.crossings:
            found, token = self.crossings.pop(read.key).receive(self.token)
            self.token = token
        elif read.number in self.arriving:
            connected = self.token if self.goes_back and TOKEN in self.state else None
            found, token = self.arriving.pop(read.number).receive(connected)
            self.token = self.token if connected is None else token
        else:
            found = self._exchanged(read)
        self.moved[read.key] = found
        return found

    def _exchanged(self, read: Read) -> Any:
        """What is sent only now: an input, or what earlier frames have left."""
        exchange = read.exchange
        value = self._value(read.source, read.part) if exchange.held is not None else None
        learns = self.token is not None and not (read.is_input and value is not None and not value.requires_grad)
        learns = learns and (self.goes_back or not read.source.delay)
        if exchange.is_local if learns else exchange.is_local_forward:
            return value if value is None or exchange.needed in (None, exchange.held) else exchange.forward(value)
        found, token = exchange(value, self.token if learns else None)
        self.token = token if learns else self.token
        return found

    def whole(self, item: Any) -> Any:
        """All of a tensor, or of several."""
        if isinstance(item, tuple):
            return tuple(self.whole(inner) for inner in item)
        found = self._moved(item)
        if self.token is not None and isinstance(found, Tensor) and found.is_floating_point():
            found = Anchored.apply(found, self.token)  # type: ignore[no-untyped-call]
        return found

    # --- what is sent -------------------------------------------------------------------------

    def _send(self, read: Read) -> None:
        """Sets off what others, or this process, will read later in this frame."""
        exchange = read.exchange
        if exchange.is_local if self.token is not None else exchange.is_local_forward:
            return
        value = self._value(read.source, read.part) if exchange.held is not None else None
        crossing = self.crossings[read.key] = Crossing(exchange)
        self.token = crossing.send(value, self.token)

    def _send_ahead(self, read: Read, source: FlatSource) -> None:
        """Sets off what will be read in the next frame.

        Args:
            read: how it is read there.
            source: what it is in this frame.
        """
        exchange = read.exchange
        if exchange.is_local if self.token is not None else exchange.is_local_forward:
            return
        value = self._value(source) if exchange.held is not None else None
        crossing = self.ahead[read.number] = Crossing(exchange)
        self.token = crossing.send(value, self.token)

    def begin(self, reads: tuple[Read, ...]) -> None:
        """Sets off what the next frame reads of frames before this one."""
        for read in reads:
            self._send_ahead(read, FlatSource(read.source.block, read.source.place, read.source.delay - 1))

    def sent(self, name: str) -> Any:
        """What this process has of what a block has sent; None for nothing."""
        return self._whole(name) if name in self.plan.flat.blocks else self.values.get(name)

    def following(self, number: int) -> State:
        """The state for the next frame.

        Args:
            number: of what was sent ahead for it.
        """
        following: dict[str, Tensor] = {}
        for slot in self.program.slots:
            sent = self._whole(slot.source.block)
            if sent is not None:
                sent = part(sent, slot.source.place)
            elif slot.source.block in self.values or (slot.source.block, 0) in self.parts:
                sent = torch.empty(0)
            else:
                sent = self.state[slot.key(1)]
            following[slot.key(1)] = sent
            following |= {slot.key(delay + 1): self.state[slot.key(delay)] for delay in range(1, slot.length)}
        if self.token is not None:
            following[TOKEN] = self.token
        if self.ahead:
            following[AHEAD] = torch.tensor(number)
        return following
