"""What rules without a loss have in common: when they act, how changes are applied, what is saved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import Parameter

from rillnet.errors import Fault, RequestError
from rillnet.model.net import Net
from rillnet.training.learning_rules.finite import Guard
from rillnet.training.learning_rules.live import LiveRule
from rillnet.training.optimizer_state import laid_out_as
from rillnet.training.optimizers import Optimizer, check_optimizer
from rillnet.training.rates import Progress, build_rate, check_rate
from rillnet.training.selection import no_match, select
from rillnet.types import LearningContext

Rate = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Start = Annotated[int, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]

_CHANGE, _OPTIMIZER = "#change", "optimizer/"


class ChangingRule(LiveRule):
    r"""Base of rules that say themselves by how much parameters change: $w \leftarrow w + \eta \, \Delta w$.

    A rule of one's own defines `changes` and sets `reads`. Changes are computed before any rule of the net changes a
    parameter, so that those of several rules add up; they are applied in the order of the rules. With an optimiser,
    $-\Delta w$ takes the place of the gradient.

    Args:
        net: the net whose parameters it changes.
        parameters: a glob of what it changes.
        lr: the factor of a change, without an optimiser.
        rate: the learning-rate curve; constant if left out.
        optimizer: `{type: Adam, lr: 0.01}`; none if left out.
        start: the first frame in which it acts, counted from 0.
        period: it acts in one of so many frames.
        every: over how many frames in which it acts changes are averaged before they are applied.
        address: where it stands in a document, for messages.

    Example:
        >>> import rillnet as rn
        >>> class Shrink(ChangingRule):
        ...     def changes(self, outputs, context):
        ...         return {name: -weight.detach() for name, weight in self.parameters.items()}
        >>> net = rn.Net("line", inputs={"x": (1,)}).add("fit", rn.Linear(out_features=1, bias=False), source="x")
        >>> weight = net["fit"].weight.data.fill_(1.0)
        >>> from rillnet.runtime.executor import Context
        >>> Shrink(net, lr=0.25).learn({}, Context())
        {}
        >>> weight
        tensor([[0.7500]])
    """

    uses_graph = False
    """That it goes back through no graph, so that a frame for it alone is computed without one."""

    reads: tuple[str, ...] = ()
    live: ClassVar[tuple[str, ...]] = ("start", "period", "every")
    stands: ClassVar[Mapping[str, str]] = {"every": "averaged"}

    def __init__(
        self,
        net: Net,
        *,
        parameters: str = "*",
        lr: Rate = 0.01,
        rate: Any = None,
        optimizer: Any = None,
        start: Start = 0,
        period: Count = 1,
        every: Count = 1,
        address: str = "learning/main",
    ) -> None:
        self.address, self.lr, self.start, self.period, self.averaged = address, lr, start, period, every
        known = net.parameters_by_address()
        self.parameters: dict[str, Parameter] = {name: known[name] for name in select(parameters, known)}
        if not self.parameters:
            raise RequestError(no_match(parameters, list(known), f"{address}.parameters"))
        self.rate = build_rate(rate, f"{address}.rate")
        self.optimizer: Optimizer | None = None
        self.set_optimizer(optimizer)
        self.memory: dict[str, Tensor] = {}
        self.pending = 0
        self._guard = Guard(address)
        self._gathered: dict[str, Tensor] = {}
        self._proposed: dict[str, Tensor] | None = None
        self._held: float | None = None
        self._in_force = lr

    def set_optimizer(self, optimizer: Any) -> None:
        """Makes the optimiser of the parameters that it changes now, None for none."""
        if optimizer is not None:
            self.optimizer = Optimizer(optimizer, self.parameters, address=f"{self.address}.optimizer")

    def choose(self, names: Iterable[str]) -> None:
        """Leaves it only these of the parameters that it changes."""
        self.parameters = {name: self.parameters[name] for name in names}

    @classmethod
    def check(cls, arguments: Mapping[str, Any], address: str) -> list[Fault]:
        """Every fault of its nested records."""
        faults = []
        if arguments.get("optimizer") is not None:
            faults += check_optimizer(arguments["optimizer"], f"{address}.optimizer")
            if "lr" in arguments:
                faults.append(Fault(f"{address}.lr", "does not go with an optimizer, which has its own"))
        if arguments.get("rate") is not None:
            faults += check_rate(arguments["rate"], f"{address}.rate")
        return faults

    def changes(self, outputs: Mapping[str, Any], context: LearningContext) -> dict[str, Tensor]:
        """By how much parameters should change, before the rate, by address.

        Args:
            outputs: what the blocks sent, by the names in `reads`.
            context: where the run is.
        """
        raise TypeError(f"{type(self).__name__} must define changes")

    def acts_in(self, step: int) -> bool:
        """Whether it acts in a frame."""
        return step >= self.start and (step - self.start) % self.period == 0

    @torch.no_grad()
    def gather(self, outputs: Mapping[str, Any], context: LearningContext, keep_graph: bool = False) -> None:
        """Computes the changes; no parameter is changed.

        Raises:
            UpdateError: one of them holds NaN or infinity.
        """
        acts = self.acts_in(context.step)
        self._proposed = self._guard(self.changes(outputs, context), context.step) if acts else {}

    def drop(self) -> None:
        """Forgets what a frame that is not learned from would have changed."""
        self._proposed = None

    @torch.no_grad()
    def learn(self, outputs: Mapping[str, Any], context: LearningContext) -> dict[str, Tensor]:
        """Applies the changes, when enough frames are averaged."""
        if self._proposed is None:
            self.gather(outputs, context)
        proposed, self._proposed = self._proposed, None
        if not proposed:
            return {}
        if self.averaged > 1:
            for name, change in proposed.items():
                share = change / self.averaged
                self._gathered[name] = self._gathered[name] + share if name in self._gathered else share
            self.pending += 1
            if self.pending < self.averaged:
                return {}
            proposed, self._gathered, self.pending = self._gathered, {}, 0
        self._apply(proposed, context)
        return {}

    def _apply(self, changes: Mapping[str, Tensor], context: LearningContext) -> None:
        progress = Progress(context.step, context.epoch, context.total_steps, context.steps_per_epoch or 0)
        if self.optimizer is None:
            self._in_force = self.rate(self.lr, progress) if self._held is None else self._held
            for name, change in changes.items():
                self.parameters[name].add_(change, alpha=self._in_force)
            return
        self.optimizer.set_rate(self.rate, progress)
        kept = {name: parameter.grad for name, parameter in self.parameters.items()}
        for name, parameter in self.parameters.items():
            wanted = changes.get(name)
            parameter.grad = None if wanted is None else laid_out_as(parameter, wanted.neg())
        self.optimizer.step()
        for name, parameter in self.parameters.items():
            parameter.grad = kept[name]

    def set_setting(self, name: str, value: Any) -> None:
        """Sets an argument; of changes that are half gathered the mean goes on to count."""
        if name == "every" and self.pending:
            counted = min(self.pending, value - 1)
            share = self.averaged / self.pending * counted / value
            self._gathered = {key: change * share for key, change in self._gathered.items()} if counted else {}
            self.pending = counted
        super().set_setting(name, value)

    def rates(self) -> dict[str, float]:
        """The rates of the last step, by part of the net."""
        return {"*": self._in_force} if self.optimizer is None else self.optimizer.rates()

    def hold_rate(self, value: float | None, part: str | None = None) -> None:
        """Holds the rate at a value, whatever its curve says; None gives it back."""
        if self.optimizer is not None:
            self.optimizer.hold_rate(value, part)
            return
        self._held = value
        self._in_force = self.lr if value is None else value

    def held_rates(self) -> dict[str, float | None]:
        """What rates are held at, by part of the net; None for those that follow their curves."""
        return {"*": self._held} if self.optimizer is None else self.optimizer.held_rates()

    def numbers(self) -> dict[str, float]:
        """The optimisers' numbers that can be changed."""
        return {} if self.optimizer is None else self.optimizer.numbers()

    def check_number(self, name: str, value: Any, address: str) -> None:
        """Looks whether a number can be set to a value; raises if the optimiser does not take it."""
        assert self.optimizer is not None
        self.optimizer.check_number(name, value, address)

    def set_number(self, name: str, value: float) -> None:
        """Sets a number, from the next step on."""
        assert self.optimizer is not None
        self.optimizer.set_number(name, value)

    def state_tensors(self) -> dict[str, Tensor]:
        """What it remembers, the changes gathered so far and the optimisers' state."""
        self._guard.look()
        tensors = dict(self.memory)
        tensors |= {name + _CHANGE: change for name, change in self._gathered.items()}
        if self.optimizer is not None:
            tensors |= {_OPTIMIZER + name: tensor for name, tensor in self.optimizer.state_tensors().items()}
        return tensors

    def state_values(self) -> dict[str, Any]:
        """The optimisers' numbers, how many frames are gathered, and a rate that is held."""
        optimizer = None if self.optimizer is None else self.optimizer.state_values()
        return {"pending": self.pending, "held": self._held, "rate": self._in_force, "optimizer": optimizer}

    def load_state(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        """Sets what was saved."""
        device = next(iter(self.parameters.values())).device
        own = {name: t.to(device) for name, t in tensors.items() if not name.startswith(_OPTIMIZER)}
        self.memory = {name: tensor.clone() for name, tensor in own.items() if not name.endswith(_CHANGE)}
        self._gathered = {n.removesuffix(_CHANGE): t.clone() for n, t in own.items() if n.endswith(_CHANGE)}
        self.pending, self._held, self._in_force = values["pending"], values["held"], values["rate"]
        if self.optimizer is not None:
            state = {n.removeprefix(_OPTIMIZER): t for n, t in tensors.items() if n.startswith(_OPTIMIZER)}
            self.optimizer.load_state(state, values["optimizer"])
