"""The commands that change the net itself."""

from __future__ import annotations

import pytest
import torch

from rillnet.errors import RequestError
from rillnet.runtime.session import Session
from tests.runtime.control.driving import driven, wide_session
from tests.runtime.control.random_commands import digest


def sources(session: Session) -> dict[str, list[str]]:
    return {name: [str(source) for source in block.sources] for name, block in session.net.blocks.items()}


def test_each_command_edits_and_is_undone() -> None:
    with wide_session() as session:
        known = sources(session)
        assert session.command("connect hidden->sum delay=2") == {"blocks": 8, "parameters": 46}
        assert sources(session)["sum"] == ["hidden", "back", "hidden@-2"]
        session.command("disconnect hidden@-2->sum")
        session.command("add extra {type: Linear, from: act, out_features: 3}")
        session.command("remove drop")
        assert sources(session)["logits"] == ["act"]
        assert [entry.text for entry in session.control.history] == [
            "connect hidden->sum 2",
            "disconnect hidden@-2->sum",
            "add extra {type: Linear, from: act, out_features: 3}",
            "remove drop",
        ]
        for _ in range(4):
            session.command("undo")
        assert sources(session) == known


def test_a_running_net_is_edited_between_two_frames() -> None:
    with driven(wide_session()) as session:
        session.command("pause")
        session.command("add extra {type: Linear, from: act, out_features: 3}")
        session.command("step 3")
        session.command("undo")
        session.command("step 3")
        session.command("play")
    assert "extra" not in session.net.blocks


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("connect hidden", "connect.edge: must be source->target (got 'hidden')"),
        ("connect hidden->nothing", "net/nothing: unknown block"),
        ("connect logits->hidden", "net/hidden: the cycle "),
        ("disconnect x->hidden", "net/hidden.from: reads nothing but x, "),
        ("remove loss", "learning/main.loss: unknown block (got 'loss')"),
        ("remove sum", "net/sum: is read by act, which cannot read 2 others in its place; "),
        ("widen act 9", "net/act: has no width of its own: "),
        ("widen hidden 9", "net/sum: Sum cannot work on hidden [9], back [4]: "),
        ("widen hidden", "widen.size: is required; usage: widen BLOCK SIZE"),
        ("add hidden {type: ReLU, from: x}", "net/hidden: the name is taken; "),
        ("add extra {type: ReLU}", "net/extra.from: must say what it reads; "),
        ("undo", "undo: there is nothing to undo"),
    ],
)
def test_what_is_not_valid_is_refused_and_changes_nothing(text: str, message: str) -> None:
    with wide_session() as session:
        session.step()
        before = digest(session)
        with pytest.raises(RequestError) as caught:
            session.command(text)
        assert str(caught.value).startswith(message)
        assert digest(session) == before


def test_an_undo_that_does_not_fit_any_more_is_refused() -> None:
    with wide_session() as session:
        session.command("connect hidden->sum delay=2")
        session.command("connect hidden->sum delay=3")
        before = digest(session)
        with pytest.raises(RequestError) as caught:
            session.command("undo 1")
        assert str(caught.value).endswith("undo what came between first")
        assert digest(session) == before


def test_the_same_edits_in_two_sessions_give_the_same_numbers() -> None:
    found = []
    for _ in range(2):
        with wide_session() as session:
            for text in ("connect act->back delay=1 port=0", "add extra {type: Sum, from: [act, x]}", "remove drop"):
                session.step()
                try:
                    session.command(text)
                except RequestError:
                    assert "Sum" in text
            session.step()
            found.append({address: tensor.clone() for address, tensor in session.net.state_by_address().items()})
    assert all(torch.equal(found[0][address], tensor) for address, tensor in found[1].items())
