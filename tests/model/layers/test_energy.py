"""Stochastic units as blocks: what they send, how often, and what a net of them is."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

import rillnet as rn
from rillnet.errors import RequestError
from rillnet.model.layers.energy import BernoulliUnits, Draw, GaussianUnits, SoftmaxUnits, Units, log_odds

DRAWS = 40_000


def filled(units: Units) -> Units:
    with torch.no_grad():
        units.weight.copy_(torch.linspace(-1, 1, units.weight.numel()).view_as(units.weight))
        units.bias.copy_(torch.linspace(0.5, -0.5, units.bias.numel()))
    return units


def test_binary_units_are_on_as_often_as_their_field_says() -> None:
    x = torch.tensor([[1.0, 0.0, 2.0]])
    drawn = filled(BernoulliUnits(3, 2))(x.expand(DRAWS, 3))
    told = filled(BernoulliUnits(3, 2, draws=False))(x)

    assert set(drawn.unique().tolist()) == {0.0, 1.0}
    torch.testing.assert_close(told, nn.functional.linear(x, *filled(BernoulliUnits(3, 2)).parameters()).sigmoid())
    torch.testing.assert_close(drawn.mean(0, keepdim=True), told.detach(), atol=0.01, rtol=0)


def test_what_else_is_read_is_added_to_the_field() -> None:
    x, field = torch.tensor([[1.0, 0.0, 2.0]]), torch.tensor([[0.5, -3.0]])
    for kind, made in (("binary", BernoulliUnits(3, 2, draws=False)), ("real", GaussianUnits(3, 2, 0.5, draws=False))):
        units = filled(made)
        total = nn.functional.linear(x, units.weight) + 2 * field
        wanted = units.kind.mean(total, units.bias)
        torch.testing.assert_close(units(x, field, field), wanted, msg=kind)
    with pytest.raises(ValueError, match=r"must add a field of 2 numbers, not \[1\]"):
        filled(BernoulliUnits(3, 2))(x, torch.zeros(1, 1))


def test_gaussian_units_have_their_deviation_about_their_mean() -> None:
    x = torch.tensor([[1.0, 0.0, 2.0]])
    units = filled(GaussianUnits(3, 2, std=0.5))
    drawn = units(x.expand(DRAWS, 3))

    wanted = units.bias + 0.25 * nn.functional.linear(x, units.weight)
    torch.testing.assert_close(filled(GaussianUnits(3, 2, std=0.5, draws=False))(x), wanted)
    torch.testing.assert_close(drawn.mean(0, keepdim=True), wanted, atol=0.01, rtol=0)
    torch.testing.assert_close(drawn.std(0), torch.full((2,), 0.5), atol=0.01, rtol=0)


def test_of_a_group_one_unit_is_on() -> None:
    x = torch.tensor([[1.0, 0.0]])
    drawn = filled(SoftmaxUnits(2, 6, states=3))(x.expand(DRAWS, 2))
    told = filled(SoftmaxUnits(2, 6, states=3, draws=False))(x)

    assert bool((drawn.view(-1, 2, 3).sum(-1) == 1).all())
    assert told.view(2, 3).sum(-1).tolist() == pytest.approx([1, 1])
    torch.testing.assert_close(drawn.mean(0, keepdim=True), told.detach(), atol=0.01, rtol=0)
    with pytest.raises(ValueError, match="out_features must be a multiple of states, 3, not 4"):
        SoftmaxUnits(2, 4, states=3)


def test_grey_becomes_binary_as_often() -> None:
    grey = torch.tensor([0.0, 0.3, 1.0])
    drawn = Draw()(grey.expand(DRAWS, 3))
    assert set(drawn.unique().tolist()) == {0.0, 1.0}
    torch.testing.assert_close(drawn.mean(0), grey, atol=0.01, rtol=0)


def test_log_odds_are_those_of_the_mean() -> None:
    share = torch.tensor([0.2, 0.5, 0.9])
    torch.testing.assert_close(log_odds(share).sigmoid(), share)
    assert math.isfinite(float(log_odds(torch.tensor(0.0))))


def chain_net() -> rn.Net:
    net = rn.Net("rbm", inputs={"pixels": (4,)}, seed=1)
    tie = {"weight": {"of": "hidden.weight", "transpose": True}}
    net.add("visible", rn.BernoulliUnits(out_features=4), source="hidden@-1", share=tie)
    return net.add("hidden", rn.BernoulliUnits(out_features=2), source="visible")


def test_a_frame_is_a_gibbs_step_and_a_stream_a_chain() -> None:
    net = chain_net()
    rollout = rn.Rollout.sampling(net)
    assert rollout.delays == {"hidden->visible": 1, "visible->hidden": 0}
    with torch.no_grad():  # hidden units that copy the first two visible ones, which copy them
        net["hidden"].weight.copy_(torch.tensor([[40.0, 0.0, 40.0, 0.0], [0.0, 40.0, 0.0, 40.0]]))
        net["hidden"].bias.fill_(-20)
        net["visible"].bias.fill_(-20)
    program = rn.Program(net, rollout, outputs=["visible", "hidden"])
    begun = {"hidden@1": torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])}
    state = dict(begun)
    for _ in range(3):
        sent, state = program({}, state)

    assert torch.equal(sent["hidden"], begun["hidden@1"])
    assert torch.equal(sent["visible"], begun["hidden@1"].repeat(1, 2))


def test_a_document_may_say_sampling() -> None:
    net = chain_net()
    assert rn.Rollout(net, default="sampling").delays == rn.Rollout.sampling(net).delays
    with pytest.raises(RequestError, match="did you mean 'sampling'"):
        rn.Rollout(net, default="samplin")
