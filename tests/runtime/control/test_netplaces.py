"""Tensors of a net at their addresses, and what its blocks send."""

from __future__ import annotations

import pytest
import torch

import rillnet as rn
from rillnet.errors import RequestError
from rillnet.runtime.control import addresses
from rillnet.runtime.control.netplaces import source_of
from tests.runtime.control.driving import wide_session
from tests.training.small_experiments import differing, state_of


def test_a_tensor_is_set_in_place_and_put_back() -> None:
    with wide_session() as session:
        bias = session["net/hidden/bias"]
        before = bias.detach().clone()
        undo = addresses.change(session, "net/hidden/bias", torch.arange(4))
        assert bias.tolist() == [0, 1, 2, 3]
        undo()
        assert torch.equal(bias, before)
        assert session["net/hidden/bias"] is bias


def test_what_a_block_sends_is_what_the_next_frame_computes() -> None:
    sent: list[torch.Tensor] = []
    with wide_session(learning={"window": 1}) as session:
        session.run(steps=3, progress=False)
        before = state_of(session)
        foreseen = session["net/logits/output"]
        again = session["net/logits/output"]
        assert torch.equal(foreseen, again)
        assert differing(before, state_of(session)) == []
        handle = session.net["logits"].register_forward_hook(lambda module, given, out: sent.append(out.detach()))
        session.step()
        handle.remove()
        assert torch.equal(foreseen, sent[0])


def test_looking_ahead_changes_nothing() -> None:
    with wide_session() as session, wide_session() as other:
        for _ in range(5):
            session.step()
            other.step()
            session["net/drop/output"]
            session["net/x/output"]
        assert differing(state_of(session), state_of(other)) == []


def test_the_state_is_what_was_sent_last() -> None:
    with wide_session() as session:
        with pytest.raises(RequestError) as error:
            session["net/hidden/state"]
        assert str(error.value) == "net/hidden/state: is not there before the first frame"
        session.step()
        assert session["net/hidden/state"] is session.executor.state["hidden@1"]  # type: ignore[index]
        with pytest.raises(RequestError) as error:
            session["net/logits/state"]
        assert str(error.value) == "net/logits/state: is not kept, as no later frame reads it"


def test_there_are_no_gradients_between_two_frames() -> None:
    with wide_session() as session:
        session.run(steps=2, progress=False)
        with pytest.raises(RequestError) as error:
            session["net/hidden/weight/gradient"]
    rule = "there is none between two frames, as the parameter has been changed by it; watch it"
    assert str(error.value) == f"net/hidden/weight/gradient: {rule}"


def test_gradients_that_are_still_gathered_are_there() -> None:
    with wide_session(learning={"accumulate": 2, "window": 1}) as session:
        session.step()
        assert session["net/hidden/weight/gradient"].shape == (4, 3)


def test_names_of_nested_nets_and_parts_lead_to_leaf_blocks() -> None:
    inner = {"type": "Net", "blocks": {"fc": {"type": "Linear", "out_features": 3}, "act": "Tanh"}}
    blocks = {"res": inner, "cell": {"type": "LSTM", "hidden_size": 2, "from": "res"}}
    net = rn.Net.from_spec({"inputs": {"x": [5, 3]}, "blocks": blocks})
    with rn.Session(rn.Experiment(net=net), record=False) as session:
        assert source_of(session, "res", None) == ("res/act", ())
        assert source_of(session, "cell", None) == ("cell", (0,))
        assert source_of(session, "cell", 2) == ("cell", (1, 1))
        assert addresses.place(session, "net/res/output").info().shape == (5, 3)
        assert addresses.place(session, "net/res/fc/weight").info().shape == (3, 3)
