"""What stands at the addresses of a running net, and how it is changed."""

from __future__ import annotations

import math
from typing import Any, Protocol

import torch
from torch import Tensor

from rillnet.errors import AddressError, Fault, RequestError, suggest
from rillnet.model.net import Net
from rillnet.runtime.clock import Clock
from rillnet.runtime.executor import Executor
from rillnet.runtime.placement.placed import Placement
from rillnet.types import RatedRule


class Addressed(Protocol):
    """What is looked at and changed: a session."""

    net: Net
    clock: Clock

    @property
    def placement(self) -> Placement | None:
        """What this process has of the net, where it is one of several."""

    @property
    def executor(self) -> Executor:
        """What runs its frames."""


def read(session: Addressed, address: str) -> Any:
    """What stands at an address.

    Args:
        session: whose.
        address: `net/conv1/weight`, `learning/main/rate`, `clock/step`.

    Raises:
        AddressError: nothing stands there.
    """
    head, _, rest = address.partition("/")
    if head == "net":
        state = session.net.state_by_address()
        if address in state and session.placement is not None:  # whole, in every process, as all of them ask
            return session.placement.whole({address: state[address]}, everyone=True)[address]
        if address in state:
            return state[address]
        raise AddressError(Fault(address, "unknown address", hint=suggest(address, state)))
    if head == "learning":
        name, part = _rated(session, address)
        rates = session.executor.rules[name].rates()
        return rates[part] if part else rates if len(rates) > 1 else next(iter(rates.values()))
    if head == "clock" and rest in (*Clock.__slots__, "epoch"):
        return getattr(session.clock, rest)
    raise AddressError(Fault(address, "unknown address", hint="known: net/..., learning/<rule>/rate, clock/step"))


def change(session: Addressed, address: str, value: Any) -> str:
    """Changes what stands at an address.

    Args:
        session: whose.
        address: of a parameter or buffer of the net, or of a learning rate.
        value: a number, or anything of the tensor's shape; None gives a rate back to its curve.

    Returns:
        The command, as the journal notes it.

    Raises:
        AddressError: nothing stands there.
        RequestError: it cannot be set, or not to this value.
    """
    if address.startswith("learning/"):
        _change_rate(session, address, value)
    else:
        tensor = read(session, address)
        _change_tensor(address, tensor, value)
        if session.placement is not None:
            with torch.no_grad():
                session.net.state_by_address()[address].copy_(session.placement.part(address, tensor))
    is_short = value is None or isinstance(value, int | float)
    return f"set {address} {value}" if is_short else f"set {address}"


def _change_tensor(address: str, tensor: Any, value: Any) -> None:
    if not isinstance(tensor, Tensor):
        raise RequestError(Fault(address, "cannot be set"))
    try:
        given = torch.as_tensor(value, dtype=tensor.dtype, device=tensor.device)
    except (TypeError, ValueError, RuntimeError) as error:
        raise RequestError(Fault(address, "must be a number, or an array of numbers", value)) from error
    if given.dim() and given.shape != tensor.shape:
        raise RequestError(Fault(address, f"must have the shape {list(tensor.shape)}", list(given.shape)))
    with torch.no_grad():
        tensor.copy_(given)


def _change_rate(session: Addressed, address: str, value: Any) -> None:
    name, part = _rated(session, address)
    rule = session.executor.rules[name]
    if not isinstance(rule, RatedRule):
        raise RequestError(Fault(address, "cannot be set, as the learning rule takes no rate"))
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if value is not None and not (is_number and math.isfinite(value) and value >= 0):
        hint = "None gives it back to its curve"
        raise RequestError(Fault(address, "must be a number, at least 0", value, hint=hint))
    rule.hold_rate(None if value is None else float(value), part or None)


def _rated(session: Addressed, address: str) -> tuple[str, str]:
    """The rule that an address names and, of one with optimisers on several parts, the part it names."""
    rules = session.executor.rules
    name, _, key = address.removeprefix("learning/").partition("/")
    head, _, part = key.partition("/")
    known = [f"learning/{rule}/rate" for rule in rules]
    if f"learning/{name}/rate" in known and head == "rate":
        rates = rules[name].rates()
        if not part or part in rates:
            return name, part
        known = [f"learning/{name}/rate/{label}" for label in rates]
    hint = suggest(address, known) or f"known: {', '.join(known) or 'no learning rule'}"
    raise AddressError(Fault(address, "unknown address", hint=hint))
