"""What is seen of a running model: the tensors in its values, and sizes that remember whose they are."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import Tensor, nn

from rillnet.model.shapes import Output, Signature

Place = tuple[str, tuple[Any, ...]]
"""The block (or input) that made a tensor, and the way to it inside of what that block sends."""


class Extent(int):
    """The size of a traced tensor: a number that remembers where it comes from, so that batches may differ."""

    made_of: Any

    def __new__(cls, value: int, made_of: Any) -> Extent:
        """A number, and the `(tensor's place, dimension)` or `(operator, left, right)` that it is."""
        found = super().__new__(cls, value)
        found.made_of = made_of
        return found

    def __reduce__(self) -> Any:  # a copy is a plain number
        return int, (int(self),)


def _add_operators() -> None:
    names = {"+": "add", "-": "sub", "*": "mul", "//": "floordiv", "%": "mod"}
    for symbol, name in names.items():
        setattr(Extent, f"__{name}__", _operator(symbol, getattr(int, f"__{name}__"), False))
        setattr(Extent, f"__r{name}__", _operator(symbol, getattr(int, f"__r{name}__"), True))


def _operator(symbol: str, compute: Callable[[int, int], Any], is_reflected: bool) -> Callable[[Extent, Any], Any]:
    def method(self: Extent, other: Any) -> Any:
        value = compute(self, other)
        if value is NotImplemented:
            return value
        return Extent(value, (symbol, other, self) if is_reflected else (symbol, self, other))

    return method


_add_operators()


def tensors_in(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Tensor]]:
    """Every tensor in tuples, lists, mappings and data classes, with the way to it.

    Example:
        >>> [path for path, _ in tensors_in((torch.zeros(1), {"x": torch.zeros(1)}, 3))]
        [(0,), (1, 'x')]
    """
    if isinstance(value, Tensor):
        yield path, value
    elif isinstance(value, tuple | list):
        for number, item in enumerate(value):
            yield from tensors_in(item, (*path, number))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from tensors_in(item, (*path, key))
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from tensors_in(getattr(value, field.name), (*path, field.name))


def is_plain(value: Any) -> bool:
    """Whether all tensors of an argument can be seen: it is made of tensors, numbers, words and groups."""
    if isinstance(value, tuple | list):
        return all(is_plain(item) for item in value)
    if isinstance(value, Mapping):
        return type(value) is dict and all(is_plain(item) for item in value.values())
    if isinstance(value, slice):
        return is_plain((value.start, value.stop, value.step))
    known = isinstance(value, Tensor | int | float | complex | str | None)
    return known or value is ... or type(value).__module__ == "torch"


def versions_of(values: Any) -> dict[int, int]:
    """How often each tensor in these values has been changed in place, by its identity."""
    return {id(tensor): 0 if tensor.is_inference() else tensor._version for _, tensor in tensors_in(values)}


def not_an_input(result: Any, versions: Mapping[int, int]) -> Any:
    """The result of a call, as another tensor object where the call returned an argument that it did not change.

    Otherwise a layer that does nothing now, such as dropout in evaluation, could not be told from its input.
    """
    if type(result) in (tuple, list):
        return type(result)(not_an_input(item, versions) for item in result)
    if not isinstance(result, Tensor) or versions_of(result).items() - versions.items():
        return result
    with torch.set_grad_enabled(result.requires_grad):
        return result.view_as(result)


def positional(module: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Tensor] | None:
    """The arguments of a layer's call if they are nothing but tensors in a row, defaults left out; else None."""
    if kwargs or not all(isinstance(value, Tensor) for value in args):
        signature = inspect.signature(module.forward)
        bound = signature.bind(*args, **kwargs)
        for name, parameter in signature.parameters.items():
            if name in bound.arguments and bound.arguments[name] is parameter.default:
                del bound.arguments[name]
        given = list(bound.arguments)
        if bound.kwargs or given != list(signature.parameters)[: len(given)]:
            return None
        args = bound.args
    return list(args) if all(isinstance(value, Tensor) for value in args) else None


def output_of(value: Any, batch: int, module: nn.Module | None = None) -> Output:
    """What a block sends for one example, told from what it sent for a batch of that many.

    Args:
        value: what it sent.
        batch: examples.
        module: the block's; the state of a recurrent layer has the layers first and the batch second.
    """
    if isinstance(module, nn.RNNBase) and isinstance(value, tuple):
        sequence, state = value
        states = tuple(_state_of(one, batch) for one in state) if isinstance(state, tuple) else _state_of(state, batch)
        return (output_of(sequence, batch), states)
    if isinstance(value, Tensor):
        batched = value.dim() > 0 and value.shape[0] == batch
        return Signature(tuple(value.shape[1:] if batched else value.shape), value.dtype, batched)
    if isinstance(value, Mapping):
        value = tuple(value.values())
    if isinstance(value, tuple | list):
        return tuple(output_of(item, batch) for item in value)
    return Signature((), batched=False)


def _state_of(state: Tensor, batch: int) -> Output:
    if state.dim() != 3 or state.shape[1] != batch:
        return output_of(state, batch)
    return Signature((state.shape[0], state.shape[2]), state.dtype, batch_dim=1)
