"""Softmax within groups, against torch's softmax group by group."""

from __future__ import annotations

import math

import pytest
import torch

from rillnet.model.layers.group_softmax import GroupCrossEntropy, GroupSoftmax

SCORES = torch.tensor([[0.5, -1.0, 2.0, 0.0, 1.0, 1.0], [3.0, 0.0, 0.0, -2.0, 0.5, 0.25]])


def with_rest(rest: float) -> torch.Tensor:
    """The logarithms of the probabilities of each group's units and of none, [2, groups, 3]."""
    groups = [torch.cat([part, torch.full((2, 1), rest)], 1) for part in SCORES.split(2, 1)]
    return torch.stack([group.log_softmax(1) for group in groups], 1)


def test_without_a_rest_each_group_is_a_softmax() -> None:
    expected = torch.cat([part.softmax(1) for part in SCORES.split(3, 1)], 1)
    torch.testing.assert_close(GroupSoftmax(3)(SCORES), expected)
    assert GroupSoftmax(3)(SCORES).sum() == pytest.approx(4)


def test_a_rest_takes_its_share() -> None:
    """akid's ground state is a constant 1 beside the units of each group."""
    expected = with_rest(1.0).exp()[..., :2].flatten(1)
    torch.testing.assert_close(GroupSoftmax(2, rest=1.0)(SCORES), expected)
    first = math.exp(0.5) / (math.exp(0.5) + math.exp(-1.0) + math.exp(1.0))
    assert float(GroupSoftmax(2, rest=1.0)(SCORES)[0, 0]) == pytest.approx(first)


def test_groups_of_one_with_a_rest_of_nothing_are_sigmoids() -> None:
    torch.testing.assert_close(GroupSoftmax(1, rest=0.0)(SCORES), SCORES.sigmoid())


def test_channels_of_images_are_grouped() -> None:
    x = torch.randn(2, 6, 3, 4)
    found = GroupSoftmax(2)(x)
    assert found.shape == x.shape
    torch.testing.assert_close(found[:, 2:4], x[:, 2:4].softmax(1))


def test_the_loss_of_a_class_counts_the_other_groups_as_none() -> None:
    label = torch.tensor([3, 0])  # the second unit of the second group, the first of the first
    logs = with_rest(0.5)
    expected = -(logs[0, 0, 2] + logs[0, 1, 1] + logs[0, 2, 2] + logs[1, 0, 0] + logs[1, 1, 2] + logs[1, 2, 2]) / 6
    loss = GroupCrossEntropy(2, rest=0.5)

    assert float(loss(SCORES, label)) == pytest.approx(float(expected), rel=1e-6)
    assert float(loss(SCORES, torch.tensor([[2, 1, 2], [0, 2, 2]]))) == pytest.approx(float(expected), rel=1e-6)
    assert float(loss.value(loss.statistics(SCORES, label))) == pytest.approx(float(expected), rel=1e-6)
    masked = loss(SCORES, label, torch.tensor([True, False]))
    assert float(masked) == pytest.approx(float(loss(SCORES[:1], label[:1])), rel=1e-6)


def test_without_a_rest_it_is_the_mean_of_cross_entropies() -> None:
    target = torch.tensor([[0, 1, 0], [1, 1, 0]])
    parts = [
        torch.nn.functional.cross_entropy(part, target[:, number]) for number, part in enumerate(SCORES.split(2, 1))
    ]
    assert float(GroupCrossEntropy(2)(SCORES, target)) == pytest.approx(float(sum(parts)) / 3, rel=1e-6)
    with pytest.raises(ValueError, match="class numbers need a rest"):
        GroupCrossEntropy(2)(SCORES, torch.tensor([0, 1]))


def test_what_does_not_divide_into_groups_is_told() -> None:
    with pytest.raises(ValueError, match="the size 6 must be a multiple of group_size, 4"):
        GroupSoftmax(4)(SCORES)
