"""Protocols that the packages share: what a learning rule is, what an experiment hands to a session."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

BEGINS = "#begins"
"""What stands beside what the blocks of a frame sent: which streams began anew in it, or one true value for all."""


@runtime_checkable
class LearningRule(Protocol):
    """Whatever changes parameters. Any number of rules may be attached to one net.

    A rule names the outputs it reads, is shown them after every frame of the train phase, and keeps
    whatever it must remember between frames in its state, so that a run can stop and go on exactly.
    Rules act in the order in which they are named.
    """

    @property
    def reads(self) -> tuple[str, ...]:
        """Names of the blocks and inputs it needs: `hidden`, `lstm[1]`, or `hidden@-1` for the frame before."""

    def learn(self, outputs: Mapping[str, Any], context: LearningContext) -> dict[str, Tensor]:
        """Changes parameters after a frame.

        Args:
            outputs: what the blocks sent, by name.
            context: where the run is.

        Returns:
            Scalars worth watching, by name, on the device; nobody waits for their values.
        """

    def rates(self) -> dict[str, float]:
        """The learning rates in force, by what they apply to."""

    def state_tensors(self) -> dict[str, Tensor]:
        """Tensors to be saved."""

    def state_values(self) -> dict[str, Any]:
        """All else to be saved, as JSON has it."""

    def load_state(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        """Sets what was saved; learning goes on as if it had not stopped."""


@runtime_checkable
class GradientRule(LearningRule, Protocol):
    """A rule that looks at a frame before any rule changes parameters.

    It may go back through the frame's graph, which a change would spoil; one that does not says `uses_graph = False`.
    """

    def gather(self, outputs: Mapping[str, Any], context: LearningContext, keep_graph: bool) -> None:
        """Computes gradients or changes, before any rule changes parameters; `learn` then uses them.

        Args:
            outputs: what the blocks sent, by name.
            context: where the run is.
            keep_graph: whether another rule goes back through the same graph.
        """


@runtime_checkable
class DroppingRule(LearningRule, Protocol):
    """A rule that can forget a frame that turns out not to be learned from, after it has gathered from it."""

    def drop(self) -> None:
        """Forgets what it has gathered and not applied."""


@runtime_checkable
class AttachedRule(LearningRule, Protocol):
    """A rule that asks how late blocks read before it says what it reads."""

    def attach(self, rollout: Any) -> None:
        """Takes what it needs of the rollout.

        Args:
            rollout: the delay of every edge, a `rillnet.Rollout`.
        """


@runtime_checkable
class CuttableRule(LearningRule, Protocol):
    """A rule that looks at what blocks read, and so must know where they see zeros instead."""

    def cut(self, ports: Collection[tuple[str, int]]) -> None:
        """Takes at which ports blocks see zeros.

        Args:
            ports: each a block's path, and which of the things that it reads.
        """


@runtime_checkable
class ComputingRule(LearningRule, Protocol):
    """A rule that computes blocks itself besides the frames, and so must know what is done to them from outside.

    One without `intervene` computes them as if nothing was done, and a user is told so.
    """

    @property
    def computes(self) -> tuple[str, ...]:
        """The paths of those blocks."""


@runtime_checkable
class IntervenedRule(ComputingRule, Protocol):
    """A rule that does to the blocks that it computes what is done to them in frames."""

    def intervene(self, changes: Mapping[str, Any]) -> None:
        """Takes what is done to blocks.

        Args:
            changes: by path of the block; each a `rillnet.runtime.interventions.changes.BlockChange`, whose masks and
                values stay those in force.
        """


@runtime_checkable
class NotingRule(LearningRule, Protocol):
    """A rule that knows what a user should be told before it begins."""

    def notes(self, rollout: Any, *, in_time: bool) -> list[str]:
        """What to tell, a line each.

        Args:
            rollout: the delay of every edge, a `rillnet.Rollout`.
            in_time: whether a batch is the frame after the one before it, of the same streams.
        """


@runtime_checkable
class TryingRule(LearningRule, Protocol):
    """A rule that computes the frame again with other parameters, and needs no gradients."""

    def attempt(self, again: Callable[[], Mapping[str, Any]], context: LearningContext) -> None:
        """Tries; when it returns, the parameters are what they were.

        Args:
            again: computes the frame from the same inputs, state and draws with the parameters as they are then.
            context: where the run is.
        """


@runtime_checkable
class WindowedRule(LearningRule, Protocol):
    """A rule that looks back over several frames."""

    window: int
    """How many frames it looks back over."""

    every: int
    """How many new frames come between two of its steps."""


@runtime_checkable
class RatedRule(LearningRule, Protocol):
    """A rule whose learning rate may be held at a value."""

    def hold_rate(self, value: float | None, part: str | None = None) -> None:
        """Holds the rate at a value, whatever its curve says.

        Args:
            value: the rate; None gives it back to its curve.
            part: what it applies to, as in `rates()`; None is everything.
        """


@runtime_checkable
class SettableRule(LearningRule, Protocol):
    """A rule with arguments that it reads anew in every frame, so that they can be changed while it learns."""

    def settings(self) -> dict[str, Any]:
        """Those that there are, by name."""

    def check_setting(self, name: str, value: Any, address: str) -> None:
        """Looks whether one can be set to a value.

        Args:
            name: of the argument.
            value: what it is to be.
            address: what it is called in messages.

        Raises:
            RequestError: it cannot.
        """

    def set_setting(self, name: str, value: Any) -> None:
        """Sets one, from the next frame on.

        Args:
            name: of the argument.
            value: one that `check_setting` has let pass.
        """


@runtime_checkable
class NumberedRule(LearningRule, Protocol):
    """A rule with numbers that can be changed while it learns, such as its optimiser's momentum."""

    def numbers(self) -> dict[str, float]:
        """Those that there are, by name."""

    def check_number(self, name: str, value: Any, address: str) -> None:
        """Looks whether a number can be set to a value.

        Args:
            name: of the number.
            value: what it is to be.
            address: what it is called in messages.

        Raises:
            RequestError: it cannot.
        """

    def set_number(self, name: str, value: float) -> None:
        """Sets a number, from the next step on.

        Args:
            name: of the number.
            value: one that `check_number` has let pass.
        """


class LearningContext(Protocol):
    """Where a run is when a rule learns."""

    @property
    def step(self) -> int:
        """Learning steps done before this one."""

    @property
    def epoch(self) -> float:
        """Epochs done, with the fraction of the present one."""

    @property
    def total_steps(self) -> int | None:
        """How many steps the run will have, None if it is not known."""

    @property
    def steps_per_epoch(self) -> int | None:
        """Steps of one pass over the data, None if it is not known."""

    @property
    def precision(self) -> str:
        """What most of a frame is computed in: fp32, bf16, fp16 or fp64."""


Observer = Callable[[Any], None]
"""Called by a session after every step with the session itself; it changes nothing."""
