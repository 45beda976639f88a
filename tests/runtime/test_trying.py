"""An edit is tried on the next batch before it is kept; one that fails there leaves no trace."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

import rillnet as rn
from rillnet.data.sources.frame_arrays import FrameArrays
from rillnet.errors import RequestError
from rillnet.runtime.session import Session
from tests.runtime.control.random_commands import digest, experiment
from tests.runtime.picky import Picky, picky_net, picky_session
from tests.training.small_experiments import differing, state_of

RULE = "labels must be class numbers from 0 to {}, as many as there are scores: Target 9 is out of bounds"
OUT = f"net: would fail on the next batch: {RULE} (in net/loss, which read [{{}}], [{{}}])"


def refused(session: Session, text: str) -> str:
    before = digest(session)
    with pytest.raises(RequestError) as caught:
        session.command(text)
    assert digest(session) == before
    return str(caught.value)


def small() -> Session:
    return Session(experiment(), record=False, say=lambda text: None)


def test_a_label_without_a_score_refuses_the_edit_and_the_run_goes_on() -> None:
    with small() as session:
        session.command("widen hidden 9")
        session.command("disconnect act->join")
        session.run(steps=1, progress=False)
        while not bool((session.feed.peek()["label"] == 9).any()):
            session.run(steps=1, progress=False)
        assert refused(session, "remove logits") == OUT.format(8, "8, 9", 8)
        session.run(steps=1, progress=False)
        assert "logits" in session.net.blocks


@pytest.mark.parametrize("group", ["on", "off"])
def test_what_is_tried_and_refused_changes_no_bit(group: str) -> None:
    execution = {"compile": False, "group": group, "memory_format": "contiguous", "optimizer": "foreach"}
    asked, plain = (picky_session([9] * 5, run={"execution": execution, "average": 0.9}) for _ in range(2))
    for session in (asked, plain):
        session.step()
        session.step()
        stood = torch.get_rng_state()
        if session is asked:
            assert refused(session, "remove logits") == OUT.format(7, "4, 8", 4)
        assert torch.equal(torch.get_rng_state(), stood)
        session.run(steps=4, progress=False)
    assert differing(state_of(asked), state_of(plain)) == []


def test_an_edit_is_tried_before_the_first_frame_too() -> None:
    with picky_session([9]) as session:
        assert session.feed.state() == {"epoch": 0, "batch": 0}
        assert refused(session, "remove logits") == OUT.format(7, "4, 8", 4)


def test_what_the_last_frame_left_counts() -> None:
    """The label of a frame ago is beyond the scores, that of the next batch is not."""
    net = picky_net()
    net.add("late", rn.CrossEntropy(), source=["logits", "y@-1"])
    with picky_session([3, 9, 3], net=net) as session:
        for _ in range(2):
            session.step()
        assert refused(session, "remove logits").endswith("(in net/late, which read [4, 8], [4])")
        session.step()
        session.command("remove logits")


def test_a_net_that_fails_already_can_be_edited() -> None:
    with picky_session([9] * 4) as session:
        session.step()
        session.command("set net/picky/limit 0.001")
        session.command("remove picky")
        session.step()


def test_going_back_to_what_was_there_is_not_tried() -> None:
    with picky_session([3, 9]) as session:
        session.command("set net/picky/limit 0.001")
        session.command("remove picky")
        session.step()
        session.command("undo 2")
        assert isinstance(session.net["picky"], Picky)


def _without_data() -> Session:
    found = rn.Experiment(net=picky_net(), learning={"type": "Backprop", "optimizer": "SGD"}, run={"steps": 3})
    return Session(found, record=False, say=lambda text: None)


def _at_the_end() -> Session:
    frames = {"x": torch.zeros(5, 3), "y": torch.zeros(5, dtype=torch.int64)}
    data = rn.open_data(FrameArrays(frames, at_end="stop"), batch_size=4)
    learning = {"type": "Backprop", "optimizer": "SGD"}
    made = rn.Experiment(net=picky_net(), data=data, learning=learning, run={"frames": 9, "execution": "eager"})
    session = Session(made, record=False, say=lambda text: None)
    session.run(progress=False)
    return session


@pytest.mark.parametrize("make", [_without_data, _at_the_end])
def test_without_a_next_batch_nothing_is_tried(make: Callable[[], Session]) -> None:
    with make() as session:
        session.command("remove logits")


def test_modules_and_their_mode_are_left_as_they_were() -> None:
    with picky_session([9] * 3) as session:
        session.step()
        session.predict({"x": torch.zeros(2, 3)})
        modes = [module.training for module in session.net.modules()]
        session.command("connect hidden->sum delay=2")
        assert [module.training for module in session.net.modules()] == modes
        assert session.net.phase == "test"
        session.step()
