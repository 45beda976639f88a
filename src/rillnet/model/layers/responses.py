"""Which answers of a stream count, by how long ago their stimulus appeared."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn


class FirstResponses(nn.Module):
    r"""Marks the frames in which a stimulus is new, as a mask for a loss of the first responses to it.

    $m_n = 1$ where $0 \le \mathrm{onset}_n < \mathrm{count}$, otherwise 0

    A loss that reads the mask with the delay of its prediction (`lag: auto`) then counts the first answers that
    depend on the stimulus, and none from before: a mask that nothing has sent yet is 0.

    Args:
        count: how many responses count.

    Returns:
        One number per stream, float32.

    Example:
        >>> FirstResponses(count=2)(torch.tensor([0, 1, 2]))
        tensor([1., 1., 0.])

    Source:
        The loss over the first responses of V. Fischer et al., NeurIPS 2018, arXiv 1806.04965.
    """

    per_example = True

    def __init__(self, count: Annotated[int, Field(ge=1)]) -> None:
        super().__init__()
        self.count = count

    def forward(self, onset_N: Tensor) -> Tensor:
        return ((onset_N >= 0) & (onset_N < self.count)).to(torch.float32)

    def extra_repr(self) -> str:
        return f"count={self.count}"
