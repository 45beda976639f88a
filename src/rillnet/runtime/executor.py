"""Executor: a net on its device, run frame by frame, and the rules that learn from its frames.

It is all that a training step costs: one frame of the program, then each learning rule in turn. It
never waits for the device; whoever wants numbers reads them from what it returns.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Unpack

import torch
from torch import Tensor

from rillnet.errors import Fault, RequestError, UpdateError
from rillnet.model.flat import FlatSource
from rillnet.model.layers.metrics import Metric
from rillnet.model.net import Net, Outputs
from rillnet.model.rollout import Rollout
from rillnet.runtime.acting import Acting, reads_of, tell_interventions, window_of
from rillnet.runtime.evaluator import Conditions, Evaluator, streams_of, threads
from rillnet.runtime.hoisting import WindowProgram
from rillnet.runtime.holding import Held
from rillnet.runtime.masks import Masked, counted_frames, find_masked, mean_of_frames
from rillnet.runtime.observers.look import Look
from rillnet.runtime.observers.taps import Frame, Taps
from rillnet.runtime.placement.executing import Executing
from rillnet.runtime.placement.placed import STREAMS
from rillnet.runtime.placement.program import TOKEN
from rillnet.runtime.plan import slots_of
from rillnet.runtime.program import Program
from rillnet.runtime.sparing import Spared
from rillnet.runtime.state import State, detach_state, expanded
from rillnet.types import BEGINS, AttachedRule, LearningContext, LearningRule

logger = logging.getLogger("rillnet")

_WINDOW = "window/"


@dataclass(frozen=True, slots=True)
class Context:
    """Where a run is when a rule learns; see `rillnet.types.LearningContext`."""

    step: int = 0
    epoch: float = 0.0
    total_steps: int | None = None
    steps_per_epoch: int | None = None
    precision: str = "fp32"


class Executor(Evaluator):
    """Runs frames of a net and lets its rules learn from them.

    Args:
        net: the net, on its device.
        rollout: the delay of every edge.
        rules: learning rules by name, in the order in which they act.
        **conditions: how frames are computed, as `Evaluator` takes it.

    Attributes:
        spared: what keeps the buffers of the net over a frame that turns out not to be learned from; None for nothing.
    """

    def __init__(
        self,
        net: Net,
        rollout: Rollout,
        rules: Mapping[str, LearningRule],
        **conditions: Unpack[Conditions],
    ) -> None:
        super().__init__(net, rollout, **conditions)
        self.rules = dict(rules)
        self._told_key = 0
        self.state: State | None = None
        self.streams: int | None = None
        self.taps: Taps | None = None
        self.spared: Spared | None = None
        for rule in self.rules.values():
            if isinstance(rule, AttachedRule):
                rule.attach(rollout)
        self.window = window_of(self.rules)
        self._adds_up = any(getattr(rule, "over_frames", "mean") == "sum" for rule in self.rules.values())
        self.held = Held()
        self.resting: frozenset[str] = frozenset()
        self._acting = Acting(self.rules)

    def rest(self, names: Iterable[str]) -> None:
        """Lets rules rest: they learn nothing until they are named no more.

        Args:
            names: of all the rules that rest from now on.
        """
        self.resting = frozenset(names)
        self._acting = Acting(self.rules, self.resting)

    def renew_window(self) -> None:
        """Has the window come after as many new frames as its rules say now."""
        asked = window_of(self.rules)
        if self.window is not None and asked is not None:
            self.window.every = asked.every

    def take_over(self, other: Executor) -> None:
        """Goes on as another executor of the same net would: what is done to it, the rules at rest, what is held.

        Args:
            other: it; its rules and those of this one have the same names.
        """
        self.interventions = other.interventions
        self.forget_programs()
        self.rest(other.resting)
        self.held = other.held
        for name, rule in self.rules.items():
            before = other.rules[name]
            rule.load_state(before.state_tensors(), before.state_values())

    def take_state(self, other: Executor, carry: Callable[[State, State], Mapping[str, Tensor]]) -> None:
        """Goes on from the state that the last frame of another executor left, as far as it fits the net of this one.

        Args:
            other: it.
            carry: takes the state there, and the zeros that frames here would begin from; gives what to begin from.
        """
        self.streams = other.streams_kept
        if other.state is not None and self.streams is not None:
            zeros = self._training.initial_state(self.streams)
            self.load_state(carry(expanded(other.state), expanded(zeros)))

    @property
    def streams_kept(self) -> int | None:
        """Of how many streams the state is, also where it was loaded and no frame has run since."""
        if self.streams is not None or self.state is None:
            return self.streams
        batched = (slot for slot in slots_of(self.rollout, self.rollout.flat.blocks, ()) if slot.signature.batched)
        found = ((slot.signature.batch_dim, self.state.get(slot.key(1))) for slot in batched)
        return next((tensor.shape[dim] for dim, tensor in found if tensor is not None), None)

    def forget_programs(self) -> None:
        """Has programs made anew, as blocks or what is done to them have changed; the state stays."""
        if self.state is not None:
            self.state = expanded(self.state)
        super().forget_programs()
        for made in ("_training", "_windowed", "_masked", "_look"):
            self.__dict__.pop(made, None)

    @property
    def compiles(self) -> bool:
        """Whether frames are compiled: if asked, and not where they are computed again on the way back.

        The compiler may make another function of a frame the second time, one that keeps other tensors for gradients.
        """
        is_low = self.window is not None and self.window.memory == "low"
        return super().compiles and not is_low

    @functools.cached_property
    def _training(self) -> Program | Executing:
        """What a training frame computes: what the rules read, and metrics that are not left out of it."""
        read, parts = reads_of(self.rules.values())
        flat = self.rollout.flat
        watched = [
            name
            for name, block in flat.blocks.items()
            if isinstance(flat.module(name), Metric) and "train" not in block.exclude
        ]
        wanted = tuple(dict.fromkeys([*read, *watched]))
        also = dict(parts)
        if self.window is not None and self.placement is None:
            also |= {key: source for masked in self._masked.values() for key, source in masked.sources.items()}
        if not also:
            return self.program("train", wanted)
        if self.placement is not None:
            rule = f"reads {next(iter(also))}, which is not there where a net is placed in several processes"
            raise RequestError(Fault("learning", rule))
        for source in parts.values():
            flat.sent_by(source.block)
        return self._made("train", wanted, also)

    @functools.cached_property
    def _windowed(self) -> WindowProgram:
        """The training frames of a window."""
        assert isinstance(self._training, Program)
        return WindowProgram(self._training)

    @functools.cached_property
    def _masked(self) -> dict[str, Masked]:
        """Losses and metrics that are told of what a mask marks."""
        return find_masked(self.rollout)

    @property
    def report(self) -> dict[str, str]:
        """For each block of a training frame that has run, how it is computed."""
        is_framewise = self.window is None or self.placement is not None
        return self._training.report if is_framewise else self._windowed.report

    def learn(self, fields: Mapping[str, Tensor], context: LearningContext) -> dict[str, Tensor]:
        """One training frame, after which every rule has learned.

        Args:
            fields: the inputs of the net, by name.
            context: where the run is.

        Returns:
            The scalars of the frame (losses, metrics, what the rules report), on the device; nothing while a window
            waits for more frames.

        Raises:
            UpdateError: a change holds NaN or infinity; nothing has come of the frame then.
        """
        if not self.net.training or self.net.phase != "train":
            self.net.set_phase("train")
        if self.interventions.key != self._told_key:
            self._told_key = self.interventions.key
            tell_interventions(self.rules, self.interventions.blocks)
        program = self._training
        with threads(self.execution.threads):
            placed = {**self.place(fields), **self._begins(fields)}
            carried = self._carried(program, placed)
            if self.spared is not None:
                self.spared.keep()
            taps = self.taps
            if taps is not None:
                taps.begin(context.step)
            found = self._frames(placed, carried, context.step)
            if found is None:
                return {}
            outputs, frames, state = found
            if taps is not None:
                taps.leave(program, frames[-1], self.look_again, has_graph=self.window is not None)
            self.state = detach_state(state)
            scalars = {
                name: value.detach()
                for name, value in outputs.items()
                if isinstance(value, Tensor) and value.numel() == 1
            }
            if self._adds_up and self.window is not None:
                outputs.update(counted_frames(frames, self._masked))
            if BEGINS in placed:
                outputs[BEGINS] = placed[BEGINS]
            scalars.update(self._change(outputs, placed, carried, context))
        return scalars

    def _change(
        self, outputs: Outputs, placed: Mapping[str, Tensor], before: State, context: LearningContext
    ) -> dict[str, Tensor]:
        """Has all rules look at a frame, and then each change parameters.

        Raises:
            UpdateError: a change holds NaN or infinity; the state is then as it was before the frame.
        """
        again = functools.partial(self._again, placed, before, context.step)
        try:
            scalars = self._acting.learn(outputs, context, again)
        except UpdateError:
            self._leave_out(before)
            raise
        if self.held:
            self.held.put_back()
        return scalars

    def _leave_out(self, before: State) -> None:
        """Goes back to the state before a frame that is not learned from."""
        self._acting.drop()
        self.state = before
        if self.window is not None:
            self.window.clear()
        if self.spared is not None:
            self.spared.put_back()

    @torch.no_grad()
    def _again(self, placed: Mapping[str, Tensor], state: State, step: int) -> Outputs:
        """The same frame with the parameters of now; nothing else comes of it."""
        return self._frame(placed, state, step)[0]

    def _frames(
        self, placed: Mapping[str, Tensor], state: State, step: int
    ) -> tuple[Outputs, Sequence[Mapping[str, Any]], State] | None:
        """What the rules learn from now, the frames that it is of, and the state after them.

        None while a window waits for more frames.
        """
        if self.window is None:
            outputs, state = self._frame(placed, state, step)
            return outputs, [outputs], state
        self.window.add(step, placed)
        if not self.window.is_due:
            return None
        in_a_row = None if self.placement is not None else self._in_a_row
        frames, state = self.window.compute(self._frame, state, self.net, in_a_row)
        return mean_of_frames(frames, self._masked), frames, state

    def _frame(self, placed: Mapping[str, Tensor], state: State, step: int) -> tuple[Outputs, State]:
        """One training frame, with the graph that gradients flow back through if a rule uses it."""
        self._seed_frame(step)
        with self._autocast(), torch.set_grad_enabled(self._acting.needs_graph and torch.is_grad_enabled()):
            state = self._begun(self._training, placed, state)
            inputs = {name: tensor for name, tensor in placed.items() if name != BEGINS}
            if self.taps is not None:
                self.taps.enter(self._training, Frame(inputs, state, step))
            entered = self.interventions.entered(inputs, "train", step)
            return self._training(entered, state, frame_seed=self._block_seed(step))

    def _in_a_row(
        self, frames: Sequence[tuple[Mapping[str, Tensor], int]], state: State
    ) -> tuple[Sequence[Outputs], State]:
        """Training frames in a row, with all that can be computed for all of them at once computed so."""
        if len({streams_of(placed) for placed, _ in frames}) > 1:  # one holds the short last batch of an epoch
            sent = []
            for placed, step in frames:
                outputs, state = self._frame(placed, state, step)
                sent.append(outputs)
            return sent, state
        begins = [placed.get(BEGINS) for placed, _ in frames]
        inputs = [{name: tensor for name, tensor in placed.items() if name != BEGINS} for placed, _ in frames]
        self._seed_frame(frames[0][1])
        if self.taps is not None:
            self.taps.enter_window(self._training, Frame(inputs[0], state, frames[0][1], begins[0]))
        entered = [
            self.interventions.entered(one, "train", step) for one, (_, step) in zip(inputs, frames, strict=True)
        ]
        with self._autocast():
            return self._windowed(entered, state, [self._block_seed(step) for _, step in frames], begins)

    @torch.no_grad()
    def look_again(self, wanted: Iterable[FlatSource], frame: Frame) -> dict[FlatSource, Tensor]:
        """What blocks send in a training frame, computed once more with the parameters of now; nothing is left of it.

        Args:
            wanted: what is asked for.
            frame: what the frame was computed from.

        Returns:
            What could be computed; where a net is placed in several processes, or a block fails, nothing.
        """
        if self.placement is not None:
            return {}
        before = self.net.phase, self.net.training
        if before != ("train", True):
            self.net.set_phase("train")
        try:
            state = frame.state
            if frame.begins is not None:
                state = self._begun(self._training, {**frame.inputs, BEGINS: frame.begins}, state)
            with threads(self.execution.threads), self._autocast():
                entered = self.interventions.entered(frame.inputs, "train", frame.step)
                return self._look(self.net, wanted, entered, state, self._block_seed(frame.step), self.device)
        except Exception as error:  # what a viewer asks for must not end the run
            logger.warning("what blocks send could not be shown: %s", error)
            return {}
        finally:
            if before != ("train", True):
                self.net.set_phase(before[0])

    def look_ahead(
        self, wanted: Iterable[FlatSource], fields: Mapping[str, Tensor], step: int
    ) -> dict[FlatSource, Tensor]:
        """What blocks will send in the next training frame; see `look_again`.

        Args:
            wanted: what is asked for.
            fields: the inputs of the net, by name.
            step: the frame.
        """
        if self.placement is not None:
            return {}
        placed, state = self.place(fields), self.state
        assert isinstance(self._training, Program)
        if state is None or not self._has_streams(self._training, streams_of(placed)):
            state = self._training.initial_state(streams_of(placed))
        return self.look_again(wanted, Frame(placed, state, step, self._begins(fields).get(BEGINS)))

    @property
    def has_learned(self) -> bool:
        """Whether there is a training frame to tell of."""
        return "_training" in self.__dict__

    @functools.cached_property
    def _look(self) -> Look:
        """Computes single blocks of a training frame once more."""
        whole = Program(self.net, self.rollout, phase="train", group="off", interventions=self.interventions)
        return Look(functools.partial(whole.plan_of, seeded=True))

    def _carried(self, program: Program | Executing, fields: Mapping[str, Tensor]) -> State:
        """The state that the last frame left, or zeros where the number of streams has changed."""
        batch = streams_of(fields)
        # the parts of a process may have one size for several numbers of streams, which is therefore counted
        fits = self.streams == batch if isinstance(program, Executing) else self._has_streams(program, batch)
        self.streams = batch
        if self.state is None or not fits:
            self.state = program.initial_state(batch)
            if self.window is not None:
                self.window.clear()
        return self.state

    def _has_streams(self, program: Program, batch: int) -> bool:
        return self.state is not None and program.has_streams(self.state, batch)

    def state_tensors(self) -> State:
        """What the next frame depends on besides the net: the state, and the frames of a window."""
        window = self.window.tensors() if self.window is not None else {}
        kept = {**(self.state or {}), **{_WINDOW + name: tensor for name, tensor in window.items()}}
        found = {name: tensor for name, tensor in kept.items() if not name.endswith(TOKEN)}
        if found and self.placement is not None and self.streams is not None:  # which a part of them does not show
            found[STREAMS] = torch.tensor(self.streams)
        return found

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        """Sets what `state_tensors` gave."""
        placed = {name: tensor.to(self.device) for name, tensor in tensors.items()}
        if STREAMS in placed:
            self.streams = int(placed.pop(STREAMS))
        self.state = {name: tensor for name, tensor in placed.items() if not name.startswith(_WINDOW)}
        if self.window is not None:
            kept = {name.removeprefix(_WINDOW): t for name, t in placed.items() if name.startswith(_WINDOW)}
            self.window.load(kept)
