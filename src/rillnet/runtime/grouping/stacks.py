"""Parameters of isomorphic blocks in one piece of memory, of which every block's own parameters are views.

What is set in a block's parameter, by an optimiser, a checkpoint or a user, is set in the stack at once, as both
are the same memory. A parameter that has been given other memory (moved, replaced, its `data` assigned) is found
by comparing addresses, and brought back.
"""

from __future__ import annotations

import operator
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from rillnet.model.structure import Structure
from rillnet.runtime.grouping.isomorphism import leaf_tensors

_REQUIRES_GRAD = operator.attrgetter("requires_grad")


class _Gathered(torch.autograd.Function):
    """A stack as what it is of the parameters: nothing is copied, and each gets its slice of the gradient."""

    @staticmethod
    def forward(ctx: Any, storage: Tensor, *parameters: Tensor) -> Tensor:
        alias: Tensor = storage.detach()
        return alias

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        return None, *gradient.flatten(0, 1).unbind(0)


class Stack:
    """Tensors of one shape, those of several blocks by row, several of each block by column.

    Args:
        names: what they are called in their block, by column.
        places: where each is registered, row after row: the mapping and the name in it.
        tensors: the tensors, row after row.

    Attributes:
        storage_GK: all of them, [rows, columns, *shape].
    """

    def __init__(self, names: tuple[str, ...], places: list[tuple[dict[str, Any], str]], tensors: list[Tensor]) -> None:
        self.names, self.tensors = names, tensors
        first = tensors[0]
        self.requires_grad = first.requires_grad
        self.kind = (first.shape, first.dtype, first.device)
        with torch.no_grad():
            rows = len(tensors) // len(names)
            self.storage_GK = torch.stack([tensor.detach() for tensor in tensors]).reshape(
                rows, len(names), *first.shape
            )
        self._held, self._names = [held for held, _ in places], [name for _, name in places]
        self._slices = list(self.storage_GK.flatten(0, 1).unbind(0))
        for tensor, own in zip(tensors, self._slices, strict=True):
            tensor.data = own
        self._pointers = list(map(Tensor.data_ptr, tensors))
        self._node: Tensor | None = None

    def value(self) -> Tensor:
        """The stack, through which gradients reach the parameters where they are wanted."""
        if not (self.requires_grad and torch.is_grad_enabled()):
            return self.storage_GK
        if self._node is None:
            # kept: it holds no values of a frame, and one node for many frames hands gradients on once
            node: Tensor = _Gathered.apply(self.storage_GK, *self.tensors)  # type: ignore[no-untyped-call]
            self._node = node
        return self._node

    def is_whole(self) -> bool:
        """Whether every parameter is still the one that was stacked; those with other memory are brought back."""
        if not all(map(operator.is_, map(dict.get, self._held, self._names), self.tensors)):
            return False
        found = list(map(Tensor.data_ptr, self.tensors))
        if found != self._pointers and not self._bring_back(found):
            return False
        return set(map(_REQUIRES_GRAD, self.tensors)) == {self.requires_grad}

    def _bring_back(self, found: Sequence[int]) -> bool:
        """Makes strayed parameters views of the stack again; false for those that are of another kind now."""
        strayed = [at for at, (now, then) in enumerate(zip(found, self._pointers, strict=True)) if now != then]
        for at in strayed:
            tensor = self.tensors[at]
            if (tensor.shape, tensor.dtype, tensor.device) != self.kind:
                return False
        with torch.no_grad():
            for at in strayed:
                self._slices[at].copy_(self.tensors[at])
                self.tensors[at].data = self._slices[at]
        return True


class Bundle:
    """The stacks of some isomorphic blocks.

    Args:
        modules: the blocks, by row.

    Attributes:
        is_retired: whether a larger bundle has taken its place.
    """

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        self.modules = list(modules)
        self.row = {id(module): row for row, module in enumerate(self.modules)}
        held = [leaf_tensors(module) for module in self.modules]
        columns: dict[tuple[Any, ...], list[int]] = {}
        for number, (_, _, _, tensor) in enumerate(held[0]):
            key = (type(tensor), tensor.shape, tensor.dtype, tensor.requires_grad)
            columns.setdefault(key, []).append(number)
        self.stacks: list[Stack] = []
        for numbers in columns.values():
            names = tuple(held[0][number][0] for number in numbers)
            each = [own[number] for own in held for number in numbers]
            self.stacks.append(Stack(names, [(e[1], e[2]) for e in each], [e[3] for e in each]))
        self.is_retired = False

    def natural(self, modules: Sequence[nn.Module]) -> list[int]:
        """The positions of these blocks in the order in which they lie here."""
        return sorted(range(len(modules)), key=lambda position: self.row[id(modules[position])])

    def share(self, modules: Sequence[nn.Module]) -> Share:
        """The rows of these blocks, in this order."""
        rows = [self.row[id(module)] for module in modules]
        return Share(self, _rows(rows, len(self.modules), self.stacks))

    def is_whole(self) -> bool:
        """Whether all that was stacked still is."""
        return all(stack.is_whole() for stack in self.stacks)


@dataclass
class Share:
    """Some rows of a bundle: the stacks of one group.

    Args:
        bundle: where they lie.
        rows: which, in the order of the group; None for all, a slice for adjacent ones.
    """

    bundle: Bundle
    rows: slice | Tensor | None

    def find(self, names: Sequence[str]) -> tuple[Stack, slice] | None:
        """The stack that holds these tensors of each block side by side, and its columns; None if none does."""
        for stack in self.bundle.stacks:
            if names[0] in stack.names:
                start = stack.names.index(names[0])
                columns = slice(start, start + len(names))
                return (stack, columns) if stack.names[columns] == tuple(names) else None
        return None

    def of(self, stack: Stack, columns: slice) -> Tensor:
        """The rows of this group, [members, columns, *shape]."""
        value = stack.value()
        if self.rows is not None:
            value = value[self.rows]
        return value if columns == slice(0, len(stack.names)) else value[:, columns]


class Bundles:
    """All bundles of a net; several programs of one net share them."""

    def __init__(self) -> None:
        self._of: dict[int, Bundle] = {}

    def bundle(self, modules: Sequence[nn.Module]) -> Bundle:
        """The bundle that holds these blocks: one that is there already if it holds all of them, or a new one.

        Args:
            modules: isomorphic blocks.
        """
        old = list({id(b): b for m in modules if (b := self._bundle(m)) is not None}.values())
        if len(old) == 1 and all(id(module) in old[0].row for module in modules) and old[0].is_whole():
            return old[0]
        return self._joined(old, modules)

    def _joined(self, old: Sequence[Bundle], modules: Sequence[nn.Module]) -> Bundle:
        """One bundle of these blocks and of those they were together with, such that both stay side by side."""
        wanted = {id(module) for module in modules}
        before = [module for bundle in old for module in bundle.modules if bundle is self._bundle(module)]
        for bundle in old:
            bundle.is_retired = True
        others = [module for module in before if id(module) not in wanted and _fits(module, modules[0])]
        known = {id(module): module for module in before if id(module) in wanted}
        new = Bundle([*others, *known.values(), *(module for module in modules if id(module) not in known)])
        self._of |= {id(module): new for module in new.modules}
        return new

    def _bundle(self, module: nn.Module) -> Bundle | None:
        """The bundle that a block is in; identities are compared, as a new module may have a dead one's number."""
        bundle = self._of.get(id(module))
        if bundle is None or bundle.is_retired or bundle.modules[bundle.row[id(module)]] is not module:
            return None
        return bundle


def _fits(module: nn.Module, like: nn.Module) -> bool:
    """Whether tensors of a block still have the shapes of another's."""
    one, other = leaf_tensors(module), leaf_tensors(like)
    return [(n, t.shape, t.dtype, t.device, t.requires_grad) for n, _, _, t in one] == [
        (n, t.shape, t.dtype, t.device, t.requires_grad) for n, _, _, t in other
    ]


def _rows(rows: list[int], count: int, stacks: Sequence[Stack]) -> slice | Tensor | None:
    if rows == list(range(count)):
        return None
    if rows == list(range(rows[0], rows[0] + len(rows))):
        return slice(rows[0], rows[0] + len(rows))
    device = stacks[0].storage_GK.device if stacks else torch.device("cpu")
    return torch.tensor(rows, device=device)


_of_nets: weakref.WeakKeyDictionary[Structure, Bundles] = weakref.WeakKeyDictionary()


def bundles_of(net: Structure) -> Bundles:
    """The bundles of a net, which live as long as it does."""
    return _of_nets.setdefault(net, Bundles())
