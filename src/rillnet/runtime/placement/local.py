"""What one process computes of a block: its module on a part of what it reads, with a part of its parameters."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.conv import _ConvNd

from rillnet.runtime.placement.assignment import Assigned
from rillnet.runtime.placement.boxes import Box, cut, sizes, whole
from rillnet.runtime.placement.plan import PlacementPlan
from rillnet.runtime.placement.units import ConvolvedRecurrent, Factored

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

    needs_all = False
    """Whether it takes part even where its part is empty, as others wait for it."""

    def __init__(self, module: nn.Module, assigned: Assigned, box: Box) -> None:
        self.module: Any = module
        self.assigned, self.box = assigned, box
        self.rule: Any = assigned.rule

    def __call__(self, values: Sequence[Any], box: Box, batch: int, token: Tensor | None) -> Computed:
        """Computes the part.

        Args:
            values: the parts of what it reads.
            box: the part of what it sends.
            batch: examples in the whole batch.
            token: of the exchange before.
        """
        return self.module(*values), token

    def enter(self, values: Sequence[Any], token: Tensor | None) -> tuple[Sequence[Any], Tensor | None]:
        """What has to be done before the module computes, wherever it does not do so by a call of this."""
        return values, token

    def leave(self, found: Any, token: Tensor | None) -> Computed:
        """And after."""
        return found, token

    def skip(self, token: Tensor | None) -> Tensor | None:
        """What others expect of this process where its part is empty, so that nothing is computed."""
        return token


class LocalDropout(Local):
    """Draws for all of the tensor and uses its part, so that what is dropped does not depend on the placement."""

    def __call__(self, values: Sequence[Any], box: Box, batch: int, token: Tensor | None) -> Computed:
        (value,) = values
        if not self.module.training or self.module.p == 0:
            return value, token
        logical = (batch, *self.rule.sends)
        kind = type(self.module)
        by_number = kind in (nn.Dropout, nn.AlphaDropout)
        shape = logical if by_number else (*logical[:2], *[1] * (len(logical) - 2))
        part = tuple(span if size > 1 else (0, 1) for span, size in zip(box, shape, strict=True))
        ones = torch.ones(shape, dtype=value.dtype, device=value.device)
        if kind not in (nn.AlphaDropout, nn.FeatureAlphaDropout):
            return value * cut(functional.dropout(ones, self.module.p), whole(shape), part), token
        drop = functional.alpha_dropout if by_number else functional.feature_alpha_dropout
        state = torch.get_rng_state()
        low = drop(torch.zeros_like(ones), self.module.p, True)
        torch.set_rng_state(state)  # the same are dropped again
        high = drop(ones, self.module.p, True)
        low, high = (cut(drawn, whole(shape), part) for drawn in (low, high))
        return low + value * (high - low), token


class LocalCut(Local):
    """A layer that reads more than it sends: local response normalisation on channels, a softmax along features."""

    def __call__(self, values: Sequence[Any], box: Box, batch: int, token: Tensor | None) -> Computed:
        (value,) = values
        return cut(self.module(value), self.rule.needs(box)[0], box), token


class LocalNormalized(Local):
    """Layer normalisation of which a part is sent, with that part of its weights."""

    def __call__(self, values: Sequence[Any], box: Box, batch: int, token: Tensor | None) -> Computed:
        (value,) = values
        shape, eps = list(self.module.normalized_shape), self.module.eps
        if isinstance(self.module, nn.RMSNorm):
            found = functional.rms_norm(value, shape, None, eps)
        else:
            found = functional.layer_norm(value, shape, None, None, eps)
        found = cut(found, self.rule.needs(box)[0], box)
        if self.module.weight is not None:
            found = found * self.module.weight
        bias = getattr(self.module, "bias", None)
        return (found if bias is None else found + bias), token


class LocalGroups(Local):
    """Group and instance normalisation of some groups."""

    def __call__(self, values: Sequence[Any], box: Box, batch: int, token: Tensor | None) -> Computed:
        (value,) = values
        groups = (box[1][1] - box[1][0]) // self.assigned.cuts[-1][0].unit
        return functional.group_norm(value, groups, self.module.weight, self.module.bias, self.module.eps), token


class LocalAdapted(Local):
    """The module with sizes that fit its part, and the same parameters."""

    def __init__(self, module: nn.Module, assigned: Assigned, box: Box) -> None:
        super().__init__(module, assigned, box)
        rule, own = assigned.rule, box[1][1] - box[1][0]
        adapted: Any = copy.copy(module)
        if isinstance(module, _ConvNd):
            adapted.groups = own // (rule.sends[0] // module.groups)
        else:
            adapted.shape = sizes(box[1:])
        if isinstance(rule, Factored):
            rows, all_rows = (count * rule.module.avgout * rule.module.maxout for count in (own, rule.sends[0]))
            adapted._turns = [
                (*turn[:-1], (rows, *turn[-1][1:]) if turn[-1][0] == all_rows > 1 else turn[-1])
                for turn in rule.module._turns
            ]
        self.adapted = adapted

    def __call__(self, values: Sequence[Any], box: Box, batch: int, token: Tensor | None) -> Computed:
        return self.adapted(*values), token


class LocalUnits(Local):
    """Some units of a recurrent cell, from all units of the last frame."""

    def __call__(self, values: Sequence[Any], box: Box, batch: int, token: Tensor | None) -> Computed:
        x, h, *rest = values
        cell = self.module
        if not isinstance(cell, nn.RNNCellBase):
            return cell(*values), token
        read = functional.linear(x, cell.weight_ih, cell.bias_ih)
        kept = functional.linear(h, cell.weight_hh, cell.bias_hh)
        if isinstance(cell, nn.LSTMCell):
            return lstm_step(read + kept, rest[0]), token
        if isinstance(cell, nn.GRUCell):
            return gru_step(read, kept, h[:, slice(*box[1])]), token
        return ((read + kept).tanh() if cell.nonlinearity == "tanh" else (read + kept).relu()), token


class LocalConvLSTM(Local):
    """Some channels or rows of a convolutional LSTM cell."""

    def __init__(self, module: nn.Module, assigned: Assigned, box: Box) -> None:
        super().__init__(module, assigned, box)
        rule = assigned.rule
        assert isinstance(rule, ConvolvedRecurrent)
        self.padding: list[int] = []
        for window, span, size in zip(rule.windows(), box[2:], rule.reads[0][1:], strict=True):
            self.padding[:0] = window.padding(span, size)

    def __call__(self, values: Sequence[Any], box: Box, batch: int, token: Tensor | None) -> Computed:
        x, h, c = values
        gates = self.module.gates
        padded = functional.pad(torch.cat([x, h], dim=1), self.padding)
        return lstm_step(functional.conv2d(padded, gates.weight, gates.bias, 1, 0, gates.dilation), c), token


def gru_step(read: Tensor, kept: Tensor, h: Tensor) -> Tensor:
    """Units of a GRU one step further.

    Args:
        read: what comes of its input, gate by gate.
        kept: what comes of all units of the last step.
        h: these units then.
    """
    (r, z, n), (r_h, z_h, n_h) = read.chunk(3, dim=1), kept.chunk(3, dim=1)
    candidate = (n + (r + r_h).sigmoid() * n_h).tanh()
    return torch.lerp(candidate, h, (z + z_h).sigmoid())


def lstm_step(gates: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """Units of an LSTM one step further: hidden and cell state.

    Args:
        gates: what comes of its input and of all units of the last step, gate by gate.
        c: the cell state of these units then.
    """
    i, f, g, o = gates.chunk(4, dim=1)
    following = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * following.tanh(), following


@torch.no_grad()
def keep_own_parameters(plan: PlacementPlan, rank: int) -> None:
    """Leaves a process only its parts of all parameters and buffers; of what it has no part an empty tensor stays.

    Args:
        plan: who computes what; the net's modules are changed.
        rank: the process.
    """
    for name in plan.flat.blocks:
        module = plan.flat.module(name)
        for path, tensor in [*module.named_parameters(), *module.named_buffers()]:
            own = plan.parts(name, path, tensor, rank)
            part = tensor.new_empty(0) if own is None else joined(tensor, own)
            if part.shape != tensor.shape:  # of a shared one this comes to the same again
                tensor.data = part.clone()


def joined(tensor: Tensor, boxes: Sequence[Box]) -> Tensor:
    """Some boxes of a tensor, along its first dimension."""
    parts = [cut(tensor, whole(tensor.shape), box) for box in boxes]
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def shape_of(boxes: Sequence[Box]) -> tuple[int, ...]:
    """The shape of what `joined` gives."""
    first = sizes(boxes[0])
    return (sum(sizes(box)[0] for box in boxes), *first[1:]) if len(boxes) > 1 else first
