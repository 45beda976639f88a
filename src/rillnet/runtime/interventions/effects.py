"""What the interventions on one tensor come to: which units are replaced, what by, and what is drawn for each frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rillnet.model.shapes import Signature
from rillnet.random import derive
from rillnet.runtime.interventions.records import InForce
from rillnet.runtime.interventions.values import Drawn


@dataclass(frozen=True, eq=False)
class Draw:
    """Numbers that are drawn in every frame.

    Args:
        drawn: the distribution.
        mask: for which units, with a size of 1 for the batch.
        name: which of all draws it is.
    """

    drawn: Drawn
    mask: Tensor
    name: str


@dataclass(frozen=True, eq=False)
class Effect:
    """What is done to one tensor.

        y = where(mask, value, y) + sum of draws

    Args:
        signature: of the tensor, for one example.
        mask: which units are replaced, with a size of 1 for the batch.
        value: what by.
        draws: what is added.
    """

    signature: Signature
    mask: Tensor
    value: Tensor
    draws: tuple[Draw, ...]

    def drawn(self, streams: int, seed: int, frame: Sequence[str | int]) -> Tensor:
        """The numbers that are added in a frame, of all streams.

        Args:
            streams: how many.
            seed: the experiment's.
            frame: what tells the frame from all others.
        """
        shape, kind = self.signature.of_batch(streams), self.value.dtype
        found = torch.zeros((), dtype=kind, device=self.value.device)
        for draw in self.draws:
            own = derive(seed, "intervention", draw.name, *frame)
            numbers = draw.drawn.draw(shape, kind, self.value.device, own)
            found = found + torch.where(draw.mask, numbers, torch.zeros_like(numbers))
        return found


def effect_of(signature: Signature, in_force: Sequence[InForce], dtype: torch.dtype, device: torch.device) -> Effect:
    """What the interventions on one tensor come to.

    Of clamps the later one wins, and a lesion over all of them; noise is added to units that are neither.

    Args:
        signature: of the tensor.
        in_force: the interventions, in their order.
        dtype: of floating-point numbers.
        device: where the tensor is.
    """
    shape = signature.shape
    mask, value = torch.zeros(shape, dtype=torch.bool), torch.zeros(shape, dtype=torch.float64)
    draws: list[tuple[Drawn, Tensor, str]] = []
    for one in sorted(in_force, key=lambda one: (one.kind == "lesion", one.order)):
        if one.kind == "noise":
            continue
        own = _units(one, shape)
        draws = [(drawn, units & ~own, name) for drawn, units, name in draws]
        mask = mask | own
        value = torch.where(own, one.value if isinstance(one.value, Tensor) else torch.zeros_like(value), value)
        if isinstance(one.value, Drawn):
            draws.append((one.value, own, f"clamp {one.drawn_as}"))
    for one in in_force:
        if one.kind == "noise" and isinstance(one.value, Drawn):
            draws.append((one.value, _units(one, shape) & ~mask, f"noise {one.drawn_as}"))
    kind = dtype if signature.dtype.is_floating_point else signature.dtype
    one_example = signature.of_batch(1)
    return Effect(
        signature,
        mask.reshape(one_example).to(device),
        value.to(kind).reshape(one_example).to(device),
        tuple(
            Draw(drawn, units.reshape(one_example).to(device), name)
            for drawn, units, name in draws
            if bool(units.any())
        ),
    )


def _units(one: InForce, shape: tuple[int, ...]) -> Tensor:
    return torch.ones(shape, dtype=torch.bool) if one.mask is None else one.mask
