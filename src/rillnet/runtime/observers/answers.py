"""Answers: many tensors reduced together, batch by batch of one shape, and brought to who asked, without waiting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rillnet.runtime.observers.query import Query
from rillnet.runtime.observers.reduction import Reduced, Reduction, Row


@dataclass(slots=True)
class _Batch:
    """Tensors that are reduced in one call."""

    reduction: Reduction
    is_listed: bool
    tensors: list[Tensor]
    places: list[tuple[Query, int]]


class Answers:
    """The answers to some questions about one frame, on their way from the device.

    Args:
        values: by question, what is looked at, one tensor for each of its addresses.
    """

    def __init__(self, values: Mapping[Query, list[Tensor]]) -> None:
        self.faults: dict[Query, str] = {}
        self._queries = values
        self._done: list[tuple[Reduced, list[tuple[Query, int]]]] = []
        self._rows: list[tuple[list[Row], list[tuple[Query, int]]]] = []
        for batch in _batches(values):
            self._reduce(batch)
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
        found: dict[Query, list[Row | None]] = {query: [None] * len(query.addresses) for query in self._queries}
        for rows, places in self._rows:
            for row, (query, place) in zip(rows, places, strict=True):
                found[query][place] = row
        for reduced, places in self._done:
            data = reduced.data.numpy()
            lows = [0.0] * len(places) if reduced.low is None else reduced.low.tolist()
            highs = [0.0] * len(places) if reduced.high is None else reduced.high.tolist()
            for number, (query, place) in enumerate(places):
                found[query][place] = data[number], lows[number], highs[number]
        return {query: _joined(query, rows) for query, rows in found.items() if query not in self.faults}


def _batches(values: Mapping[Query, list[Tensor]]) -> list[_Batch]:
    """What can be reduced together: of one reduction, type and device, and of one shape unless shapes are mixed."""
    found: dict[Any, _Batch] = {}
    for query, tensors in values.items():
        reduction = query.reduction
        for place, tensor in enumerate(tensors):
            is_listed = reduction.is_listed and tensor.device.type == "cpu"
            shape = None if reduction.mixes_shapes or is_listed else tensor.shape
            key = (id(reduction), shape, is_listed or tensor.dtype, tensor.device)  # equal ones are one object
            batch = found.get(key)
            if batch is None:
                batch = found[key] = _Batch(reduction, is_listed, [], [])
            batch.tensors.append(tensor)
            batch.places.append((query, place))
    return list(found.values())


def _parts(reduced: Reduced) -> tuple[Tensor | None, ...]:
    return reduced.data, reduced.low, reduced.high


def _to_host(tensor: Tensor | None) -> Any:
    if tensor is None or tensor.device.type == "cpu":
        return tensor
    if tensor.device.type != "cuda":
        return tensor.cpu()
    # only what is pinned can be copied while the host goes on
    return torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True).copy_(tensor, non_blocking=True)


def _joined(query: Query, rows: list[Row | None]) -> Row:
    known = [row for row in rows if row is not None]
    return (np.stack([row[0] for row in known]), 0.0, 0.0) if query.is_list else known[0]
