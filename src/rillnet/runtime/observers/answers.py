"""Answers: many tensors reduced together, batch by batch of one shape, and brought to who asked, without waiting."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from rillnet.runtime.observers.heaps import Heap
from rillnet.runtime.observers.query import Query
from rillnet.runtime.observers.reduction import Reduced, Reduction, Row


@dataclass(slots=True)
class _Batch:
    """Tensors that are reduced in one call."""

    reduction: Reduction
    is_listed: bool
    tensors: Sequence[Tensor]
    places: Sequence[tuple[Query, int]]


class Answers:
    """The answers to some questions about one frame, on their way from the device.

    Args:
        values: by question, what is looked at, one tensor for each of its addresses.
        heaps: what is looked at for many questions, in one tensor.
    """

    def __init__(self, values: Mapping[Query, list[Tensor]], heaps: Iterable[Heap] = ()) -> None:
        self.faults: dict[Query, str] = {}
        self._done: list[tuple[Reduced, Sequence[tuple[Query, int]]]] = []
        self._rows: list[tuple[list[Row], Sequence[tuple[Query, int]]]] = []
        for batch in _batches(values):
            self._reduce(batch)
        for heap in heaps:
            is_listed = heap.reduction.is_listed and heap.tensor.device.type == "cpu"
            tensors = cast("Sequence[Tensor]", heap.tensor)  # rows of a tensor are tensors
            self._reduce(_Batch(heap.reduction, is_listed, tensors, [(query, 0) for query in heap.queries]))
        self._event = self._sent_off()

    def _reduce(self, batch: _Batch) -> None:
        try:
            if batch.is_listed:
                self._rows.append((batch.reduction.rows(batch.tensors), batch.places))
                return
            with torch.no_grad():
                self._done.append((batch.reduction(batch.tensors), batch.places))
        except Exception as error:  # what one viewer asks for must not end the run; it is told why
            reason = f"cannot be reduced: {' '.join(str(error).split()[:30]) or type(error).__name__}"
            self.faults.update({query: reason for query, _ in batch.places})

    def _sent_off(self) -> Any:
        """Has everything brought to the host; on a device nobody waits for it."""
        devices = {reduced.data.device for reduced, _ in self._done if reduced.data.device.type != "cpu"}
        if not devices:
            return None
        self._done = [(Reduced(*map(_to_host, _parts(reduced))), places) for reduced, places in self._done]
        if any(device.type != "cuda" for device in devices):
            return None
        event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        event.record()
        return event

    def is_here(self) -> bool:
        """Whether everything has arrived."""
        return self._event is None or bool(self._event.query())

    def wait(self) -> None:
        """Waits until everything has arrived."""
        if self._event is not None:
            self._event.synchronize()

    def rows(self) -> dict[Query, Row]:
        """The answers; those to questions of several addresses put together."""
        found: dict[Query, Row] = {}
        parts: dict[Query, list[Row | None]] = {}
        for query, place, row in self._answered():
            if not query.is_list:
                found[query] = row
                continue
            if query not in parts:
                parts[query] = [None] * len(query.addresses)
            parts[query][place] = row
        for query, rows in parts.items():
            if query not in self.faults:
                found[query] = np.stack([row[0] for row in rows if row is not None]), 0.0, 0.0
        return found

    def _answered(self) -> Iterator[tuple[Query, int, Row]]:
        for rows, places in self._rows:
            for row, (query, place) in zip(rows, places, strict=True):
                yield query, place, row
        for reduced, places in self._done:
            data = reduced.data.numpy()
            lows = [0.0] * len(places) if reduced.low is None else reduced.low.tolist()
            highs = [0.0] * len(places) if reduced.high is None else reduced.high.tolist()
            for number, (query, place) in enumerate(places):
                yield query, place, (data[number], lows[number], highs[number])


def _batches(values: Mapping[Query, list[Tensor]]) -> list[_Batch]:
    """What can be reduced together: of one reduction, type and device, and of one shape unless shapes are mixed."""
    batches: list[_Batch] = []
    found: dict[Any, tuple[list[Tensor], list[tuple[Query, int]]]] = {}
    for query, tensors in values.items():
        reduction = query.reduction
        for place, tensor in enumerate(tensors):
            is_listed = reduction.is_listed and tensor.device.type == "cpu"
            shape = None if reduction.mixes_shapes or is_listed else tensor.shape
            key = (id(reduction), shape, is_listed or tensor.dtype, tensor.device)  # equal ones are one object
            batch = found.get(key)
            if batch is None:
                batch = found[key] = [], []
                batches.append(_Batch(reduction, is_listed, *batch))
            batch[0].append(tensor)
            batch[1].append((query, place))
    return batches


def _parts(reduced: Reduced) -> tuple[Tensor | None, ...]:
    return reduced.data, reduced.low, reduced.high


def _to_host(tensor: Tensor | None) -> Any:
    if tensor is None or tensor.device.type == "cpu":
        return tensor
    if tensor.device.type != "cuda":
        return tensor.cpu()
    # only what is pinned can be copied while the host goes on
    return torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True).copy_(tensor, non_blocking=True)
