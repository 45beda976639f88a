"""What one process computes of a block: its module on a part of what it reads, with a part of its parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.dropout import _DropoutNd

from rillnet.model.layers import LocalResponseNorm, LSTMCell
from rillnet.model.layers.metrics import Metric
from rillnet.runtime.placement.boxes import Box, cut, sizes, whole
from rillnet.runtime.placement.exchange import Summed, SummedByAll
from rillnet.runtime.placement.partition import Counted, Windowed
from rillnet.runtime.placement.plan import Assigned, PlacementPlan

Groups = Callable[[Iterable[int]], Any]
"""The process group of some processes; asked for by all processes in the same order."""

Computed = tuple[Any, Tensor | None]
"""What a block sends, and the token."""


class Local:
    """A block's work in one process; this one is the module itself, on its part.

    Args:
        module: the block's module, with the parameters that belong to this process.
        assigned: how the block is split.
        box: the part of its output, for a batch of as many examples as there are processes.
    """

    def __init__(self, module: nn.Module, assigned: Assigned, box: Box) -> None:
        self.module: Any = module
        self.assigned, self.box = assigned, box

    def __call__(self, values: Sequence[Any], box: Box, batch: int, token: Tensor | None) -> Computed:
        """Computes the part.

        Args:
            values: the parts of what it reads.
            box: the part of what it sends.
            batch: examples in the whole batch.
            token: of the exchange before.
        """
        return self.module(*values), token


class LocalDropout(Local):
    """Draws for all of the tensor and uses its part, so that what is dropped does not depend on the placement."""

    def __call__(self, values: Sequence[Any], box: Box, batch: int, token: Tensor | None) -> Computed:
        (value,) = values
        if not self.module.training or self.module.p == 0:
            return value, token
        logical = (batch, *self.assigned.rule.sends)
        shape = logical if type(self.module) is nn.Dropout else (*logical[:2], *[1] * (len(logical) - 2))
        drawn = functional.dropout(torch.ones(shape, dtype=value.dtype), self.module.p)
        part = tuple(span if size > 1 else (0, 1) for span, size in zip(box, shape, strict=True))
        return value * cut(drawn, whole(shape), part), token


class LocalWindow(Local):
    """Convolution and pooling on rows, with the padding only where the image ends."""

    def __init__(self, module: nn.Module, assigned: Assigned, box: Box) -> None:
        super().__init__(module, assigned, box)
        rule = assigned.rule
        assert isinstance(rule, Windowed)
        self.padding: list[int] = []
        for window, span, size in zip(rule.windows(), box[2:], rule.reads[0][1:], strict=True):
            low = span[0] * window.stride - window.before
            high = (span[1] - 1) * window.stride - window.before + window.dilation * (window.kernel - 1) + 1
            self.padding[:0] = [max(0, -low), max(0, high - size)]
        self.rank, self.window = len(rule.sends) - 1, rule.windows()

    def __call__(self, values: Sequence[Any], box: Box, batch: int, token: Tensor | None) -> Computed:
        (value,) = values
        if isinstance(self.module, _ConvNd):
            return self._convolved(functional.pad(value, self.padding)), token
        stride = [window.stride for window in self.window]
        kernel = [window.kernel for window in self.window]
        if isinstance(self.module, nn.MaxPool1d | nn.MaxPool2d):
            pool = functional.max_pool1d if self.rank == 1 else functional.max_pool2d
            dilation = [window.dilation for window in self.window]
            padded = functional.pad(value, self.padding, value=-torch.inf)
            return pool(padded, kernel, stride, 0, dilation), token
        average = functional.avg_pool1d if self.rank == 1 else functional.avg_pool2d
        total = average(functional.pad(value, self.padding), kernel, stride)
        if not self.module.count_include_pad:
            ones = functional.pad(torch.ones_like(value[:1, :1]), self.padding)
            total = total / average(ones, kernel, stride)
        divisor = getattr(self.module, "divisor_override", None)
        if divisor:
            total = total * (torch.tensor(kernel).prod().item() / divisor)
        return total, token

    def _convolved(self, padded: Tensor) -> Tensor:
        module = self.module
        convolve = (functional.conv1d, functional.conv2d, functional.conv3d)[self.rank - 1]
        groups = padded.shape[1] // module.weight.shape[1]
        return convolve(padded, module.weight, module.bias, module.stride, 0, module.dilation, groups)


class LocalNeighbours(Local):
    """Local response normalisation on more channels than it sends."""

    def __call__(self, values: Sequence[Any], box: Box, batch: int, token: Tensor | None) -> Computed:
        (value,) = values
        needed = self.assigned.rule.needs(box)[0]
        return cut(self.module(value), needed, box), token


class LocalLSTM(Local):
    """Some units of an LSTM cell, from all units of the last frame."""

    def __call__(self, values: Sequence[Any], box: Box, batch: int, token: Tensor | None) -> Computed:
        x, h, c = values
        cell = self.module
        gates = functional.linear(x, cell.weight_ih, cell.bias_ih) + functional.linear(h, cell.weight_hh, cell.bias_hh)
        i, f, g, o = gates.chunk(4, dim=1)
        following = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return (o.sigmoid() * following.tanh(), following), token


class LocalBatchNorm(Local):
    """Batch normalisation with the statistics of the whole batch, wherever its parts are."""

    def __init__(self, module: nn.Module, assigned: Assigned, box: Box, group: Any) -> None:
        super().__init__(module, assigned, box)
        self.group = group

    def __call__(self, values: Sequence[Any], box: Box, batch: int, token: Tensor | None) -> Computed:
        (x,) = values
        module = self.module
        if not module.training and module.running_mean is not None:
            parameters = (module.running_mean, module.running_var, module.weight, module.bias)
            return functional.batch_norm(x, *parameters, False, 0.0, module.eps), token
        over = [0, *range(2, x.dim())]
        count = torch.full((1,), x.numel() / max(x.shape[1], 1), dtype=x.dtype)
        sums, token = self._total(torch.cat([x.sum(over), count]), token)
        mean, total = sums[:-1] / sums[-1], sums[-1]
        shape = [1, -1, *[1] * (x.dim() - 2)]
        centred = x - mean.view(shape)
        squares, token = self._total(centred.square().sum(over), token)
        variance = squares / total
        y = centred * (variance + module.eps).rsqrt().view(shape)
        if module.weight is not None:
            y = y * module.weight.view(shape) + module.bias.view(shape)
        if module.training and module.running_mean is not None:
            self._remember(mean.detach(), (squares / (total - 1)).detach())
        return y, token

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        module = self.module
        module.num_batches_tracked.add_(1)
        share = 1 / module.num_batches_tracked if module.momentum is None else module.momentum
        module.running_mean.lerp_(mean, share)
        module.running_var.lerp_(variance, share)

    def _total(self, value: Tensor, token: Tensor | None) -> tuple[Tensor, Tensor | None]:
        if token is None:
            total = value.clone()
            dist.all_reduce(total, group=self.group)
            return total, None
        found: tuple[Tensor, Tensor] = SummedByAll.apply(value, token, self.group)  # type: ignore[no-untyped-call]
        return found


class LocalCount(Local):
    """A loss or metric: statistics of the part, added up over all processes."""

    def __init__(self, module: nn.Module, assigned: Assigned, box: Box, group: Any, copies: int) -> None:
        super().__init__(module, assigned, box)
        self.group, self.copies = group, copies

    def __call__(self, values: Sequence[Any], box: Box, batch: int, token: Tensor | None) -> Computed:
        assert isinstance(self.module, Metric)
        statistics, token = added(self.module.statistics(*values), token, self.group, self.copies)
        return self.module.value(statistics), token


class LocalClasses(LocalCount):
    """Cross-entropy with the scores of each process those of some classes."""

    def __init__(
        self, module: nn.Module, assigned: Assigned, box: Box, group: Any, copies: int, across: Any, shares: int
    ) -> None:
        super().__init__(module, assigned, box, group, copies)
        self.across, self.shares = across, shares

    def __call__(self, values: Sequence[Any], box: Box, batch: int, token: Tensor | None) -> Computed:
        scores, label = values
        low, high = box[1]
        largest = scores.detach().amax(1)
        dist.all_reduce(largest, dist.ReduceOp.MAX, group=self.across)
        shifted = scores - largest[:, None]
        is_here = (label >= low) & (label < high)
        picked = shifted.gather(1, (label - low).clamp(0, high - low - 1)[:, None])[:, 0]
        both = torch.stack([shifted.exp().sum(1), torch.where(is_here, picked, torch.zeros_like(picked))])
        (sums, picked), token = added(both, token, self.across, 1)
        counts = label != -100
        total = torch.where(counts, sums.log() - picked, torch.zeros_like(picked)).sum().double()
        statistics, token = added(torch.stack([total, counts.sum().double()]), token, self.group, self.copies)
        assert isinstance(self.module, Metric)
        return self.module.value(statistics), token


def added(value: Tensor, token: Tensor | None, group: Any, copies: int) -> tuple[Tensor, Tensor | None]:
    """The sum over processes, of which several may have the same part.

    Args:
        value: what this process adds.
        token: of the exchange before; None where nothing is learned.
        group: the processes.
        copies: how many of them have the same part.
    """
    if token is None or not value.is_floating_point():
        total = value.clone()
        dist.all_reduce(total, group=group)
        return total / copies, token
    found: tuple[Tensor, Tensor] = Summed.apply(value, token, group, copies)  # type: ignore[no-untyped-call]
    return found


def local_of(plan: PlacementPlan, name: str, rank: int, groups: Groups) -> Local | None:
    """The work of a process on a block; None where it has none.

    Args:
        plan: who computes what.
        name: the block.
        rank: the process.
        groups: makes process groups; called alike in all processes.
    """
    assigned, module = plan.blocks[name], plan.flat.module(name)
    batch = plan.mesh.processes
    boxes = [plan.work(name, r, batch) for r in plan.ranks]
    everyone = [r for r in plan.ranks if boxes[r] is not None]
    own, of_group = boxes[rank], None
    split = assigned.kind in ("batch", "feature", "space")
    if split and isinstance(assigned.rule, Counted):
        of_group = groups(everyone)
        copies = plan.copies(name, everyone)
        if assigned.kind == "feature":
            teams = {box[0]: [r for r in everyone if boxes[r][0] == box[0]] for box in boxes if box}  # type: ignore[index]
            made = {span: groups(ranks) for span, ranks in teams.items()}
            assert own is not None
            shares = len({boxes[r] for r in teams[own[0]]})
            return LocalClasses(module, assigned, own, of_group, copies * shares, made[own[0]], shares)
        return None if own is None else LocalCount(module, assigned, own, of_group, copies)
    if split and isinstance(module, _BatchNorm):
        channels = {box[1]: [r for r in everyone if boxes[r][1] == box[1]] for box in boxes if box}  # type: ignore[index]
        by_channel = {span: groups(ranks) for span, ranks in channels.items()}
        return None if own is None else LocalBatchNorm(module, assigned, own, by_channel[own[1]])
    return None if own is None else _kind_of(module, assigned)(module, assigned, own)


def _kind_of(module: nn.Module, assigned: Assigned) -> type[Local]:
    if assigned.kind in ("none", "location"):
        return Local
    if isinstance(module, _DropoutNd):
        return LocalDropout
    if isinstance(assigned.rule, Windowed):
        convolves_groups = isinstance(module, _ConvNd) and module.groups > 1
        return LocalWindow if assigned.kind == "space" or convolves_groups else Local
    if isinstance(module, LSTMCell) and assigned.kind == "feature":
        return LocalLSTM
    return LocalNeighbours if isinstance(module, LocalResponseNorm) and assigned.kind == "feature" else Local


@torch.no_grad()
def keep_own_parameters(plan: PlacementPlan, rank: int) -> None:
    """Leaves a process only its parts of all parameters and buffers; of what it has no part an empty tensor stays.

    Args:
        plan: who computes what; the net's modules are changed.
        rank: the process.
    """
    for name in plan.flat.blocks:
        module, parts = plan.flat.module(name), plan.parameters(name, rank)
        for path, tensor in [*module.named_parameters(), *module.named_buffers()]:
            own = parts.get(path)
            part = tensor.new_empty(0) if own is None else joined(tensor, own)
            if part.shape != tensor.shape:
                tensor.data = part.clone()


def joined(tensor: Tensor, boxes: Sequence[Box]) -> Tensor:
    """Some boxes of a tensor, along its first dimension."""
    parts = [cut(tensor, whole(tensor.shape), box) for box in boxes]
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def shape_of(boxes: Sequence[Box]) -> tuple[int, ...]:
    """The shape of what `joined` gives."""
    first = sizes(boxes[0])
    return (sum(sizes(box)[0] for box in boxes), *first[1:]) if len(boxes) > 1 else first
