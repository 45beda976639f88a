"""What blocks of a group send, where it is looked at alike: taken out of their group's tensor at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rillnet.model.flat import FlatSource
from rillnet.runtime.grouping.state import GroupedState
from rillnet.runtime.observers.query import Query
from rillnet.runtime.observers.reduction import Reduction
from rillnet.runtime.observers.subjects import Subject

LEAST = 4
"""So many blocks have to be looked at alike."""


@dataclass(frozen=True, eq=False)
class Heap:
    """What some blocks send.

    Args:
        reduction: what is made of each.
        queries: what was asked, in order.
        tensor: of all of them, [K, *shape].
    """

    reduction: Reduction
    queries: tuple[Query, ...]
    tensor: Tensor


@dataclass(frozen=True, eq=False)
class _Rows:
    """Rows of a group's tensor.

    Args:
        reduction: what is made of each.
        stream: which one of the batch is looked at; None for all.
        column: of the state.
        delay: frames ago.
        rows: which, on the state's device.
        queries: what was asked about each.
        subjects: what was asked about.
    """

    reduction: Reduction
    stream: int | None
    column: int
    delay: int
    rows: Tensor
    queries: tuple[Query, ...]
    subjects: tuple[Subject, ...]

    def of(self, state: GroupedState) -> Heap | None:
        """What they hold; None if there are not so many streams."""
        whole = state.stacked[self.column][self.delay - 1]
        if self.stream is not None:
            if self.stream >= whole.shape[1]:
                return None
            whole = whole.select(1, self.stream)
        return Heap(self.reduction, self.queries, whole.index_select(0, self.rows))


class Heaps:
    """Takes what is asked out of the states of a grouped program.

    Args:
        queries: what is asked.
        subjects: what stands behind each address.
        state: one of those states.

    Attributes:
        rest: what is asked of all else.
    """

    def __init__(self, queries: Iterable[Query], subjects: Mapping[str, Subject | None], state: GroupedState) -> None:
        self.layout = state.layout
        self.rest: list[Query] = []
        found: dict[tuple[int, int | None, int, int], list[tuple[int, Query, Subject]]] = {}
        for query in queries:
            subject = None if query.is_list else subjects.get(query.addresses[0])
            place = self.layout.places.get(subject.key) if subject is not None and _is_row(subject) else None
            if subject is None or place is None:
                self.rest.append(query)
                continue
            column, delay, row = place
            found.setdefault((id(query.reduction), query.stream, column, delay), []).append((row, query, subject))
        self._heaps: list[_Rows] = []
        for (_, stream, column, delay), members in found.items():
            if len(members) < LEAST:
                self.rest += [query for _, query, _ in members]
                continue
            rows, asked, about = zip(*members, strict=True)
            index = torch.tensor(rows, device=state.stacked[column][delay - 1].device)
            self._heaps.append(_Rows(asked[0].reduction, stream, column, delay, index, asked, about))

    def __call__(
        self, state: GroupedState, instead: Mapping[FlatSource, Tensor]
    ) -> tuple[Sequence[Heap], Sequence[Query]]:
        """What was asked of a state; and what has to be looked for elsewhere.

        Args:
            state: of the same layout.
            instead: what was kept of a frame, by what sends it, and goes before the state.
        """
        if not self._heaps:
            return (), self.rest
        heaps: list[Heap] = []
        rest = list(self.rest)
        for rows in self._heaps:
            is_kept = bool(instead) and any(subject.source in instead for subject in rows.subjects)
            heap = None if is_kept else rows.of(state)
            if heap is None:
                rest += rows.queries
            else:
                heaps.append(heap)
        return heaps, rest


def _is_row(subject: Subject) -> bool:
    """Whether it is a whole row of a group's tensor, with the batch first."""
    if subject.kind not in ("sent", "state") or subject.source is None or subject.signature is None:
        return False
    return not subject.source.place and subject.signature.batched and subject.signature.batch_dim == 0
