"""From where the blocks of a group read: rows of stacked values, joined where they come from several tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Where = tuple[int, int | None]
"""A register, and the row in it; None where the register holds a value that is not stacked."""

_PART_WORTH_PICKING = 0.5
"""Of a tensor that is copied, the rows that are read are picked where they are less than this share of all."""


@dataclass(frozen=True)
class Join:
    """Rows out of several registers: first the values that are not stacked.

    Args:
        result: the register of the rows.
        stacks: registers of stacked values, with the rows that are picked; None for all.
        singles: registers of values that are not stacked.
        room: the register of a tensor that ends with the only stack and has room for the rest before it, if there is
            one; these are then written there, and nothing else is copied.
    """

    result: int
    stacks: tuple[tuple[int, Tensor | None], ...]
    singles: tuple[int, ...]
    room: int | None = None

    @property
    def reads(self) -> list[int]:
        """All registers that are joined."""
        return [*(register for register, _ in self.stacks), *self.singles]

    def __call__(self, values: list[Any]) -> None:
        """Sets the rows."""
        room = values[self.room] if self.room is not None and not torch.is_grad_enabled() else None
        if room is not None:
            rows = room.data  # what is written is no part of the state, so that no graph needs to know
            for row, register in enumerate(self.singles):
                rows[row].copy_(values[register])
            values[self.result] = rows
            return
        parts = []
        if len(self.singles) == 1:
            parts.append(values[self.singles[0]].unsqueeze(0))
        elif self.singles:
            parts.append(torch.stack([values[register] for register in self.singles]))
        for register, picked in self.stacks:
            parts.append(values[register] if picked is None else values[register].index_select(0, picked))
        values[self.result] = torch.cat(parts) if len(parts) > 1 else parts[0]


@dataclass(frozen=True)
class Reading:
    """What one argument of an operation is made of.

    Args:
        rows: the register of the rows.
        index: which row each member, or each source of each member, reads; None for all in order.
        narrow: adjacent rows instead of an index.
    """

    rows: int
    index: Tensor | None
    narrow: slice | None = None

    def gathered(self, values: Sequence[Any]) -> Tensor:
        """The value of each member."""
        rows: Tensor = values[self.rows]
        if self.narrow is not None:
            return rows[self.narrow]
        return rows if self.index is None else rows.index_select(0, self.index)


class Readings:
    """Makes readings; rows that are joined for one group are used by all others that read the same tensors.

    Args:
        size: the first free register.
        counts: rows of the registers that hold stacked values.
        device: where indices go.
    """

    def __init__(self, size: int, counts: Mapping[int, int], device: torch.device) -> None:
        self.size, self.counts, self.device = size, counts, device
        self._joins: dict[Any, Join] = {}

    def make(self, read_GS: Sequence[Sequence[Where]], *, gathers: bool) -> tuple[list[Join], list[Reading]]:
        """The readings of a group.

        Args:
            read_GS: where each source of each member stands.
            gathers: whether all sources are read by one index.
        """
        if gathers:
            join, register, flat = self._rows([where for sources in read_GS for where in sources])
            index = torch.tensor(flat, device=self.device).reshape(len(read_GS), -1)
            return join, [Reading(register, index)]
        joins, readings = [], []
        for column in zip(*read_GS, strict=True):
            join, register, flat = self._rows(column)
            joins += join
            readings.append(self._one_each(register, flat))
        return joins, readings

    def _one_each(self, register: int, flat: list[int]) -> Reading:
        first, last = flat[0], flat[0] + len(flat)
        if flat != list(range(first, last)):
            return Reading(register, torch.tensor(flat, device=self.device))
        is_all = self.counts.get(register) == len(flat)
        return Reading(register, None, None if is_all else slice(first, last))

    def _rows(self, wheres: Sequence[Where]) -> tuple[list[Join], int, list[int]]:
        """The joins that must be done, the register of the rows, and the row of each."""
        stacks: dict[int, set[int]] = {}
        singles: dict[int, None] = {}
        for register, row in wheres:
            if row is None:
                singles[register] = None
            else:
                stacks.setdefault(register, set()).add(row)
        if len(stacks) == 1 and not singles:
            return [], next(iter(stacks)), [row or 0 for _, row in wheres]
        key = self._key(stacks, singles)
        known = self._joins.get(key)
        join = known if known is not None else self._join(stacks, singles)
        self._joins[key] = join
        places = self._places(join)
        return ([] if known is not None else [join]), join.result, [places[where] for where in wheres]

    def _key(self, stacks: Mapping[int, set[int]], singles: Mapping[int, None]) -> Any:
        picked = tuple(
            (register, frozenset(rows) if self._picks(register, rows) else None) for register, rows in stacks.items()
        )
        return picked, tuple(singles)

    def _picks(self, register: int, rows: set[int]) -> bool:
        return len(rows) < _PART_WORTH_PICKING * self.counts[register]

    def _join(self, stacks: Mapping[int, set[int]], singles: Mapping[int, None]) -> Join:
        parts = []
        for register, rows in stacks.items():
            picks = self._picks(register, rows)
            parts.append((register, torch.tensor(sorted(rows), device=self.device) if picks else None))
        join = Join(self.size, tuple(parts), tuple(singles))
        self.size += 1
        return join

    def _places(self, join: Join) -> dict[Where, int]:
        found: dict[Where, int] = {(register, None): row for row, register in enumerate(join.singles)}
        start = len(found)
        for register, picked in join.stacks:
            rows = range(self.counts[register]) if picked is None else picked.tolist()
            found |= {(register, row): start + position for position, row in enumerate(rows)}
            start += len(rows)
        return found
