"""Losses as blocks: the mean over the examples of a batch, and sums that are exact over a split.

A third source is a mask, one number or truth value per example (or per part of one): the loss is then the mean
over what it marks, weighted by it, and 0 where it marks nothing.
"""

from __future__ import annotations

from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from rillnet.errors import DataError
from rillnet.model.layers.metrics import Metric

IGNORED = -100
"""The label of what does not count, as in torch."""


class Loss(Metric):
    """Base of losses: `total` over a batch, divided by how many terms count."""

    def total(self, *inputs: Any, **named: Any) -> Tensor:
        """The sum of the loss over the batch."""
        raise TypeError(f"{type(self).__name__} must define total")

    def count(self, *inputs: Any, **named: Any) -> float | Tensor:
        """How many terms the total has; by default the first input's examples."""
        return float(inputs[0].shape[0])

    def terms(self, *inputs: Tensor) -> Tensor:
        """What is averaged, for each example or part of it: [batch, ...]."""
        raise TypeError(f"{type(self).__name__} must define terms")

    def weights(self, terms: Tensor, target: Tensor) -> Tensor | None:
        """How much each term counts; None where all count alike."""
        return None

    def marked(self, target: Tensor, mask_N: Tensor) -> Tensor:
        """How much a mask marks of a frame, in any unit: how much the frame counts among others."""
        return mask_N.sum()

    def sums(self, frames: int, terms: Tensor, *targets: Tensor) -> tuple[Tensor, Tensor | float]:
        """Totals and counts of frames that lie end to end in the batch.

        Args:
            frames: how many, with as many examples each.
            terms: what is averaged.
            targets: what the block reads besides its first source: the target and, if there is one, the mask.

        Returns:
            [frames] each; a number where all frames count as many terms.
        """
        weights = self.weights(terms, targets[0])
        if len(targets) > 1:
            marked = spread_mask(targets[1], terms)
            weights = marked if weights is None else marked * weights
        if weights is None:
            return terms.reshape(frames, -1).sum(1), terms.numel() / frames
        # what does not count may be anything, also infinite
        counted = torch.where(weights != 0, terms * weights, torch.zeros_like(terms))
        return counted.reshape(frames, -1).sum(1), weights.reshape(frames, -1).sum(1)

    def of_frames(self, frames: int, terms: Tensor, *targets: Tensor) -> Tensor:
        """The loss of each of some frames that lie end to end in the batch, [frames]; see `sums`."""
        total_F, count_F = self.sums(frames, terms, *targets)
        if isinstance(count_F, Tensor) and len(targets) > 1:
            count_F = torch.where(count_F == 0, torch.ones_like(count_F), count_F)
        return total_F / count_F

    def statistics(self, *inputs: Any, **named: Any) -> Tensor:
        """[total, count], in float64."""
        if len(inputs) > 2:
            totals, counts = self.sums(1, self.terms(*inputs[:2]), *inputs[1:])
            return torch.stack([totals.sum(), torch.as_tensor(counts, device=totals.device).sum()]).to(torch.float64)
        total = self.total(*inputs).to(torch.float64)
        return torch.stack([total, torch.as_tensor(self.count(*inputs), dtype=total.dtype, device=total.device)])

    def value(self, statistics: Tensor) -> Tensor:
        """Total / count, as float32."""
        return (statistics[0] / statistics[1]).to(torch.float32)


class ExampleLoss(Loss):
    """Base of losses with one term for each example, from any number of sources."""

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.terms(*inputs).mean()

    def total(self, *inputs: Tensor) -> Tensor:
        """The sum over the batch."""
        return self.terms(*inputs).sum()

    def statistics(self, *inputs: Tensor) -> Tensor:
        """[total, examples], in float64."""
        terms = self.terms(*inputs)
        total = terms.sum().to(torch.float64)
        return torch.stack([total, torch.full_like(total, len(terms))])


def spread_mask(mask_N: Tensor, terms: Tensor) -> Tensor:
    """A mask as weights of terms, of which each example may have many.

    Raises:
        ValueError: it is not one number for each example, or for each part of one.

    Example:
        >>> spread_mask(torch.tensor([True, False]), torch.zeros(2, 3)).tolist()
        [[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]]
    """
    if mask_N.shape != terms.shape[: mask_N.dim()]:
        raise ValueError(f"a mask must be {list(terms.shape)} or the first of these sizes, not {list(mask_N.shape)}")
    return mask_N.to(terms.dtype).reshape(*mask_N.shape, *[1] * (terms.dim() - mask_N.dim())).expand_as(terms)


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

    def forward(self, scores_NC: Tensor, label_N: Tensor, mask_N: Tensor | None = None) -> Tensor:
        if mask_N is not None:
            return self.of_frames(1, self.terms(scores_NC, label_N), label_N, mask_N).sum()
        return self._computed(scores_NC, label_N, "mean")

    def marked(self, label_N: Tensor, mask_N: Tensor) -> Tensor:
        """The labels that the mask marks, but for those that do not count."""
        if label_N.is_floating_point():
            return mask_N.sum()
        return (spread_mask(mask_N, label_N) * (label_N != IGNORED)).sum()

    def terms(self, scores_NC: Tensor, label_N: Tensor) -> Tensor:  # type: ignore[override]
        """The loss of each label."""
        return self._computed(scores_NC, label_N, "none")

    def weights(self, terms: Tensor, label_N: Tensor) -> Tensor | None:
        """Labels of -100 do not count, as in torch."""
        return None if label_N.is_floating_point() else (label_N != IGNORED).to(terms.dtype)

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
            (label_N != IGNORED).sum()
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

    def forward(self, prediction: Tensor, target: Tensor, mask_N: Tensor | None = None) -> Tensor:
        if mask_N is not None:
            return self.of_frames(1, self.terms(prediction, target), target, mask_N).sum()
        return functional.mse_loss(prediction, target)

    def terms(self, prediction: Tensor, target: Tensor) -> Tensor:  # type: ignore[override]
        """The squared difference of each element."""
        return functional.mse_loss(prediction, target, reduction="none")

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

    def forward(self, logits: Tensor, target: Tensor, mask_N: Tensor | None = None) -> Tensor:
        if mask_N is not None:
            return self.of_frames(1, self.terms(logits, target), target, mask_N).sum()
        return functional.binary_cross_entropy_with_logits(logits, target.to(logits.dtype))

    def terms(self, logits: Tensor, target: Tensor) -> Tensor:  # type: ignore[override]
        """The cross-entropy of each element."""
        return functional.binary_cross_entropy_with_logits(logits, target.to(logits.dtype), reduction="none")

    def total(self, logits: Tensor, target: Tensor) -> Tensor:
        """The sum over all elements."""
        return functional.binary_cross_entropy_with_logits(logits, target.to(logits.dtype), reduction="sum")

    def count(self, logits: Tensor, target: Tensor) -> float:
        """The number of elements."""
        return float(logits.numel())
