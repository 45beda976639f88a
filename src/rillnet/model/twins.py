"""Equal modules made one after another: the first two by their constructor, further ones as copies, drawn anew.

A constructor checks its arguments, makes parts that it drops again, and registers one name after another; where a net
holds thousands of equal blocks, that is most of the work of building it. A copy holds what the constructor would have
made, to the last bit of its parameters: a second module of the constructor's is compared with a copy before any copy
is used.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn

from rillnet.model.parameters import tensors_in_module

LARGEST = 65_536
"""Modules of more numbers than this are made by their constructor, which is little work beside their draw."""

_KNOWN = ("torch.nn.modules.", "rillnet.model.layers.")
_UNCHANGING = (type(None), bool, int, float, str, torch.dtype, torch.device)
_COLLECTIONS = (list, dict, set, OrderedDict)
_REGISTERED = ("_parameters", "_buffers", "_modules")


class _CannotBeCopiedError(Exception):
    """A module holds something that is not its own alone, or that nothing is known of."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a copy of a module is made.

    Args:
        kind: its class.
        attributes: what it holds by name, in order: a value, or what makes one for each copy.
        parameters: its own, with whether they learn.
        buffers: its own.
        modules: those in it.
        draws: whether its constructor draws random numbers.
    """

    kind: type[nn.Module]
    attributes: tuple[tuple[str, Any, Callable[[], Any] | None], ...]
    parameters: tuple[tuple[str, Tensor | None, bool], ...]
    buffers: tuple[tuple[str, Tensor | None], ...]
    modules: tuple[tuple[str, Recipe | None], ...]
    draws: bool = False

    @classmethod
    def of(cls, module: nn.Module, draws: bool) -> Recipe:
        """The recipe of a module as its constructor has made it, which is not held on to.

        Raises:
            _CannotBeCopiedError: it is of a class that is not known, or shares something.
        """
        kind = type(module)
        if not f"{kind.__module__}.".startswith(_KNOWN) or kind.__new__ is not object.__new__:
            raise _CannotBeCopiedError(kind)
        return cls(
            kind,
            tuple((name, *_attribute(value)) for name, value in vars(module).items() if name not in _REGISTERED),
            tuple(
                (name, _copied(p, nn.Parameter), p is not None and p.requires_grad)
                for name, p in module._parameters.items()
            ),
            tuple((name, _copied(buffer, Tensor)) for name, buffer in module._buffers.items()),
            tuple((name, None if m is None else cls.of(m, False)) for name, m in module._modules.items()),
            draws,
        )

    def make(self) -> nn.Module:
        """A copy; what its constructor draws is drawn from torch's present random state on the CPU."""
        module = self._make()
        if self.draws:
            module.reset_parameters()  # type: ignore[operator]
        return module

    def _make(self) -> nn.Module:
        module = self.kind.__new__(self.kind)
        keep = object.__setattr__
        for name, value, make in self.attributes:
            keep(module, name, value if make is None else make())
        keep(
            module,
            "_parameters",
            {name: None if p is None else nn.Parameter(p.clone(), learns) for name, p, learns in self.parameters},
        )
        keep(module, "_buffers", {name: None if b is None else b.clone() for name, b in self.buffers})
        keep(module, "_modules", {name: None if m is None else m._make() for name, m in self.modules})
        return module


def _attribute(value: Any) -> tuple[Any, Callable[[], Any] | None]:
    """A value that copies share, or None and what makes one for each."""
    if _is_unchanging(value):
        return value, None
    if type(value) not in _COLLECTIONS or not all(map(_is_unchanging, _items(value))):
        raise _CannotBeCopiedError(type(value))
    return None, copy.copy(value).copy if value else type(value)


def _items(value: Any) -> Iterator[Any]:
    yield from value
    if isinstance(value, dict):
        yield from value.values()


def _is_unchanging(value: Any) -> bool:
    if type(value) in _UNCHANGING:
        return True
    if isinstance(value, tuple):
        return all(map(_is_unchanging, value))
    described = getattr(type(value), "__dataclass_params__", None)
    return bool(described and described.frozen) and all(_is_unchanging(getattr(value, f.name)) for f in fields(value))


def _copied(tensor: Tensor | None, kind: type[Tensor]) -> Tensor | None:
    if tensor is not None and type(tensor) is not kind:
        raise _CannotBeCopiedError(type(tensor))
    return None if tensor is None else tensor.detach().clone()


class Twins:
    """The recipes of modules that were made before.

    Example:
        >>> twins = Twins()
        >>> layers = [twins.make("fc", lambda: nn.Linear(3, 2)) for _ in range(3)]
        >>> layers[2], twins.recipe("fc").kind.__name__
        (Linear(in_features=3, out_features=2, bias=True), 'Linear')
    """

    def __init__(self) -> None:
        self._found: dict[Hashable, Recipe | None] = {}
        self._met: set[Hashable] = set()

    def __reduce__(self) -> tuple[Any, ...]:  # recipes are found again when they are needed
        return Twins, ()

    def recipe(self, key: Hashable) -> Recipe | None:
        """How copies are made of what this key stands for; None while, and where, the constructor is needed."""
        return self._found.get(key)

    def make(self, key: Hashable, construct: Callable[[], nn.Module]) -> nn.Module:
        """A module, its parameters drawn from torch's present random state on the CPU.

        Args:
            key: what modules have in common that differ in nothing but what is drawn.
            construct: makes one.
        """
        recipe = self._found.get(key)
        if recipe is not None:
            return recipe.make()
        if key not in self._met:
            self._met.add(key)
            return construct()
        if key in self._found:
            return construct()
        return self._compare(key, construct)

    def _compare(self, key: Hashable, construct: Callable[[], nn.Module]) -> nn.Module:
        """Makes a module, and finds out whether a copy is the same."""
        generator = torch.default_generator
        before = generator.get_state()
        module = construct()
        after = generator.get_state()
        self._found[key] = recipe = _recipe_of(module, draws=not torch.equal(before, after))
        if recipe is not None:
            generator.set_state(before)
            twin = recipe.make()
            if not (torch.equal(generator.get_state(), after) and _equal(module, twin)):
                self._found[key] = None
            generator.set_state(after)
        return module


def _recipe_of(module: nn.Module, draws: bool) -> Recipe | None:
    tensors = list(tensors_in_module(module))
    is_large = sum(tensor.numel() for tensor in tensors if not tensor.is_meta) > LARGEST
    is_shared = len({id(tensor) for tensor in tensors}) < len(tensors)
    if is_large or is_shared or (draws and not hasattr(module, "reset_parameters")):
        return None
    try:
        return Recipe.of(module, draws)
    except _CannotBeCopiedError:
        return None


def _equal(module: nn.Module, twin: nn.Module) -> bool:
    pairs = zip(module.state_dict().items(), twin.state_dict().items(), strict=True)
    return all(
        name == own and (a.is_meta or torch.equal(a, b)) and (a.shape, a.dtype) == (b.shape, b.dtype)
        for (name, a), (own, b) in pairs
    )
