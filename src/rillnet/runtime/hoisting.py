"""Windows as a whole: what does not need frames one after the other is lifted out of the loop over them.

    outputs[0 .. T-1], state[T] = window(parameters, state[0], inputs[0 .. T-1])

The numbers are those of the program frame by frame; only the order in which they are computed differs.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from rillnet.model.flat import part
from rillnet.model.layers.loss import CrossEntropy
from rillnet.model.net import Outputs
from rillnet.runtime.beginnings import Beginnings
from rillnet.runtime.operations import AtOnce, CellOverFrames, FrameLosses, Framewise, Operation, ReadOut
from rillnet.runtime.plan import Assembled, Plan, Seeds, Turn
from rillnet.runtime.program import Program
from rillnet.runtime.stages import Past, Stage, divide, leaves, pasts_of
from rillnet.runtime.state import State
from rillnet.runtime.turns import CompiledTurns, EagerTurns, carry_out
from rillnet.runtime.window_values import WindowValues

AT_ONCE = "computed for the whole window at once"
"""What the report says of a block that is not computed frame by frame."""


CELL = "computed for the whole window at once, by a kernel for sequences"

WITH_LOSS = "computed for the whole window at once, with the loss that reads it"


@dataclass(frozen=True, slots=True)
class _Prepared:
    """The operations of a window, and how each block is computed."""

    plan: Plan
    operations: tuple[Operation, ...]
    report: dict[str, str]


class WindowProgram:
    """A program over a window of frames, with all that can be computed for all frames at once computed so.

    Blocks that are in no cycle and treat every example alone read the frames of a window laid end to end in
    the batch. Only cycles go frame by frame, and of those a cell that only reads itself has a kernel for whole
    sequences. Blocks that draw at random keep their seeds by address and frame, and so stay in the loop, like
    those that look across the batch. Losses give each frame its own mean.

    Args:
        program: of one frame.

    Example:
        >>> import rillnet as rn
        >>> net = rn.Net("rnn", inputs={"x": (2,)}, seed=1)
        >>> _ = net.add("rnn", rn.SimpleRNN(hidden_size=3), source="x").add("y", rn.Linear(out_features=1))
        >>> program = rn.Program(net, outputs=["y"])
        >>> window = WindowProgram(program)
        >>> frames = [{"x": torch.randn(4, 2)} for _ in range(5)]
        >>> outputs, state = window(frames, program.initial_state(4))
        >>> expected, _ = program.unroll(frames)
        >>> all(torch.allclose(a["y"], b["y"], atol=1e-6) for a, b in zip(outputs, expected))
        True
        >>> window.report["y"]
        'computed for the whole window at once'
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self._prepared: dict[tuple[Any, ...], _Prepared] = {}

    def __call__(
        self,
        frames: Sequence[Mapping[str, Tensor]],
        state: Mapping[str, Tensor],
        seeds: Sequence[Seeds | None] | None = None,
        begins: Sequence[Tensor | None] | None = None,
    ) -> tuple[list[Outputs], State]:
        """Computes frames in a row.

        Args:
            frames: the inputs of each, all of as many streams.
            state: what the frame before left; it is not changed.
            seeds: for each frame, the seed of what each block draws in it.
            begins: for each frame, which streams begin anew with it, one truth value each; None where none does.

        Returns:
            What was sent in each frame, and the state after the last one.
        """
        masks = Beginnings(begins if begins is not None else [None] * len(frames))
        each = [None] * len(frames) if seeds is None else seeds
        prepared = self._prepare(frames[0], masks, is_seeded=seeds is not None)
        if prepared is None:
            return self._in_a_row(frames, state, each, masks)
        plan = prepared.plan
        values = WindowValues(plan, pasts_of(plan), state, masks, self._batch_dims)
        for name, register in plan.given:
            values.enter(register, [frame[name] for frame in frames])
        for register, whole, place in plan.parts:
            values.enter(register, [part(values.at(whole, t), place) for t in range(len(frames))])
        for operation in prepared.operations:
            operation(values, each)
        outputs = [Outputs() for _ in frames]
        for name, assembled in plan.outputs:
            for t, sent in enumerate(outputs):
                sent[name] = _assembled(values, assembled, t)
        state_after = values.state_after()
        if self.program.taps is not None:
            self.program.taps.keep_newest(plan, values)
        return outputs, state_after

    @property
    def report(self) -> dict[str, str]:
        """For each block that has run, how."""
        at_once = {name: how for prepared in self._prepared.values() for name, how in prepared.report.items()}
        return {**self.program.report, **at_once}

    def _in_a_row(
        self,
        frames: Sequence[Mapping[str, Tensor]],
        state: Mapping[str, Tensor],
        seeds: Sequence[Any],
        masks: Beginnings,
    ) -> tuple[list[Outputs], State]:
        """The frames one after the other, as nothing can be lifted out of the loop."""
        sent = []
        streams = next((tensor.shape[0] for tensor in frames[0].values() if tensor.dim()), 1)
        for frame, mask, seed in zip(frames, masks.for_streams(streams), seeds, strict=True):
            before = state if mask is None else self.program.reset(state, mask)
            outputs, state = self.program(frame, before, frame_seed=seed)
            sent.append(outputs)
        return sent, state

    def _prepare(self, inputs: Mapping[str, Tensor], masks: Beginnings, *, is_seeded: bool) -> _Prepared | None:
        """The operations of a window; None if all of it goes frame by frame."""
        plan = self.program.plan_of(tuple(inputs), seeded=is_seeded)
        if plan is None:
            return None
        device = next((tensor.device.type for tensor in inputs.values()), "cpu")
        # kernels are written for one type of numbers, and one for the cache of a CPU
        kernels = "none" if torch.is_autocast_enabled(device) else device
        settings = tuple((turn.module.training, bool(turn.module._forward_hooks)) for turn in plan.turns)
        key = (id(plan), is_seeded, kernels, masks.within, settings)
        found = self._prepared.get(key)
        if found is None or found.plan is not plan:
            stages = divide(plan, self.program.flat, has_kernels=kernels != "none", begins_within=masks.within)
            found = self._make(plan, stages, fuses=kernels == "cpu", is_seeded=is_seeded)
            self._prepared[key] = found
        return found if found.operations else None

    def _make(self, plan: Plan, stages: Sequence[Stage], *, fuses: bool, is_seeded: bool) -> _Prepared:
        if all(stage.is_framewise for stage in stages):
            return _Prepared(plan, (), {})
        making = _Making(self.program, plan, is_seeded)
        for stage in stages:
            if stage.is_framewise:
                making.add_framewise(stage.turns)
            else:
                making.add_at_once(stage, _read_outs(plan, stage) if fuses else {})
        return _Prepared(plan, tuple(making.operations), making.report)

    @functools.cached_property
    def _batch_dims(self) -> dict[str, int | None]:
        slots = self.program.slots
        return {slot.name: slot.signature.batch_dim if slot.signature.batched else None for slot in slots}


class _Making:
    """The operations of a window, as they are put together."""

    def __init__(self, program: Program, plan: Plan, is_seeded: bool) -> None:
        self.program, self.plan, self.is_seeded = program, plan, is_seeded
        self.pasts = pasts_of(plan)
        self.operations: list[Operation] = []
        self.report: dict[str, str] = {}
        read = {register for turn in plan.turns for register in turn.reads}
        origins = {leaf.register for past in self.pasts.values() for leaf in leaves(past) if leaf.register is not None}
        self.wanted = plan.kept() | read | origins

    def add_framewise(self, turns: Sequence[Turn]) -> None:
        """Turns that are carried out frame by frame."""
        pieces = self._pieces(turns, is_seeded=self.is_seeded)
        self.operations.append(Framewise(pieces, turns))
        for piece in pieces:
            self.report |= piece.report

    def add_at_once(self, stage: Stage, read_outs: Mapping[int, Turn]) -> None:
        """Turns that are carried out for all frames.

        Args:
            stage: the turns.
            read_outs: linear layers that are computed with the loss that reads them, by the register they leave.
        """
        fused = {turn.path for turn in read_outs.values()}
        plain: list[Turn] = []
        for how, turn in zip(stage.how, stage.turns, strict=True):
            if turn.path in fused:
                self.report[turn.path] = WITH_LOSS
                continue
            self.report[turn.path] = CELL if how == "sequence" else AT_ONCE
            if how != "whole" or self._origins_of(turn) & _written(plain):
                self._add_plain(plain)
                plain = []
            if how == "whole":
                plain.append(turn)
                continue
            if how == "sequence":
                self.operations.append(CellOverFrames(turn, self._own_names(turn)))
            else:
                linear = read_outs.get(turn.reads[0])
                self.operations.append(FrameLosses(turn) if linear is None else ReadOut(linear, turn))
        self._add_plain(plain)

    def _origins_of(self, turn: Turn) -> set[int | None]:
        """The registers from which what it reads of earlier frames comes."""
        pasts = [self.pasts[register] for register in turn.reads if register in self.pasts]
        return {leaf.register for past in pasts for leaf in leaves(past)}

    def _add_plain(self, turns: Sequence[Turn]) -> None:
        if turns:
            self.operations.append(AtOnce(self._pieces(turns, is_seeded=False), turns))

    def _own_names(self, turn: Turn) -> list[str]:
        own = [self.pasts[register] for register in turn.reads[1:]]
        return [past.name for past in own if isinstance(past, Past)]

    def _pieces(self, turns: Sequence[Turn], *, is_seeded: bool) -> list[EagerTurns | CompiledTurns]:
        turns = [replace(turn, frees=()) for turn in turns]  # in a window a register is read later than in a frame
        if self.program.compile == "on":
            return carry_out(self.program.net, turns, self.wanted, self.program.backend, seeded=is_seeded)
        return [EagerTurns(self.program.net, turns)]


def _written(turns: Sequence[Turn]) -> set[int]:
    return {register for turn in turns for register in (turn.result, *(r for r, _ in turn.parts))}


def _read_outs(plan: Plan, stage: Stage) -> dict[int, Turn]:
    """Linear layers that nothing but a cross-entropy of the same stage reads, by the register they leave."""
    kept = plan.kept()
    readers: dict[int, list[Turn]] = {}
    for turn in plan.turns:
        for register in turn.reads:
            readers.setdefault(register, []).append(turn)
    found = {}
    for how, turn in zip(stage.how, stage.turns, strict=True):
        reading = readers.get(turn.result, [])
        if how != "whole" or type(turn.module) is not nn.Linear or turn.ties or turn.module._forward_hooks:
            continue
        if turn.result in kept or len(reading) != 1 or reading[0] not in stage.turns:
            continue
        loss = reading[0].module
        if type(loss) is CrossEntropy and loss.label_smoothing == 0 and reading[0].reads[0] == turn.result:
            found[turn.result] = turn
    return found


def _assembled(values: WindowValues, assembled: Assembled, frame: int) -> Any:
    if isinstance(assembled, tuple):
        return tuple(_assembled(values, item, frame) for item in assembled)
    return values.at(assembled, frame)
