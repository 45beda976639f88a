"""What processes compute together: batch statistics, losses and metrics of a batch of which each has a part."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional

from rillnet.model.layers.loss import IGNORED, Loss
from rillnet.model.layers.metrics import Metric
from rillnet.runtime.placement.assignment import Assigned
from rillnet.runtime.placement.boxes import Box, numel
from rillnet.runtime.placement.exchange import Summed
from rillnet.runtime.placement.local import Computed, Local
from rillnet.runtime.placement.normalizing import Normalized, moments
from rillnet.runtime.placement.plan import PlacementPlan
from rillnet.runtime.placement.sums import add_up

HALF = (torch.float16, torch.bfloat16)
"""Types that are computed in single precision where sums are taken."""


class LocalBatchNorm(Local):
    """Batch normalisation with the statistics of the whole batch, wherever its parts are.

    Each process sends the mean and the squared deviations of its part once on the way forward, and two sums of
    gradients once on the way back.

    Args:
        module: the block's module.
        assigned: how the block is split.
        box: the part of its output.
        group: the processes that have the same channels.
        boxes: their parts, for a batch of a size.
        place: which of them this process is.
    """

    needs_all = True

    def __init__(
        self, module: nn.Module, assigned: Assigned, box: Box, group: Any, plan: PlacementPlan, name: str, rank: int
    ) -> None:
        super().__init__(module, assigned, box)
        self.group, self.plan, self.name = group, plan, name
        own = box[1]
        self.members = [r for r in plan.ranks if (part := plan.work(name, r, len(plan.ranks))) and part[1] == own]
        self.place = self.members.index(rank)
        self._weights: dict[int, Tensor] = {}

    def __call__(self, values: Sequence[Any], box: Box, batch: int, token: Tensor | None) -> Computed:
        (x,) = values
        module = self.module
        if not module.training and module.running_mean is not None:
            parameters = (module.running_mean, module.running_var, module.weight, module.bias)
            return functional.batch_norm(x, *parameters, False, 0.0, module.eps), token
        if len(self.members) == 1:  # all that these channels send is here
            return module(x), token
        self.check(batch)
        wide = x.float() if x.dtype in HALF else x
        if torch.is_grad_enabled():  # one process alone has gradients but no token
            anchor = x.new_zeros((), requires_grad=True) if token is None else token
            y, mean, variance, anchor = Normalized.apply(  # type: ignore[no-untyped-call]
                wide, module.weight, module.bias, anchor, self, batch
            )
            token = None if token is None else anchor
        else:
            mean, variance = self.statistics(wide, batch)
            y = functional.batch_norm(wide, mean, variance, module.weight, module.bias, False, 0.0, module.eps)
        if module.training and module.running_mean is not None:
            self.keep(mean, variance, batch)
        return y.to(x.dtype), token

    def total(self, batch: int) -> int:
        """Numbers of a channel in the whole batch."""
        return int(batch * math.prod(self.rule.sends[1:]))

    def check(self, batch: int) -> None:
        """Refuses what has no variance, in torch's words."""
        if self.total(batch) == 1 and self.module.training:
            shape = [batch, *self.rule.sends]
            raise ValueError(f"Expected more than 1 value per channel when training, got input size {shape}")

    def statistics(self, x: Tensor, batch: int) -> tuple[Tensor, Tensor]:
        """Mean and variance of each channel over the whole batch.

        Args:
            x: the part of this process.
            batch: examples in the whole batch.
        """
        both = x.new_zeros(len(self.members), 2, x.shape[1])
        if x.numel():
            both[self.place] = torch.stack(moments(x))
        add_up(both, self.group)
        return self.merged(both[:, 0], both[:, 1], batch)

    def averaged(self, sums: Tensor, x: Tensor, batch: int) -> Tensor:
        """Sums over all parts, divided by the numbers of a channel in the whole batch.

        Args:
            sums: over the part of this process, [2, channels].
            x: that part.
            batch: examples in the whole batch.
        """
        both = sums.clone()
        add_up(both, self.group)
        return both / self.total(batch)

    def merged(self, means: Tensor, variances: Tensor, batch: int) -> tuple[Tensor, Tensor]:
        """Mean and variance of each channel over the whole batch, from those of its parts.

        Args:
            means: of each process' part, [processes, channels].
            variances: the same.
            batch: examples in the whole batch.
        """
        shares = self._shares(batch, means)
        mean = (shares * means).sum(0)
        return mean, (shares * (variances + (means - mean).square())).sum(0)

    def _shares(self, batch: int, like: Tensor) -> Tensor:
        """Which share of all numbers of a channel each process has."""
        if batch not in self._weights:
            boxes = [self.plan.work(self.name, rank, batch) for rank in self.members]
            counts = torch.tensor([0.0 if box is None else float(numel(box)) for box in boxes], dtype=torch.float64)
            self._weights[batch] = (counts / counts.sum())[:, None].to(like)
        return self._weights[batch].to(like)

    @torch.no_grad()
    def keep(self, mean: Tensor, variance: Tensor, batch: int) -> None:
        """Has the running statistics follow those of the whole batch.

        Args:
            mean: of each channel.
            variance: the same.
            batch: examples in the whole batch.
        """
        module, total = self.module, self.total(batch)
        module.num_batches_tracked.add_(1)
        share = 1 / module.num_batches_tracked if module.momentum is None else module.momentum
        module.running_mean.lerp_(mean.to(module.running_mean), share)
        module.running_var.lerp_((variance * (total / (total - 1))).to(module.running_var), share)


class LocalCount(Local):
    """A loss or metric: statistics of the part, added up over all processes."""

    needs_all = True

    def __init__(self, module: nn.Module, assigned: Assigned, box: Box, group: Any, copies: int) -> None:
        super().__init__(module, assigned, box)
        self.group, self.copies = group, copies

    def __call__(self, values: Sequence[Any], box: Box, batch: int, token: Tensor | None) -> Computed:
        assert isinstance(self.module, Metric)
        if numel(box):
            statistics = self.module.statistics(*values)
        else:  # of nothing it may not be defined
            one = [value.new_zeros(1, *value.shape[1:]) if value.dim() else value for value in values]
            statistics = torch.zeros_like(self.module.statistics(*one))
        statistics, token = added(statistics, token, self.group, self.copies)
        return self.valued(statistics, values), token

    def valued(self, statistics: Tensor, values: Sequence[Tensor]) -> Tensor:
        """What statistics of the whole batch stand for."""
        module = self.module
        if type(module).value is not Loss.value:
            found: Tensor = module.value(statistics)
            return found
        total, count = statistics[0], statistics[1]
        if len(values) > 2:
            count = torch.where(count == 0, torch.ones_like(count), count)
        autocast = torch.is_autocast_enabled(statistics.device.type)
        return (total / count).to(torch.float32 if autocast else values[0].dtype)


class LocalClasses(LocalCount):
    """Cross-entropy with the scores of each process those of some classes."""

    def __init__(self, module: nn.Module, assigned: Assigned, box: Box, group: Any, copies: int, across: Any) -> None:
        super().__init__(module, assigned, box, group, copies)
        self.across = across

    def __call__(self, values: Sequence[Any], box: Box, batch: int, token: Tensor | None) -> Computed:
        scores, label = values
        low, high = box[1]
        wide = scores.float() if scores.dtype in HALF else scores
        largest = wide.detach().amax(1)
        dist.all_reduce(largest, dist.ReduceOp.MAX, group=self.across)
        shifted = wide - largest[:, None]
        is_here = (label >= low) & (label < high)
        picked = shifted.gather(1, (label - low).clamp(0, high - low - 1)[:, None])[:, 0]
        both = torch.stack([shifted.exp().sum(1), torch.where(is_here, picked, torch.zeros_like(picked))])
        (sums, picked), token = added(both, token, self.across, 1)
        counts = label != IGNORED
        total = torch.where(counts, sums.log() - picked, torch.zeros_like(picked)).sum().double()
        statistics, token = added(torch.stack([total, counts.sum().double()]), token, self.group, self.copies)
        return self.valued(statistics, values), token


def added(value: Tensor, token: Tensor | None, group: Any, copies: int) -> tuple[Tensor, Tensor | None]:
    """The sum over processes, of which several may have the same part.

    Args:
        value: what this process adds.
        token: of the exchange before; None where nothing is learned.
        group: the processes.
        copies: how many of them have the same part.
    """
    if dist.get_world_size(group) == 1:
        return value, token
    if token is None or not value.is_floating_point():
        total = value.clone()
        add_up(total, group)
        return total / copies if copies > 1 else total, token
    found: tuple[Tensor, Tensor] = Summed.apply(value, token, group, copies)  # type: ignore[no-untyped-call]
    return found
