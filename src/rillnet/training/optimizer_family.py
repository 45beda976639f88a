"""The optimisers: those of torch.optim by their own names and arguments, and what a document may say of them.

Torch's signatures hold no bounds, so a table of rules by argument name stands here; it also serves
optimisers that come by import path and follow torch's naming.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import torch
from pydantic import Field
from torch.optim.optimizer import ParamsT

from rillnet.errors import Fault, RequestError, suggest
from rillnet.registry import Family, signature_of, value_rule
from rillnet.spec import TypedSpec
from rillnet.training.rates import Rate, build_rate, check_rate
from rillnet.training.selection import Globs, globs_of, is_globs
from rillnet.training.typed import typed_spec


class Momentum(torch.optim.SGD):
    """Stochastic gradient descent with momentum: v = momentum * v + g; w = w - lr * v.

    Args:
        params: parameters or groups of them.
        lr: rate.
        momentum: what the velocity keeps of itself in a step.
        weight_decay: strength of an L2 penalty.
        foreach: update all tensors in one call.
        fused: update in one kernel.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-3,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        fused: bool | None = None,
    ) -> None:
        super().__init__(params, lr, momentum=momentum, weight_decay=weight_decay, foreach=foreach, fused=fused)


class Nesterov(torch.optim.SGD):
    """Nesterov's accelerated gradient: v = momentum * v + g; w = w - lr * (g + momentum * v).

    Args:
        params: parameters or groups of them.
        lr: rate.
        momentum: what the velocity keeps of itself in a step.
        weight_decay: strength of an L2 penalty.
        foreach: update all tensors in one call.
        fused: update in one kernel.

    Source: Sutskever et al. 2013, https://proceedings.mlr.press/v28/sutskever13.html.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-3,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params, lr, momentum=momentum, weight_decay=weight_decay, nesterov=True, foreach=foreach, fused=fused
        )


# LBFGS needs the loss evaluated several times in a step; SparseAdam takes sparse gradients only.
OPTIMIZERS: Family[torch.optim.Optimizer] = Family(
    "optimizer",
    {
        "SGD": torch.optim.SGD,
        "Momentum": Momentum,
        "Nesterov": Nesterov,
        "Adagrad": torch.optim.Adagrad,
        "Adadelta": torch.optim.Adadelta,
        "RMSprop": torch.optim.RMSprop,
        "Rprop": torch.optim.Rprop,
        "Adam": torch.optim.Adam,
        "AdamW": torch.optim.AdamW,
        "Adamax": torch.optim.Adamax,
        "NAdam": torch.optim.NAdam,
        "RAdam": torch.optim.RAdam,
        "ASGD": torch.optim.ASGD,
        "Adafactor": torch.optim.Adafactor,
        "Muon": torch.optim.Muon,
    },
)

SET_ELSEWHERE = ("params", "foreach", "fused", "differentiable", "capturable")
"""Arguments of torch that say how a step is executed, which `run.execution` decides."""

OWN_ARGUMENTS = ("of", "rate", "l1", "max_norm")
"""What a document may say of every optimiser besides the arguments of its class."""


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _at_least(bound: float) -> Callable[[object], str]:
    def rule(value: object) -> str:
        if not _is_number(value):
            return "must be a number"
        return "" if value >= bound else f"must be at least {bound:g}"  # type: ignore[operator]

    return rule


def _above(bound: float) -> Callable[[object], str]:
    def rule(value: object) -> str:
        if not _is_number(value):
            return "must be a number"
        return "" if value > bound else f"must be more than {bound:g}"  # type: ignore[operator]

    return rule


def _pair(rule: str, holds: Callable[[Any, Any], bool]) -> Callable[[object], str]:
    def check(value: object) -> str:
        if (
            not isinstance(value, Sequence)
            or isinstance(value, str)
            or len(value) != 2
            or not all(map(_is_number, value))
        ):
            return "must be a list of two numbers"
        return "" if holds(*value) else rule

    return check


def _eps(value: object) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):  # Adafactor's pair, of which the first may be null
        fits = len(value) == 2 and all(item is None or (_is_number(item) and item > 0) for item in value)
        return "" if fits else "must be a list of two numbers above 0"
    return _above(0)(value)


def _number(value: object) -> str:
    return "" if _is_number(value) else "must be a number"


_VALUE_RULES: dict[str, Callable[[object], str]] = {
    "lr": _at_least(0),
    "momentum": _at_least(0),
    "dampening": _number,
    "weight_decay": _at_least(0),
    "lr_decay": _at_least(0),
    "initial_accumulator_value": _at_least(0),
    "momentum_decay": _at_least(0),
    "lambd": _at_least(0),
    "alpha": _at_least(0),
    "t0": _above(0),
    "d": _at_least(1),
    "eps": _eps,
    "rho": lambda value: "" if _is_number(value) and 0 <= value <= 1 else "must be a number from 0 to 1",  # type: ignore[operator]
    "betas": _pair("must be from 0 to less than 1, both of them", lambda a, b: 0 <= a < 1 and 0 <= b < 1),
    "etas": _pair("must be one number between 0 and 1 and one above 1", lambda low, high: 0 < low < 1 < high),
    "step_sizes": _pair("must be above 0 and in ascending order", lambda low, high: 0 < low <= high),
    "l1": _at_least(0),
    "max_norm": _above(0),
}


@dataclass(frozen=True)
class PartSpec:
    """One optimiser and the part of the net that it works on.

    Args:
        spec: the optimiser, with the arguments of its class only.
        address: where it stands.
        of: globs; None is all, or what other parts leave.
        rate: its own curve; None follows the learning rule's.
        l1: strength of an L1 penalty.
        max_norm: the largest norm of a filter; None is no limit.
    """

    spec: TypedSpec
    address: str
    of: Globs | None = None
    rate: Rate | None = None
    l1: float = 0.0
    max_norm: float | None = None

    @property
    def label(self) -> str:
        """What it is called in reports: its globs, `*` for all."""
        return ", ".join(self.of) if self.of else "*"


def read_parts(specs: object, address: str) -> list[PartSpec]:
    """The parts that a document's `optimizer` names.

    Args:
        specs: a record, a mapping with `type`, a name, or a list of them.
        address: where it stands.

    Returns:
        The parts, in order.

    Raises:
        RequestError: something is wrong with it; holds every fault.
    """
    faults = check_optimizer(specs, address)
    if faults:
        raise RequestError(faults)
    return [_read_part(spec, place) for spec, place in _listed(specs, address)]


def check_optimizer(specs: object, address: str) -> list[Fault]:
    """Every fault of an `optimizer`: a record, a mapping with `type`, a name, or a list of them.

    Example:
        >>> for fault in check_optimizer({"type": "SGD", "lr": -1}, "learning/main.optimizer"):
        ...     print(fault)
        learning/main.optimizer.lr: must be at least 0 (got -1)
    """
    if isinstance(specs, list | tuple) and not specs:
        return [Fault(address, "must have at least one optimizer", list(specs))]
    faults: list[Fault] = []
    rests: list[str] = []
    for spec, place in _listed(specs, address):
        try:
            record = typed_spec(spec, place)
        except RequestError as error:
            faults += error.faults
            continue
        faults += _check_part(record, place)
        if record.arguments.get("of") is None:
            rests.append(place)
    faults += [Fault(f"{place}.of", "is required, as only one part can take the rest") for place in rests[1:]]
    return faults


def _listed(specs: object, address: str) -> list[tuple[object, str]]:
    if isinstance(specs, list | tuple):
        return [(spec, f"{address}[{index}]") for index, spec in enumerate(specs)]
    return [(specs, address)]


def _read_part(spec: object, address: str) -> PartSpec:
    record = typed_spec(spec, address)
    own = {name: value for name, value in record.arguments.items() if name in OWN_ARGUMENTS and value is not None}
    arguments = {
        name: tuple(value) if isinstance(value, list) else value  # betas and the like, which torch has as tuples
        for name, value in record.arguments.items()
        if name not in OWN_ARGUMENTS
    }
    return PartSpec(
        spec=TypedSpec(type=record.type, arguments=arguments),
        address=address,
        of=globs_of(own["of"]) if "of" in own else None,
        rate=build_rate(own["rate"], f"{address}.rate") if "rate" in own else None,
        l1=own.get("l1", 0.0),
        max_norm=own.get("max_norm"),
    )


def _check_part(record: TypedSpec, address: str) -> list[Fault]:
    own = {name: value for name, value in record.arguments.items() if name in OWN_ARGUMENTS and value is not None}
    rest = {name: value for name, value in record.arguments.items() if name not in OWN_ARGUMENTS}
    faults = OPTIMIZERS.check(TypedSpec(type=record.type, arguments=rest), address, omit=SET_ELSEWHERE)
    if any(fault.address == f"{address}.type" for fault in faults):
        return faults
    ruled = {f"{address}.{name}" for name in rest if name in _VALUE_RULES}
    # an unknown key is told as such, not by the rule of an argument of that name of another class
    faults = [_with_own_names(f, record, address) for f in faults if f.rule == "unknown key" or f.address not in ruled]
    unknown = {fault.address for fault in faults if fault.rule == "unknown key"}
    for name, value in {**rest, **own}.items():
        broken = _VALUE_RULES[name](value) if name in _VALUE_RULES and f"{address}.{name}" not in unknown else ""
        if broken:
            faults.append(Fault(f"{address}.{name}", broken, value))
    if "of" in own and not is_globs(own["of"]):
        faults.append(Fault(f"{address}.of", 'must be a glob or a list of globs, such as "conv*"', own["of"]))
    faults += check_rate(own.get("rate"), f"{address}.rate")
    return faults or _check_nesterov(record, address)


def _with_own_names(fault: Fault, record: TypedSpec, address: str) -> Fault:
    """An unknown key's fault, its hint drawn from our argument names too."""
    if fault.rule != "unknown key":
        return fault
    name = fault.address.removeprefix(f"{address}.")
    if name in SET_ELSEWHERE:
        return replace(fault, hint="run.execution says how a step is executed")
    known = [n for n in (*signature_of(OPTIMIZERS.find(record.type)), *OWN_ARGUMENTS) if n not in SET_ELSEWHERE]
    return replace(fault, hint=suggest(name, known) or f"known: {', '.join(known)}")


def _check_nesterov(record: TypedSpec, address: str) -> list[Fault]:
    parameters = signature_of(OPTIMIZERS.find(record.type))

    def value_of(name: str) -> Any:
        return record.arguments.get(name, parameters[name].default if name in parameters else None)

    if record.type not in ("SGD", "Nesterov") or not (record.type == "Nesterov" or value_of("nesterov")):
        return []
    if not value_of("momentum"):
        return [Fault(f"{address}.momentum", "must be more than 0 for Nesterov's momentum", value_of("momentum"))]
    if value_of("dampening"):
        return [Fault(f"{address}.dampening", "must be 0 for Nesterov's momentum", value_of("dampening"))]
    return []


_Factor = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0)]


def check_factors(factors: object, address: str) -> list[Fault]:
    """Every fault of factors by glob: `{"*.bias": {rate: 2, decay: 0}}`.

    Example:
        >>> print(check_factors({"*.bias": {"rte": 2}}, "learning/main.factors")[0])
        learning/main.factors['*.bias'].rte: unknown key; did you mean 'rate'?
    """
    if factors is None:
        return []
    if not isinstance(factors, Mapping):
        return [Fault(address, "must be a mapping from globs to {rate: ..., decay: ...}", factors)]
    faults = []
    for glob, values in factors.items():
        place = f"{address}[{glob!r}]"
        if not isinstance(values, Mapping):
            faults.append(Fault(place, "must be a mapping of rate and decay", values))
            continue
        for name, value in values.items():
            broken = value_rule(_Factor, value)
            if name not in ("rate", "decay"):
                hint = suggest(name, ("rate", "decay")) or "known: rate, decay"
                faults.append(Fault(f"{place}.{name}", "unknown key", hint=hint))
            elif broken:
                faults.append(Fault(f"{place}.{name}", broken, value))
    return faults
