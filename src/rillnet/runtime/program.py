"""Program: a net and a rollout as one function, from a state and inputs to outputs and the next state."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from rillnet.errors import AddressError, Fault, RequestError, ShapeError, suggest
from rillnet.model.flat import FlatSource, outputs_of, part
from rillnet.model.net import Net, Outputs
from rillnet.model.rollout import Rollout
from rillnet.runtime.changing import changed as change_prepared
from rillnet.runtime.changing import with_changes
from rillnet.runtime.grouping.forming import MODES, form_groups
from rillnet.runtime.grouping.outputs import GroupedOutputs
from rillnet.runtime.grouping.state import GroupedState
from rillnet.runtime.interventions.changes import Changes
from rillnet.runtime.observers.taps import Taps
from rillnet.runtime.plan import Assembled, Plan, Seeds, Slot, make_plan, needed_by, slots_of, top_level
from rillnet.runtime.prepared import Prepared, prepare
from rillnet.runtime.state import State, has_streams, reset_streams, zero_state
from rillnet.runtime.turns import Backend
from rillnet.spec import PHASES

_Key = tuple[str, tuple[str, ...], bool, bool, int]
"""What a frame is planned for: phase, inputs, whether draws are seeded and modules train, which interventions."""


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
        group: `auto` computes isomorphic blocks at once where that pays, `on` wherever it can be done, `off` never.
            Blocks then keep their parameters as views of stacked ones.
        apart: blocks that are computed on their own in any case.
        also: what is sent besides, by name; it may be read with a delay.
        interventions: what is done to blocks from outside. What is drawn for them is given with the inputs of each
            frame, as `Interventions.entered` has it.

    Attributes:
        taps: what keeps values of a frame for viewers; None while nobody looks.

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
        group: str = "auto",
        apart: Collection[str] = (),
        also: Mapping[str, FlatSource] | None = None,
        interventions: Changes | None = None,
    ) -> None:
        if compile not in ("off", "on"):
            raise RequestError(Fault("compile", "must be off or on", compile))
        if group not in MODES:
            raise RequestError(Fault("group", "must be auto, on or off", group))
        if phase is not None and phase not in PHASES:
            raise RequestError(Fault("phase", "must be train, val or test", phase))
        self.net, self.phase, self.compile, self.backend = net, phase, compile, backend
        self.group, self.apart = group, frozenset(apart)
        self.rollout = Rollout.sequential(net) if rollout is None else rollout
        self.rollout.order()
        self.flat = self.rollout.flat
        self.outputs = None if outputs is None else tuple(outputs)
        self._wanted = None if outputs is None else {name: self.flat.sent_by(name) for name in outputs}
        if self._wanted is not None:
            self._wanted |= {name: (source,) for name, source in (also or {}).items()}
        self.taps: Taps | None = None
        self._slots = self._find_slots()
        self._interventions, self._changed = interventions, 0
        self._prepared: dict[_Key, Prepared] = {}

    def _find_slots(self) -> list[Slot]:
        every = {*self.flat.inputs, *self.flat.blocks}
        wanted = top_level(self.flat, ()) if self._wanted is None else self._wanted
        read = [source for sources in wanted.values() for source in sources]
        names = every if self._wanted is None else needed_by((s.block for s in read), self.rollout, every)
        return slots_of(self.rollout, names, read)

    @property
    def slots(self) -> tuple[Slot, ...]:
        """What the state keeps."""
        return tuple(self._slots)

    # --- state --------------------------------------------------------------------------------

    def initial_state(self, batch: int) -> State:
        """The state before the first frame: zeros, on the net's device and of its floating-point type.

        Args:
            batch: number of streams.
        """
        device, dtype = self._like()
        return zero_state(self._slots, batch, device, dtype)

    def _like(self) -> tuple[torch.device, torch.dtype | None]:
        """On which device a state is, and of which type."""
        like = next((p for p in self.net.parameters() if p.is_floating_point()), None)
        return (self.net.device, None) if like is None else (like.device, like.dtype)

    def has_streams(self, state: Mapping[str, Tensor], streams: int) -> bool:
        """Whether a state is one of so many streams."""
        return has_streams(self._slots, state, streams)

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
        plan, frame = prepared.plan, prepared.frame
        values: list[Any] = [None] * plan.size
        for name, register in plan.given:
            values[register] = inputs[name]
        for register, whole, place in plan.parts:
            values[register] = part(values[whole], place)
        if self._slots:
            state = self._checked(inputs, state, prepared)
            for register, keys in plan.fetches:
                values[register] = state[keys] if isinstance(keys, str) else _fetch(state, keys)
            if frame is not None and isinstance(state, GroupedState):
                frame.fetch(values, state)
        try:
            for piece in prepared.parts if self.taps is None else self.taps.around(prepared.parts):
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
        if frame is None:
            return outputs, following
        if frame.lazy:
            outputs = GroupedOutputs(frame.names, outputs, frame.lazy, frame.stacked(values))
        return outputs, frame.following(values, state, following)

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
        return frames, {} if state is None else state

    # --- preparing ----------------------------------------------------------------------------

    def _prepare(self, given: tuple[str, ...], seeded: bool) -> Prepared:
        phase = self.phase or self.net.phase
        modes = self.compile == "on" or self.group != "off"
        changed = 0 if self._interventions is None else self._interventions.key
        if changed != self._changed:  # the plan of a net that nothing is done to is kept for when it is restored
            self._changed = changed
            self._prepared = {key: one for key, one in self._prepared.items() if not key[-1]}
        key = (phase, given, seeded and self.compile == "on", self.net.training and modes, changed)
        prepared = self._prepared.get(key)
        if prepared is None or not prepared.is_current():
            with torch.inference_mode(mode=False):  # what is stacked and indexed here is learned with later
                prepared = self._make(phase, given, seeded) if not changed else self._change(key)
            self._prepared[key] = prepared
        return prepared

    def _make(self, phase: str, given: tuple[str, ...], seeded: bool, changes: Changes | None = None) -> Prepared:
        known = [*self.flat.inputs, *self.flat.blocks]
        for name in given:
            if name not in self.flat.inputs and name not in self.flat.blocks:
                raise AddressError(Fault(f"{self.net.address}/{name}", "unknown input", hint=suggest(name, known)))
        plan = make_plan(self.rollout, self._wanted, self._slots, phase, given)
        plan = plan if changes is None else with_changes(plan, self.rollout, changes)
        groups = None
        if self.group != "off":
            groups = form_groups(plan, self.rollout, self._slots, self.group, self.apart)
        return prepare(self.net, plan, groups, self._backend, seeded=seeded)

    def _change(self, key: _Key) -> Prepared:
        """What is planned for a frame that nothing is done to, with what interventions do."""
        phase, given, seeded, *_ = key
        changes = self._interventions
        assert changes is not None
        given = tuple(name for name in given if name not in changes.drawn)
        plain = (phase, given, *key[2:-1], 0)
        base = self._prepared.get(plain)
        if base is None or not base.is_current():
            base = self._prepared[plain] = self._make(phase, given, seeded)
        found = change_prepared(base, self.net, self.rollout, changes, self._backend, seeded=seeded)
        return found or self._make(phase, given, seeded, changes)

    @property
    def _backend(self) -> Backend | None:
        return self.backend if self.compile == "on" else None

    def plan_of(self, given: Sequence[str], *, seeded: bool) -> Plan | None:
        """What is done in a frame with these inputs; None where some of it is done in groups.

        Args:
            given: names of inputs.
            seeded: whether what blocks draw is seeded.
        """
        prepared = self._prepare(tuple(given), seeded)
        return prepared.plan if prepared.frame is None else None

    @property
    def report(self) -> dict[str, str]:
        """For each block that has run, how: `grouped with ...`, `compiled`, `eager`, or `eager` with the reason."""
        return {name: how for prepared in self._prepared.values() for name, how in prepared.report.items()}

    # --- checking -----------------------------------------------------------------------------

    def _checked(
        self, inputs: Mapping[str, Tensor], state: Mapping[str, Tensor] | None, prepared: Prepared
    ) -> Mapping[str, Tensor]:
        """The state, zeros if there is none, in the layout of the frame."""
        given = next((tensor.shape[0] for tensor in inputs.values() if tensor.dim()), None)
        streams = 1 if given is None else given
        layout = prepared.frame.layout if prepared.frame is not None else None
        if isinstance(state, GroupedState) and state.layout is layout and state.streams == streams:
            return state
        if state is None:
            if layout is None:
                return self.initial_state(streams)
            device, dtype = self._like()
            rest = zero_state(layout.alone, streams, device, dtype)
            return layout.zeros(streams, rest, device, dtype)
        for slot in self._slots:
            first = state.get(slot.key(1))
            if first is None:
                hint = "take it from initial_state, or from the frame before"
                raise RequestError(Fault("state", f"is not one of this program: {slot.key(1)!r} is missing", hint=hint))
            if slot.signature.batched:
                there = first.shape[slot.signature.batch_dim]
                if given is not None and there != streams:  # a net that runs by itself has those of its state
                    rule = f"has {there} streams, the inputs have {streams}"
                    raise RequestError(Fault("state", rule, hint="a batch of another size needs a state of its own"))
                break
        return state if layout is None else layout.take(state)

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
