"""Losses that ask for a margin: of a class over the others, of one score over another, of one distance over another."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from rillnet.model.layers.loss import ExampleLoss

Margin = Annotated[float, Field(ge=0)]
Power = Annotated[int, Field(ge=1, le=2)]


class MulticlassHinge(ExampleLoss):
    r"""How far the score of the right class is from leading every other one by a margin.

    $L = \frac{1}{N C} \sum_n \sum_{c \ne y_n} \max(0, m - x_{n y_n} + x_{nc})^p$

    Args:
        margin: m.
        power: p, 1 or 2.

    Returns:
        A number.

    Example:
        >>> MulticlassHinge()(torch.tensor([[0.5, 1.0, -1.0]]), torch.tensor([1]))
        tensor(0.1667)

    Source:
        K. Crammer, Y. Singer, J. Machine Learning Research 2, 2001; torch.nn.MultiMarginLoss gives the same numbers.
    """

    def __init__(self, margin: Margin = 1.0, power: Power = 1) -> None:
        super().__init__()
        self.margin, self.power = margin, power

    def terms(self, scores_NC: Tensor, label_N: Tensor) -> Tensor:  # type: ignore[override]
        """The loss of each example."""
        is_right_NC = torch.arange(scores_NC.shape[1], device=scores_NC.device) == label_N[:, None]
        missing_NC = torch.relu(self.margin - scores_NC.gather(1, label_N[:, None]) + scores_NC)
        return missing_NC.masked_fill(is_right_NC, 0).pow(self.power).mean(1)

    def extra_repr(self) -> str:
        return f"margin={self.margin}, power={self.power}"


class MarginRanking(ExampleLoss):
    r"""How far the first of two scores is from leading the second by a margin, or from trailing it.

    $L = \frac{1}{N D} \sum_{n,d} \max(0, m - y_{nd} (a_{nd} - b_{nd}))$ with y of 1 where the first is to be larger and
    of -1 where the second is.

    Args:
        margin: m.

    Returns:
        A number.

    Example:
        >>> MarginRanking(margin=0.5)(torch.tensor([1.0, 1.0]), torch.tensor([0.0, 1.2]), torch.tensor([1.0, -1.0]))
        tensor(0.1500)

    Source:
        torch.nn.MarginRankingLoss and akid's MarginRankingLossLayer.
    """

    def __init__(self, margin: Margin = 0.0) -> None:
        super().__init__()
        self.margin = margin

    def terms(self, first: Tensor, second: Tensor, order: Tensor) -> Tensor:  # type: ignore[override]
        """The loss of each example."""
        missing = torch.relu(self.margin - order.to(first.dtype) * (first - second))
        return missing.reshape(len(missing), -1).mean(1)

    def extra_repr(self) -> str:
        return f"margin={self.margin}"


class Triplet(ExampleLoss):
    r"""How far an example is from being nearer to one of its kind than to one of another, by a margin.

    $L = \frac{1}{N} \sum_n \max(0, m + d(a_n, p_n) - d(a_n, q_n))$ with the Euclidean distance d.

    Args:
        margin: m.
        squared: whether d is the square of the distance.

    Returns:
        A number.

    Example:
        >>> anchor, near, far = torch.tensor([[0.0, 0.0]]), torch.tensor([[0.0, 3.0]]), torch.tensor([[4.0, 0.0]])
        >>> Triplet(margin=2.0)(anchor, near, far)
        tensor(1.)

    Source:
        F. Schroff, D. Kalenichenko, J. Philbin: FaceNet, CVPR 2015 (squared, as in Chainer);
        torch.nn.TripletMarginLoss.
    """

    def __init__(self, margin: Margin = 1.0, squared: bool = False) -> None:
        super().__init__()
        self.margin, self.squared = margin, squared

    def terms(self, anchor: Tensor, near: Tensor, far: Tensor) -> Tensor:  # type: ignore[override]
        """The loss of each example."""
        return torch.relu(self.margin + self._distance(anchor, near) - self._distance(anchor, far))

    def _distance(self, one: Tensor, other: Tensor) -> Tensor:
        one, other = one.flatten(1), other.flatten(1)
        if self.squared:
            return (one - other).square().sum(1)
        return functional.pairwise_distance(one, other)

    def extra_repr(self) -> str:
        return f"margin={self.margin}" + (", squared=True" if self.squared else "")
