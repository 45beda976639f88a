"""When two blocks compute the same function of their parameters and of what they read.

A block is told by what it holds: its class, its attributes, its parameters' and buffers' kinds, and its inner
modules. Blocks that hold the same may be computed at once. Some may not, whatever they hold: those that draw
random numbers of their own, that change what they hold or read, or that somebody listens to.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import Tensor, nn

_PLAIN = frozenset({int, float, str, bool, type(None), complex, bytes, torch.dtype, torch.device, torch.Size})
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_MACHINERY = frozenset(vars(nn.Module()))
"""What every module holds."""

_LEFT_OUT = _MACHINERY | {"_is_full_backward_hook", "_is_hf_initialized"}


class NotGroupedError(Exception):
    """A block must be computed on its own; the message says why."""


class Kinds:
    """Numbers for what blocks compute: equal for those that compute the same function.

    Example:
        >>> kinds = Kinds()
        >>> [kinds.of(nn.Linear(2, size)) for size in (3, 3, 4)]
        [0, 0, 1]
    """

    def __init__(self) -> None:
        self._compounds: dict[Hashable, list[tuple[dict[str, Any], int]]] = {}
        self._count = 0

    def of(self, module: nn.Module) -> int:
        """The number of what a block computes.

        Args:
            module: the block.

        Raises:
            NotGroupedError: it must be computed on its own.
        """
        held = module.__dict__
        for name in _HOOKS:
            if held[name]:
                raise NotGroupedError("it has hooks")
        if held.get("inplace"):
            raise NotGroupedError("it changes what it reads")
        if held["_buffers"] and held["training"]:
            raise NotGroupedError("it may change its buffers in training")
        plain, compound = [], {}
        for name, value in held.items():
            kind = type(value)
            if kind in _PLAIN:
                plain.append((name, kind, value))
            elif name not in _LEFT_OUT:
                compound[name] = value
        tensors = tuple(
            [_kind_of_tensor(name, t) for own in ("_parameters", "_buffers") for name, t in held[own].items()]
        )
        inner = tuple([(name, child and self.of(child)) for name, child in held["_modules"].items()])
        return self._number((type(module), tuple(plain), tensors, inner), compound)

    def _number(self, key: Hashable, compound: dict[str, Any]) -> int:
        """Attributes that are no plain values are compared with those of the blocks of this key that differ so far."""
        alike = self._compounds.setdefault(key, [])
        types = list(map(type, compound.values()))
        for known, number in alike:
            if types == list(map(type, known.values())) and _equal(known, compound):
                return number
        _check(tuple(compound.values()))
        alike.append((compound, self._count))
        self._count += 1
        return self._count - 1


def _equal(one: dict[str, Any], other: dict[str, Any]) -> bool:
    try:
        return bool(one == other)
    except Exception:  # whatever foreign values raise that cannot be compared
        return False


def _kind_of_tensor(name: str, tensor: Tensor | None) -> Hashable:
    if tensor is None:
        return None
    if tensor.is_meta:
        raise NotGroupedError("it has no values")
    if not tensor.is_contiguous():
        raise NotGroupedError("its parameters are laid out in another order")
    if type(tensor) not in (nn.Parameter, Tensor) or not tensor.is_leaf or not tensor.numel():
        raise NotGroupedError(f"it holds a tensor that is no plain parameter: {type(tensor).__name__}")
    return name, tensor.shape, tensor.dtype, tensor.device, tensor.requires_grad


def _check(value: Any) -> None:
    """Raises for attributes that may hold values which nobody knows how to stack."""
    if isinstance(value, Tensor | nn.Module):
        raise NotGroupedError("it holds tensors or modules that are not registered")
    if isinstance(value, dict):
        _check(tuple(value.values()))
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            if type(item) not in _PLAIN:
                _check(item)
    elif is_dataclass(value) and not isinstance(value, type):
        _check(tuple(getattr(value, field.name) for field in fields(value)))


def leaf_tensors(module: nn.Module) -> list[tuple[str, dict[str, Any], str, Tensor]]:
    """Parameters and buffers of a block: dotted name, where each is registered, under which name, the tensor."""
    if not module._modules:
        held = (module._parameters, module._buffers) if module._buffers else (module._parameters,)
        return [(name, one, name, tensor) for one in held for name, tensor in one.items() if tensor is not None]
    found: list[tuple[str, dict[str, Any], str, Tensor]] = []
    stack: list[tuple[str, nn.Module]] = [("", module)]
    while stack:
        prefix, top = stack.pop()
        for registered in (top._parameters, top._buffers):
            found += [(prefix + name, registered, name, t) for name, t in registered.items() if t is not None]
        if top._modules:
            inner = [(f"{prefix}{name}.", child) for name, child in top._modules.items() if child is not None]
            stack.extend(reversed(inner))
    return found


def hooks_of(module: nn.Module) -> list[Mapping[int, Any]]:
    """Where those who listen to a block stand: mappings of the module itself, which show who comes later, too."""
    return [module.__dict__[name] for name in ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks")]
