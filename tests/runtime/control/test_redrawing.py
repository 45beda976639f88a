"""Parameters that are drawn anew."""

from __future__ import annotations

import torch

import rillnet as rn
from rillnet.runtime.control import redrawing
from rillnet.runtime.session import Session
from tests.training.small_experiments import differing, experiment, image_net, state_of


def test_a_draw_follows_from_seed_address_and_frame_alone() -> None:
    with Session(experiment(run={"execution": "eager"}), record=False) as session:
        redrawing.redraw(session, ["net/conv/weight"])
        first = session["net/conv/weight"].detach().clone()
        redrawing.redraw(session, ["net/conv/weight", "net/conv/bias"])
        assert torch.equal(first, session["net/conv/weight"])
        session.step()
        redrawing.redraw(session, ["net/conv/weight"])
        assert not torch.equal(first, session["net/conv/weight"])


def test_what_a_record_says_of_the_draw_holds_again() -> None:
    fit = {"type": "Linear", "out_features": 2, "initial": {"bias": 0.5}}
    net = rn.Net.from_spec({"inputs": {"x": [3]}, "blocks": {"fit": fit}})
    with Session(rn.Experiment(net=net), record=False) as session:
        session.set("net/fit/bias", 7)
        redrawing.redraw(session, ["net/fit/bias"])
        assert session["net/fit/bias"].tolist() == [0.5, 0.5]


def test_blocks_of_nested_nets_are_drawn_too_and_put_back() -> None:
    inner = {"type": "Net", "blocks": {"fc": {"type": "Linear", "out_features": 3}, "act": "Tanh"}}
    net = rn.Net.from_spec({"inputs": {"x": [3]}, "blocks": {"res": inner}}, seed=1)
    with Session(rn.Experiment(net=net), record=False) as session:
        before = state_of(session)
        undo = redrawing.redraw(session, ["net/res/fc/weight"])
        assert differing(before, state_of(session)) == ["net/res/fc/weight"]
        undo()
        assert differing(before, state_of(session)) == []


def test_modules_that_show_their_arguments_are_drawn_too() -> None:
    net = image_net(extra=torch.nn.Conv2d(3, 3, 1))
    with Session(experiment(net=net), record=False) as session:
        before = state_of(session)
        redrawing.check(session, ["net/extra/weight"])
        redrawing.redraw(session, ["net/extra/weight"])
        assert differing(before, state_of(session)) == ["net/extra/weight"]
