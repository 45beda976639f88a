"""A frame that fails after a command leaves nothing behind: what comes then is as if it had never been tried."""

from __future__ import annotations

from typing import Any

import pytest

import rillnet as rn
from rillnet.errors import DataError, FrameError
from rillnet.runtime.session import Session
from tests.runtime.control.random_commands import digest
from tests.runtime.picky import picky_data, picky_net, picky_session
from tests.training.small_experiments import differing, state_of


def failed(session: Session, block: str = "picky") -> str:
    """What a frame says that fails, after which all is as before it; what made it fail is taken back."""
    session.command(f"set net/{block}/limit -5")
    before = digest(session)
    with pytest.raises(FrameError) as caught:
        session.step()
    assert digest(session) == before
    session.command("undo")
    return str(caught.value)


CASES = [({}, 2), ({"window": 3}, 2), ({"window": 4, "every": 2}, 3), ({"accumulate": 3}, 2)]


@pytest.mark.parametrize(("learning", "frames"), CASES, ids=str)
def test_a_frame_that_failed_is_done_again(learning: dict[str, Any], frames: int) -> None:
    found, plain = (picky_session([3, 5, 7, 9], learning=learning) for _ in range(2))
    for session in (found, plain):
        for _ in range(frames):
            session.step()
    assert failed(found).startswith(f"frame {frames + 1} failed: ValueError: must be at most -5")
    for session in (found, plain):
        session.run(steps=7, progress=False)
    assert differing(state_of(found), state_of(plain)) == []
    assert found.feed.state() == plain.feed.state()


def test_a_failure_on_the_way_back_is_put_back_too() -> None:
    found, plain = (
        picky_session([3, 5, 7, 9], net=picky_net(way=rn.block("tests.runtime.picky:OneWay"))) for _ in range(2)
    )
    for session in (found, plain):
        for _ in range(2):
            session.step()
    assert failed(found, "way") == "frame 3 failed: ValueError: no way back"
    for session in (found, plain):
        session.run(steps=5, progress=False)
    assert differing(state_of(found), state_of(plain)) == []


def test_a_short_batch_leaves_the_state_of_the_others() -> None:
    with picky_session([3, 5, 7], less=2) as session:
        for _ in range(2):
            session.step()
        assert failed(session).endswith("(in net/picky, which read [2, 8])")


def test_once_parameters_have_changed_the_error_itself_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = {"one": {"type": "Decay", "l2": 0.01}, "main": {"type": "Backprop", "optimizer": "SGD"}}
    experiment = rn.Experiment(net=picky_net(), data=picky_data([3]), learning=rules, run={"steps": 9, "seed": 1})
    with Session(experiment, record=False, say=lambda text: None) as session:
        session.step()
        session.command("rate main 0.1")
        monkeypatch.setattr(session.rules["main"], "learn", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            session.step()


def test_without_commands_an_error_is_what_it_is() -> None:
    with picky_session([3, 10]) as session:
        session.step()
        with pytest.raises(DataError, match="Target 10 is out of bounds"):
            session.step()
