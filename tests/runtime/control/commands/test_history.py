"""Going back by command."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from rillnet.errors import RequestError
from rillnet.runtime.session import Session
from tests.runtime.control.driving import driven, wide_session


def parameters(session: Session) -> dict[str, Tensor]:
    return {address: tensor.detach().clone() for address, tensor in session.net.state_by_address().items()}


def test_a_running_session_goes_back_and_pauses() -> None:
    with driven(wide_session()) as session:
        session.command("pause")
        session.command("step 4")
        frame = session["clock/frame"]
        before = session.control.call(parameters).result(60)
        session.command("clamp act 0.5")
        session.command("step 3")
        session.command("play")
        session.command("pause")
        done = session["clock/frame"]
        assert session.command(f"back {done - frame}") == frame
        assert session.control.state == "paused"
        assert session["clock/frame"] == frame
        after = session.control.call(parameters).result(60)
        assert all(torch.equal(after[address], tensor) for address, tensor in before.items())
        assert [entry.text for entry in session.control.history] == ["clamp act 0.5"]
        session.command("step 2")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("back 0", "back.frames: must be a whole number, at least 1 (got 0)"),
        ("back 9", "back.frames: must be at most 2, the frames that are done (got 9)"),
        ("back half", "back.frames: must be a whole number, at least 0 (got 'half')"),
    ],
)
def test_a_way_back_that_is_not_there_is_refused(text: str, message: str) -> None:
    with wide_session() as session:
        session.step()
        session.step()
        with pytest.raises(RequestError) as caught:
            session.command(text)
        assert str(caught.value) == message
        assert session["clock/frame"] == 2


def test_a_net_from_python_goes_back_no_further_than_what_is_kept() -> None:
    with wide_session() as session:
        session.step()
        with pytest.raises(RequestError) as caught:
            session.command("back 1")
        assert str(caught.value) == (
            "back.frames: is before all that is kept of the run, and its net cannot be made anew: frame 0; "
            "`checkpoint` keeps a state to go back to"
        )
        session.begin_snapshots()
        session.step()
        assert session.command("back") == 1
