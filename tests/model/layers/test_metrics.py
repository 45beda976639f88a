"""Metrics: a value per batch, and sums that are exact over a split."""

from __future__ import annotations

import pytest
import torch

from rillnet.model.layers.metrics import Accuracy, AccuracyByDelay, ConfusionByDelay, Metric

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


def test_accuracy_by_delay_tells_each_delay_apart() -> None:
    metric = AccuracyByDelay(delays=3)
    right, wrong = torch.tensor([0.0, 1.0]), torch.tensor([1.0, 0.0])
    scores = torch.stack([right, wrong, right, right, wrong])
    label, onset = torch.ones(5, dtype=torch.int64), torch.tensor([0, 0, 1, 1, 7])

    value = metric(scores, label, onset)

    assert value[:2].tolist() == [0.5, 1.0]
    assert value[2].isnan()


def test_accuracy_by_delay_adds_over_batches() -> None:
    metric = AccuracyByDelay(delays=2)
    scores, label, onset = torch.randn(20, 4), torch.randint(4, (20,)), torch.randint(2, (20,))
    parts = [metric.statistics(scores[part], label[part], onset[part]) for part in (slice(0, 7), slice(7, 20))]

    assert torch.equal(metric.value(parts[0] + parts[1]), metric(scores, label, onset))


def test_confusion_by_delay_counts_as_a_loop_does() -> None:
    metric = ConfusionByDelay(delays=3)
    scores, label, onset = torch.randn(200, 4), torch.randint(4, (200,)), torch.randint(5, (200,))
    counts = torch.zeros(3, 4, 4)
    for row, right, delay in zip(scores, label, onset, strict=True):
        if delay < 3:
            counts[delay, right, row.argmax()] += 1

    parts = [metric.statistics(scores[part], label[part], onset[part]) for part in (slice(0, 77), slice(77, 200))]
    table = metric.table(parts[0] + parts[1])

    assert table["counts"] == counts.to(torch.int64).tolist()
    by_delay = AccuracyByDelay(delays=3)(scores, label, onset)
    assert table["accuracy"] == pytest.approx(by_delay.tolist())
    assert metric(scores, label, onset) == by_delay.max()
    assert table["best_delay"] == int(by_delay.argmax())


def test_confusion_of_delays_that_did_not_occur() -> None:
    metric = ConfusionByDelay(delays=2)
    scores, label = torch.tensor([[1.0, 0.0]]), torch.tensor([0])
    one = metric.statistics(scores, label, torch.tensor([1]))
    none = metric.statistics(scores, label, torch.tensor([7]))

    assert (metric.table(one)["accuracy"], metric.table(one)["best_delay"]) == ([None, 1.0], 1)
    assert metric.table(none)["best_delay"] is None
    assert metric.value(none).isnan()
    assert repr(metric) == "ConfusionByDelay(delays=2)"


def test_accuracy_is_of_what_a_mask_marks() -> None:
    scores, label = torch.tensor([[0.0, 1.0], [1.0, 0.0], [1.0, 0.0]]), torch.tensor([1, 1, 0])
    mask = torch.tensor([True, True, False])

    assert Accuracy()(scores, label, mask).item() == 0.5
    assert Accuracy().statistics(scores, label, mask).tolist() == [1, 2]
