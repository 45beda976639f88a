"""What is sent between processes so that each has what it needs of one tensor, and its gradient on the way back."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from rillnet.runtime.placement.boxes import Box, contains, numel, overlap


@dataclass(frozen=True)
class Message:
    """A part of a tensor that one process sends to another.

    Args:
        sender: the process that has it.
        receiver: the process that needs it; the same one for a copy that nobody has to send.
        box: which part.
    """

    sender: int
    receiver: int
    box: Box


@dataclass(frozen=True)
class Transfers:
    """All messages of one tensor in one frame.

    Args:
        held: the part that each process has; None for nothing.
        needed: the part that each process needs.
        forward: messages that bring it there.
        backward: messages that bring the gradient back.
    """

    held: tuple[Box | None, ...]
    needed: tuple[Box | None, ...]
    forward: tuple[Message, ...]
    backward: tuple[Message, ...]

    @property
    def crossing(self) -> int:
        """Numbers that are sent from one process to another on the way forward."""
        return _crossing(self.forward)

    @property
    def returning(self) -> int:
        """Numbers that are sent on the way back."""
        return _crossing(self.backward)

    def is_local(self, *, learning: bool) -> bool:
        """Whether no process depends on another."""
        return not self.crossing and not (learning and self.returning)

    @property
    def name(self) -> str:
        """What it is called where it has a name."""
        if not self.crossing:
            return "sum of gradients" if self.returning else "none"
        holders, readers = _distinct(self.held), _distinct(self.needed)
        if len(holders) == 1 and len(readers) == 1:
            return "transfer"
        if len(holders) == 1:
            return "scatter"
        if len(readers) == 1:
            return "gather"
        if all(a is None or b is None or overlap(a, b) for a, b in zip(self.held, self.needed, strict=True)) and all(
            a is None or b is None or contains(b, a) for a, b in zip(self.held, self.needed, strict=True)
        ):
            return "halo"
        return "all-to-all"


def transfers(held: Sequence[Box | None], needed: Sequence[Box | None], parts: Sequence[Hashable]) -> Transfers:
    """The messages of a tensor.

    Different processes may hold the same box: copies that were computed alike. Boxes that differ do not overlap.

    Args:
        held: the part that each process has.
        needed: the part that each needs.
        parts: what each computes from it. Processes of the same part compute the same gradient, which counts once;
            those of different parts have different ones, which are added.

    Example:
        >>> halves, all_of_it = [((0, 2),), ((2, 4),)], [((0, 4),), ((0, 4),)]
        >>> found = transfers(halves, all_of_it, parts=["same", "same"])
        >>> found.name, [(m.sender, m.receiver, m.box) for m in found.forward if m.sender != m.receiver]
        ('gather', [(1, 0, ((2, 4),)), (0, 1, ((0, 2),))])
    """
    forward = []
    for receiver, box in enumerate(needed):
        if box is None or not numel(box):
            continue
        own = held[receiver]
        if own is not None and contains(own, box):
            forward.append(Message(receiver, receiver, box))
            continue
        for part in _distinct(held):
            common = overlap(part, box)
            if common is not None:
                forward.append(Message(_nearest(_indices(held, part), receiver), receiver, common))
    readers: dict[Hashable, list[int]] = {}
    for rank, box in enumerate(needed):
        if box is not None and numel(box):
            readers.setdefault(parts[rank], []).append(rank)
    backward = []
    for receiver, own in enumerate(held):
        for ranks in readers.values() if own is not None else ():
            common = overlap(own, needed[ranks[0]])  # type: ignore[arg-type]
            if common is not None:
                backward.append(Message(_nearest(ranks, receiver), receiver, common))
    return Transfers(tuple(held), tuple(needed), tuple(forward), tuple(backward))


def _crossing(messages: Iterable[Message]) -> int:
    return sum(numel(message.box) for message in messages if message.sender != message.receiver)


def _distinct(boxes: Iterable[Box | None]) -> list[Box]:
    return [box for box in dict.fromkeys(boxes) if box is not None and numel(box)]


def _indices(boxes: Sequence[Box | None], wanted: Box) -> list[int]:
    return [rank for rank, box in enumerate(boxes) if box == wanted]


def _nearest(ranks: Sequence[int], rank: int) -> int:
    """The process itself, or one of them, so that each is asked by about as many."""
    return rank if rank in ranks else ranks[rank % len(ranks)]
