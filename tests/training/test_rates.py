"""Learning-rate curves: forms in a document, faults, nesting."""

from __future__ import annotations

import pytest

from rillnet.errors import RequestError
from rillnet.training.rates import (
    RATES,
    Constant,
    Cosine,
    Exponential,
    Factor,
    Points,
    Progress,
    Rate,
    Step,
    Warmup,
    build_rate,
    check_rate,
)

PER_EPOCH = 10


def at(step: int, total: int | None = 100) -> Progress:
    return Progress(step, step / PER_EPOCH, total, PER_EPOCH)


def own_curve(base: float, progress: Progress) -> float:
    return base / (1 + progress.epoch)


@pytest.mark.parametrize(
    ("spec", "rate"),
    [
        (None, Constant()),
        (0.01, Constant(0.01)),
        (1, Constant(1.0)),
        ("Cosine", Cosine()),
        ({"type": "Step", "every": "3 epochs"}, Step("3 epochs")),
        ([[0, 0.1], ["2 epochs", 0.01]], Points([[0, 0.1], ["2 epochs", 0.01]])),
        (own_curve, own_curve),
        ({"type": "Warmup", "steps": 5, "then": {"type": "Cosine"}}, Warmup(5, then={"type": "Cosine"})),
    ],
)
def test_forms_of_a_rate(spec: object, rate: Rate) -> None:
    assert build_rate(spec) == rate


def test_a_function_of_the_step_is_a_factor() -> None:
    rate = build_rate(lambda step: 0.5**step)
    assert isinstance(rate, Factor)
    assert [rate(0.8, at(step)) for step in range(3)] == [0.8, 0.4, 0.2]


def test_a_function_of_base_and_progress_is_a_curve() -> None:
    assert build_rate(own_curve)(1.0, at(10)) == 0.5


def test_epochs_and_steps_say_the_same() -> None:
    by_epochs, by_steps = Exponential(0.5, "2 epochs"), Exponential(0.5, "20 steps")
    assert [by_epochs(1.0, at(step)) for step in range(50)] == [by_steps(1.0, at(step)) for step in range(50)]


def test_warmup_then_another_curve_over_the_rest() -> None:
    rate, rest = Warmup("2 epochs", start=0.1, then="Cosine"), Cosine()
    assert rate(0.5, at(0)) == 0.1
    assert rate(0.5, at(10)) == pytest.approx(0.3)
    assert [rate(0.5, at(20 + step)) for step in range(81)] == [rest(0.5, at(step, total=80)) for step in range(81)]


def test_warmup_leads_to_the_first_rate_of_points() -> None:
    rate = Warmup(4, then=[[0, 0.4], [10, 0.2]])
    assert [rate(1.0, at(step)) for step in (0, 2, 4, 13, 14)] == [0.0, 0.2, 0.4, 0.4, 0.2]


def test_points_before_the_first() -> None:
    points = [[10, 0.1], [20, 0.3]]
    assert Points(points)(1.0, at(5)) == 1.0
    assert Points(points, linear=True)(1.0, at(5)) == 0.1
    assert Points(points, linear=True)(1.0, at(15)) == pytest.approx(0.2)
    assert Points(points, linear=True)(1.0, at(99)) == 0.3


def test_a_run_without_an_end_asks_for_a_length() -> None:
    with pytest.raises(RequestError) as error:
        Cosine()(1.0, at(3, total=None))
    assert str(error.value) == (
        'rate.over: is required by Cosine, as this run has no end; say how long, such as "10 epochs"'
    )
    assert Cosine(over="10 epochs")(1.0, at(50, total=None)) == pytest.approx(0.5)


def test_epochs_of_unknown_length_are_asked_for_in_steps() -> None:
    unknown = Progress(step=7, epoch=0.0, total_steps=100, steps_per_epoch=0)
    with pytest.raises(RequestError) as error:
        Step(every="1 epoch")(1.0, unknown)
    assert str(error.value) == (
        "rate: must be in steps, as the source does not tell how many steps an epoch has (got '1 epoch')"
    )
    assert Warmup(5, then=[[0, 0.4]])(1.0, unknown) == 0.4


@pytest.mark.parametrize(
    ("spec", "messages"),
    [
        ("Cosin", ["main.rate.type: unknown rate (got 'Cosin'); did you mean 'Cosine'?"]),
        ({"end": 0}, ["main.rate.type: is required"]),
        (-0.1, ["main.rate: must be at least 0 (got -0.1)"]),
        (True, ["main.rate: must be a number (got True)"]),
        ({"type": "Step"}, ["main.rate.every: is required"]),
        (
            {"type": "Step", "every": "3 epcohs", "factr": 2},
            [
                "main.rate.every: unknown unit 'epcohs', did you mean 'epochs'? (got '3 epcohs')",
                "main.rate.factr: unknown key; did you mean 'factor'?",
            ],
        ),
        ({"type": "Cosine", "cycles": 0}, ["main.rate.cycles: must be at least 1 (got 0)"]),
        ({"type": "Cosine", "end": "low"}, ["main.rate.end: must be a number (got 'low')"]),
        (
            {"type": "MultiStep", "at": 5},
            ['main.rate.at: must be a list of times, such as [1000, "3 epochs"] (got 5)'],
        ),
        (
            {"type": "Warmup", "steps": 5, "then": {"type": "Cosin"}},
            ["main.rate.then.type: unknown rate (got 'Cosin'); did you mean 'Cosine'?"],
        ),
        ([], ['main.rate: must be a list of [time, rate], such as [[0, 0.1], ["2 epochs", 0.01]] (got [])']),
        ([[0, -1]], ["main.rate: has the rate -1, which must be at least 0 (got [[0, -1]])"]),
        (
            [[9, 0.1], [3, 0.2]],
            [
                "main.rate: must have its times in ascending order, but 3 steps follows 9 steps "
                "(got [[9, 0.1], [3, 0.2]])"
            ],
        ),
    ],
)
def test_wrong_rates_are_faults(spec: object, messages: list[str]) -> None:
    assert [str(fault) for fault in check_rate(spec, "main.rate")] == messages
    with pytest.raises(RequestError) as error:
        build_rate(spec, "main.rate")
    assert str(error.value).splitlines() == messages


def test_a_curve_made_in_python_is_checked_too() -> None:
    with pytest.raises(RequestError) as error:
        Step(every="3 epcohs")
    assert str(error.value) == "rate.every: unknown unit 'epcohs', did you mean 'epochs'? (got '3 epcohs')"


def test_words_of_the_family() -> None:
    assert sorted(RATES) == [
        "Constant", "Cosine", "Exponential", "Inverse", "Linear", "MultiStep", "Points", "Polynomial", "Step", "Warmup",
    ]  # fmt: skip
