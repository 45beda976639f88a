from __future__ import annotations

import torch

from rillnet.runtime.observers.reductions.distribution import Distribution
from rillnet.runtime.observers.reductions.percentiles import Percentiles


def test_a_row_is_that_of_percentiles_and_is_kept() -> None:
    value = torch.randn(50)
    assert torch.equal(Distribution()([value]).data, Percentiles()([value]).data)
    assert Distribution.is_kept
    assert not Percentiles.is_kept
