"""Metrics of scores in order, and of what was taken for what; all of them are added over a whole split."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from rillnet.model.layers.metrics import Metric


class RankedAccuracy(Metric):
    """The share of examples whose label is among the k highest scores.

    Args:
        k: how many count.

    Returns:
        A number, float32.

    Example:
        >>> RankedAccuracy(k=2)(torch.tensor([[0.1, 0.5, 0.4], [0.1, 0.5, 0.4]]), torch.tensor([2, 0]))
        tensor(0.5000)
    """

    def __init__(self, k: Annotated[int, Field(ge=1)] = 5) -> None:
        super().__init__()
        self.k = k

    def statistics(self, scores_NC: Tensor, label_N: Tensor) -> Tensor:
        """[hits, examples]."""
        highest_NK = scores_NC.topk(min(self.k, scores_NC.shape[1]), dim=1).indices
        hits = (highest_NK == label_N[:, None]).any(1).sum().to(torch.float64)
        return torch.stack([hits, hits.new_tensor(float(len(label_N)))])

    def value(self, statistics: Tensor) -> Tensor:
        """Hits / examples."""
        return (statistics[0] / statistics[1]).to(torch.float32)

    def extra_repr(self) -> str:
        return f"k={self.k}"


class RankingArea(Metric):
    r"""How well scores put what is true before what is not: the area under a curve, averaged over classes.

    `ROC` is the area under the curve of true over false positives: the probability that a true one has a higher score
    than a false one, ties counting half. `precision` is the average precision $\sum_b (R_b - R_{b-1}) P_b$ over
    falling thresholds; over several classes it is their mean average precision.

    Scores are counted in bins by their sigmoid, so that counts of batches add up to those of a split; scores in one
    bin are ties.

    Args:
        kind: ROC or precision.
        bins: how many.

    Returns:
        A number, float32; 0 where no class has both true and false ones.

    Example:
        >>> RankingArea()(torch.tensor([[-1.0], [0.5], [0.2], [2.0]]), torch.tensor([[0.0], [0.0], [1.0], [1.0]]))
        tensor(0.7500)

    Source:
        J. A. Hanley, B. J. McNeil, Radiology 143, 1982.
    """

    def __init__(self, kind: Literal["ROC", "precision"] = "ROC", bins: Annotated[int, Field(ge=2)] = 2000) -> None:
        super().__init__()
        self.kind, self.bins = kind, bins

    def statistics(self, scores_NC: Tensor, truth: Tensor) -> Tensor:
        """Counts of false and true by class and bin, [2, classes, bins]; labels count one class as true."""
        scores_NC = scores_NC.reshape(len(scores_NC), -1)
        classes = scores_NC.shape[1]
        if truth.dim() == 1 and classes > 1:
            truth = torch.arange(classes, device=truth.device) == truth[:, None]
        is_true_NC = (truth.reshape(scores_NC.shape) > 0.5).to(torch.int64)
        bin_NC = (torch.sigmoid(scores_NC.double()) * self.bins).to(torch.int64).clamp(0, self.bins - 1)
        class_C = torch.arange(classes, device=scores_NC.device)
        place = (is_true_NC * classes + class_C) * self.bins + bin_NC
        counts = torch.zeros(2 * classes * self.bins, dtype=torch.float64, device=scores_NC.device)
        counts.index_add_(0, place.flatten(), torch.ones_like(place, dtype=torch.float64).flatten())
        return counts.view(2, classes, self.bins)

    def value(self, statistics: Tensor) -> Tensor:
        """The area, averaged over the classes that have both."""
        false_CB, true_CB = statistics.flip(2)  # from the highest score on
        false_C, true_C = false_CB.sum(1), true_CB.sum(1)
        if self.kind == "ROC":
            before_CB = true_CB.cumsum(1) - true_CB / 2
            area_C = (false_CB * before_CB).sum(1) / (false_C * true_C)
        else:
            found_CB = true_CB.cumsum(1)
            precision_CB = found_CB / (found_CB + false_CB.cumsum(1)).clamp(min=1)
            area_C = (true_CB * precision_CB).sum(1) / true_C
        counts_C = (false_C > 0) & (true_C > 0)
        total = torch.where(counts_C, area_C, torch.zeros_like(area_C)).sum()
        mean: Tensor = total / counts_C.sum().clamp(min=1)
        return mean.to(torch.float32)

    def extra_repr(self) -> str:
        return f"{self.kind}, bins={self.bins}"


class Confusion(Metric):
    """What was answered to which label; the confusion matrix is in the results as a table.

    Returns:
        The share of right answers, float32.

    Example:
        >>> metric = Confusion()
        >>> statistics = metric.statistics(torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([0, 1]))
        >>> metric.value(statistics), metric.table(statistics)["counts"]
        (tensor(0.5000), [[1, 0], [1, 0]])
    """

    def statistics(self, scores_NC: Tensor, label_N: Tensor) -> Tensor:
        """Counts by label and answer."""
        classes = scores_NC.shape[1]
        counts = torch.zeros(classes * classes, dtype=torch.float64, device=scores_NC.device)
        place_N = label_N * classes + scores_NC.argmax(1)
        return counts.index_add(0, place_N, torch.ones_like(place_N, dtype=torch.float64)).view(classes, classes)

    def value(self, statistics: Tensor) -> Tensor:
        """Right answers / answers."""
        return (statistics.diagonal().sum() / statistics.sum()).to(torch.float32)

    def table(self, statistics: Tensor) -> dict[str, Any]:
        """Counts [label][answer]."""
        return {"type": "Confusion", "counts": statistics.to(torch.int64).tolist()}
