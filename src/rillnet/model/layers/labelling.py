"""Connectionist temporal classification: labels of a sequence, without knowing when each of them comes."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from rillnet.model.layers.loss import ExampleLoss


class CTC(ExampleLoss):
    r"""Minus the logarithm of the probability of all ways in which a sequence of scores spells the labels.

    $L = -\frac{1}{N} \sum_n \log \sum_{\pi \to y_n} \prod_t \mathrm{softmax}(x_{nt})_{\pi_t}$ where a way $\pi$ names a
    class or the blank in every step; it spells what is left without repetitions, then without blanks.

    Reads scores [batch, steps, classes], labels [batch, most labels] with negative numbers behind the last one, and
    maybe as a third source how many steps of each sequence count.

    Args:
        blank: the class that stands for nothing.
        ignores_impossible: whether a sequence that is too short for its labels counts as 0, not as infinity.

    Returns:
        A number.

    Example:
        >>> CTC()(torch.zeros(1, 2, 2), torch.tensor([[1, -1]]))  # of four ways three spell it
        tensor(0.2877)

    Source:
        A. Graves, S. Fernandez, F. Gomez, J. Schmidhuber, ICML 2006; torch.nn.CTCLoss, which computes it.
    """

    def __init__(self, blank: Annotated[int, Field(ge=0)] = 0, ignores_impossible: bool = False) -> None:
        super().__init__()
        self.blank, self.ignores_impossible = blank, ignores_impossible

    def terms(self, scores_NTC: Tensor, label_NL: Tensor, steps_N: Tensor | None = None) -> Tensor:  # type: ignore[override]
        """The loss of each sequence."""
        count, steps, _ = scores_NTC.shape
        if scores_NTC.is_meta:
            return scores_NTC.new_empty(count)
        label_NL = label_NL.reshape(count, -1)
        wide = scores_NTC if scores_NTC.dtype == torch.float64 else scores_NTC.float()
        found: Tensor = functional.ctc_loss(
            wide.log_softmax(2).transpose(0, 1),
            label_NL.clamp(min=0),
            torch.full((count,), steps, device=label_NL.device) if steps_N is None else steps_N,
            (label_NL >= 0).sum(1),
            blank=self.blank,
            reduction="none",
            zero_infinity=self.ignores_impossible,
        )
        return found.to(scores_NTC.dtype)

    def extra_repr(self) -> str:
        return f"blank={self.blank}"
