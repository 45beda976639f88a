"""Commands that answer and change nothing."""

from __future__ import annotations

import pytest

from rillnet.errors import RequestError
from rillnet.runtime.control.command import COMMANDS
from tests.runtime.control.driving import wide_session


def test_get_answers_with_a_value_or_with_what_a_glob_matches() -> None:
    with wide_session() as session:
        assert session.command("get clock/step") == 0
        assert session.command("get net/hidden/weight") is session.net["hidden"].weight
        found = session.command("get net/*/bias")
        assert [one["address"] for one in found] == ["net/hidden/bias", "net/back/bias", "net/logits/bias"]
        assert session.control.history == []


def test_what_stands_nowhere_is_told() -> None:
    with wide_session() as session, pytest.raises(RequestError) as error:
        session.command("get net/hidden/wieght")
    assert str(error.value) == "net/hidden/wieght: unknown address; did you mean 'net/hidden/weight'?"


def test_help_tells_of_all_commands_and_of_one() -> None:
    with wide_session() as session:
        assert session.command("help") == {name: kind.summary for name, kind in sorted(COMMANDS.items())}
        told = session.command("help rate")
        assert (told["usage"], told["summary"]) == ("rate RULE VALUE", "hold a learning rate")
        assert [one["name"] for one in told["parameters"]] == ["rule", "value"]
        with pytest.raises(RequestError) as error:
            session.command("help raet")
        assert str(error.value) == "command: unknown command (got 'raet'); did you mean 'rate'?"
