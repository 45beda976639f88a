from __future__ import annotations

import torch

from rillnet.runtime.observers.reductions.health import Health


def test_each_kind_is_counted() -> None:
    nan, inf = float("nan"), float("inf")
    one, other = torch.tensor([nan, nan, inf, 0.0]), torch.tensor([0.0, -0.0, -inf, 1.0])
    assert Health()([one, other]).data.tolist() == [[2, 1, 1], [0, 1, 2]]
