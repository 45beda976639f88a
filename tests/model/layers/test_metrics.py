"""Metrics: a value per batch, and sums that are exact over a split."""

from __future__ import annotations

import pytest
import torch

from rillnet.model.layers.metrics import Accuracy, Metric

SCORES = torch.tensor([[0.1, 0.2, 0.7], [0.5, 0.3, 0.2], [0.2, 0.5, 0.3], [0.6, 0.3, 0.1]])


@pytest.mark.parametrize(
    ("labels", "top_k", "expected"),
    [([2, 0, 1, 0], 1, 1.0), ([0, 0, 0, 0], 1, 0.5), ([1, 1, 2, 2], 2, 0.75), ([0, 1, 2, 2], 3, 1.0)],
)
def test_accuracy_counts_labels_among_the_highest_scores(labels: list[int], top_k: int, expected: float) -> None:
    accuracy = Accuracy(top_k=top_k)(SCORES, torch.tensor(labels))

    assert accuracy.item() == expected
    assert accuracy.dtype == torch.float32


def test_sums_over_uneven_batches_give_the_accuracy_of_the_whole() -> None:
    labels = torch.tensor([2, 1, 1, 1])
    accuracy = Accuracy()

    statistics = accuracy.statistics(SCORES[:3], labels[:3]) + accuracy.statistics(SCORES[3:], labels[3:])

    assert statistics.tolist() == [2.0, 4.0]
    assert accuracy.value(statistics) == accuracy(SCORES, labels) == 0.5


@pytest.mark.parametrize("top_k", [1, 2])
def test_accuracy_of_pixels(top_k: int) -> None:
    scores = SCORES.T.reshape(1, 3, 2, 2)  # four pixels of one image
    labels = torch.tensor([2, 1, 1, 1]).reshape(1, 2, 2)

    assert Accuracy(top_k=top_k)(scores, labels) == (0.5 if top_k == 1 else 1.0)


def test_a_metric_must_define_its_statistics() -> None:
    class Incomplete(Metric):
        pass

    with pytest.raises(TypeError, match="Incomplete must define statistics"):
        Incomplete()(SCORES)


def test_a_metric_is_a_ratio_unless_it_says_otherwise() -> None:
    assert Metric().value(torch.tensor([3.0, 4.0])) == 0.75


def test_accuracy_shows_how_many_scores_count() -> None:
    assert repr(Accuracy(top_k=5)) == "Accuracy(top_k=5)"
