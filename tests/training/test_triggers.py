"""When something is due."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import pytest

from rillnet.errors import RequestError
from rillnet.training.triggers import AtEnd, Elapsed, Every, Never, Trigger, check_trigger, parse_trigger


@dataclass(frozen=True)
class Moment:
    step: int
    epoch: float


def steps_when_due(trigger: Trigger, steps: int, per_epoch: int, stride: int = 1) -> list[int]:
    moments = [Moment(step, step / per_epoch) for step in range(0, steps + 1, stride)]
    return [after.step for before, after in itertools.pairwise(moments) if trigger.due(before, after)]


@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("1 epoch", [3, 6, 9, 12]),
        ("2 epochs", [6, 12]),
        ("1.5 epochs", [5, 9]),
        ("4 steps", [4, 8, 12]),
        (5, [5, 10]),
        ("never", []),
        ("end", []),
    ],
)
def test_due_when_a_period_is_completed(text: object, due: list[int]) -> None:
    assert steps_when_due(parse_trigger(text), steps=12, per_epoch=3) == due


def test_a_tenth_of_an_epoch_is_due_at_every_tenth() -> None:
    assert steps_when_due(parse_trigger("0.1 epochs"), steps=500, per_epoch=10) == list(range(1, 501))


def test_strides_that_jump_over_the_border_are_due_once() -> None:
    assert steps_when_due(parse_trigger("10 steps"), steps=42, per_epoch=7, stride=6) == [12, 24, 30, 42]


def test_only_end_asks_for_the_end() -> None:
    asking = [text for text in ("1 epoch", "5 steps", "3 s", "never", "end") if parse_trigger(text).at_end]
    assert asking == ["end"]


def test_wall_clock_is_due_once_per_period() -> None:
    now = [100.0]
    trigger = Elapsed(60, now=lambda: now[0])
    moment = Moment(0, 0.0)
    due = []
    for now[0] in (100, 159, 160, 161, 219, 221, 500, 501):
        due.append(trigger.due(moment, moment))
    assert due == [False, False, True, False, False, True, True, False]


@pytest.mark.parametrize(
    ("text", "told"),
    [("1 epoch", "1 epoch"), ("500", "500 steps"), ("10 minutes", "600 seconds"), ("Never", "never"), (" end", "end")],
)
def test_a_trigger_tells_itself(text: str, told: str) -> None:
    assert str(parse_trigger(text)) == told


def test_kinds() -> None:
    kinds = [type(parse_trigger(text)) for text in ("1 epoch", "2 h", "never", "end")]
    assert kinds == [Every, Elapsed, Never, AtEnd]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            "sometimes",
            'run.log: must be a number and a unit, such as "1 epoch", "500 steps" or "10 minutes", '
            'or "never" or "end" (got \'sometimes\')',
        ),
        ("3 epcohs", "run.log: unknown unit 'epcohs', did you mean 'epochs'? (got '3 epcohs')"),
        ("0 steps", "run.log: must be more than 0 (got '0 steps')"),
        (0.5, "run.log: must be a whole number of steps (got 0.5)"),
    ],
)
def test_wrong_text_is_a_fault(value: object, message: str) -> None:
    assert [str(fault) for fault in check_trigger(value, "run.log")] == [message]
    with pytest.raises(RequestError) as error:
        parse_trigger(value, "run.log")
    assert str(error.value) == message


def test_right_text_has_no_fault() -> None:
    assert check_trigger("1 epoch", "run.log") == []
