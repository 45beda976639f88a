"""Program: a net and a rollout as one function, from a state and inputs to outputs and the next state."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from rillnet.errors import AddressError, Fault, RequestError, ShapeError, suggest
from rillnet.model.flat import outputs_of, part
from rillnet.model.net import Net, Outputs
from rillnet.model.rollout import Rollout
from rillnet.runtime.plan import Assembled, Plan, Seeds, Slot, make_plan, needed_by, slots_of, top_level
from rillnet.runtime.state import State, reset_streams, zero_state
from rillnet.runtime.turns import CompiledTurns, EagerTurns, carry_out
from rillnet.spec import PHASES


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A plan with the functions that carry it out, and where its modules are looked up."""

    plan: Plan
    parts: tuple[EagerTurns | CompiledTurns, ...]
    holders: list[tuple[dict[str, nn.Module | None], str]]
    modules: list[nn.Module | None]

    def is_current(self) -> bool:
        """Whether every module is still the one that was planned with."""
        return [held[name] for held, name in self.holders] == self.modules


class Program:
    """One frame of a net: what it sends and the next state, from the inputs and the state.

        outputs[t], state[t + 1] = frame(parameters, state[t], inputs[t])

    An edge of delay d reads what its source sent d frames ago, zeros before the first frame. Each example
    of a batch is a stream of its own. Gradients flow through the state, so that frames in a row are
    back-propagation through time; `detach_state` ends it. The net's structure is read once; its modules
    may be replaced at any time.

    Args:
        net: the net.
        rollout: the delay of every edge; sequential if None.
        outputs: what is wanted, blocks of nested nets as `res1/conv1`; nothing else is computed, and what is
            not wanted is freed as soon as nothing reads it. None computes all and sends the net's own blocks.
        phase: train, val or test; None is the net's phase when it is called.
        compile: `on` compiles the frame when it is first run; what torch cannot compile is left to Python.
        backend: of torch.compile.

    Raises:
        RequestError: the rollout is not valid, or an output is unknown.

    Example:
        >>> import torch
        >>> import rillnet as rn
        >>> net = rn.Net("sum", inputs={"x": (1,)}).add("total", rn.Sum(), source=["x", "total@-1"])
        >>> program = Program(net)
        >>> frames, state = program.unroll({"x": torch.tensor([[value]])} for value in (1.0, 2.0, 3.0))
        >>> [float(outputs["total"]) for outputs in frames], state
        ([1.0, 3.0, 6.0], {'total@1': tensor([[6.]])})
    """

    def __init__(
        self,
        net: Net,
        rollout: Rollout | None = None,
        *,
        outputs: Sequence[str] | None = None,
        phase: str | None = None,
        compile: str = "off",
        backend: str | Callable[..., Any] = "inductor",
    ) -> None:
        if compile not in ("off", "on"):
            raise RequestError(Fault("compile", "must be off or on", compile))
        if phase is not None and phase not in PHASES:
            raise RequestError(Fault("phase", "must be train, val or test", phase))
        self.net, self.phase, self.compile, self.backend = net, phase, compile, backend
        self.rollout = Rollout.sequential(net) if rollout is None else rollout
        self.rollout.order()
        self.flat = self.rollout.flat
        self.outputs = None if outputs is None else tuple(outputs)
        self._wanted = None if outputs is None else {name: self.flat.sent_by(name) for name in outputs}
        self._slots = self._find_slots()
        self._prepared: dict[tuple[str, tuple[str, ...], bool, bool], _Prepared] = {}

    def _find_slots(self) -> list[Slot]:
        every = {*self.flat.inputs, *self.flat.blocks}
        wanted = top_level(self.flat, ()) if self._wanted is None else self._wanted
        read = [source for sources in wanted.values() for source in sources]
        names = every if self._wanted is None else needed_by((s.block for s in read), self.rollout, every)
        return slots_of(self.rollout, names, read)

    # --- state --------------------------------------------------------------------------------

    def initial_state(self, batch: int) -> State:
        """The state before the first frame: zeros, on the net's device and of its floating-point type.

        Args:
            batch: number of streams.
        """
        like = next((p for p in self.net.parameters() if p.is_floating_point()), None)
        device = self.net.device if like is None else like.device
        return zero_state(self._slots, batch, device, None if like is None else like.dtype)

    def reset(self, state: Mapping[str, Tensor], mask_N: Tensor) -> State:
        """The state with some streams begun anew.

        Args:
            state: the state; it is not changed.
            mask_N: one truth value per stream, true for those that begin anew.
        """
        return reset_streams(self._slots, state, mask_N)

    # --- running ------------------------------------------------------------------------------

    def __call__(
        self,
        inputs: Mapping[str, Tensor],
        state: Mapping[str, Tensor] | None = None,
        *,
        frame_seed: Seeds | None = None,
    ) -> tuple[Outputs, State]:
        """Computes one frame.

        Args:
            inputs: by name. Blocks that need an input not given are left out. A leaf block's path may stand
                here as well: it then sends this value instead of computing one.
            state: what the last frame left; it is not changed. Zeros if None.
            frame_seed: the seed of what each block draws at random in this frame, by the block's path.

        Returns:
            What was sent, by name, and the state for the next frame.

        Raises:
            AddressError: an input is unknown.
            RequestError: the state is not one of this program, or has another number of streams.
            ShapeError: a block failed, and an input is not of the shape that the net declares.
        """
        prepared = self._prepare(tuple(inputs), frame_seed is not None)
        plan = prepared.plan
        values: list[Any] = [None] * plan.size
        for name, register in plan.given:
            values[register] = inputs[name]
        for register, whole, place in plan.parts:
            values[register] = part(values[whole], place)
        if self._slots:
            state = self._checked(inputs, state)
            for register, keys in plan.fetches:
                values[register] = state[keys] if isinstance(keys, str) else _fetch(state, keys)
        try:
            for piece in prepared.parts:
                piece(values, frame_seed)
        except Exception as error:  # told with the inputs at fault, if it is theirs; otherwise as it is
            self._explain(inputs, error)
            raise
        outputs = Outputs()
        for name, assembled in plan.outputs:
            outputs[name] = values[assembled] if isinstance(assembled, int) else _assemble(values, assembled)
        following = {key: values[register] for key, register in plan.pushes}
        if state is not None:
            following |= {key: state[old] for key, old in plan.moves}
        return outputs, following

    def unroll(
        self, inputs_sequence: Iterable[Mapping[str, Tensor]], state: Mapping[str, Tensor] | None = None
    ) -> tuple[list[Outputs], State]:
        """Computes frames in a row.

        Args:
            inputs_sequence: the inputs of each frame.
            state: what the frame before left; zeros if None.

        Returns:
            What was sent in each frame, and the state after the last one.
        """
        frames = []
        for inputs in inputs_sequence:
            outputs, state = self(inputs, state)
            frames.append(outputs)
        return frames, dict(state or {})

    # --- preparing ----------------------------------------------------------------------------

    def _prepare(self, given: tuple[str, ...], seeded: bool) -> _Prepared:
        phase = self.phase or self.net.phase
        key = (phase, given, *((seeded, self.net.training) if self.compile == "on" else (False, False)))
        prepared = self._prepared.get(key)
        if prepared is None or not prepared.is_current():
            prepared = self._prepared[key] = self._make(phase, given, seeded)
        return prepared

    def _make(self, phase: str, given: tuple[str, ...], seeded: bool) -> _Prepared:
        known = [*self.flat.inputs, *self.flat.blocks]
        for name in given:
            if name not in self.flat.inputs and name not in self.flat.blocks:
                raise AddressError(Fault(f"{self.net.address}/{name}", "unknown input", hint=suggest(name, known)))
        plan = make_plan(self.rollout, self._wanted, self._slots, phase, given)
        if self.compile == "on":
            parts = carry_out(self.net, plan.turns, plan.kept(), self.backend, seeded=seeded)
        else:
            parts = [EagerTurns(self.net, plan.turns)]
        holders = self._holders(plan)
        return _Prepared(plan, tuple(parts), holders, [held[name] for held, name in holders])

    def _holders(self, plan: Plan) -> list[tuple[dict[str, nn.Module | None], str]]:
        """Where the modules of a plan, and the nets around them, are registered."""
        found: dict[str, tuple[dict[str, nn.Module | None], str]] = {}
        for turn in plan.turns:
            holder: nn.Module = self.net
            for name in turn.path.split("/"):
                found[f"{id(holder)}/{name}"] = (holder._modules, name)
                holder = holder.get_submodule(name)
        return list(found.values())

    @property
    def report(self) -> dict[str, str]:
        """For each block that has run, how: `compiled`, `eager`, or `eager` with the reason."""
        return {
            name: how
            for prepared in self._prepared.values()
            for piece in prepared.parts
            for name, how in piece.report.items()
        }

    # --- checking -----------------------------------------------------------------------------

    def _checked(self, inputs: Mapping[str, Tensor], state: Mapping[str, Tensor] | None) -> Mapping[str, Tensor]:
        """The state, zeros if there is none."""
        streams = next((tensor.shape[0] for tensor in inputs.values() if tensor.dim()), 1)
        if state is None:
            return self.initial_state(streams)
        for slot in self._slots:
            first = state.get(slot.key(1))
            if first is None:
                hint = "take it from initial_state, or from the frame before"
                raise RequestError(Fault("state", f"is not one of this program: {slot.key(1)!r} is missing", hint=hint))
            if slot.signature.batched:
                if first.shape[0] != streams:
                    rule = f"has {first.shape[0]} streams, the inputs have {streams}"
                    raise RequestError(Fault("state", rule, hint="a batch of another size needs a state of its own"))
                break
        return state

    def _explain(self, inputs: Mapping[str, Tensor], error: Exception) -> None:
        """Raises an error that names the inputs that are not of the shape that the net declares, if there are any."""
        faults = []
        for name, tensor in inputs.items():
            output = self.flat.inputs.get(name)
            for _, signature in outputs_of(output) if output is not None else ():
                if signature.batched and tuple(tensor.shape[1:]) != signature.shape:
                    rule = f"takes {list(signature.shape)} for each example"
                    faults.append(Fault(f"{self.net.address}/{name}", rule, list(tensor.shape)))
        if faults:
            raise ShapeError(faults) from error


def _fetch(state: Mapping[str, Tensor], keys: Assembled) -> Any:
    return state[keys] if isinstance(keys, str) else tuple(_fetch(state, key) for key in keys)


def _assemble(values: Sequence[Any], registers: Assembled) -> Any:
    return values[registers] if isinstance(registers, int) else tuple(_assemble(values, r) for r in registers)
