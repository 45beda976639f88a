"""Evaluator: frames of a net on its device, without learning.

What any frame needs is prepared here: its program, where its inputs lie, which streams begin with it, and what
everything drawn at random in it depends on.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Required, TypedDict

import torch
from torch import Tensor

from rillnet.errors import Fault, RequestError, first_line
from rillnet.model.flat import FlatSource
from rillnet.model.net import Net, Outputs
from rillnet.model.rollout import Rollout
from rillnet.random import derive
from rillnet.runtime.interventions.interventions import Interventions
from rillnet.runtime.placement.executing import Executing
from rillnet.runtime.placement.placed import Placement
from rillnet.runtime.placement.program import TOKEN
from rillnet.runtime.program import Program
from rillnet.runtime.state import State
from rillnet.spec import ExecutionSpec, Phase
from rillnet.types import BEGINS

_AUTOCAST: dict[str, torch.dtype] = {"bf16": torch.bfloat16, "fp16": torch.float16}


def find_device(name: str) -> torch.device:
    """The device of that name; `auto` takes a CUDA device where there is one.

    Raises:
        RequestError: there is no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device).item()
    except (RuntimeError, AssertionError) as error:
        rule = f"is not available here: {first_line(error)}"
        raise RequestError(Fault("run.device", rule, name, hint="rillnet doctor lists what is")) from error
    return device


def lay_out(net: Net, execution: ExecutionSpec) -> Net:
    """Puts a net's parameters into the memory format; before optimisers see them, as their kernels go by strides."""
    if execution.memory_format == "channels_last":
        net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return net


class Conditions(TypedDict, total=False):
    """How frames are computed; see `Evaluator`, whose keywords these are."""

    execution: Required[ExecutionSpec]
    precision: str
    seed: int
    reset: str | None
    placement: Placement | None
    interventions: Interventions | None


class Evaluator:
    """Runs frames of a net without learning.

    Args:
        net: the net, on its device.
        rollout: the delay of every edge.
        execution: how the net is executed.
        precision: fp32, or what most of a frame is computed in: bf16, fp16; fp64 for the whole net.
        seed: draws dropout and noise, by block and frame.
        reset: the field that says which streams begin anew, from a state of zeros: where it is true, or where it is 0
            if it counts frames. None if all go on for ever.
        placement: what this process has of the net, where it is one of several.
        interventions: what is done to the net from outside, if that outlives this evaluator.
    """

    def __init__(
        self,
        net: Net,
        rollout: Rollout,
        *,
        execution: ExecutionSpec,
        precision: str = "fp32",
        seed: int = 0,
        reset: str | None = None,
        placement: Placement | None = None,
        interventions: Interventions | None = None,
    ) -> None:
        self.net, self.rollout, self.execution = net, rollout, execution
        self.precision, self.seed, self.reset = precision, seed, reset
        self.device = next((p.device for p in net.parameters()), net.device)
        self.placement = placement
        if interventions is None:
            kind = next((p.dtype for p in net.parameters() if p.is_floating_point()), torch.get_default_dtype())
            interventions = Interventions(rollout.flat, dtype=kind, device=self.device, seed=seed)
        self.interventions = interventions.moved_to(rollout.flat)
        self._programs: dict[tuple[str, tuple[str, ...]], Program | Executing] = {}
        self._latest: tuple[Phase, tuple[str, ...], Program | Executing] | None = None

    @property
    def compiles(self) -> bool:
        """Whether frames are compiled."""
        return bool(self.execution.compile)

    def forget_programs(self) -> None:
        """Has programs made anew, as blocks or what is done to them have changed."""
        self._programs.clear()
        self._latest = None

    def program(self, phase: Phase, outputs: Sequence[str]) -> Program | Executing:
        """The frame function that computes these outputs in a phase; made once."""
        latest = self._latest
        if latest is not None and latest[1] is outputs and latest[0] == phase:
            return latest[2]  # hashing thousands of names would take as long as a small frame
        names = tuple(outputs)
        key = (phase, names)
        if key not in self._programs and self.placement is not None:
            self._programs[key] = self.placement.program(outputs, phase, self.interventions)
        if key not in self._programs:
            self._programs[key] = self._made(phase, outputs)
        self._latest = phase, names, self._programs[key]
        return self._programs[key]

    def _made(self, phase: Phase, outputs: Sequence[str], also: Mapping[str, FlatSource] | None = None) -> Program:
        return Program(
            self.net,
            self.rollout,
            outputs=outputs,
            phase=phase,
            compile="on" if self.compiles else "off",
            group=self.execution.group or "auto",
            also=also,
            interventions=self.interventions,
        )

    def evaluate(self, fields: Mapping[str, Tensor], outputs: Sequence[str], phase: Phase, index: int) -> Outputs:
        """One frame without learning, from a state of zeros.

        Args:
            fields: the inputs of the net, by name.
            outputs: what is wanted.
            phase: train, val or test.
            index: which frame of the evaluation, for what is drawn at random.
        """
        return self.look(fields, outputs, phase, index, None)[0]

    @torch.no_grad()
    def look(
        self, fields: Mapping[str, Tensor], outputs: Sequence[str], phase: Phase, index: int, state: State | None
    ) -> tuple[Outputs, State]:
        """One frame without learning.

        Args:
            fields: the inputs of the net, by name.
            outputs: what is wanted.
            phase: train, val or test.
            index: which frame, for what is drawn at random.
            state: what the frame before left; zeros if None.
        """
        if self.net.phase != phase or self.net.training != (phase == "train"):
            self.net.set_phase(phase)
        with threads(self.execution.threads), self._autocast():
            self._seed_frame(index, phase)
            program = self.program(phase, outputs)
            placed = self.place(fields)
            if state is not None:
                state = self._begun(program, {**placed, **self._begins(fields)}, state)
            return program(self.interventions.entered(placed, phase, index), state)

    def seen(self, placed: Mapping[str, Tensor], phase: Phase, index: int) -> Mapping[str, Tensor]:
        """Inputs as `look` shows them to the net: with what interventions do to them.

        Args:
            placed: the inputs of the net, as `place` gives them.
            phase: train, val or test.
            index: which frame.
        """
        return self.interventions.seen(placed, phase, index)

    def entering(
        self, fields: Mapping[str, Tensor], outputs: Sequence[str], phase: Phase, state: State | None
    ) -> State:
        """The state that `look` computes a frame from: zeros at first, and for streams that begin anew with the frame.

        Args:
            fields: the inputs of the net, and the field that says which streams begin, by name.
            outputs: what is wanted.
            phase: train, val or test.
            state: what the frame before left; zeros if None.
        """
        program = self.program(phase, outputs)
        if state is None:
            entered = program.initial_state(streams_of(fields))
        else:
            entered = self._begun(program, {**fields, **self._begins(fields)}, state)
        if self.placement is None:
            return entered
        kept = {key: tensor for key, tensor in entered.items() if not key.endswith(TOKEN)}
        return self.placement.whole_state(kept, streams_of(fields), everyone=True)

    def _begins(self, fields: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Which streams begin anew in a frame, under a key of its own; nothing where none does."""
        if self.reset is None or self.reset not in fields:
            return {}
        told_N = fields[self.reset]
        mask_N = told_N if told_N.dtype == torch.bool else told_N == 0
        if mask_N.device.type == "cpu":  # elsewhere it would be waited for
            if not bool(mask_N.any()):
                return {}
            if bool(mask_N.all()):
                return {BEGINS: mask_N.new_ones(())}
        return {BEGINS: mask_N.to(self.device, non_blocking=True)}

    def _begun(self, program: Program | Executing, fields: Mapping[str, Tensor], state: State) -> State:
        """The state before a frame, at zero for the streams that begin with it."""
        begins = fields.get(BEGINS)
        if begins is None:
            return state
        return program.reset(state, begins) if begins.dim() else program.initial_state(streams_of(fields))

    def place(self, fields: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The fields that are inputs of the net, on its device, in its precision and memory format."""
        placed = {}
        for name in self.net.inputs:
            if name not in fields:
                continue
            tensor = fields[name].to(self.device, non_blocking=True)
            if self.precision == "fp64" and tensor.is_floating_point():
                tensor = tensor.double()
            if tensor.dim() == 4 and self.execution.memory_format == "channels_last":
                tensor = tensor.contiguous(memory_format=torch.channels_last)
            placed[name] = tensor
        return placed

    def _autocast(self) -> contextlib.AbstractContextManager[Any]:
        dtype = _AUTOCAST.get(self.precision)
        return torch.autocast(self.device.type, dtype=dtype) if dtype else contextlib.nullcontext()

    def _seed_frame(self, step: int, phase: str = "train") -> None:
        """Any draw of a frame depends on the seed and the frame alone, so that a resumed run draws the same."""
        seed = derive(self.seed, phase, step)
        torch.default_generator.manual_seed(seed)
        if self.device.type == "cuda":
            torch.cuda.manual_seed(seed)

    def _block_seed(self, step: int) -> Callable[[str], int]:
        return lambda block: derive(self.seed, "block", block, step)


def streams_of(fields: Mapping[str, Tensor]) -> int:
    """How many examples, or streams, a frame has."""
    return next((tensor.shape[0] for tensor in fields.values() if tensor.dim()), 1)


@contextlib.contextmanager
def threads(count: int | None) -> Iterator[None]:
    """Runs a passage with another number of threads, which torch keeps for the whole process."""
    before = torch.get_num_threads()
    if count is None or count == before:
        yield
        return
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
