"""Commands to parameters and settings: what they do, what they refuse, what undoing puts back."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from rillnet.errors import RequestError
from rillnet.runtime.session import Session
from tests.runtime.control.driving import wide_experiment, wide_net, wide_session
from tests.training.small_experiments import differing, state_of

WEIGHT, BIAS = "net/hidden/weight", "net/hidden/bias"


# set


@pytest.mark.parametrize(
    ("text", "address", "value"),
    [
        ("set net/hidden/bias 0.5", BIAS, [0.5] * 4),
        ("set net/hidden/bias [1, 2, 3, 4.5]", BIAS, [1, 2, 3, 4.5]),
        ("set net/drop/p 0.75", "net/drop/p", 0.75),
        ("set learning/main/rate 0.5", "learning/main/rate", 0.5),
        ("set learning/main/momentum 0.5", "learning/main/momentum", 0.5),
        ("set learning/main/active false", "learning/main/active", False),
    ],
)
def test_set_and_undo(text: str, address: str, value: Any) -> None:
    def read() -> Any:
        found = session[address]
        return found.tolist() if isinstance(found, torch.Tensor) else found

    with wide_session() as session:
        before = read()
        assert session.command(text) is None
        assert read() == value != before
        session.command("undo")
        assert read() == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("set net/hidden/bias [1, 2]", "net/hidden/bias: must have the shape [4] (got [2])"),
        ("set net/hidden/bias high", "net/hidden/bias: must be a number, or an array of numbers (got 'high')"),
        ("set net/hidden/bias null", "net/hidden/bias: must be a number, or an array of numbers (got None)"),
        ("set net/hidden/bias [1, [2]]", "net/hidden/bias: must be a number, or an array of numbers (got [1, [2]])"),
        ("set net/hidden/bias .nan", "net/hidden/bias: must be finite numbers"),
        ("set net/hidden/bais 1", "net/hidden/bais: unknown address; did you mean 'net/hidden/bias'?"),
        ("set net/drop/p 1.5", "net/drop/p: must be at most 1 (got 1.5)"),
        ("set net/drop/p often", "net/drop/p: must be a number (got 'often')"),
        ("set net/hidden/output 1", "net/hidden/output: cannot be set"),
        ("set learning/main/momentum -1", "learning/main/momentum: invalid momentum value: -1"),
        ("set learning/main/momentum much", "learning/main/momentum: must be a number (got 'much')"),
        ("set learning/main/active 1", "learning/main/active: must be true or false (got 1)"),
        ("set clock/step 3", "clock/step: cannot be set"),
        (
            "set learning/main/monentum 3",
            "learning/main/monentum: unknown address; did you mean 'learning/main/momentum'?",
        ),
    ],
)
def test_what_cannot_be_set_changes_nothing(text: str, message: str) -> None:
    with wide_session() as session:
        before = state_of(session)
        with pytest.raises(RequestError) as error:
            session.command(text)
        assert str(error.value) == message
        assert differing(before, state_of(session)) == []
        assert session.control.history == []


# reinitialise


def test_parameters_are_drawn_anew_by_seed_address_and_frame() -> None:
    with wide_session() as session, wide_session() as other:
        session.run(steps=2, progress=False)
        other.run(steps=2, progress=False)
        before = state_of(session)
        assert session.command("reinitialise hidden") == [WEIGHT, BIAS]
        assert differing(before, state_of(session)) == [WEIGHT, BIAS]
        other.command("reinitialise net/*/weight")
        assert torch.equal(session[WEIGHT], other[WEIGHT])
        assert not torch.equal(session[BIAS], other[BIAS])
        session.command("undo")
        assert differing(before, state_of(session)) == []


@pytest.mark.parametrize("command", ["reinitialise", "hold"])
def test_patterns_that_mean_nothing_are_told(command: str) -> None:
    with wide_session() as session, pytest.raises(RequestError) as error:
        session.command(f"{command} conv*")
    hint = "blocks with parameters: hidden, back, logits"
    assert str(error.value) == f"{command}.pattern: matches no parameter (got 'conv*'); {hint}"


def test_modules_that_do_not_show_their_arguments_are_not_drawn_anew() -> None:
    class Own(torch.nn.Linear):
        pass

    with (
        Session(wide_experiment(net=wide_net().add("own", Own(2, 2), source="logits")), record=False) as session,
        pytest.raises(RequestError) as error,
    ):
        session.command("reinitialise own")
    assert str(error.value) == "net/own/weight: cannot be drawn anew, as its block does not show how it was made"


# hold and release


def test_held_parameters_do_not_change_and_others_do() -> None:
    with wide_session() as session:
        session.run(steps=2, progress=False)
        before = state_of(session)
        assert session.command("hold **/bias") == [BIAS, "net/back/bias", "net/logits/bias"]
        session.run(steps=3, progress=False)
        assert differing(before, state_of(session)) == [WEIGHT, "net/back/weight", "net/logits/weight"]
        assert session.command("release hidden") == [BIAS]
        session.run(steps=1, progress=False)
        assert BIAS in differing(before, state_of(session))
        session.command("undo")
        held = state_of(session)
        session.run(steps=2, progress=False)
        assert BIAS not in differing(held, state_of(session))


def test_a_held_parameter_that_is_set_is_held_at_that() -> None:
    with wide_session() as session:
        session.command("hold hidden/bias")
        session.command("set net/hidden/bias 3")
        session.run(steps=2, progress=False)
        assert session[BIAS].tolist() == [3.0] * 4


def test_what_is_not_held_cannot_be_released() -> None:
    with wide_session() as session:
        session.command("hold hidden/bias")
        with pytest.raises(RequestError) as error:
            session.command("release logits")
    rule = "matches no parameter that is held (got 'logits'); held: net/hidden/bias"
    assert str(error.value) == f"release.pattern: {rule}"
