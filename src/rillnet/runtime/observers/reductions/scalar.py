"""One number for a tensor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from rillnet.runtime.observers.reduction import Reduced, Reduction

Measure = Literal["mean", "magnitude", "norm", "deviation", "least", "largest"]


@dataclass(frozen=True)
class Scalar(Reduction):
    """One number: the tensor's mean, or another measure of it. Of a single value it is that value.

    Args:
        measure: the `mean`; the `magnitude`, which is the mean of absolute values; the Euclidean `norm`; the standard
            `deviation`; the `least` or `largest` value.

    Example:
        >>> Scalar("magnitude")([torch.tensor([-3.0, 1.0]), torch.tensor([[2.0]])]).data
        tensor([2., 2.])
    """

    mixes_shapes: ClassVar[bool] = True

    measure: Measure = "mean"

    def rule(self, shape: Sequence[int]) -> str:
        """It needs values."""
        return "scalar needs values to measure" if 0 in shape else ""

    def __call__(self, values: Sequence[Tensor]) -> Reduced:
        """Measures; float32 [K]."""
        floats = [value.detach() if value.is_floating_point() else value.detach().float() for value in values]
        if self.measure in ("magnitude", "norm"):
            order = 1 if self.measure == "magnitude" else 2
            # many small tensors, such as the weights of all edges of a net, are measured in one call
            norms = torch.stack(list(torch._foreach_norm(floats, order))).float()
            if order == 1:
                norms = norms / norms.new_tensor([value.numel() for value in floats])
            return Reduced(norms)
        measure = _MEASURES[self.measure]
        return Reduced(torch.stack([measure(value).float() for value in floats]))


_MEASURES: dict[str, Callable[[Tensor], Tensor]] = {
    "mean": Tensor.mean,
    "deviation": lambda value: value.std(correction=0),
    "least": Tensor.amin,
    "largest": Tensor.amax,
}
