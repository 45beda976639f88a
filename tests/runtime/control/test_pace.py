"""How long is waited before a frame."""

from __future__ import annotations

import math

import pytest

from rillnet.runtime.control.pace import Pace


class Watch:
    """A clock that is set by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_frames_run_until_they_are_held() -> None:
    pace = Pace()
    assert (pace.rest_s(0), pace.is_limited) == (0.0, False)
    pace.pause()
    assert (pace.rest_s(0), pace.is_limited) == (math.inf, True)
    pace.step(3)
    assert [pace.rest_s(frame) for frame in (1, 2, 3)] == [0.0, 0.0, math.inf]
    assert (pace.is_paused, pace.until) == (True, None)
    pace.play()
    assert (pace.rest_s(3), pace.is_limited) == (0.0, False)


def test_a_speed_spaces_frames_and_makes_up_for_none() -> None:
    watch = Watch()
    pace = Pace(watch)
    pace.set_speed(10)
    assert (pace.rest_s(0), pace.is_limited) == (0.0, True)
    pace.go_on()
    assert pace.rest_s(1) == pytest.approx(0.1)
    watch.now += 0.04
    assert pace.rest_s(1) == pytest.approx(0.06)
    watch.now += 5  # a frame that took long
    assert pace.rest_s(1) == 0
    pace.go_on()
    pace.go_on()
    assert pace.rest_s(3) == pytest.approx(0.1)
    pace.set_speed(None)
    assert pace.rest_s(3) == 0
