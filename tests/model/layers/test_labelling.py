"""Connectionist temporal classification against a sum over all ways to spell the labels."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor

from rillnet.model.layers.labelling import CTC


def spelled(way: tuple[int, ...], blank: int) -> list[int]:
    """A way without repetitions, then without blanks."""
    return [one for one, _ in itertools.groupby(way) if one != blank]


def by_hand(scores_TC: Tensor, labels: list[int], blank: int) -> float:
    likely_TC = scores_TC.double().softmax(1).tolist()
    ways = itertools.product(range(len(likely_TC[0])), repeat=len(likely_TC))
    chances = [math.prod(likely_TC[t][c] for t, c in enumerate(way)) for way in ways if spelled(way, blank) == labels]
    return -math.log(sum(chances))


@pytest.mark.parametrize("blank", [0, 2])
def test_all_ways_count(blank: int) -> None:
    scores = torch.randn(3, 4, 3, generator=torch.Generator().manual_seed(1))
    labels = [[1, 1], [1], [2 - blank, 1]]
    padded = torch.tensor([one + [-1] * (2 - len(one)) for one in labels])
    steps = torch.tensor([4, 2, 3])
    loss = CTC(blank=blank)

    each = [by_hand(one[:count], own, blank) for one, count, own in zip(scores, steps.tolist(), labels, strict=True)]
    assert float(loss(scores, padded, steps)) == pytest.approx(sum(each) / 3, rel=1e-5)
    halves = loss.statistics(scores[:1], padded[:1], steps[:1]) + loss.statistics(scores[1:], padded[1:], steps[1:])
    assert float(loss.value(halves)) == pytest.approx(sum(each) / 3, rel=1e-5)


def test_what_is_too_short_for_its_labels_may_be_left_out() -> None:
    scores, labels = torch.zeros(1, 1, 3), torch.tensor([[1, 1]])
    assert float(CTC()(scores, labels)) == math.inf
    assert float(CTC(ignores_impossible=True)(scores, labels)) == 0
