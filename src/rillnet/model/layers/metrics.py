"""Metrics as blocks: a value per batch, and sums that give the value of a whole split exactly."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn


class Metric(nn.Module):
    """Base of metrics: additive statistics of a batch, and the value that sums of them stand for.

    A metric of a split is `value(sum of statistics over its batches)`, so that the short last batch,
    the batch size and the number of processes do not change it. Losses are metrics too.
    """

    def statistics(self, *inputs: Any, **named: Any) -> Tensor:
        """Numbers that add over batches; by default the batch's total and its number of examples."""
        raise TypeError(f"{type(self).__name__} must define statistics")

    def value(self, statistics: Tensor) -> Tensor:
        """The metric that added statistics stand for; by default total / count."""
        return statistics[0] / statistics[1]

    def table(self, statistics: Tensor) -> dict[str, Any] | None:
        """More than numbers by name can say, for results in JSON; by default nothing."""
        return None

    def forward(self, *inputs: Any, **named: Any) -> Tensor:
        return self.value(self.statistics(*inputs, **named))


class AccuracyByDelay(Metric):
    """The share of right answers by how many frames ago the stimulus appeared.

    A net that answers four frames after it has seen is at chance before: the number for each delay
    tells how early and how well it answers.

    Args:
        delays: how many delays are told apart, 0 to delays - 1; later frames do not count.

    Returns:
        One share per delay, float32 [delays]; NaN for a delay that did not occur.

    Example:
        >>> scores = torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
        >>> AccuracyByDelay(delays=2)(scores, torch.tensor([0, 1, 0]), torch.tensor([0, 0, 1]))
        tensor([0.5000, 1.0000])

    Source:
        The temporal confusion matrix of statestream, V. Fischer et al., NeurIPS 2018, arXiv 1806.04965.
    """

    def __init__(self, delays: Annotated[int, Field(ge=1)]) -> None:
        super().__init__()
        self.delays = delays

    def statistics(self, scores_NC: Tensor, label_N: Tensor, onset_N: Tensor) -> Tensor:
        """[hits by delay, answers by delay]."""
        hits_N = (scores_NC.argmax(dim=1) == label_N).to(torch.float64)
        is_at_ND = (onset_N[:, None] == torch.arange(self.delays, device=onset_N.device)).to(torch.float64)
        return torch.stack([hits_N @ is_at_ND, is_at_ND.sum(dim=0)])

    def value(self, statistics: Tensor) -> Tensor:
        """Hits / answers."""
        return (statistics[0] / statistics[1]).to(torch.float32)

    def extra_repr(self) -> str:
        return f"delays={self.delays}"


class ConfusionByDelay(Metric):
    """What was answered to which label, by how many frames ago the stimulus appeared; the temporal confusion matrix.

    The counts of every delay, label and answer are added over a whole split, and are in the results as a table.

    Args:
        delays: how many delays are told apart, 0 to delays - 1; later frames do not count.

    Returns:
        The share of right answers at the delay where it is highest, float32; NaN where nothing was counted.

    Example:
        >>> scores = torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
        >>> metric = ConfusionByDelay(delays=2)
        >>> statistics = metric.statistics(scores, torch.tensor([0, 1, 0]), torch.tensor([0, 0, 1]))
        >>> metric.value(statistics), metric.table(statistics)["counts"][0]
        (tensor(1.), [[1, 0], [1, 0]])

    Source:
        The temporal confusion matrix of statestream, V. Fischer et al., NeurIPS 2018, arXiv 1806.04965.
    """

    def __init__(self, delays: Annotated[int, Field(ge=1)]) -> None:
        super().__init__()
        self.delays = delays

    def statistics(self, scores_NC: Tensor, label_N: Tensor, onset_N: Tensor) -> Tensor:
        """Counts by delay, label and answer."""
        classes = scores_NC.shape[1]
        is_counted_N = (onset_N >= 0) & (onset_N < self.delays)
        place_N = (onset_N.clamp(0, self.delays - 1) * classes + label_N) * classes + scores_NC.argmax(dim=1)
        counts = scores_NC.new_zeros(self.delays * classes * classes, dtype=torch.float64)
        counts = counts.index_add(0, place_N, is_counted_N.to(torch.float64))
        return counts.view(self.delays, classes, classes)

    def value(self, statistics: Tensor) -> Tensor:
        """The highest of hits / answers by delay."""
        share_D = _shares(statistics)
        highest = torch.where(share_D.isnan(), -1.0, share_D).max()
        return torch.where(highest < 0, torch.nan, highest).to(torch.float32)

    def table(self, statistics: Tensor) -> dict[str, Any]:
        """Counts [delay][label][answer], the accuracy of each delay, and the delay where it is highest."""
        accuracy = _shares(statistics).tolist()
        answered = [delay for delay, share in enumerate(accuracy) if share == share]
        return {
            "type": "ConfusionByDelay",
            "counts": statistics.to(torch.int64).tolist(),
            "accuracy": [share if share == share else None for share in accuracy],
            "best_delay": max(answered, key=accuracy.__getitem__, default=None),
        }

    def extra_repr(self) -> str:
        return f"delays={self.delays}"


def _shares(counts_DCC: Tensor) -> Tensor:
    """Hits / answers by delay, [delays]; NaN for a delay that did not occur."""
    return counts_DCC.diagonal(dim1=1, dim2=2).sum(dim=1) / counts_DCC.sum(dim=(1, 2))


class Accuracy(Metric):
    """The share of examples whose label is among the k highest scores; of those that a third source marks, if any.

    Args:
        top_k: how many of the highest scores count.

    Returns:
        A number in [0, 1].

    Example:
        >>> Accuracy()(torch.tensor([[0.1, 0.9], [0.8, 0.2]]), torch.tensor([1, 1]))
        tensor(0.5000)
    """

    def __init__(self, top_k: Annotated[int, Field(ge=1)] = 1) -> None:
        super().__init__()
        self.top_k = top_k

    def marked(self, label_N: Tensor, mask_N: Tensor) -> Tensor:
        """How many labels of a frame the mask marks."""
        return mask_N.bool().sum()

    def statistics(self, scores_NC: Tensor, label_N: Tensor, mask_N: Tensor | None = None) -> Tensor:
        """[number of hits, number of labels], of what the mask marks."""
        if self.top_k == 1:
            hits = scores_NC.argmax(dim=1) == label_N
        else:
            hits = (scores_NC.topk(self.top_k, dim=1).indices == label_N.unsqueeze(1)).any(dim=1)
        if mask_N is not None:
            marked = mask_N.bool()
            return torch.stack([(hits & marked).sum(), marked.sum()]).to(torch.float64)
        return torch.stack([hits.sum(), hits.new_tensor(hits.numel(), dtype=torch.int64)]).to(torch.float64)

    def value(self, statistics: Tensor) -> Tensor:
        """Hits / labels, as float32."""
        return (statistics[0] / statistics[1]).to(torch.float32)

    def extra_repr(self) -> str:
        return f"top_k={self.top_k}"
