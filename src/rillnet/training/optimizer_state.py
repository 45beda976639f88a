"""The state of torch optimisers by address: to be saved as tensors and JSON, and loaded exactly.

A tensor of state is named by its parameter and itself, `net/conv1/weight#exp_avg`. What is no tensor
(hyperparameters, and state that an optimiser keeps as plain numbers) is JSON.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from rillnet.errors import CheckpointError
from rillnet.training.selection import shorten_list

_NO_HYPERPARAMETERS = ("params", "param_names", "foreach", "fused", "differentiable", "capturable")

_HOST_NAMES = ("step", "mu_product")
"""Counters that torch keeps on the host, unless its fused kernels count on the device."""

_VARYING = ("Adafactor",)
"""Optimisers whose state has other names for matrices than for vectors."""


ELEMENTWISE = (
    *("SGD", "Momentum", "Nesterov", "Adagrad", "Adadelta", "RMSprop", "Rprop", "Adam", "AdamW", "Adamax", "NAdam"),
    *("RAdam", "ASGD"),
)
"""Optimisers that change each number of a parameter by itself."""


@dataclass(frozen=True)
class PartState:
    """A torch optimiser and the addresses of its parameters.

    Args:
        type: what the document calls it.
        optimizer: the optimiser itself.
        addresses: of the parameters, group by group, in the order of the groups.
    """

    type: str
    optimizer: torch.optim.Optimizer
    addresses: tuple[tuple[str, ...], ...]

    def items(self) -> Iterable[tuple[str, Tensor, dict[str, Any]]]:
        """Address, parameter and group of every parameter."""
        for addresses, group in zip(self.addresses, self.optimizer.param_groups, strict=True):
            for address, parameter in zip(addresses, group["params"], strict=True):
                yield address, parameter, group

    def state_of(self, parameter: Tensor) -> dict[str, Any]:
        """What the optimiser keeps for a parameter; empty before its first step."""
        state = self.optimizer.state.get(parameter, {})
        return {name: value for name, value in state.items() if value is not None}


def tensors_of(part: PartState) -> dict[str, Tensor]:
    """The tensors of state, by address and name; the tensors themselves, not copies."""
    return {
        f"{address}#{name}": value
        for address, parameter, _ in part.items()
        for name, value in part.state_of(parameter).items()
        if isinstance(value, Tensor)
    }


def values_of(part: PartState) -> dict[str, Any]:
    """The rest of the state, for JSON.

    Raises:
        CheckpointError: the optimiser keeps something that is neither a tensor nor a number.
    """
    names: dict[str, None] = {}
    numbers: dict[str, float] = {}
    without: list[str] = []
    for address, parameter, _ in part.items():
        state = part.state_of(parameter)
        if not state:
            without.append(address)
        for name, value in state.items():
            names[name] = None
            if isinstance(value, Tensor):
                continue
            if not isinstance(value, int | float):
                raise CheckpointError(
                    f"the state {name!r} of {address} cannot be saved: {part.type} keeps it as {type(value).__name__}, "
                    "not as a tensor or a number"
                )
            numbers[f"{address}#{name}"] = value
    return {
        "type": part.type,
        "groups": [_hyperparameters(group) for group in part.optimizer.param_groups],
        "state": sorted(names),
        "without": without if names else [],
        "numbers": numbers,
    }


def merged_values(values: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What `values_of` gives in several processes, as one process with all parameters would give it.

    Args:
        values: of each process; a parameter has state where the process has a part of it.
    """
    names = sorted({name for one in values for name in one["state"]})
    stateful = [one for one in values if one["state"]]
    without = list(stateful[0]["without"]) if stateful else []
    for one in stateful[1:]:
        without = [address for address in without if address in one["without"]]
    numbers = {key: number for one in reversed(values) for key, number in one["numbers"].items()}
    return {**values[0], "state": names, "without": without, "numbers": numbers}


def _hyperparameters(group: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _as_json(value) for name, value in group.items() if name not in _NO_HYPERPARAMETERS}


def _as_json(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.item()
    return [_as_json(item) for item in value] if isinstance(value, list | tuple) else value


def problems_of(part: PartState, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> list[str]:
    """Why a saved state does not fit, one line each; nothing if it does."""
    if values["type"] != part.type:
        return [f"it is of {values['type']}, not of {part.type}"]
    if len(values["groups"]) != len(part.addresses):
        return [f"it has {len(values['groups'])} groups of factors, not {len(part.addresses)}"]
    problems: list[str] = []
    without = set(values["without"])
    missing: dict[str, list[str]] = {}
    for address, parameter, _ in part.items():
        saved = _saved_state(address, tensors, values)
        absent = [name for name in values["state"] if name not in saved]
        if address not in without and absent and not (saved and part.type in _VARYING):
            missing.setdefault(", ".join(absent), []).append(address)
        problems += [
            f"{address}#{name} has shape {list(value.shape)}, not {list(parameter.shape)}"
            for name, value in saved.items()
            if isinstance(value, Tensor)
            and value.dim()
            and value.shape != parameter.shape
            and part.type not in _VARYING
        ]
    return [f"no {names} of {shorten_list(found)}" for names, found in missing.items()] + problems


def load_into(part: PartState, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
    """Puts a saved state that fits into the optimiser; the tensors are copied.

    The element types stay as saved (torch's own load_state_dict casts counters to the parameter's),
    so that going on gives the same bits.
    """
    for group, saved in zip(part.optimizer.param_groups, values["groups"], strict=True):
        for name, value in saved.items():
            kept = group.get(name)
            if isinstance(kept, Tensor):
                kept.fill_(value)
            else:
                group[name] = tuple(value) if isinstance(kept, tuple) else value
    for address, parameter, group in part.items():
        part.optimizer.state.pop(parameter, None)
        saved_state = _saved_state(address, tensors, values)
        if saved_state:
            part.optimizer.state[parameter] = {
                name: _placed(name, value, parameter, bool(group.get("fused"))) for name, value in saved_state.items()
            }


def _placed(name: str, value: Tensor | float, parameter: Tensor, fused: bool) -> Tensor | float:
    if not isinstance(value, Tensor):
        return value
    if name in _HOST_NAMES and value.dim() == 0:
        if fused:
            return value.detach().to(parameter.device, torch.float32, copy=True)
        return value.detach().to("cpu", copy=True)
    return laid_out_as(parameter, value.detach().to(parameter.device, copy=True))


def laid_out_as(parameter: Tensor, value: Tensor) -> Tensor:
    """The value in the memory layout of a parameter, which a file does not keep.

    Torch's fused kernels run through memory without a look at strides: with another layout of the state
    or of the gradient they mix up the elements.

    Args:
        parameter: whose layout.
        value: a tensor; one of another shape is returned as it is.
    """
    if value.shape != parameter.shape or value.stride() == parameter.stride():
        return value
    return torch.empty_like(parameter, dtype=value.dtype, device=value.device, requires_grad=False).copy_(value)


def _saved_state(address: str, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> dict[str, Tensor | float]:
    state: dict[str, Tensor | float] = {}
    for name in values["state"]:
        key = f"{address}#{name}"
        if key in tensors:
            state[name] = tensors[key]
        elif key in values["numbers"]:
            state[name] = values["numbers"][key]
    return state


@torch.no_grad()
def begin_momentum(optimizer: torch.optim.Optimizer) -> None:
    """Gives parameters that have their first gradient later than others a momentum to begin with.

    Torch's fused SGD takes momenta of all parameters or of none. From the ones given here its step leads to where a
    first step does: to the gradient itself.

    Args:
        optimizer: an SGD.
    """
    for group in optimizer.param_groups:
        momentum, dampening, decay = group["momentum"], group["dampening"], group["weight_decay"]
        if not momentum:
            continue
        moved = [p for p in group["params"] if p.grad is not None]
        fresh = [p for p in moved if optimizer.state[p].get("momentum_buffer") is None]
        if not fresh or len(fresh) == len(moved):
            continue
        for parameter in fresh:
            gradient = parameter.grad.add(parameter, alpha=decay) if decay else parameter.grad
            optimizer.state[parameter]["momentum_buffer"] = gradient.mul(dampening / momentum)


def step_unless(optimizer: torch.optim.Optimizer, skip: Tensor, *, is_fused: bool) -> None:
    """Takes a step, unless a number on the device says that it is to be left out; the device is not waited for.

    Fused kernels leave all as it is then. Others see gradients of zero: momentum and decay go on.

    Args:
        optimizer: it.
        skip: 1 where the step is to be left out, 0 where not; float32.
        is_fused: whether its step is one kernel, which torch can tell so.
    """
    moved = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
    # a kernel that makes the first momenta would leave them without a value
    if is_fused and all(optimizer.state[parameter] for parameter in moved):
        optimizer.found_inf = skip  # type: ignore[attr-defined]
        optimizer.step()
        del optimizer.found_inf  # type: ignore[attr-defined]
        return
    for parameter in moved:
        assert parameter.grad is not None
        parameter.grad.masked_fill_(skip.bool(), 0)
    optimizer.step()
