"""Batch normalisation by the statistics of each process' own part of the batch, as users of several processes choose.

Nobody waits for another in the midst of a frame, and the numbers are not those of one process. What is remembered for
evaluation is the same in all processes nevertheless, and what one process would remember of the same tensors: when the
frame is done the statistics of all parts and all layers are put together, in one sum.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from rillnet.errors import Fault, RequestError
from rillnet.runtime.placement.boxes import Box, numel
from rillnet.runtime.placement.local import Computed
from rillnet.runtime.placement.local_statistics import LocalBatchNorm
from rillnet.runtime.placement.normalizing import moments
from rillnet.runtime.placement.sums import add_up


class LocalPartNorm(LocalBatchNorm):
    """Batch normalisation that in training takes mean and variance of the part that this process has.

    Attributes:
        taken: in this frame, until it is remembered: the number of examples of the whole batch, and mean and variance
            of each channel of the part.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.whole = LocalBatchNorm(*arguments)
        self.taken: tuple[int, Tensor, Tensor] | None = None

    def __call__(self, values: Sequence[Any], box: Box, batch: int, token: Tensor | None) -> Computed:
        """Normalises; otherwise than in training by what is remembered, or the whole batch."""
        return (super().__call__ if self.module.training else self.whole)(values, box, batch, token)

    def check(self, batch: int) -> None:
        """One number has no variance; told by all processes alike, as none may go on without the others."""
        for rank in self.members:
            box = self.plan.work(self.name, rank, batch)
            if box is not None and numel(box) == box[1][1] - box[1][0]:
                rule = f"has one number of each channel in process {rank}, of a batch of {batch}: it has no variance"
                hint = "place it with statistics: whole, or take another batch_size"
                raise RequestError(Fault(f"net/{self.name}", rule, hint=hint))

    def statistics(self, x: Tensor, batch: int) -> tuple[Tensor, Tensor]:
        """Mean and variance of each channel of the part; zeros of nothing."""
        mean, variance = x.new_zeros(2, x.shape[1]) if not x.numel() else moments(x)
        return mean, variance

    def averaged(self, sums: Tensor, x: Tensor, batch: int) -> Tensor:
        """Sums over the part, divided by the numbers of a channel in it."""
        return sums / max(x.numel() // x.shape[1], 1)

    def keep(self, mean: Tensor, variance: Tensor, batch: int) -> None:
        """Leaves it until the frame is done."""
        self.taken = batch, mean, variance


@torch.no_grad()
def remember_statistics(locals_: Iterable[LocalPartNorm]) -> None:
    """Puts together what all processes have taken in a frame; called by all of them when it is done.

    Args:
        locals_: this process' work on such blocks, in the order of the net.
    """
    by_group: dict[int, list[tuple[LocalPartNorm, int, Tensor]]] = {}
    for local in locals_:
        if local.taken is not None:
            batch, mean, variance = local.taken
            own = torch.cat([mean, variance]).double()
            by_group.setdefault(id(local.group), []).append((local, batch, own))
            local.taken = None
    for found in by_group.values():
        first, sizes = found[0][0], [len(own) for *_, own in found]
        everyone = torch.zeros(len(first.members), sum(sizes), dtype=torch.float64, device=found[0][2].device)
        everyone[first.place] = torch.cat([own for *_, own in found])
        add_up(everyone, first.group)
        for (local, batch, _), both in zip(found, torch.split(everyone, sizes, 1), strict=True):
            means, variances = both.chunk(2, 1)
            local.whole.keep(*local.merged(means, variances, batch), batch)
