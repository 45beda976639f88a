"""Losses of margins and of sparsity."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from rillnet.model.layers.loss import Loss


class Hinge(Loss):
    r"""How far scores are from the right side of a margin, averaged over all elements.

    $L = \frac{1}{N D} \sum_{n,d} \max(0, 1 - y_{nd} x_{nd})^p$ with targets of -1 and 1. Of a class number the
    target is 1 for that class and -1 for all others: each class against the rest.

    Args:
        power: p, 1 or 2.

    Returns:
        A number.

    Example:
        >>> Hinge()(torch.tensor([[0.5, 2.0]]), torch.tensor([[1.0, -1.0]]))
        tensor(1.7500)

    Source:
        The loss of statestream; squared: K. Crammer, Y. Singer, J. Machine Learning Research 2, 2001.
    """

    def __init__(self, power: Annotated[int, Field(ge=1, le=2)] = 1) -> None:
        super().__init__()
        self.power = power

    def forward(self, scores: Tensor, target: Tensor, mask_N: Tensor | None = None) -> Tensor:
        if mask_N is not None:
            return self.of_frames(1, self.terms(scores, target), target, mask_N).sum()
        return self.terms(scores, target).mean()

    def terms(self, scores: Tensor, target: Tensor) -> Tensor:  # type: ignore[override]
        """The loss of each element."""
        if target.dim() < scores.dim() and not target.is_floating_point():
            target = torch.arange(scores.shape[1], device=scores.device) == target[:, None]
            target = 2 * target.to(scores.dtype) - 1
        missing = torch.relu(1 - scores * target.to(scores.dtype))
        return missing if self.power == 1 else missing.square()

    def total(self, scores: Tensor, target: Tensor) -> Tensor:
        """The sum over all elements."""
        return self.terms(scores, target).sum()

    def count(self, scores: Tensor, target: Tensor) -> float:
        """The number of elements."""
        return float(scores.numel())


class SparsityPenalty(Loss):
    r"""How far units are from being active as rarely as they should, averaged over the units.

    $L = \frac{1}{D} \sum_d \rho \log \frac{\rho}{\hat\rho_d} + (1 - \rho) \log \frac{1 - \rho}{1 - \hat\rho_d}$ with
    the mean $\hat\rho_d$ of a unit over the batch, in (0, 1). Over a split, batches count by their examples.

    Args:
        rate: rho.

    Returns:
        A number.

    Example:
        >>> SparsityPenalty(rate=0.5)(torch.tensor([[0.25], [0.75]]))
        tensor(0.)

    Source:
        A. Ng: Sparse autoencoder, CS294A lecture notes, 2011.
    """

    def __init__(self, rate: Annotated[float, Field(gt=0, lt=1)] = 0.05) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, active_ND: Tensor) -> Tensor:
        mean_D = active_ND.flatten(1).mean(0).clamp(1e-6, 1 - 1e-6)
        rate = torch.as_tensor(self.rate, dtype=mean_D.dtype, device=mean_D.device)
        return (rate * (rate / mean_D).log() + (1 - rate) * ((1 - rate) / (1 - mean_D)).log()).mean()

    def total(self, active_ND: Tensor) -> Tensor:
        """The penalty times the examples."""
        return self.forward(active_ND) * len(active_ND)

    def extra_repr(self) -> str:
        return f"rate={self.rate}"
