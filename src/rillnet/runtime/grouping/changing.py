"""What interventions do within a group: rows of what is read are zeros, rows of what is sent are replaced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from rillnet.runtime.interventions.intervening import Intervening
from rillnet.runtime.plan import Turn


@dataclass
class GroupChange:
    """The interventions on the members of a group, each without leaving it.

    Args:
        silent: which argument of which member is zeros: argument and row.
        rows: the members of which what they send is changed.
        modules: by what, in the order of the rows.
        drawn: registers of what is added, with the positions among the rows.
        device: where indices go.
    """

    silent: tuple[tuple[int, int], ...]
    rows: tuple[int, ...]
    modules: tuple[Intervening, ...]
    drawn: tuple[tuple[int, int], ...]
    device: torch.device
    _version: int = -1
    _known: dict[Any, Any] = field(default_factory=dict, repr=False)

    def before(self, read: list[Tensor], index: Tensor | None) -> tuple[list[Tensor], Tensor | None]:
        """What members read, with zeros where an edge is cut.

        Args:
            read: for every argument one tensor of all members, or one tensor of rows.
            index: of these rows, the one of each source of each member.
        """
        if not self.silent:
            return read, index
        if index is None:
            found = list(read)
            for argument, rows in self._rows_by_argument().items():
                found[argument] = found[argument].index_fill(0, rows, 0)
            return found, None
        rows = read[0]
        if "index" not in self._known:
            changed = index.clone()
            for argument, row in self.silent:
                changed[row, argument] = len(rows)
            self._known["index"] = changed
        return [torch.cat([rows, torch.zeros_like(rows[:1])])], self._known["index"]

    def _rows_by_argument(self) -> dict[int, Tensor]:
        if "rows" not in self._known:
            rows: dict[int, list[int]] = {}
            for argument, row in self.silent:
                rows.setdefault(argument, []).append(row)
            self._known["rows"] = {key: torch.tensor(one, device=self.device) for key, one in rows.items()}
        found: dict[int, Tensor] = self._known["rows"]
        return found

    def after(self, sent: Tensor, values: Sequence[Any], *, in_place: bool) -> Tensor:
        """What members send, with the interventions on it.

        Args:
            sent: by the members, [members, batch, *shape].
            values: the registers.
            in_place: whether it is written into that, as others look at the same memory.
        """
        if not self.rows:
            return sent
        rows, mask, value = self._stacked()
        new = torch.where(mask, value.to(sent.dtype), sent.index_select(0, rows))
        if self.drawn:
            positions = self._known["positions"]
            drawn = torch.stack([values[register] for register, _ in self.drawn])
            new = new.index_add(0, positions, drawn.to(sent.dtype))
        return sent.index_copy_(0, rows, new) if in_place else sent.index_copy(0, rows, new)

    def _stacked(self) -> tuple[Tensor, Tensor, Tensor]:
        """The rows, their masks and their values, stacked anew where one has changed."""
        version = sum(module.version for module in self.modules)
        if version != self._version:
            self._version = version
            self._known["stacked"] = (
                torch.tensor(self.rows, device=self.device),
                torch.stack([module.get_buffer("mask_0") for module in self.modules]),
                torch.stack([module.get_buffer("value_0") for module in self.modules]),
            )
            self._known["positions"] = torch.tensor([position for _, position in self.drawn], device=self.device)
        found: tuple[Tensor, Tensor, Tensor] = self._known["stacked"]
        return found


def change_of(turns: Sequence[Turn], through: Sequence[Turn], device: torch.device) -> GroupChange | None:
    """What interventions do to a group; None for nothing.

    Args:
        turns: of its blocks, by row.
        through: of each block, the turn of the synapse that is computed with it, which then is what reads.
        device: where it is computed.
    """
    silent: list[tuple[int, int]] = []
    rows: list[int] = []
    modules: list[Intervening] = []
    drawn: list[tuple[int, int]] = []
    for row, turn in enumerate(through or turns):
        if turn.change is not None:
            silent += [(argument, row) for argument, _ in turn.change.silent]
    for row, turn in enumerate(turns):
        if turn.change is not None and isinstance(turn.change.after, Intervening):
            drawn += [(register, len(rows)) for register in turn.change.drawn]
            rows.append(row)
            modules.append(turn.change.after)
    if not silent and not rows:
        return None
    return GroupChange(tuple(silent), tuple(rows), tuple(modules), tuple(drawn), device)


def can_join(synapses: Sequence[Turn], pools: Sequence[Turn]) -> bool:
    """Whether nothing is done between synapses and the pools that read them, so that both can be computed at once."""
    sends = any(turn.change is not None and turn.change.after is not None for turn in synapses)
    return not sends and not any(turn.change is not None and turn.change.silent for turn in pools)
