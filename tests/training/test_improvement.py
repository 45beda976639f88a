"""The best value so far and the end of patience."""

from __future__ import annotations

import json

import pytest

from rillnet.errors import RequestError
from rillnet.training.improvement import Best, EarlyStopping, check_mode, mode_of


@pytest.mark.parametrize(
    ("metric", "mode"),
    [
        ("accuracy", "max"),
        ("val/top5_accuracy", "max"),
        ("BinaryAccuracy", "max"),
        ("auc", "max"),
        ("f1", "max"),
        ("f1_score", "max"),
        ("precision", "max"),
        ("recall", "max"),
        ("mean_iou", "max"),
        ("log_likelihood", "max"),
        ("loss", "min"),
        ("val/loss", "min"),
        ("CrossEntropy", "min"),
        ("perplexity", "min"),
        ("error", "min"),
        ("mse", "min"),
        ("negative_log_likelihood", "min"),
    ],
)
def test_the_name_tells_the_mode(metric: str, mode: str) -> None:
    assert mode_of(metric) == mode


def test_the_user_wins() -> None:
    assert mode_of("loss", "max") == "max"


@pytest.mark.parametrize("metric", ["score", "recall_error"])
def test_a_name_that_does_not_tell_is_asked_about(metric: str) -> None:
    with pytest.raises(RequestError) as error:
        mode_of(metric, address="run.early_stopping.mode")
    assert str(error.value) == (
        f"run.early_stopping.mode: must be 'max' or 'min', as the name {metric!r} does not tell which value is best"
    )


def test_a_wrong_mode_is_a_fault() -> None:
    assert [str(fault) for fault in check_mode("loss", "least", "run.checkpoint.mode")] == [
        "run.checkpoint.mode: must be 'max' or 'min' (got 'least')"
    ]


def test_best_by_both_modes() -> None:
    values = (0.5, 0.4, 0.6, 0.6, 0.3)
    larger, smaller = Best("accuracy"), Best("loss")
    assert [larger.observe({"accuracy": value}) for value in values] == [True, False, True, False, False]
    assert [smaller.observe({"loss": value}) for value in values] == [True, True, False, False, True]
    assert (larger.value, smaller.value) == (0.6, 0.3)


def test_min_delta_is_what_counts_as_better() -> None:
    best = Best("accuracy", min_delta=0.05)
    assert [best.observe({"accuracy": value}) for value in (0.5, 0.54, 0.56)] == [True, False, True]


def test_a_nan_is_never_best() -> None:
    best = Best("loss")
    assert [best.observe({"loss": value}) for value in (float("nan"), 2.0, float("nan"), 1.0)] == [
        False,
        True,
        False,
        True,
    ]


def test_an_absent_metric_is_told() -> None:
    with pytest.raises(RequestError) as error:
        Best("acuracy", "max", address="run.early_stopping").observe({"accuracy": 1.0, "loss": 0.0})
    assert str(error.value) == (
        "run.early_stopping.metric: is no metric of the evaluation (got 'acuracy'); did you mean 'accuracy'?"
    )


def test_early_stopping_waits_for_its_patience() -> None:
    stopping = EarlyStopping("loss", patience=3)
    losses = (1.0, 0.9, 0.95, 0.93, 0.8, 0.8, 0.81, 0.9)
    assert [stopping.observe({"loss": loss}) for loss in losses] == [False] * 7 + [True]


def test_early_stopping_goes_on_from_its_state() -> None:
    losses = (1.0, 0.9, 0.95, 0.93, 0.91)
    whole = EarlyStopping("loss", patience=3)
    expected = [whole.observe({"loss": loss}) for loss in losses]
    for cut in range(len(losses)):
        first, second = EarlyStopping("loss", patience=3), EarlyStopping("loss", patience=3)
        answers = [first.observe({"loss": loss}) for loss in losses[:cut]]
        second.load(json.loads(json.dumps(first.state())))
        answers += [second.observe({"loss": loss}) for loss in losses[cut:]]
        assert answers == expected
