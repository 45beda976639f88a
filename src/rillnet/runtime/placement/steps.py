"""What one process does in a frame, told beforehand: blocks in their turns, what they read, and how that gets here."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rillnet.model.flat import FlatSource
from rillnet.runtime.placement.boxes import Box, Span
from rillnet.runtime.placement.changing import LocalChange
from rillnet.runtime.placement.exchange import Exchange
from rillnet.runtime.placement.local import Local


@dataclass(frozen=True, slots=True)
class Read:
    """One tensor that a block reads, or that is sent on whole.

    Args:
        source: the tensor.
        exchange: how it gets here.
        number: of what is moved in a frame; the same for all that read the same part of it.
        is_input: whether every process was given all of it.
        part: which part of the batch is moved; None for all of it.
        rows: the dimension of the batch and the examples that are read of what is moved; None for all.
    """

    source: FlatSource
    exchange: Exchange
    number: int
    is_input: bool
    part: int | None = None
    rows: tuple[int, Span] | None = None

    @property
    def key(self) -> tuple[int, int | None]:
        """What is moved once in a frame."""
        return self.number, self.part


@dataclass(frozen=True, slots=True)
class Step:
    """One block's turn.

    Args:
        name: the block.
        part: which part of the batch; None for all of it.
        reads: for each thing that it reads its tensors, one or nested ones.
        local: what this process computes of it; None for nothing.
        box: the part of its output.
        ties: transposed parameters.
        draws: when it draws random numbers.
        copies: whether it changes what it reads.
        nothing: what it sends where the part is empty, without being computed.
        silent: which of the things it reads are zeros.
        change: what interventions do to what it sends.
        sends: what goes on its way to other processes when it is done.
        ahead: likewise, for the next frame.
        frees: what nothing reads any more when it is done.
    """

    name: str
    part: int | None
    reads: tuple[Any, ...]
    local: Local | None
    box: Box | None
    ties: tuple[tuple[str, str, str], ...]
    draws: int
    copies: bool
    nothing: Any
    silent: tuple[int, ...] = ()
    change: LocalChange | None = None
    sends: tuple[Read, ...] = ()
    ahead: tuple[Read, ...] = ()
    frees: tuple[Hashable, ...] = ()


@dataclass(frozen=True, slots=True)
class Prepared:
    """A frame for one phase, one set of inputs and one size of batch.

    Args:
        steps: in their order, which is the same in all processes.
        outputs: what is sent, and how it gets here.
        ahead: what goes on its way for the next frame at the beginning of this one, as it is older than that.
    """

    steps: tuple[Step, ...]
    outputs: tuple[tuple[str, Any], ...]
    ahead: tuple[Read, ...]


def scheduled(steps: Sequence[Step], outputs: Sequence[tuple[str, Any]], kept: frozenset[str]) -> Prepared:
    """A frame in which everything is sent on as soon as it is there, and freed when nothing reads it any more.

    Args:
        steps: in their order.
        outputs: what is read at the end.
        kept: blocks whose values outlive the frame.
    """
    done = {step.name: position for position, step in enumerate(steps)}
    done_parts = {(step.name, step.part): position for position, step in enumerate(steps)}
    sends: list[dict[Hashable, Read]] = [{} for _ in steps]
    ahead: list[dict[Hashable, Read]] = [{} for _ in steps]
    earlier: dict[Hashable, Read] = {}
    for read in reads_of([*(step.reads for step in steps), *(found for _, found in outputs)]):
        source = read.source
        if source.delay > 1:
            earlier.setdefault(read.number, read)
        elif source.block in done:
            position = done[source.block] if read.part is None else done_parts[source.block, read.part]
            (ahead if source.delay else sends)[position].setdefault(read.key, read)
    frees = last_uses(steps, outputs, kept)
    found = [
        replace(step, sends=tuple(own.values()), ahead=tuple(later.values()), frees=freed)
        for step, own, later, freed in zip(steps, sends, ahead, frees, strict=True)
    ]
    return Prepared(tuple(found), tuple(outputs), tuple(earlier.values()))


def reads_of(items: Any) -> list[Read]:
    """The single reads of nested ones."""
    if isinstance(items, Read):
        return [items]
    return [read for item in items for read in reads_of(item)]


def last_uses(
    steps: Sequence[Step], outputs: Sequence[tuple[str, Any]], kept: frozenset[str]
) -> list[tuple[Hashable, ...]]:
    """What nothing reads after each step: values of blocks, parts of them, and what was moved.

    Args:
        steps: in their order.
        outputs: what is read at the end.
        kept: blocks whose values outlive the frame.
    """
    parts: dict[str, list[int | None]] = {}
    for step in steps:
        parts.setdefault(step.name, []).append(step.part)
    last: dict[Hashable, int] = {}

    def used(read: Read, position: int) -> None:
        own = parts.get(read.source.block, []) if read.part is None else [read.part]
        last[read.source.block] = position
        for part in own:
            last[read.source.block if part is None else (read.source.block, part)] = position

    for position, step in enumerate(steps):
        last[step.name if step.part is None else (step.name, step.part)] = position
        for read in reads_of(step.reads):
            last[read.key] = position
            if not read.source.delay:
                used(read, position)
    at_the_end = reads_of([found for _, found in outputs])
    moved = {read.key for read in at_the_end}
    whole = kept | {read.source.block for read in at_the_end}
    frees: list[list[Hashable]] = [[] for _ in steps]
    for key, position in last.items():
        name = key[0] if isinstance(key, tuple) else key
        if key not in moved and name not in whole:
            frees[position].append(key)
    return [tuple(found) for found in frees]
