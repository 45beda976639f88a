"""Metrics of scores in order, against scikit-learn, however the batches fall."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from rillnet.model.layers.metrics import Metric
from rillnet.model.layers.ranking import Confusion, RankedAccuracy, RankingArea

metrics = pytest.importorskip("sklearn.metrics")


def scored(count: int = 200, classes: int = 4) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(1)
    label = torch.randint(classes, (count,), generator=random)
    return torch.randn(count, classes, generator=random) + torch.nn.functional.one_hot(label, classes), label


def over_batches(metric: Metric, scores: Tensor, truth: Tensor) -> float:
    parts = zip(scores.split(33), truth.split(33), strict=True)
    return float(metric.value(sum(metric.statistics(one, other) for one, other in parts)))


def test_areas_are_those_of_scikit_learn() -> None:
    scores, label = scored()
    truth = torch.nn.functional.one_hot(label, 4)
    for given in (label, truth):
        roc = over_batches(RankingArea(bins=100_000), scores, given)
        precision = over_batches(RankingArea(kind="precision", bins=100_000), scores, given)
        assert roc == pytest.approx(metrics.roc_auc_score(truth, scores, average="macro"), abs=1e-4)
        assert precision == pytest.approx(metrics.average_precision_score(truth, scores, average="macro"), abs=1e-3)


def test_a_class_without_true_ones_does_not_count() -> None:
    scores, truth = torch.tensor([[1.0, 0.0], [-1.0, 0.0]]), torch.tensor([[1, 0], [0, 0]])
    assert float(RankingArea()(scores, truth)) == 1.0
    assert float(RankingArea()(scores, torch.zeros(2, 2))) == 0


def test_the_label_is_among_the_highest() -> None:
    scores, label = scored()
    expected = metrics.top_k_accuracy_score(label, scores, k=2)
    assert over_batches(RankedAccuracy(k=2), scores, label) == pytest.approx(expected, abs=1e-6)
    assert over_batches(RankedAccuracy(k=9), scores, label) == 1.0


def test_what_was_taken_for_what() -> None:
    scores, label = scored()
    metric = Confusion()
    table = metric.table(metric.statistics(scores, label))
    assert table["counts"] == metrics.confusion_matrix(label, scores.argmax(1)).tolist()
