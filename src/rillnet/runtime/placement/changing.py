"""What interventions do to the part of a block that one process computes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from rillnet.model.flat import FlatSource, Place
from rillnet.runtime.interventions.changes import BlockChange
from rillnet.runtime.interventions.intervening import replaced
from rillnet.runtime.placement.boxes import Box, cut, whole
from rillnet.runtime.placement.plan import PlacementPlan


@dataclass(frozen=True)
class _Part:
    """What is done to this process' part of one tensor; mask and value are views, so that new values are seen."""

    place: Place
    held: Box
    mask: Tensor
    value: Tensor
    drawn: str | None


@dataclass(frozen=True)
class LocalChange:
    """What is done to what a process sends of a block.

    Args:
        parts: one for each tensor that is changed.
    """

    parts: tuple[_Part, ...]

    def __call__(self, sent: Any, inputs: Mapping[str, Any]) -> Any:
        """What is sent, with the interventions on it.

        Args:
            sent: by the block, as much of it as this process has.
            inputs: of the frame, with all that is drawn for it, whole.
        """
        for part in self.parts:
            drawn = None
            if part.drawn is not None:
                told: Tensor = inputs[part.drawn]
                drawn = cut(told, whole(told.shape), part.held)
            sent = replaced(sent, part.place, part.mask, part.value, drawn)
        return sent


def local_change(plan: PlacementPlan, name: str, rank: int, batch: int, change: BlockChange) -> LocalChange | None:
    """What interventions do to a process' part of a block; None for nothing.

    Args:
        plan: who computes what.
        name: the block.
        rank: the process.
        batch: examples in the batch.
        change: of the whole block.
    """
    module = change.module
    if module is None:
        return None
    drawn = iter(change.drawn)
    parts = []
    for number, place in enumerate(module.places):
        own_drawn = next(drawn) if module.draws[number] else None
        held = plan.held(FlatSource(name, place), rank, batch)
        if held is None:
            continue
        mask, value = module.get_buffer(f"mask_{number}"), module.get_buffer(f"value_{number}")
        # along the batch there is one mask for all, whatever part of it this process has
        own = tuple(span if size > 1 else (0, size) for span, size in zip(held, mask.shape, strict=True))
        box = whole(mask.shape)
        parts.append(_Part(place, held, cut(mask, box, own), cut(value, box, own), own_drawn))
    return LocalChange(tuple(parts)) if parts else None
