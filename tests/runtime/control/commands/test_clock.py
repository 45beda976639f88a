"""Commands to the clock where nothing runs, and what they refuse; tests of the controller have the rest."""

from __future__ import annotations

import pytest

from rillnet.errors import RequestError
from tests.runtime.control.driving import driven, wide_session


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("step 0", "step.frames: must be a whole number, at least 1 (got 0)"),
        ("speed 0", "speed.frames_per_second: must be a number above 0, or max (got 0)"),
        ("speed fast", "speed.frames_per_second: must be a number above 0, or max (got 'fast')"),
        ("speed true", "speed.frames_per_second: must be a number above 0, or max (got True)"),
        ("stop", "stop: nothing is running"),
    ],
)
def test_what_is_wrong_is_told(text: str, message: str) -> None:
    with wide_session() as session, pytest.raises(RequestError) as error:
        session.command(text)
    assert str(error.value) == message


def test_a_speed_holds_until_another_one_is_given() -> None:
    with wide_session() as session:
        assert session.command("speed 25") == 25
        assert session["control/speed"] == 25.0
        session.command("speed max")
        assert session["control/speed"] is None


def test_the_clock_is_not_put_on_record_but_its_end_is() -> None:
    with driven() as session:
        for text in ("pause", "step 2", "play", "speed 1000", "speed max", "stop"):
            session.command(text)
    assert [entry.text for entry in session.control.history] == ["stop"]
