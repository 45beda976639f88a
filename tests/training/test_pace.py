from __future__ import annotations

import pytest

from rillnet.training.pace import Pace


def test_nothing_is_known_before_the_first_step() -> None:
    pace = Pace(step=500, now=10.0)

    assert pace.step_s is None
    assert pace.remaining_s(steps=10, evaluations=0, evaluation_s=None) is None


def test_the_rest_is_steps_and_evaluations() -> None:
    pace = Pace(step=500, now=10.0)
    pace.note(step=510, now=12.0)

    assert pace.step_s == pytest.approx(0.2)
    assert pace.remaining_s(steps=100, evaluations=3, evaluation_s=2.0) == pytest.approx(26.0)
    assert pace.remaining_s(steps=100, evaluations=3, evaluation_s=None) == pytest.approx(20.0)


def test_evaluations_do_not_slow_the_steps() -> None:
    pace = Pace(step=0, now=0.0)
    pace.note(step=10, now=1.0)
    pace.pause(5.0)
    pace.note(step=20, now=7.0)

    assert pace.step_s == pytest.approx(0.1)


def test_only_recent_steps_count() -> None:
    pace = Pace(step=0, now=0.0)
    now, step = 0.0, 0
    for seconds in [1.0] * 50 + [0.1] * 300:  # the machine was busy at first
        now, step = now + seconds, step + 1
        pace.note(step, now)

    assert pace.step_s == pytest.approx(0.1)


def test_fast_steps_are_averaged_over_seconds() -> None:
    """A hundred steps of a millisecond are no measure where the machine stalls now and then."""
    pace = Pace(step=0, now=0.0)
    now = 0.0
    for step in range(1, 10_001):
        now += 0.001 if step % 1000 else 0.1
        pace.note(step, now)

    assert pace.step_s == pytest.approx(0.0011, rel=0.05)
