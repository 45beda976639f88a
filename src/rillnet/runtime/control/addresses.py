"""The address space of a session: what stands where, found by address or by glob."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import Any

from torch import Tensor, nn
from torch.nn import Parameter as _Parameter

from rillnet.errors import AddressError, Fault, suggest
from rillnet.model.flat import outputs_of
from rillnet.runtime.clock import Clock
from rillnet.runtime.control.controlled import Controlled
from rillnet.runtime.control.globs import compiled
from rillnet.runtime.control.netplaces import GradientPlace, SentPlace, StatePlace, TensorPlace
from rillnet.runtime.control.places import AddressInfo, Place, Reading, Undo
from rillnet.runtime.control.ruleplaces import ActivePlace, ArgumentPlace, NumberPlace, RatePlace
from rillnet.runtime.control.settings import DataPlace, SettingPlace, is_argument, settings_of
from rillnet.types import NumberedRule, SettableRule

_CLOCK = ("frame", "step", "epoch", "examples")
_SENT = re.compile(r"(?P<block>.+)/(?P<what>output|state)(\[(?P<number>\d+)\])?")
_HEADS = "net/..., learning/<rule>/rate, data/..., clock/step, metrics/..., scalars/..., control/state"

_MOST_LOOKED_AT = 300  # blocks, for what an unknown address may have meant

Listed = Iterator[tuple[str, Callable[[], Place]]]
"""Addresses, and what makes the place at each."""


def place(session: Controlled, address: str) -> Place:
    """What stands at an address.

    Args:
        session: whose.
        address: `net/conv1/weight`, `learning/main/rate`, `clock/step`.

    Raises:
        AddressError: nothing stands there.
    """
    head, _, rest = address.partition("/")
    find = _FINDERS.get(head)
    found = find(session, address, rest) if find is not None and rest else None
    if found is not None:
        return found
    known = _near(session, head, rest)
    hint = suggest(address, known)
    if not hint and head in _SHORT and known:
        hint = f"known: {', '.join(known[:10])}"
    raise AddressError(Fault(address, "unknown address", hint=hint or ("" if known else f"known: {_HEADS}")))


def _near(session: Controlled, head: str, rest: str) -> list[str]:
    """Addresses that may have been meant; of a net those of the block that is named, or else of some blocks."""
    if head != "net":
        return [name for name, _ in _LISTERS[head](session)] if head in _LISTERS else []
    flat = session.rollout.flat
    block = rest
    while block and block not in flat.blocks:
        block = block.rpartition("/")[0]
    chosen = [block] if block else list(islice(flat.blocks, _MOST_LOOKED_AT))
    found = []
    for name in chosen:
        module = flat.module(name)
        own = [*module.state_dict(keep_vars=True), *settings_of(module), "output", "state"]
        found += [f"net/{name}/{one.replace('.', '/')}" for one in own]
    return found


def read(session: Controlled, address: str) -> Any:
    """The value at an address.

    Args:
        session: whose.
        address: `net/conv1/weight`, `learning/main/rate`, `clock/step`.

    Raises:
        AddressError: nothing stands there.
    """
    return place(session, address).read()


def check_change(session: Controlled, address: str, value: Any) -> None:
    """Looks whether what stands at an address can be set to a value.

    Args:
        session: whose.
        address: where.
        value: a number, or anything of the tensor's shape; None gives a rate back to its curve.

    Raises:
        AddressError: nothing stands there.
        RequestError: it cannot be set, or not to this value.
    """
    place(session, address).check(value)


def change(session: Controlled, address: str, value: Any) -> Undo:
    """Changes what stands at an address.

    Args:
        session: whose.
        address: where.
        value: a number, or anything of the tensor's shape; None gives a rate back to its curve.

    Returns:
        What puts back what was there.

    Raises:
        AddressError: nothing stands there.
        RequestError: it cannot be set, or not to this value.
    """
    found = place(session, address)
    found.check(value)
    return found.write(value)


def find(session: Controlled, pattern: str = "**", limit: int | None = None) -> list[AddressInfo]:
    """What stands at the addresses that a glob matches.

    Args:
        session: whose.
        pattern: `*` stays within a part, `**` crosses slashes: `net/*/weight`, `learning/**`.
        limit: at most so many.
    """
    matches = compiled(pattern).fullmatch
    heads = [head for head in _LISTERS if _may_match(pattern, head)]
    listed = (one for head in heads for one in _LISTERS[head](session))
    return [make().info() for _, make in islice((one for one in listed if matches(one[0])), limit)]


def names(session: Controlled, pattern: str = "**", limit: int | None = None) -> list[str]:
    """The addresses that a glob matches, without looking at what stands there.

    Args:
        session: whose.
        pattern: as in `find`.
        limit: at most so many.
    """
    matches = compiled(pattern).fullmatch
    listed = (name for head in _LISTERS if _may_match(pattern, head) for name, _ in _LISTERS[head](session))
    return list(islice((name for name in listed if matches(name)), limit))


def _may_match(pattern: str, head: str) -> bool:
    first, slash, _ = pattern.partition("/")
    return "**" in first or bool(slash and compiled(first).fullmatch(head))


# --- the net ----------------------------------------------------------------------------------


def _find_in_net(session: Controlled, address: str, rest: str) -> Place | None:
    tensor = _tensor_at(session.net, rest)
    if tensor is not None:
        return _tensor(session, address, tensor)
    owner = rest.removesuffix("/gradient")
    tensor = _tensor_at(session.net, owner) if owner != rest else None
    if isinstance(tensor, _Parameter):
        return GradientPlace(address, tensor)
    flat = session.rollout.flat
    sent = _SENT.fullmatch(rest)
    if sent is not None and any(sent["block"] in known for known in (flat.blocks, flat.inputs, flat.nested)):
        number = None if sent["number"] is None else int(sent["number"])
        kind = SentPlace if sent["what"] == "output" else StatePlace
        found = kind(session, address, sent["block"], number)
        _ = found.signature  # raises for an output that the block does not send
        return found
    block, _, name = rest.rpartition("/")
    if block in flat.blocks and is_argument(flat.module(block), name):
        return SettingPlace(session, address, block, name)
    return None


def _tensor_at(net: nn.Module, path: str) -> Tensor | None:
    """The parameter or the kept buffer at a path below a net."""
    *parts, name = path.split("/")
    module: nn.Module | None = net
    for part in parts:
        module = None if module is None else module._modules.get(part)
    if module is None or name in module._non_persistent_buffers_set:
        return None
    found = module._parameters.get(name)
    return found if found is not None else module._buffers.get(name)


def _list_net(session: Controlled) -> Listed:
    parameters = session.net.parameters_by_address()
    for address, tensor in session.net.state_by_address().items():
        yield address, partial(_tensor, session, address, tensor)
        if address in parameters:
            gradient = f"{address}/gradient"
            yield gradient, partial(GradientPlace, gradient, parameters[address])
    flat = session.rollout.flat
    kept = _kept(session)
    sent = [*flat.inputs.items(), *((name, block.output) for name, block in flat.blocks.items())]
    for name, output in sent:
        count = len(outputs_of(output))
        for number in range(count):
            suffix, wanted = (f"[{number}]", number) if count > 1 else ("", None)
            address = f"net/{name}/output{suffix}"
            yield address, partial(SentPlace, session, address, name, wanted)
            if name in kept:
                address = f"net/{name}/state{suffix}"
                yield address, partial(StatePlace, session, address, name, wanted)
        if name in flat.blocks:
            for setting in settings_of(flat.module(name)):
                address = f"net/{name}/{setting}"
                yield address, partial(SettingPlace, session, address, name, setting)


def _kept(session: Controlled) -> set[str]:
    """Blocks that later frames read."""
    return {edge.source for edge in session.rollout.edges if edge.delay}


def _tensor(session: Controlled, address: str, tensor: Any) -> TensorPlace:
    return TensorPlace(session, address, tensor, isinstance(tensor, _Parameter))


# --- learning, data, clock and what is told ---------------------------------------------------


def _list_learning(session: Controlled) -> Listed:
    for name, rule in session.executor.rules.items():
        own = f"learning/{name}"
        rates = rule.rates()
        if rates:
            yield f"{own}/rate", partial(RatePlace, f"{own}/rate", rule, None)
        if len(rates) > 1:
            for part in rates:
                yield f"{own}/rate/{part}", partial(RatePlace, f"{own}/rate/{part}", rule, part)
        yield f"{own}/active", partial(ActivePlace, session, f"{own}/active", name)
        if isinstance(rule, NumberedRule):
            for number in rule.numbers():
                yield f"{own}/{number}", partial(NumberPlace, f"{own}/{number}", rule, number)
        if isinstance(rule, SettableRule):
            for setting in rule.settings():
                yield f"{own}/{setting}", partial(ArgumentPlace, session, f"{own}/{setting}", name, setting)


def _find_in_learning(session: Controlled, address: str, rest: str) -> Place | None:
    name, _, key = rest.partition("/")
    rule = session.executor.rules.get(name)
    part = key.removeprefix("rate/")
    if rule is not None and key.startswith("rate/") and part in rule.rates():
        return RatePlace(address, rule, part)
    return _among(_list_learning(session), address)


def _list_data(session: Controlled) -> Listed:
    for name in session.data.settings() if session.data is not None else ():
        yield f"data/{name}", partial(DataPlace, session, f"data/{name}", name)


def _list_clock(session: Controlled) -> Listed:
    for name in _CLOCK:
        yield f"clock/{name}", partial(Reading, f"clock/{name}", "clock", partial(getattr, session.clock, name))


def _find_in_clock(session: Controlled, address: str, rest: str) -> Place | None:
    known = rest in (*Clock.__slots__, "epoch")
    return Reading(address, "clock", partial(getattr, session.clock, rest)) if known else None


def _list_metrics(session: Controlled) -> Listed:
    for phase, metrics in list(session.metrics.items()):
        for name in list(metrics):
            address = f"metrics/{phase}/{name}"
            yield address, partial(Reading, address, "metric", partial(metrics.get, name))


def _list_scalars(session: Controlled) -> Listed:
    scalars = session.scalars
    for name in list(scalars):
        yield f"scalars/{name}", partial(Reading, f"scalars/{name}", "scalar", partial(scalars.get, name))


def _list_control(session: Controlled) -> Listed:
    for name in ("state", "speed", *(["held"] if session.control.held else [])):
        address = f"control/{name}"
        yield address, partial(Reading, address, "control", partial(getattr, session.control, name))


def _among(listed: Listed, address: str) -> Place | None:
    return next((make() for name, make in listed if name == address), None)


_LISTERS: dict[str, Callable[[Controlled], Listed]] = {
    "net": _list_net,
    "learning": _list_learning,
    "data": _list_data,
    "clock": _list_clock,
    "metrics": _list_metrics,
    "scalars": _list_scalars,
    "control": _list_control,
}

_SHORT = ("learning", "data", "clock", "metrics", "scalars", "control")
"""What has so few addresses that a message can name them."""

_FINDERS: dict[str, Callable[[Controlled, str, str], Place | None]] = {
    "net": _find_in_net,
    "learning": _find_in_learning,
    "data": lambda session, address, rest: _among(_list_data(session), address),
    "clock": _find_in_clock,
    "metrics": lambda session, address, rest: _among(_list_metrics(session), address),
    "scalars": lambda session, address, rest: _among(_list_scalars(session), address),
    "control": lambda session, address, rest: _among(_list_control(session), address),
}
