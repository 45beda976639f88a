"""Losses as blocks: the mean over the examples of a batch, and sums that are exact over a split."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from rillnet.errors import DataError
from rillnet.model.layers.metrics import Metric

_IGNORED = -100


class Loss(Metric):
    """Base of losses: `total` over a batch, divided by how many terms count."""

    def total(self, *inputs: Any, **named: Any) -> Tensor:
        """The sum of the loss over the batch."""
        raise TypeError(f"{type(self).__name__} must define total")

    def count(self, *inputs: Any, **named: Any) -> float | Tensor:
        """How many terms the total has; by default the first input's examples."""
        return float(inputs[0].shape[0])

    def statistics(self, *inputs: Any, **named: Any) -> Tensor:
        """[total, count], in float64."""
        total = self.total(*inputs).to(torch.float64)
        return torch.stack([total, torch.as_tensor(self.count(*inputs), dtype=total.dtype, device=total.device)])

    def value(self, statistics: Tensor) -> Tensor:
        """Total / count, as float32."""
        return (statistics[0] / statistics[1]).to(torch.float32)


class CrossEntropy(Loss):
    r"""Cross-entropy of unnormalised scores against class numbers, averaged over examples.

    $L = -\frac{1}{N} \sum_n \log \mathrm{softmax}(x_n)_{y_n}$

    Args:
        label_smoothing: the share of the target that is spread evenly over all classes, in [0, 1].

    Returns:
        A number.

    Example:
        >>> CrossEntropy()(torch.tensor([[0.0, 0.0]]), torch.tensor([1]))
        tensor(0.6931)

    Source:
        torch.nn.CrossEntropyLoss, which computes it.
    """

    def __init__(self, label_smoothing: Annotated[float, Field(ge=0, le=1)] = 0.0) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing

    def forward(self, scores_NC: Tensor, label_N: Tensor) -> Tensor:
        return self._computed(scores_NC, label_N, "mean")

    def total(self, scores_NC: Tensor, label_N: Tensor) -> Tensor:
        """The sum over all labels of the batch."""
        return self._computed(scores_NC, label_N, "sum")

    def _computed(self, scores_NC: Tensor, label_N: Tensor, reduction: str) -> Tensor:
        smoothing = self.label_smoothing
        try:
            return functional.cross_entropy(scores_NC, label_N, label_smoothing=smoothing, reduction=reduction)
        except IndexError as error:
            raise DataError(
                f"labels must be class numbers from 0 to {scores_NC.shape[1] - 1}, as many as there are scores: {error}"
            ) from error

    def count(self, scores_NC: Tensor, label_N: Tensor) -> float | Tensor:
        """The number of labels, one per example or one per pixel of it; those of -100 do not count, as in torch."""
        return (
            (label_N != _IGNORED).sum()
            if label_N.dtype == torch.int64
            else float(scores_NC.numel() // scores_NC.shape[1])
        )


class MeanSquaredError(Loss):
    r"""Mean squared difference of two tensors of one shape.

    $L = \frac{1}{N D} \sum_{n,d} (x_{nd} - y_{nd})^2$

    Returns:
        A number.

    Example:
        >>> MeanSquaredError()(torch.tensor([1.0, 3.0]), torch.tensor([0.0, 0.0]))
        tensor(5.)
    """

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        return functional.mse_loss(prediction, target)

    def total(self, prediction: Tensor, target: Tensor) -> Tensor:
        """The sum over all elements."""
        return functional.mse_loss(prediction, target, reduction="sum")

    def count(self, prediction: Tensor, target: Tensor) -> float:
        """The number of elements."""
        return float(prediction.numel())


class BinaryCrossEntropy(Loss):
    r"""Cross-entropy of logits against targets in [0, 1], averaged over all elements.

    $L = -\frac{1}{N D} \sum_{n,d} y_{nd} \log \sigma(x_{nd}) + (1 - y_{nd}) \log (1 - \sigma(x_{nd}))$

    Returns:
        A number.

    Example:
        >>> BinaryCrossEntropy()(torch.tensor([0.0]), torch.tensor([1.0]))
        tensor(0.6931)

    Source:
        torch.nn.BCEWithLogitsLoss, which computes it.
    """

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        return functional.binary_cross_entropy_with_logits(logits, target.to(logits.dtype))

    def total(self, logits: Tensor, target: Tensor) -> Tensor:
        """The sum over all elements."""
        return functional.binary_cross_entropy_with_logits(logits, target.to(logits.dtype), reduction="sum")

    def count(self, logits: Tensor, target: Tensor) -> float:
        """The number of elements."""
        return float(logits.numel())
