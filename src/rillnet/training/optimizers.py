"""Optimiser: torch's optimisers at work on parts of a net, addressed, with factors, penalties and limits."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import Parameter

from rillnet.errors import CheckpointError, Fault, RequestError, RunError, suggest
from rillnet.registry import signature_of, value_rule
from rillnet.training.optimizer_family import (
    OPTIMIZERS,
    Momentum,
    Nesterov,
    PartSpec,
    check_factors,
    check_optimizer,
    read_parts,
)
from rillnet.training.optimizer_state import (
    ELEMENTWISE,
    PartState,
    begin_momentum,
    load_into,
    merged_values,
    problems_of,
    step_unless,
    tensors_of,
    values_of,
)
from rillnet.training.rates import Progress, Rate
from rillnet.training.regularization import add_l1, limit_norms
from rillnet.training.selection import divide, no_match, select

__all__ = ["OPTIMIZERS", "Momentum", "Nesterov", "Optimizer", "check_factors", "check_optimizer"]

Implementation = Literal["single", "foreach", "fused"]

_FOREACH_DEVICES = {"cpu", "cuda", "xpu"}
_FUSED_DEVICES = {"cpu", "cuda", "xpu", "mps"}
_NO_NUMBERS = ("params", "lr", "initial_lr", "step")
_FUSED_DEVICES_OF = {"Adagrad": {"cpu"}}


@dataclass(frozen=True)
class _Group:
    """Parameters of a part that have the same factors."""

    addresses: tuple[str, ...]
    rate: float
    decay: float


@dataclass
class _Part:
    """A torch optimiser at work on a part of the net."""

    spec: PartSpec
    state: PartState
    groups: tuple[_Group, ...]
    base: float
    rate: float
    implementation: Implementation
    held: float | None = None
    share: float = 1.0

    @property
    def optimizer(self) -> torch.optim.Optimizer:
        return self.state.optimizer

    def step(self, skip: Tensor | None) -> None:
        if self.spec.l1:
            for group, torch_group in zip(self.groups, self.optimizer.param_groups, strict=True):
                add_l1(torch_group["params"], self.spec.l1 * group.decay)
        if self.implementation == "fused" and isinstance(self.optimizer, torch.optim.SGD):
            begin_momentum(self.optimizer)
        if skip is None:
            self.optimizer.step()
        else:
            step_unless(self.optimizer, skip, is_fused=self.implementation == "fused")
        if self.spec.max_norm is not None:
            for torch_group in self.optimizer.param_groups:
                limit_norms(torch_group["params"], self.spec.max_norm)

    def set_rate(self, value: float) -> None:
        self.rate = value
        for group, torch_group in zip(self.groups, self.optimizer.param_groups, strict=True):
            torch_group["lr"] = value * group.rate * self.share


class Optimizer:
    """One or several torch optimisers, each on its part of a net.

    A step adds the L1 penalties to the gradients, lets torch's optimisers step, and shrinks filters that
    have outgrown their limit. It never waits for the device.

    Args:
        specs: a record `{type: SGD, lr: 0.1}`, a name, or a list of records with `of` globs that share the
            parameters out (one record without `of` takes the rest). Besides torch's own arguments each takes
            `l1`, `max_norm` and a `rate` curve of its own.
        parameters: by address, `net/conv1/weight`; of one that stands at several addresses the first counts.
        factors: by glob, `{"*.bias": {"rate": 2, "decay": 0}}`: what the rate, and the penalties
            (weight_decay and l1), are multiplied by; later globs win.
        implementation: how a step is executed, where torch offers that on the device; None is torch's default.
        address: where `specs` stands in a document, for messages.

    Attributes:
        watched: shown the parameters with their gradients before a step, while somebody looks at these.

    Raises:
        RequestError: an argument is wrong, or a parameter has no optimiser or several.

    Example:
        >>> weight = Parameter(torch.ones(2))
        >>> optimizer = Optimizer({"type": "SGD", "lr": 0.5}, {"net/a/weight": weight})
        >>> weight.grad = torch.ones(2)
        >>> optimizer.step()
        >>> weight.data, optimizer.rates()
        (tensor([0.5000, 0.5000]), {'*': 0.5})
    """

    def __init__(
        self,
        specs: object,
        parameters: Mapping[str, Parameter],
        *,
        factors: Mapping[str, Mapping[str, float]] | None = None,
        implementation: Implementation | None = None,
        address: str = "optimizer",
    ) -> None:
        self.watched: Callable[[Mapping[str, Parameter]], None] | None = None
        parts = read_parts(specs, address)
        first: dict[int, str] = {}
        for name, parameter in parameters.items():
            first.setdefault(id(parameter), name)
        self._parameters = {name: parameters[name] for name in first.values()}
        if not self._parameters:
            raise RequestError(Fault(address, "has nothing to optimize, as the net has no parameters"))
        trained = [name for name, parameter in self._parameters.items() if parameter.requires_grad]
        dealt = divide({part.address: part.of for part in parts}, trained or list(self._parameters), address)
        by_name = _factors_by_name(factors or {}, list(self._parameters), _beside(address, "factors"))
        self._parts = [
            self._build(part, names, by_name, implementation) for part, names in zip(parts, dealt, strict=True)
        ]

    def _build(
        self,
        part: PartSpec,
        names: Sequence[str],
        factors: Mapping[str, tuple[float, float]],
        implementation: Implementation | None,
    ) -> _Part:
        by_factors: dict[tuple[float, float], list[str]] = {}
        for name in names:
            by_factors.setdefault(factors[name], []).append(name)
        groups = tuple(_Group(tuple(members), *key) for key, members in by_factors.items())
        used, flags = _implementation(part.spec.type, [self._parameters[name] for name in names], implementation)
        torch_groups = [{"params": [self._parameters[name] for name in group.addresses]} for group in groups]
        try:
            optimizer = OPTIMIZERS.build(part.spec, torch_groups, **flags)
        except (ValueError, TypeError) as error:  # what the class itself checks
            text = str(error)
            raise RequestError(Fault(part.address, text[:1].lower() + text[1:])) from error
        base = float(optimizer.param_groups[0]["lr"])
        state = PartState(part.spec.type, optimizer, tuple(group.addresses for group in groups))
        built = _Part(part, state, groups, base, base, used)
        built.set_rate(base)
        for group, torch_group in zip(groups, optimizer.param_groups, strict=True):
            if "weight_decay" in torch_group:
                torch_group["weight_decay"] *= group.decay
        return built

    @property
    def parameters(self) -> dict[str, Parameter]:
        """What is optimised, by address."""
        return self._parameters

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The groups of all torch optimisers; with `step` this is what torch's GradScaler needs."""
        return [group for part in self._parts for group in part.optimizer.param_groups]

    @property
    def torch_optimizers(self) -> list[torch.optim.Optimizer]:
        """Torch's optimisers, part by part."""
        return [part.optimizer for part in self._parts]

    @property
    def implementation_used(self) -> str:
        """How a step is executed; where parts differ, each way once, `fused, single`."""
        return ", ".join(dict.fromkeys(part.implementation for part in self._parts))

    def step(self, skip: Tensor | None = None) -> None:
        """Changes the parameters by their gradients.

        Args:
            skip: 1 where that is to be left out and 0 where not, a number on the device; None never leaves it out.
        """
        if self.watched is not None:
            self.watched(self._parameters)
        for part in self._parts:
            part.step(skip)

    def zero_grad(self) -> None:
        """Drops all gradients."""
        for parameter in self._parameters.values():
            parameter.grad = None

    def set_rate(self, rate: Rate, progress: Progress) -> None:
        """Sets the rates of the next step by a curve, or by a part's own.

        Args:
            rate: the curve.
            progress: how far the run is.

        Raises:
            RunError: a curve gives a negative number or none at all.
        """
        for part in self._parts:
            value = part.held if part.held is not None else (part.spec.rate or rate)(part.base, progress)
            if not (value >= 0 and math.isfinite(value)):
                raise RunError(
                    f"{part.spec.address}: the rate of step {progress.step} must be at least 0 (got {value})"
                )
            part.set_rate(value)

    def rates(self) -> dict[str, float]:
        """The rate of every part, before factors, by its globs (`*` for all)."""
        return {part.spec.label: part.rate for part in self._parts}

    def bases(self) -> dict[str, float]:
        """What the curves start from (`lr`), by part."""
        return {part.spec.label: part.base for part in self._parts}

    def set_base(self, value: float, part: str | None = None) -> None:
        """Changes what the curves start from, and the rate until a curve is asked again.

        Args:
            value: the new `lr`.
            part: its globs as in `rates()`; None is all parts.

        Raises:
            RequestError: there is no such part, or the value is negative.
        """
        labels = [known.spec.label for known in self._parts]
        if part is not None and part not in labels:
            hint = suggest(part, labels) or f"known: {', '.join(labels)}"
            raise RequestError(Fault("", "unknown part of the optimizer", part, hint=hint))
        if not (value >= 0 and math.isfinite(value)):
            raise RequestError(Fault("lr", "must be at least 0", value))
        for known in self._parts:
            if part in (None, known.spec.label):
                known.base = float(value)
                known.set_rate(known.base)

    def take_share(self, share: float) -> None:
        """Steps by a share of the rate from now on, as others change the same parameters by the rest."""
        for part in self._parts:
            part.share = share
            part.set_rate(part.rate)

    def hold_rate(self, value: float | None, part: str | None = None) -> None:
        """Holds rates at a value, whatever their curves say.

        Args:
            value: the rate; None gives it back to its curve, from the next step on.
            part: its globs as in `rates()`; None is all parts.
        """
        for known in self._parts:
            if part in (None, known.spec.label):
                known.held = value
                if value is not None:
                    known.set_rate(value)

    def held_rates(self) -> dict[str, float | None]:
        """What each part's rate is held at, by its globs; None where it follows its curve."""
        return {part.spec.label: part.held for part in self._parts}

    def numbers(self) -> dict[str, float]:
        """What can be changed while it learns: momentum, weight_decay and the like, by name.

        Of one with several parts by name and the part's globs, `momentum/conv*`.
        """
        found = {}
        for part in self._parts:
            suffix = f"/{part.spec.label}" if len(self._parts) > 1 else ""
            first = max(range(len(part.groups)), key=lambda number: part.groups[number].decay != 0)
            decay = part.groups[first].decay
            for name, value in part.optimizer.param_groups[first].items():
                if name not in _NO_NUMBERS and isinstance(value, int | float) and not isinstance(value, bool):
                    is_scaled = name == "weight_decay" and decay
                    found[name + suffix] = value / decay if is_scaled else value
        return found

    def check_number(self, name: str, value: Any, address: str) -> None:
        """Looks whether a number can be set to a value.

        Raises:
            RequestError: the optimiser does not take it.
        """
        if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
            raise RequestError(Fault(address, "must be a number", value))
        number, part = self._numbered(name)
        arguments = {**part.spec.spec.arguments, number: value}
        kind = OPTIMIZERS.find(part.spec.spec.type)
        rule = value_rule(signature_of(kind)[number].annotation, value) if number in signature_of(kind) else ""
        if rule:
            raise RequestError(Fault(address, rule, value))
        try:
            OPTIMIZERS.build(part.spec.spec.model_copy(update={"arguments": arguments}), [Parameter(torch.zeros(1))])
        except (ValueError, TypeError) as error:  # what the class itself checks
            text = str(error)
            raise RequestError(Fault(address, text[:1].lower() + text[1:])) from error

    def set_number(self, name: str, value: float) -> None:
        """Sets a number, from the next step on."""
        number, part = self._numbered(name)
        for group, torch_group in zip(part.groups, part.optimizer.param_groups, strict=True):
            torch_group[number] = value * group.decay if number == "weight_decay" else value

    def _numbered(self, name: str) -> tuple[str, _Part]:
        number, _, label = name.partition("/")
        return number, next(part for part in self._parts if not label or part.spec.label == label)

    def state_tensors(self) -> dict[str, Tensor]:
        """The tensors of state, `net/conv1/weight#exp_avg`; the tensors themselves, not copies."""
        return {name: tensor for part in self._parts for name, tensor in tensors_of(part.state).items()}

    def state_values(self) -> dict[str, Any]:
        """The rest of the state, for JSON: hyperparameters of every part, and which state there is."""
        kept = [
            {
                "base": part.base,
                "rate": part.rate,
                "held": part.held,
                "factors": [[group.rate, group.decay] for group in part.groups],
            }
            for part in self._parts
        ]
        return {"parts": [own | values_of(part.state) for own, part in zip(kept, self._parts, strict=True)]}

    @property
    def is_elementwise(self) -> bool:
        """Whether each number of a parameter changes by itself, so that a part of it can be changed alone."""
        return all(part.spec.spec.type in ELEMENTWISE for part in self._parts)

    @property
    def limits_filters(self) -> bool:
        """Whether the norm of each filter has a limit."""
        return any(part.spec.max_norm is not None for part in self._parts)

    def merged_values(self, values: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The `state_values` of several processes, each with a part of the net, as one process has them.

        Args:
            values: of every process, this kind of optimizer in all of them.
        """
        parts = zip(*(one["parts"] for one in values), strict=True)
        return {"parts": [merged_values(list(part)) for part in parts]}

    def load_state(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        """Goes on exactly where `state_tensors` and `state_values` were taken.

        Args:
            tensors: what `state_tensors` gave, nothing else.
            values: what `state_values` gave.

        Raises:
            CheckpointError: they do not fit; says what is missing, unknown or of another shape. Nothing is
                loaded then.
        """
        saved = values["parts"]
        if len(saved) != len(self._parts):
            raise _misfit([f"it has {len(saved)} parts, not {len(self._parts)}"])
        problems = [
            problem
            for part, part_values in zip(self._parts, saved, strict=True)
            for problem in problems_of(part.state, tensors, part_values)
        ]
        known = {name for part in self._parts for addresses in part.state.addresses for name in addresses}
        unknown = [name for name in tensors if name.rpartition("#")[0] not in known]
        problems += [f"unknown {name}" for name in unknown]
        if problems:
            raise _misfit(problems)
        for part, part_values in zip(self._parts, saved, strict=True):
            load_into(part.state, tensors, part_values)
            part.base, part.rate, part.held = part_values["base"], part_values["rate"], part_values.get("held")


def _misfit(problems: Iterable[str]) -> CheckpointError:
    return CheckpointError("the saved state of the optimizer does not fit: " + "; ".join(problems))


def _beside(address: str, name: str) -> str:
    """The address of a neighbour: `learning/main.factors` for `learning/main.optimizer`."""
    parent, dot, _ = address.rpartition(".")
    return f"{parent}{dot}{name}"


def _factors_by_name(
    factors: Mapping[str, Mapping[str, float]], names: Sequence[str], address: str
) -> dict[str, tuple[float, float]]:
    """The (rate, decay) factors of every parameter."""
    faults = check_factors(factors, address)
    found: dict[str, dict[str, float]] = {name: {"rate": 1.0, "decay": 1.0} for name in names}
    for glob, values in factors.items():
        chosen = select(glob, names)
        if not chosen:
            faults.append(no_match(glob, names, f"{address}[{glob!r}]"))
        for name in chosen:
            found[name] |= values
    if faults:
        raise RequestError(faults)
    return {name: (values["rate"], values["decay"]) for name, values in found.items()}


def _implementation(
    type_name: str, parameters: Sequence[Tensor], wanted: Implementation | None
) -> tuple[Implementation, dict[str, bool]]:
    """What of the wanted implementation torch offers here, and the flags that choose it."""
    offered = signature_of(OPTIMIZERS.find(type_name))
    devices = {parameter.device.type for parameter in parameters}
    plain = all(type(parameter) in (Tensor, Parameter) for parameter in parameters)
    floating = all(parameter.is_floating_point() for parameter in parameters)
    fused = "fused" in offered and plain and floating and devices <= _FUSED_DEVICES_OF.get(type_name, _FUSED_DEVICES)
    foreach = "foreach" in offered and plain and devices <= _FOREACH_DEVICES
    if wanted == "fused" and fused:
        return "fused", {"fused": True}
    by_default = foreach and "cpu" not in devices  # as torch chooses
    if foreach and (wanted == "foreach" or (wanted != "single" and by_default)):
        return "foreach", {"foreach": True}
    return "single", {"foreach": False} if "foreach" in offered else {}
