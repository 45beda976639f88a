"""Adding to what stands at an address."""

from __future__ import annotations

import pytest

from rillnet.errors import RequestError
from tests.runtime.control.driving import wide_session


def test_numbers_and_arrays_are_added() -> None:
    with wide_session() as session:
        session.command("set net/hidden/bias [1, 2, 3, 4]")
        session.command("add net/hidden/bias 0.5")
        session.command("add net/hidden/bias [1, 0, 0, 0]")
        session.command("add learning/main/rate 0.1")
        assert session["net/hidden/bias"].tolist() == [2.5, 2.5, 3.5, 4.5]
        assert session["learning/main/rate"] == pytest.approx(0.15)
        session.command("undo")
        session.command("undo")
        assert session["net/hidden/bias"].tolist() == [1.5, 2.5, 3.5, 4.5]
        assert session["learning/main/rate"] == 0.05


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("add net/hidden/bias [1, 2]", "net/hidden/bias: must have the shape [4] (got [2])"),
        ("add learning/main/rate -1", "learning/main/rate: must be a number, at least 0 (got -0.95); "),
        ("add learning/main/rate word", "learning/main/rate: must be a number, and so must what is added (got 'word')"),
        ("add control/state 1", "control/state: must be a number, and so must what is added (got 1)"),
        ("add clock/step 1", "clock/step: cannot be set"),
    ],
)
def test_what_cannot_be_added_is_told(text: str, message: str) -> None:
    with wide_session() as session, pytest.raises(RequestError) as error:
        session.command(text)
    assert str(error.value).startswith(message)
