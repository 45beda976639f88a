"""The state of a grouped program: one tensor for all blocks of a group, seen from outside block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from rillnet.errors import Fault, RequestError
from rillnet.model.shapes import Signature
from rillnet.runtime.plan import Slot


@dataclass(frozen=True, eq=False)
class Column:
    """The past of the blocks of a group.

    Args:
        names: the blocks, by row.
        signature: what each sends for one example.
        length: how many frames back any of them is read.
    """

    names: tuple[str, ...]
    signature: Signature
    length: int

    @cached_property
    def row(self) -> dict[str, int]:
        """The row of each block."""
        return {name: row for row, name in enumerate(self.names)}


@dataclass(frozen=True, eq=False)
class Layout:
    """Which keys of a state stand in which column, and which alone.

    Args:
        slots: what is kept.
        columns: of the groups.
    """

    slots: Sequence[Slot]
    columns: tuple[Column, ...] = ()

    @cached_property
    def places(self) -> dict[str, tuple[int, int, int] | None]:
        """For every key its column, its delay and its row; None where it stands alone."""
        of_name = {
            name: (number, row) for number, column in enumerate(self.columns) for name, row in column.row.items()
        }
        found: dict[str, tuple[int, int, int] | None] = {}
        for slot in self.slots:
            place = of_name.get(slot.name)
            for delay in range(1, slot.length + 1):
                found[slot.key(delay)] = None if place is None else (place[0], delay, place[1])
        return found

    @cached_property
    def alone(self) -> list[Slot]:
        """What stands in no column."""
        grouped = {name for column in self.columns for name in column.names}
        return [slot for slot in self.slots if slot.name not in grouped]

    def zeros(self, batch: int, rest: dict[str, Tensor], device: Any, dtype: torch.dtype | None) -> GroupedState:
        """The state before the first frame.

        Args:
            batch: number of streams.
            rest: what stands alone.
            device: where the tensors go.
            dtype: of those that are floating point; None is as inferred.
        """
        stacked = []
        for column in self.columns:
            kind = dtype if dtype is not None and column.signature.dtype.is_floating_point else column.signature.dtype
            shape = (len(column.names), batch, *column.signature.shape)
            stacked.append((torch.zeros(shape, dtype=kind, device=device),) * column.length)
        return GroupedState(self, tuple(stacked), rest)

    def take(self, state: Mapping[str, Tensor]) -> GroupedState:
        """Any state in this layout; the one that is given where it has it already.

        Raises:
            RequestError: something that is kept is missing.
        """
        if isinstance(state, GroupedState):
            if state.layout is self:
                return state
            known = {(c.names, c.length): one for c, one in zip(state.layout.columns, state.stacked, strict=True)}
        else:
            known = {}
        missing = next((key for key in self.places if key not in state), None)
        if missing is not None:
            hint = "take it from initial_state, or from the frame before"
            raise RequestError(Fault("state", f"is not one of this program: {missing!r} is missing", hint=hint))
        stacked = []
        for column in self.columns:
            one = known.get((column.names, column.length))
            stacked.append(one if one is not None else self._stacked(column, state))
        rest = {key: state[key] for key, place in self.places.items() if place is None}
        return GroupedState(self, tuple(stacked), rest)

    def _stacked(self, column: Column, state: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
        found = []
        for delay in range(1, column.length + 1):
            keys = [f"{name}@{delay}" for name in column.names]
            # what is read by nobody is not kept under its name; whatever stands in its row is read by nobody
            like = state[next(key for key in keys if key in self.places)]
            zeros = torch.zeros_like(like)
            found.append(torch.stack([state[key] if key in self.places else zeros for key in keys]))
        return tuple(found)


@dataclass(frozen=True, eq=False, repr=False)
class GroupedState(Mapping[str, Tensor]):
    """A state under the names that a plain one has; what is asked for is a view of its group's tensor.

    Args:
        layout: what stands where.
        stacked: for each column the tensors [members, batch, *shape] of one frame ago, two frames ago ...
        rest: what stands alone.
        rooms: for each column the tensors that end with those of `stacked` and have room before them, or None.
    """

    layout: Layout
    stacked: tuple[tuple[Tensor, ...], ...]
    rest: dict[str, Tensor] = field(default_factory=dict)
    rooms: tuple[tuple[Tensor | None, ...], ...] = ()

    def __getitem__(self, key: str) -> Tensor:
        place = self.layout.places[key]
        if place is None:
            return self.rest[key]
        column, delay, row = place
        return self.stacked[column][delay - 1][row]

    def __iter__(self) -> Iterator[str]:
        return iter(self.layout.places)

    def __len__(self) -> int:
        return len(self.layout.places)

    def __contains__(self, key: object) -> bool:
        return key in self.layout.places

    def __repr__(self) -> str:
        return repr(self.expanded())

    @property
    def streams(self) -> int | None:
        """How many streams there are, told by the first group."""
        return self.stacked[0][0].shape[1] if self.stacked else None

    def expanded(self) -> dict[str, Tensor]:
        """The same state as a plain one."""
        rows = [[one.unbind(0) for one in column] for column in self.stacked]
        return {
            key: self.rest[key] if place is None else rows[place[0]][place[1] - 1][place[2]]
            for key, place in self.layout.places.items()
        }

    def mapped(self, change: Callable[[Tensor], Tensor]) -> GroupedState:
        """A state of what a function makes of every tensor, stacked ones as a whole."""
        known: dict[int, Tensor] = {}

        def changed(tensor: Tensor) -> Tensor:
            if id(tensor) not in known:
                known[id(tensor)] = change(tensor)
            return known[id(tensor)]

        stacked = tuple(tuple(changed(tensor) for tensor in column) for column in self.stacked)
        return GroupedState(self.layout, stacked, {key: changed(tensor) for key, tensor in self.rest.items()})
