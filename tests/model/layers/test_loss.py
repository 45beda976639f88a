"""Losses: the mean of a batch, and sums that are exact over a split."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from rillnet.model.layers.loss import BinaryCrossEntropy, CrossEntropy, Loss, MeanSquaredError

SCORES = torch.randn(7, 5, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([0, 4, 2, 2, 1, 3, 0])
PIXEL_SCORES = torch.randn(7, 5, 2, 3, generator=torch.Generator().manual_seed(1))
PIXEL_LABELS = torch.randint(5, (7, 2, 3), generator=torch.Generator().manual_seed(2))

CASES = [
    pytest.param(CrossEntropy(), (SCORES, LABELS), id="classes"),
    pytest.param(CrossEntropy(label_smoothing=0.1), (SCORES, LABELS), id="smoothed"),
    pytest.param(CrossEntropy(), (PIXEL_SCORES, PIXEL_LABELS), id="pixels"),
    pytest.param(CrossEntropy(), (SCORES, SCORES.softmax(1)), id="probabilities"),
    pytest.param(CrossEntropy(), (PIXEL_SCORES, PIXEL_SCORES.softmax(1)), id="pixel probabilities"),
    pytest.param(CrossEntropy(), (SCORES, LABELS.where(LABELS != 2, -100)), id="ignored"),
    pytest.param(MeanSquaredError(), (SCORES, SCORES.flip(0)), id="squares"),
    pytest.param(BinaryCrossEntropy(), (SCORES, (SCORES > 0).long()), id="binary"),
]


@pytest.mark.parametrize(("loss", "inputs"), CASES)
def test_sums_over_uneven_batches_give_the_loss_of_the_whole(loss: Loss, inputs: tuple[Tensor, ...]) -> None:
    parts = [[x[a:b] for x in inputs] for a, b in ((0, 3), (3, 6), (6, 7))]

    statistics = torch.stack([loss.statistics(*part) for part in parts]).sum(0)

    assert statistics.dtype == torch.float64
    torch.testing.assert_close(loss.value(statistics), loss(*inputs))


def test_cross_entropy_is_torchs() -> None:
    assert torch.equal(CrossEntropy()(SCORES, LABELS), functional.cross_entropy(SCORES, LABELS))
    assert CrossEntropy()(torch.zeros(2, 4), torch.tensor([1, 2])).item() == pytest.approx(math.log(4))


def test_smoothing_spreads_the_target() -> None:
    certain = torch.tensor([[20.0, 0.0]])

    assert CrossEntropy()(certain, torch.tensor([0])) < 1e-6
    assert CrossEntropy(label_smoothing=0.5)(certain, torch.tensor([0])).item() == pytest.approx(5.0, abs=1e-4)


def test_mean_squared_error_is_over_all_elements() -> None:
    assert MeanSquaredError()(torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 0.0]])).item() == 2.5


def test_binary_cross_entropy_takes_whole_numbers_as_targets() -> None:
    targets = torch.tensor([[0, 1, 1, 0, 1]])

    loss = BinaryCrossEntropy()(SCORES[:1], targets)

    assert torch.equal(loss, functional.binary_cross_entropy_with_logits(SCORES[:1], targets.float()))


@pytest.mark.parametrize(("loss", "inputs"), CASES)
def test_losses_have_gradients(loss: Loss, inputs: tuple[Tensor, ...]) -> None:
    scores = inputs[0].clone().requires_grad_()

    loss(scores, *inputs[1:]).backward()

    assert scores.grad is not None
    assert scores.grad.isfinite().all()


def test_a_loss_must_define_its_total() -> None:
    class Incomplete(Loss):
        pass

    with pytest.raises(TypeError, match="Incomplete must define total"):
        Incomplete().statistics(SCORES)


MASKS = [torch.tensor([1, 0, 1, 1, 0, 0, 1], dtype=torch.bool), torch.tensor([0.5, 0, 1, 2, 0, 0, 1])]


@pytest.mark.parametrize(("loss", "inputs"), CASES)
@pytest.mark.parametrize("mask", MASKS, ids=["truth values", "weights"])
def test_a_mask_leaves_out_what_it_does_not_mark(loss: Loss, inputs: tuple[Tensor, ...], mask: Tensor) -> None:
    scores, target = inputs
    spoilt = scores.where(mask.view(-1, *[1] * (scores.dim() - 1)) != 0, torch.inf)
    rows = [row for row, count in enumerate((2 * mask.float()).int().tolist()) for _ in range(count)]

    torch.testing.assert_close(loss(spoilt, target, mask), loss(scores[rows], target[rows]))
    statistics = loss.statistics(scores, target, mask)
    torch.testing.assert_close(loss.value(statistics), loss(scores, target, mask))


@pytest.mark.parametrize(("loss", "inputs"), CASES)
def test_losses_of_frames_end_to_end_are_those_of_each(loss: Loss, inputs: tuple[Tensor, ...]) -> None:
    first, target = (x[:6] for x in inputs)

    found = loss.of_frames(3, loss.terms(first, target), target)

    torch.testing.assert_close(
        found, torch.stack([loss(first[n : n + 2], target[n : n + 2]) for n in (0, 2, 4)]), equal_nan=True
    )


def test_where_nothing_is_marked_the_loss_is_zero() -> None:
    scores = SCORES.clone().requires_grad_()

    loss = CrossEntropy()(scores, LABELS, torch.zeros(7))
    loss.backward()

    assert loss.item() == 0
    assert scores.grad is not None
    assert not scores.grad.any()


def test_a_mask_has_one_number_per_example_or_part() -> None:
    with pytest.raises(ValueError, match=r"a mask must be \[7\] or the first of these sizes, not \[5\]"):
        CrossEntropy()(SCORES, LABELS, torch.ones(5))
    assert CrossEntropy()(PIXEL_SCORES, PIXEL_LABELS, torch.ones(7, 2)).item() > 0
