"""Losses that compare distributions: the divergence of Kullback and Leibler."""

from __future__ import annotations

import torch
from torch import Tensor

from rillnet.model.layers.loss import ExampleLoss


class KLDivergence(ExampleLoss):
    r"""How far unnormalised scores are from a distribution over classes, averaged over examples.

    $L = \frac{1}{N} \sum_n \sum_c p_{nc} \log \frac{p_{nc}}{\mathrm{softmax}(x_n)_c}$

    Returns:
        A number.

    Example:
        >>> KLDivergence()(torch.tensor([[0.0, 0.0]]), torch.tensor([[1.0, 0.0]]))
        tensor(0.6931)

    Source:
        S. Kullback, R. A. Leibler, Annals of Mathematical Statistics 22, 1951; torch.nn.KLDivLoss with `batchmean`.
    """

    def terms(self, scores_NC: Tensor, wanted_NC: Tensor) -> Tensor:  # type: ignore[override]
        """The divergence of each example."""
        wanted_NC = wanted_NC.to(scores_NC.dtype)
        return (torch.xlogy(wanted_NC, wanted_NC) - wanted_NC * scores_NC.log_softmax(1)).flatten(1).sum(1)


class GaussianKL(ExampleLoss):
    r"""How far normal distributions are from the standard one, averaged over examples.

    $L = \frac{1}{2 N} \sum_{n,d} \mu_{nd}^2 + \sigma_{nd}^2 - \log \sigma_{nd}^2 - 1$ from the means and
    the logarithms of the variances: the penalty of a variational autoencoder.

    Returns:
        A number.

    Example:
        >>> GaussianKL()(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 0.0]]))
        tensor(0.5000)

    Source:
        D. P. Kingma, M. Welling: Auto-encoding variational Bayes, arXiv:1312.6114, appendix B.
    """

    def terms(self, mean_ND: Tensor, log_variance_ND: Tensor) -> Tensor:  # type: ignore[override]
        """The divergence of each example."""
        twice = mean_ND.square() + log_variance_ND.exp() - log_variance_ND - 1
        return twice.flatten(1).sum(1) / 2
