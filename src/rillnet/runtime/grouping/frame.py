"""A frame whose isomorphic blocks are computed in groups: the turns in a new order, and where values stand."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from rillnet.runtime.grouping.changing import GroupChange, change_of
from rillnet.runtime.grouping.operations import Operation
from rillnet.runtime.grouping.reading import Join, Reading, Readings, Where
from rillnet.runtime.grouping.reuse import Memory
from rillnet.runtime.grouping.stacks import Share
from rillnet.runtime.grouping.state import Column, GroupedState, Layout
from rillnet.runtime.plan import Plan, Seeds, Slot, Turn, flatten

_FEW_VIEWS = 32
"""So many outputs out of groups are made at once; of more, those that are looked at."""


@dataclass
class Draft:
    """A group that will be computed at once.

    Args:
        turns: of its blocks, by row.
        shares: the parameters that it uses.
        operation: what computes it.
        through: of each block, the turn of the synapse that is computed with it.
        column: where its past is kept, if later frames read it.
        result: the register of what its blocks send.
        room: rows that are left free before what its blocks send, for what is read together with it later.
        roomy: the register of the tensor with these rows; None where there are none.
    """

    turns: list[Turn]
    shares: list[Share]
    operation: Operation
    through: list[Turn] = field(default_factory=list)
    column: Column | None = None
    result: int = -1
    room: int = 0
    roomy: int | None = None

    @property
    def reads(self) -> list[tuple[int, ...]]:
        """What each block reads."""
        return [turn.reads for turn in self.through or self.turns]

    @property
    def paths(self) -> list[str]:
        """Its blocks."""
        return [turn.path for turn in (*self.turns, *self.through)]


class GroupTurn:
    """A group's turn in a frame.

    Args:
        draft: what is computed.
        joins: what is joined before.
        readings: what its arguments are made of.
        takes: registers of single blocks' values that others read, with their rows.
        change: what interventions do to it; None for nothing.
    """

    def __init__(
        self,
        draft: Draft,
        joins: Sequence[Join],
        readings: Sequence[Reading],
        takes: Sequence[tuple[int, int]],
        change: GroupChange | None = None,
    ) -> None:
        self.draft, self.joins, self.readings = draft, tuple(joins), readings
        self.takes, self.change = takes, change
        self.copies = False
        self.result, self.operation = draft.result, draft.operation
        self.frees: Sequence[int] = ()
        self._memory = Memory()

    @property
    def reads(self) -> list[int]:
        """Registers that must be there before it."""
        made = {join.result for join in self.joins}
        joined = [register for join in self.joins for register in join.reads]
        if self.change is not None:
            joined += [register for register, _ in self.change.drawn]
        return [*joined, *(reading.rows for reading in self.readings if reading.rows not in made)]

    @property
    def writes(self) -> list[int]:
        """Registers that are there after it."""
        return [self.result, *(register for register, _ in self.takes), *(join.result for join in self.joins)]

    @property
    def report(self) -> dict[str, str]:
        """For each block how it is run."""
        count, how = len(self.draft.turns) - 1, self.operation.how
        return dict.fromkeys(self.draft.paths, f"grouped with {count} other{'s' * (count != 1)} ({how})")

    def __call__(self, values: list[Any], seeds: Seeds | None) -> None:
        """Computes all its blocks.

        Args:
            values: the registers; changed.
            seeds: not used, as what draws by address is in no group.
        """
        for join in self.joins:
            join(values)
        try:
            if self.operation.gathers:
                reading = self.readings[0]
                read, index = [values[reading.rows]], reading.index
            else:
                read, index = [reading.gathered(values) for reading in self.readings], None
            if self.change is not None:
                read, index = self.change.before(read, index)
            room = self._room(read[0], values)
            sent = self.operation(read, index, room)
            if self.change is not None:
                sent = self.change.after(sent, values, in_place=room is not None)
        except Exception as error:  # any error of a foreign forward goes on as it is, with the blocks' addresses
            first, last = self.draft.turns[0].path, self.draft.turns[-1].path
            error.add_note(f"in the group of {len(self.draft.turns)} blocks from {first} to {last}")
            raise
        values[self.result] = sent
        for register, row in self.takes:
            values[register] = taken(sent, row, copies=self.copies)
        for register in self.frees:
            values[register] = None

    def _room(self, like: Tensor, values: list[Any]) -> Tensor | None:
        """Where the result is written to, with rows before it that a later frame may fill."""
        draft = self.draft
        if draft.roomy is None:
            return None
        if torch.is_grad_enabled():
            values[draft.roomy] = None
            return None
        rows, shape = draft.room + len(draft.turns), self.operation.output
        values[draft.roomy] = whole = self._memory.take(like, (rows, like.shape[1], *shape))
        return whole[draft.room :]


def taken(stacked: Tensor, row: int, *, copies: bool) -> Tensor:
    """One block's value out of those of its group."""
    value = stacked[row]
    return value.clone() if copies and torch.is_grad_enabled() else value


@dataclass(frozen=True)
class Frame:
    """A frame in groups.

    Args:
        plan: what is done for single values; its turns are in `steps`.
        steps: turns of single blocks and groups, in order.
        layout: of the state.
        past: registers of the groups' past, with column and delay.
        rooms: registers of the tensors that these are the ends of, with column and delay.
        views: registers of single blocks' past: from which register, in which row.
        pushes: for each column the register that it is taken from, and that of the tensor with room, if there is any.
        lazy: outputs that are views of groups: register and row.
        names: all outputs in order.
        copies: whether single values are copied out of their group where gradients are wanted, as the compiler takes
            no views then.
    """

    plan: Plan
    steps: tuple[Turn | GroupTurn, ...]
    layout: Layout
    past: tuple[tuple[int, int, int], ...]
    rooms: tuple[tuple[int, int, int], ...]
    views: tuple[tuple[int, int, int], ...]
    pushes: tuple[tuple[int, int | None], ...]
    lazy: Mapping[str, Where]
    names: tuple[str, ...]
    copies: bool = False

    def fetch(self, values: list[Any], state: GroupedState) -> None:
        """Sets the registers of the groups' past."""
        for register, column, delay in self.past:
            values[register] = state.stacked[column][delay - 1]
        for register, column, delay in self.rooms if state.rooms else ():
            values[register] = state.rooms[column][delay - 1]
        for register, whole, row in self.views:
            values[register] = taken(values[whole], row, copies=self.copies)

    def stacked(self, values: Sequence[Any]) -> dict[int, Any]:
        """What outputs are views of, by register."""
        return {register: values[register] for register in self._looked_at}

    def following(
        self, values: Sequence[Any], state: Mapping[str, Any] | None, rest: dict[str, Any]
    ) -> Mapping[str, Any]:
        """The next state, given what stands alone in it."""
        if not self.layout.columns or not isinstance(state, GroupedState):
            return rest
        stacked = tuple(
            [(values[register], *old[:-1]) for (register, _), old in zip(self.pushes, state.stacked, strict=True)]
        )
        if not self.rooms:
            return GroupedState(self.layout, stacked, rest)
        before = state.rooms or tuple([(None,) * len(column) for column in stacked])
        rooms = tuple(
            [
                (values[roomy] if roomy is not None else None, *old[:-1])
                for (_, roomy), old in zip(self.pushes, before, strict=True)
            ]
        )
        return GroupedState(self.layout, stacked, rest, rooms)

    @cached_property
    def _looked_at(self) -> list[int]:
        return list({register: None for register, _ in self.lazy.values()})

    def kept(self) -> set[int]:
        """Registers that are read after the frame."""
        return {*self.plan.kept(), *(r for r, _ in self.pushes), *(register for register, _ in self.lazy.values())}


def make_frame(plan: Plan, drafts: Sequence[Draft], slots: Sequence[Slot], chain: Sequence[int], device: Any) -> Frame:
    """Orders the turns of a frame such that every group is computed at once.

    Args:
        plan: of the frame without groups.
        drafts: the groups; their results and columns are set.
        slots: what later frames read.
        chain: positions of turns that must keep their order.
        device: where indices go.
    """
    layout = _laid_out(drafts, slots)
    size = plan.size
    for draft in drafts:
        draft.result, size = size, size + 1
    where, past, size = _places(plan, drafts, layout, size)
    nodes = _ordered(plan, drafts, chain)
    singly = _needed_singly(plan, nodes, where)
    lazy = {name: where[r] for name, r in plan.outputs if isinstance(r, int) and r in where}
    if len(lazy) <= _FEW_VIEWS:
        singly |= {r for name, r in plan.outputs if name in lazy}
        lazy = {}
    counts = {draft.result: len(draft.turns) for draft in drafts}
    counts |= {register: len(layout.columns[column].names) for register, column, _ in past}
    steps = _steps(nodes, where, singly, Readings(size, counts, device), device)
    size += sum(len(step.joins) for step in steps if isinstance(step, GroupTurn))
    rooms, size = _give_room([step for step in steps if isinstance(step, GroupTurn)], past, size)
    of_past = {register for register, _, _ in past}
    views = tuple((r, *where[r]) for r in sorted(singly) if where[r][0] in of_past)
    alone = {slot.name for slot in layout.alone}
    rest = replace(
        plan,
        size=size,
        fetches=tuple((r, keys) for r, keys in plan.fetches if r not in where),
        turns=(),
        outputs=tuple((name, assembled) for name, assembled in plan.outputs if name not in lazy),
        pushes=tuple((key, r) for key, r in plan.pushes if key.rpartition("@")[0] in alone),
        moves=tuple((key, old) for key, old in plan.moves if key.rpartition("@")[0] in alone),
    )
    pushes = tuple((draft.result, draft.roomy) for draft in drafts if draft.column is not None)
    frame = Frame(rest, (), layout, past, rooms, views, pushes, lazy, tuple(name for name, _ in plan.outputs))
    return replace(frame, steps=_freeing(steps, frame.kept()))


def _laid_out(drafts: Iterable[Draft], slots: Sequence[Slot]) -> Layout:
    lengths = {slot.name: slot for slot in slots}
    columns = []
    for draft in drafts:
        kept = [slot for turn in draft.turns if (slot := lengths.get(turn.path)) is not None]
        draft.column = None
        if kept:
            names = tuple(turn.path for turn in draft.turns)
            draft.column = Column(names, kept[0].signature, max(slot.length for slot in kept))
            columns.append(draft.column)
    return Layout(tuple(slots), tuple(columns))


def _places(
    plan: Plan, drafts: Sequence[Draft], layout: Layout, size: int
) -> tuple[dict[int, tuple[int, int]], tuple[tuple[int, int, int], ...], int]:
    """Where values of grouped blocks stand, of this frame and of earlier ones; and the registers of the past."""
    where: dict[int, tuple[int, int]] = {}
    for draft in drafts:
        where |= {turn.result: (draft.result, row) for row, turn in enumerate(draft.turns)}
    in_column = {
        name: (number, row) for number, column in enumerate(layout.columns) for name, row in column.row.items()
    }
    past: dict[tuple[int, int], int] = {}
    for register, keys in plan.fetches:
        name, _, delay = keys.rpartition("@") if isinstance(keys, str) else ("", "", "")
        if name in in_column:
            column, row = in_column[name]
            if (column, int(delay)) not in past:
                past[column, int(delay)], size = size, size + 1
            where[register] = past[column, int(delay)], row
    return where, tuple((register, column, delay) for (column, delay), register in past.items()), size


def _ordered(plan: Plan, drafts: Sequence[Draft], chain: Sequence[int]) -> list[Turn | Draft]:
    """Turns and groups such that each comes after what it reads; single turns first, as they were."""
    nodes: list[Turn | Draft] = []
    taken = {turn.result for draft in drafts for turn in (*draft.turns, *draft.through)}
    number_of: dict[int, int] = {}
    by_position: dict[int, int] = {}
    for position, turn in enumerate(plan.turns):
        if turn.result not in taken:
            by_position[position] = len(nodes)
            number_of |= dict.fromkeys((turn.result, *(r for r, _ in turn.parts)), len(nodes))
            nodes.append(turn)
    singles = len(nodes)
    for draft in drafts:
        number_of |= {turn.result: len(nodes) for turn in (*draft.turns, *draft.through)}
        nodes.append(draft)
    before: list[set[int]] = []
    for number, node in enumerate(nodes):
        read = node.reads if isinstance(node, Turn) else [r for reads in node.reads for r in reads]
        before.append({number_of[r] for r in read if r in number_of} - {number})
    linked = [by_position[position] for position in chain if position in by_position]
    for one, following in itertools.pairwise(linked):
        before[following].add(one)
    return [nodes[number] for number in _topological(before, singles)]


def _topological(before: list[set[int]], singles: int) -> list[int]:
    """Numbers such that each comes after those before it; those under `singles` as early and as ordered as can be."""
    after: list[list[int]] = [[] for _ in before]
    for number, earlier in enumerate(before):
        for one in earlier:
            after[one].append(number)
    missing = [len(earlier) for earlier in before]
    heap = [number for number, count in enumerate(missing) if not count]
    order: list[int] = []
    heapq.heapify(heap)  # groups have the highest numbers
    while heap:
        number = heapq.heappop(heap)
        order.append(number)
        for one in after[number]:
            missing[one] -= 1
            if not missing[one]:
                heapq.heappush(heap, one)
    assert len(order) == len(before), "groups of equal depth never wait for each other"
    return order


def _needed_singly(plan: Plan, nodes: Iterable[Turn | Draft], where: Mapping[int, Any]) -> set[int]:
    """Registers of grouped blocks that others read one by one."""
    read = [r for node in nodes if isinstance(node, Turn) for r in node.reads]
    read += [r for _, assembled in plan.outputs if not isinstance(assembled, int) for r in flatten(assembled)]
    return {register for register in read if register in where}


def _steps(
    nodes: Iterable[Turn | Draft],
    where: Mapping[int, tuple[int, int]],
    singly: set[int],
    readings: Readings,
    device: Any,
) -> list[Turn | GroupTurn]:
    steps: list[Turn | GroupTurn] = []
    for node in nodes:
        if isinstance(node, Turn):
            steps += node.unfolded()
            continue
        read_GS = [[where.get(register, (register, None)) for register in reads] for reads in node.reads]
        joins, made = readings.make(read_GS, gathers=node.operation.gathers)
        takes = [(turn.result, row) for row, turn in enumerate(node.turns) if turn.result in singly]
        steps.append(GroupTurn(node, joins, made, takes, change_of(node.turns, node.through, device)))
    return steps


def _give_room(
    steps: Sequence[GroupTurn], past: Sequence[tuple[int, int, int]], size: int
) -> tuple[tuple[tuple[int, int, int], ...], int]:
    """Has groups leave rows free for the single values that are read together with them in later frames."""
    of_column = [step.draft for step in sorted(steps, key=lambda step: step.result) if step.draft.column is not None]
    at = {register: (column, delay) for register, column, delay in past}
    singles: dict[int, tuple[int, ...]] = {}
    rooms = []
    for step in steps:
        joins = []
        for join in step.joins:
            column, delay = at.get(join.stacks[0][0], (-1, 0)) if len(join.stacks) == 1 else (-1, 0)
            whole = bool(join.singles) and column >= 0 and join.stacks[0][1] is None
            if (
                whole
                and of_column[column].operation.writes
                and singles.setdefault(column, join.singles) == join.singles
            ):
                draft = of_column[column]
                if draft.roomy is None:
                    draft.room, draft.roomy, size = len(join.singles), size, size + 1
                rooms.append((size, column, delay))
                join, size = replace(join, room=size), size + 1
            joins.append(join)
        step.joins = tuple(joins)
    return tuple(rooms), size


def _freeing(steps: Sequence[Turn | GroupTurn], kept: set[int]) -> tuple[Turn | GroupTurn, ...]:
    """The steps, each freeing the registers that nothing reads after it."""
    last: dict[int, int] = {}
    for number, step in enumerate(steps):
        if isinstance(step, Turn):
            written: list[int] = [step.result, *(register for register, _ in step.parts)]
            read: Iterable[int] = step.reads
        else:
            written, read = step.writes, step.reads
        last |= dict.fromkeys([*read, *written], number)
    frees: list[list[int]] = [[] for _ in steps]
    for register, number in last.items():
        if register not in kept:
            frees[number].append(register)
    found: list[Turn | GroupTurn] = []
    for step, free in zip(steps, frees, strict=True):
        if isinstance(step, Turn):
            found.append(replace(step, frees=tuple(free)))
        else:
            step.frees = tuple(free)
            found.append(step)
    return tuple(found)
