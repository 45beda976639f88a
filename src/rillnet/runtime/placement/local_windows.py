"""Convolution, pooling and upsampling of some rows of an image, with padding only where the image ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.conv import _ConvNd

from rillnet.runtime.placement.assignment import Assigned
from rillnet.runtime.placement.boxes import Box, cut, sizes
from rillnet.runtime.placement.local import Computed, Local
from rillnet.runtime.placement.sliding import Sliding, Transposed, Windowed

_CONVOLUTIONS = (functional.conv1d, functional.conv2d, functional.conv3d)
_TRANSPOSED = (functional.conv_transpose1d, functional.conv_transpose2d, functional.conv_transpose3d)
_LARGEST = (functional.max_pool1d, functional.max_pool2d, functional.max_pool3d)
_AVERAGE = (functional.avg_pool1d, functional.avg_pool2d, functional.avg_pool3d)


class LocalWindow(Local):
    """Convolution and pooling of some rows."""

    def __init__(self, module: nn.Module, assigned: Assigned, box: Box) -> None:
        super().__init__(module, assigned, box)
        rule = assigned.rule
        assert isinstance(rule, Windowed)
        self.window, self.rank = rule.windows(), len(rule.sends) - 1
        self.stride = [window.stride for window in self.window]
        self.kernel = [window.kernel for window in self.window]
        self.dilation = [window.dilation for window in self.window]
        self.padding: list[int] = []
        for window, span, size in zip(self.window, box[2:], rule.reads[0][1:], strict=True):
            self.padding[:0] = window.padding(span, size)
        averages = not isinstance(module, _ConvNd) and not hasattr(module, "return_indices")
        self.counts = self._counts(box) if averages else None

    def __call__(self, values: Sequence[Any], box: Box, batch: int, token: Tensor | None) -> Computed:
        (value,) = values
        module = self.module
        if isinstance(module, _ConvNd):
            convolve, padded = _CONVOLUTIONS[self.rank - 1], functional.pad(value, self.padding)
            return convolve(padded, module.weight, module.bias, self.stride, 0, self.dilation, module.groups), token
        if self.counts is None:
            padded = functional.pad(value, self.padding, value=-torch.inf)
            return _LARGEST[self.rank - 1](padded, self.kernel, self.stride, 0, self.dilation), token
        average = _AVERAGE[self.rank - 1](functional.pad(value, self.padding), self.kernel, self.stride)
        return average * self.counts.to(average), token

    def _counts(self, box: Box) -> Tensor:
        """What an average over whole windows is multiplied by, where not all positions of a window count."""
        area = float(torch.tensor(self.kernel).prod())
        divisor = getattr(self.module, "divisor_override", None)
        if divisor:
            return torch.tensor(area / divisor)
        counts = torch.ones(1)
        padded = self.module.count_include_pad
        for window, span, size in zip(self.window, box[2:], self.rule.reads[0][1:], strict=True):
            counts = counts[..., None] * _counted(window, span, size, window.before if padded else 0)
        return area / counts


def _counted(window: Sliding, span: tuple[int, int], size: int, margin: int) -> Tensor:
    """How many positions of each window lie in the image, or in a margin around it."""
    start = torch.arange(*span, dtype=torch.float32) * window.stride - window.before
    return (start + window.kernel).clamp(max=size + margin) - start.clamp(min=-margin)


class LocalTransposed(Local):
    """Transposed convolution of some rows: of all that its rows reach, those that are its own."""

    def __call__(self, values: Sequence[Any], box: Box, batch: int, token: Tensor | None) -> Computed:
        (value,) = values
        module, rule = self.module, self.rule
        assert isinstance(rule, Transposed)
        rank, windows = len(rule.sends) - 1, rule.windows()
        stride, dilation = [w.stride for w in windows], [w.dilation for w in windows]
        convolve = _TRANSPOSED[rank - 1]
        if not value.numel():  # rows that no kernel reaches, only the bias
            return self._bias(value.new_zeros(sizes(box))), token
        found = convolve(value, module.weight, None, stride, 0, 0, module.groups, dilation)
        begins = [low * w.stride - w.before for w, (low, _) in zip(windows, rule.space(box), strict=True)]
        padding: list[int] = []
        for begin, size, (low, high) in zip(begins, found.shape[2:], box[2:], strict=True):
            padding[:0] = [begin - low, high - begin - size]  # where negative, what belongs to others is cut off
        return self._bias(functional.pad(found, padding)), token

    def _bias(self, found: Tensor) -> Tensor:
        bias = self.module.bias
        return found if bias is None else found + bias.view(-1, *[1] * (found.dim() - 2))


class LocalAdaptive(Local):
    """Adaptive pooling of some rows, each of as many."""

    def __call__(self, values: Sequence[Any], box: Box, batch: int, token: Tensor | None) -> Computed:
        (value,) = values
        pool = getattr(functional, _snake(type(self.module).__name__))
        return pool(value, sizes(box)[2:]), token


def _snake(name: str) -> str:
    """`AdaptiveAvgPool2d` as the function is called."""
    return name.replace("Adaptive", "adaptive_").replace("Avg", "avg_").replace("Max", "max_").replace("Pool", "pool")


class LocalRepeated(Local):
    """Upsampling of some rows, each repeated as often."""

    def __call__(self, values: Sequence[Any], box: Box, batch: int, token: Tensor | None) -> Computed:
        (value,) = values
        held = list(self.rule.needs(box)[0])
        for dim, ratio in enumerate(self.rule.ratios(), 2):
            value = value.repeat_interleave(ratio, dim)
            held[dim] = (held[dim][0] * ratio, held[dim][1] * ratio)
        return cut(value, tuple(held), box), token
