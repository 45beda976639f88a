"""Watched values of a net that several processes have parts of, brought together in the first one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import Tensor

from rillnet.runtime.observers.subjects import Subject
from rillnet.runtime.placement.gathering import Holding, gather
from rillnet.runtime.placement.placed import Placement


def gathered(
    placement: Placement, subjects: Iterable[Subject], values: Mapping[str, Tensor], streams: int
) -> dict[str, Tensor]:
    """Whole tensors, in the first process; called by all processes for the same addresses.

    Args:
        placement: which parts this process has.
        subjects: what stands behind the addresses.
        values: what this process has there.
        streams: how many there are in all processes.

    Returns:
        By address; numbers are those of the first process. Nothing in the other processes.
    """
    holdings: dict[str, Holding | None] = {}
    brought: dict[str, Tensor] = {}
    numbers: dict[str, Tensor] = {}
    for subject in subjects:
        if subject.kind == "number":
            if subject.address in values:
                numbers[subject.address] = values[subject.address]
            continue
        holdings[subject.address] = _holding(placement, subject, streams)
        if subject.address in values:
            brought[subject.address] = values[subject.address]
    found = gather(brought, holdings.get, placement.processes)
    return {**found, **numbers} if placement.processes.is_first else {}


def _holding(placement: Placement, subject: Subject, streams: int) -> Holding | None:
    if subject.kind == "gradient":
        return placement.holding_of_rules(subject.parameter)
    if subject.source is None or subject.signature is None:
        return placement.holdings.get(subject.parameter)
    plan = placement.plan
    if subject.source.block in plan.flat.inputs and subject.kind == "sent":
        return None  # every process is given all of it
    held = [plan.held(subject.source, rank, streams) for rank in plan.ranks]
    boxes = tuple(None if box is None else (box,) for box in held)
    return Holding(tuple(subject.signature.of_batch(streams)), boxes)
