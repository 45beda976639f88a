"""What rules that leave the step to an optimiser have in common: its rates and numbers, to be seen, held and set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch.nn import Parameter

from rillnet.errors import Fault
from rillnet.training.optimizers import Implementation, Optimizer, check_factors, check_optimizer
from rillnet.training.rates import Progress, Rate, build_rate, check_rate
from rillnet.types import LearningContext


class OptimizedRule:
    """Base of rules with a gradient, or what takes its place, that an optimiser follows.

    Attributes:
        address: where the rule stands in a document, for messages.
        optimizer: what changes the parameters.
        rate: the learning-rate curve.
    """

    address: str
    optimizer: Optimizer
    rate: Rate

    def use_optimizer(
        self,
        optimizer: Any,
        parameters: Mapping[str, Parameter],
        *,
        rate: Any,
        factors: dict[str, Any] | None,
        implementation: Implementation | None,
    ) -> None:
        """Makes the optimiser of these parameters, and the curve.

        Args:
            optimizer: a record, or several of them.
            parameters: what it changes, by address.
            rate: a record of the curve; constant if None.
            factors: rate and decay factors by glob.
            implementation: how its step is executed.
        """
        self.optimizer = Optimizer(
            optimizer, parameters, factors=factors, implementation=implementation, address=f"{self.address}.optimizer"
        )
        self.rate = build_rate(rate, f"{self.address}.rate")

    def set_rates(self, context: LearningContext) -> None:
        """Sets the rates of the step that comes."""
        progress = Progress(context.step, context.epoch, context.total_steps, context.steps_per_epoch or 0)
        self.optimizer.set_rate(self.rate, progress)

    def rates(self) -> dict[str, float]:
        """The rates of the last step, by part of the net."""
        return self.optimizer.rates()

    def hold_rate(self, value: float | None, part: str | None = None) -> None:
        """Holds the rate at a value, whatever its curve says; None gives it back."""
        self.optimizer.hold_rate(value, part)

    def held_rates(self) -> dict[str, float | None]:
        """What rates are held at, by part of the net; None for those that follow their curves."""
        return self.optimizer.held_rates()

    def numbers(self) -> dict[str, float]:
        """The optimisers' numbers that can be changed: momentum, weight_decay and the like."""
        return self.optimizer.numbers()

    def check_number(self, name: str, value: Any, address: str) -> None:
        """Looks whether a number can be set to a value; raises if the optimiser does not take it."""
        self.optimizer.check_number(name, value, address)

    def set_number(self, name: str, value: float) -> None:
        """Sets a number, from the next step on."""
        self.optimizer.set_number(name, value)


def check_optimized(arguments: Mapping[str, Any], address: str, own: Sequence[Fault] = ()) -> list[Fault]:
    """Every fault of a record's optimiser, rate and factors.

    Args:
        arguments: what the record gives.
        address: of the rule.
        own: those of the rule's other arguments, which are told before those of factors.
    """
    faults: list[Fault] = []
    if "optimizer" in arguments:
        faults += check_optimizer(arguments["optimizer"], f"{address}.optimizer")
    if arguments.get("rate") is not None:
        faults += check_rate(arguments["rate"], f"{address}.rate")
    return [*faults, *own, *check_factors(arguments.get("factors"), f"{address}.factors")]
