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


class Accuracy(Metric):
    """The share of examples whose label is among the k highest scores.

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

    def statistics(self, scores_NC: Tensor, label_N: Tensor) -> Tensor:
        """[number of hits, number of labels]."""
        if self.top_k == 1:
            hits = scores_NC.argmax(dim=1) == label_N
        else:
            hits = (scores_NC.topk(self.top_k, dim=1).indices == label_N.unsqueeze(1)).any(dim=1)
        return torch.stack([hits.sum(), hits.new_tensor(hits.numel(), dtype=torch.int64)]).to(torch.float64)

    def value(self, statistics: Tensor) -> Tensor:
        """Hits / labels, as float32."""
        return (statistics[0] / statistics[1]).to(torch.float32)

    def extra_repr(self) -> str:
        return f"top_k={self.top_k}"
