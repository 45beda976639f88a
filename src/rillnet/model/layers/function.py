"""Blocks for what a PyTorch model computes between its layers: a function call, a tensor of its own."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

_OPERATORS: dict[str, Callable[..., int]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "//": operator.floordiv,
    "%": operator.mod,
}


@dataclass(frozen=True, slots=True)
class Port:
    """Stands in the arguments of a call for what the block reads there, counted from 0."""

    number: int


@dataclass(frozen=True, slots=True)
class Size:
    """Stands for the size of what is read at a port along one dimension, such as the number of examples."""

    port: int
    dim: int


@dataclass(frozen=True, slots=True)
class Computed:
    """Stands for a number computed from sizes: `left operator right`."""

    operator: str
    left: Any
    right: Any


@dataclass(frozen=True, slots=True)
class Grouped:
    """Stands for a named tuple of a class of its own, such as a packed sequence."""

    kind: Callable[..., Any]
    items: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Setting:
    """What a call is made under where that is not what the whole net is called under.

    Args:
        gradient: whether gradients are recorded.
        autocast: the element type of mixed precision; None is none.
        device_type: what mixed precision is for.
    """

    gradient: bool
    autocast: torch.dtype | None
    device_type: str

    @classmethod
    def now(cls, device_type: str) -> Setting:
        """What a call would be made under now."""
        known = torch.amp.is_autocast_available(device_type)
        is_on = known and torch.is_autocast_enabled(device_type)
        autocast = torch.get_autocast_dtype(device_type) if is_on else None
        return cls(torch.is_grad_enabled(), autocast, device_type)

    def enter(self, stack: ExitStack) -> None:
        """Puts everything entered on the stack under this setting."""
        stack.enter_context(torch.set_grad_enabled(self.gradient))
        if torch.amp.is_autocast_available(self.device_type):
            is_on = self.autocast is not None
            stack.enter_context(torch.autocast(self.device_type, dtype=self.autocast, enabled=is_on))


def filled(template: Any, inputs: Sequence[Any]) -> Any:
    """The arguments of a call, with what was read in the places that stand for it.

    Example:
        >>> filled([Port(0), Computed("*", Size(0, 0), 2)], [torch.zeros(3, 1)])[1]
        6
    """
    match template:
        case Port(number):
            return inputs[number]
        case Size(port, dim):
            return inputs[port].shape[dim]
        case Computed(symbol, left, right):
            return _OPERATORS[symbol](filled(left, inputs), filled(right, inputs))
        case Grouped(kind, items):
            return kind(*(filled(item, inputs) for item in items))
        case tuple():
            return tuple(filled(item, inputs) for item in template)
        case list():
            return [filled(item, inputs) for item in template]
        case dict():
            return {key: filled(value, inputs) for key, value in template.items()}
        case slice():
            return slice(*(filled(bound, inputs) for bound in (template.start, template.stop, template.step)))
    return template


def _note_ports(template: Any, used: dict[type, set[int]]) -> None:
    match template:
        case Port(number):
            used[Port].add(number)
        case Size(port, _):
            used[Size].add(port)
        case Computed(_, left, right):
            _note_ports((left, right), used)
        case Grouped(_, items) | tuple(items) | list(items):
            for item in items:
                _note_ports(item, used)
        case dict():
            _note_ports(tuple(template.values()), used)
        case slice():
            _note_ports((template.start, template.stop, template.step), used)


class Function(nn.Module):
    """Calls a function (or a module, with arguments that are no tensors) on what it reads.

    Args:
        function: what is called.
        arguments: its arguments; `Port(n)` stands for what is read as number n.
        keywords: its arguments by name.
        setting: what it is called under, if not what the net is called under.
        sends: the number of the argument that is sent instead of the result, for functions that change it.

    Example:
        >>> Function(torch.add, (Port(0), Port(1)), {"alpha": 2})(torch.tensor([1.0]), torch.tensor([10.0]))
        tensor([21.])
    """

    def __init__(
        self,
        function: Callable[..., Any],
        arguments: Sequence[Any] = (),
        keywords: dict[str, Any] | None = None,
        *,
        setting: Setting | None = None,
        sends: int | None = None,
    ) -> None:
        super().__init__()
        self.function = function
        self.arguments = tuple(arguments)
        self.keywords = dict(keywords or {})
        self.setting = setting
        self.sends = sends

    def forward(self, *inputs: Any) -> Any:
        arguments = filled(self.arguments, inputs)
        keywords = filled(self.keywords, inputs)
        if self.setting is None:
            result = self.function(*arguments, **keywords)
        else:
            with ExitStack() as stack:
                self.setting.enter(stack)
                result = self.function(*arguments, **keywords)
        return result if self.sends is None else arguments[self.sends]

    @property
    def read_for_sizes(self) -> frozenset[int]:
        """The ports of which only the shape is used."""
        used: dict[type, set[int]] = {Port: set(), Size: set()}
        _note_ports((self.arguments, self.keywords), used)
        return frozenset(used[Size] - used[Port])

    @property
    def label(self) -> str:
        """What it calls, in a word."""
        if isinstance(self.function, nn.Module):
            return type(self.function).__name__
        return name_of(self.function)

    def extra_repr(self) -> str:
        shown = [*map(repr, self.arguments), *(f"{name}={value!r}" for name, value in self.keywords.items())]
        return f"{self.label}({', '.join(shown)})"


class Constant(nn.Module):
    """Sends a parameter or a buffer that a model uses outside its layers.

    Args:
        value: the tensor; a parameter stays one.
        persistent: whether a buffer belongs in checkpoints.

    Example:
        >>> Constant(torch.tensor([1.0]))()
        tensor([1.])
    """

    value: Tensor

    def __init__(self, value: Tensor, *, persistent: bool = False) -> None:
        super().__init__()
        if isinstance(value, nn.Parameter):
            self.value = value
        else:
            self.register_buffer("value", value, persistent=persistent)

    def forward(self) -> Tensor:
        return self.value


class Attribute:
    """An attribute of a tensor as a function, `Attribute("T")(x)` is `x.T`."""

    def __init__(self, name: str) -> None:
        self.__name__ = name

    def __call__(self, value: Any) -> Any:
        return getattr(value, self.__name__)


def part(value: Any, *path: int | str) -> Any:
    """An item of an item of what a block sends.

    Example:
        >>> part((1, {"x": 2}), 1, "x")
        2
    """
    for key in path:
        value = value[key]
    return value


def name_of(function: Callable[..., Any]) -> str:
    """The name of a function without underscores around it; of a user's autograd function, its class's.

    Example:
        >>> name_of(torch.Tensor.__getitem__), name_of(torch.relu_)
        ('getitem', 'relu')
    """
    owner = getattr(function, "__self__", None)
    if isinstance(owner, type) and issubclass(owner, torch.autograd.Function):
        return owner.__name__
    return str(getattr(function, "__name__", type(function).__name__)).strip("_")
