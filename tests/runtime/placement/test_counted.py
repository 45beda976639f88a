"""The rules of losses and metrics."""

from __future__ import annotations

import pytest
from torch import nn

from rillnet.model.layers import Accuracy, BinaryCrossEntropy, CrossEntropy, MeanSquaredError
from rillnet.runtime.placement.counted import Counted
from rillnet.runtime.placement.rules import partition_of

Shapes = list[tuple[int, ...]]


@pytest.mark.parametrize(
    ("module", "reads", "kinds"),
    [
        (CrossEntropy(), [(5,), ()], ["batch", "feature"]),
        (CrossEntropy(label_smoothing=0.1), [(5,), ()], ["batch"]),
        (CrossEntropy(), [(5,), (), ()], ["batch"]),
        (CrossEntropy(), [(5, 8, 8), (8, 8)], ["batch", "space"]),
        (Accuracy(), [(5,), ()], ["batch"]),
        (Accuracy(), [(5, 8, 8), (8, 8)], ["batch", "space"]),
        (MeanSquaredError(), [(3, 8, 8), (3, 8, 8)], ["batch", "feature", "space"]),
        (BinaryCrossEntropy(), [(3,), (3,)], ["batch", "feature"]),
    ],
)
def test_how_losses_are_split(module: nn.Module, reads: Shapes, kinds: list[str]) -> None:
    assert list(partition_of(module, reads, ()).splits()) == kinds


def test_labels_and_masks_have_the_rows_of_the_scores() -> None:
    rule = partition_of(CrossEntropy(), [(5, 8, 8), (8, 8), (8,)], ())
    box = ((0, 2), (0, 5), (3, 6), (0, 8))

    assert isinstance(rule, Counted)
    assert rule.extent == (5, 8, 8)
    assert rule.needs(box) == [box, ((0, 2), (3, 6), (0, 8)), ((0, 2), (3, 6))]


def test_all_labels_are_needed_with_some_of_the_classes() -> None:
    rule = partition_of(CrossEntropy(), [(5,), ()], ())

    assert rule.needs(((0, 4), (2, 5))) == [((0, 4), (2, 5)), ((0, 4),)]


def test_a_metric_reads_all_of_its_examples() -> None:
    rule = partition_of(Accuracy(), [(5,), ()], ())

    assert rule.needs(((1, 4),)) == [((1, 4), (0, 5)), ((1, 4),)]
