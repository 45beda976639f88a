"""Cutting a net into stages, one for each process, such that the longest is as short as can be."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from rillnet.model.flat import FlatSource
from rillnet.runtime.placement.boxes import numel, whole
from rillnet.runtime.placement.machines import Machine
from rillnet.runtime.placement.plan import PlacementPlan

_MOST_STAGES = 16
"""With more, what is sent where a net is cut is not looked at: the search takes the square of the blocks for each."""


def cut_into(seconds: Sequence[float], stages: int, sending: Sequence[float] | None = None) -> list[int]:
    """The stage of each of some blocks in a row, such that the longest stage is as short as can be.

    Args:
        seconds: of each block.
        stages: how many at most.
        sending: of what is sent on if a stage begins with the block; both ends spend it.

    Example:
        >>> cut_into([1.0, 1.0, 2.0, 1.0, 1.0], 3)
        [0, 0, 1, 2, 2]
        >>> cut_into([1.0, 1.0, 1.0, 1.0], 2, sending=[0.0, 0.1, 2.0, 0.1])
        [0, 1, 1, 1]
    """
    if sending is not None and any(sending) and stages <= _MOST_STAGES:
        return _cut_where_little_is_sent(seconds, stages, sending)
    low, high = max(seconds, default=0.0), math.fsum(seconds)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if _filled(seconds, middle)[-1:] < [stages] else (middle, high)
    return _filled(seconds, high * (1 + 1e-9))


def _filled(seconds: Sequence[float], most: float) -> list[int]:
    """The stages where each takes as many blocks as it has time for."""
    found, stage, filled = [], 0, 0.0
    for one in seconds:
        if filled and filled + one > most:
            stage, filled = stage + 1, 0.0
        filled += one
        found.append(stage)
    return found


def _cut_where_little_is_sent(seconds: Sequence[float], stages: int, sending: Sequence[float]) -> list[int]:
    """By dynamic programming: the longest stage of the first blocks in so many stages, for each number of blocks."""
    count = len(seconds)
    until = [0.0, *itertools.accumulate(seconds)]
    ends = [0.0, *sending[1:], 0.0]
    best, cuts = [0.0, *[math.inf] * count], list[list[int]]()
    for _ in range(stages):
        following, chosen = [0.0, *[math.inf] * count], [0] * (count + 1)
        for end in range(1, count + 1):
            for begin in range(end):
                longest = max(best[begin], until[end] - until[begin] + ends[begin] + ends[end])
                if longest < following[end]:
                    following[end], chosen[end] = longest, begin
        best = following
        cuts.append(chosen)
    begins, end = [], count
    for chosen in reversed(cuts):
        end = chosen[end]
        begins.append(end)
    borders = sorted({begin for begin in begins if begin})
    return [sum(border <= position for border in borders) for position in range(count)]


def sending_seconds(
    plan: PlacementPlan, names: Sequence[str], batch: int, machine: Machine, *, learns: bool
) -> list[float]:
    """Seconds of sending what must be sent if a stage begins with each of some blocks.

    Args:
        plan: of one process.
        names: the blocks in their order.
        batch: examples.
        machine: where.
        learns: whether gradients come back.
    """
    place = {name: position for position, name in enumerate(names)}
    spans: dict[FlatSource, tuple[int, int]] = {}
    for name in names:
        for source in plan.rollout.sources(name):
            if source.block in place:
                tensor = FlatSource(source.block, source.place)
                first, last = sorted((place[source.block], place[name]))
                low, high = spans.get(tensor, (first, last))
                spans[tensor] = min(low, first), max(high, last)
    latency, bandwidth = machine.link(same_host=True)
    found = [0.0] * len(names)
    for tensor, (first, last) in spans.items():
        seconds = 0.0
        for _, signature in plan.leaves(tensor):
            both = 2 if learns and signature.dtype.is_floating_point else 1
            size = numel(whole(signature.of_batch(batch))) * signature.dtype.itemsize
            seconds += both * (latency + size / bandwidth)
        for position in range(first + 1, last + 1):
            found[position] += seconds
    return found
