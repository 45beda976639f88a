"""Losses of margins, against torch and by hand, however the batches fall."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from rillnet.model.layers.loss import ExampleLoss
from rillnet.model.layers.margin import MarginRanking, MulticlassHinge, Triplet


def drawn(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def over_batches(loss: ExampleLoss, *inputs: Tensor) -> float:
    parts = zip(*(each.split(3) for each in inputs), strict=True)
    return float(loss.value(sum(loss.statistics(*part) for part in parts)))


@pytest.mark.parametrize(("margin", "power"), [(1.0, 1), (0.5, 2)])
def test_multiclass_hinge_is_torchs(margin: float, power: int) -> None:
    scores, label = drawn(7, 4), torch.arange(7) % 4
    loss = MulticlassHinge(margin=margin, power=power)
    expected = float(functional.multi_margin_loss(scores, label, p=power, margin=margin))
    assert float(loss(scores, label)) == pytest.approx(expected, rel=1e-6)
    assert over_batches(loss, scores, label) == pytest.approx(expected, rel=1e-6)


def test_ranking_is_torchs() -> None:
    first, second, order = drawn(7), drawn(7, seed=2), drawn(7, seed=3).sign()
    loss = MarginRanking(margin=0.3)
    expected = float(functional.margin_ranking_loss(first, second, order, margin=0.3))
    assert float(loss(first, second, order)) == pytest.approx(expected, rel=1e-6)
    assert over_batches(loss, first, second, order) == pytest.approx(expected, rel=1e-6)


def test_triplets_are_torchs_and_squared_chainers() -> None:
    anchor, near, far = drawn(7, 5), drawn(7, 5, seed=2), drawn(7, 5, seed=3)
    expected = float(functional.triplet_margin_loss(anchor, near, far, margin=2.0))
    assert float(Triplet(margin=2.0)(anchor, near, far)) == pytest.approx(expected, rel=1e-5)
    assert over_batches(Triplet(margin=2.0), anchor, near, far) == pytest.approx(expected, rel=1e-5)

    by_hand = Triplet(margin=0.2, squared=True)(
        torch.tensor([[0.0, 1.0], [1.0, 1.0]]),
        torch.tensor([[0.0, 2.0], [1.0, 1.0]]),
        torch.tensor([[0.0, 1.5], [4.0, 1.0]]),
    )
    assert float(by_hand) == pytest.approx((0.2 + 1 - 0.25 + 0) / 2)
