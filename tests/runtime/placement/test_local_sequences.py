"""Layers for sequences of which every process has some units, against torch's own in one process."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rillnet.model.net import Net
from rillnet.model.rollout import Rollout
from rillnet.runtime.placement.local import joined, keep_own_parameters
from rillnet.runtime.placement.plan import PlacementPlan
from rillnet.runtime.placement.program import PlacedNet, PlacedProgram
from rillnet.runtime.placement.records import PlacementSpec
from rillnet.runtime.placement.reduction import GradientReduction
from tests.runtime.placement.team import Team
from tests.runtime.placement.training import groups_of

KINDS = {"LSTM": nn.LSTM, "GRU": nn.GRU, "RNN": nn.RNN}


class Reader(nn.Module):
    """A model as its users write it: what comes of all elements, of the last one and of the state."""

    def __init__(self, kind: str, **more: Any) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.layer = KINDS[kind](3, 5, num_layers=2, batch_first=True, **more)
        self.head = nn.Linear(5, 2)

    def forward(self, x: Tensor) -> Tensor:
        sequence, state = self.layer(x)
        hidden = state[0] if isinstance(state, tuple) else state
        cells = state[1].sum(0) if isinstance(state, tuple) else 0
        every: Tensor = self.head(sequence.mean(1)) + (hidden[0] + cells).sum(1, keepdim=True)
        return every


def compared(rank: int, kind: str, more: dict[str, Any], learns: bool) -> tuple[str, float]:
    """How the layer is computed, and the largest difference to one process of outputs and gradients."""
    x = torch.randn(4, 6, 3, generator=torch.Generator().manual_seed(0))
    model = Reader(kind, **more)
    expected = model(x)
    expected.square().sum().backward()
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    net = Net.from_module(Reader(kind, **more), x)
    (sent,) = net.output_sources
    plan = PlacementPlan(
        Rollout.sequential(net), PlacementSpec.model_validate({"processes": 2, "blocks": {"layer": "feature"}})
    )
    keep_own_parameters(plan, rank)
    program = PlacedProgram(PlacedNet(plan, rank, groups_of(2, apart=False)), [sent.block], "train")
    reduction = GradientReduction(plan, rank, groups=groups_of(2, apart=True))
    with torch.set_grad_enabled(learns):
        found = program({"x": x})[0][sent.block]
    apart = [float((found - expected).abs().max())]
    if learns:
        reduction.begin()
        found.square().sum().backward()
        reduction.finish()
        parts = plan.parameters("layer", rank)
        for name, parameter in plan.flat.module("layer").named_parameters():
            whole = gradients[f"layer.{name}"]
            assert parameter.grad is not None
            assert whole is not None
            apart.append(float((parameter.grad - joined(whole, parts[name])).abs().max()))
    return plan.blocks["layer"].kind, max(apart)


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("LSTM", {}),
        ("GRU", {"bias": False}),
        ("RNN", {"nonlinearity": "relu"}),
    ],
)
def test_a_traced_layer_computes_what_torch_does(team: Team, kind: str, more: dict[str, Any]) -> None:
    for learns in (True, False):
        for split, apart in team.run(2, compared, kind, more, learns):
            assert split == "feature"
            assert apart < 1e-5


class Turned(nn.Module):
    """Puts the sequence first and the batch second."""

    per_example = True

    def forward(self, x: Tensor) -> Tensor:
        return x.transpose(0, 1)


def of_turned(rank: int) -> tuple[str, float]:
    x = torch.randn(4, 6, 3, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(2)
    layer = nn.LSTM(3, 5)
    expected = layer(x.transpose(0, 1))[0]
    net = Net("turned", inputs={"x": (6, 3)}).add("turn", Turned()).add("layer", layer)
    placement = {"mesh": {"data": 1, "model": 2}, "blocks": {"layer": "feature"}}
    plan = PlacementPlan(Rollout.sequential(net), PlacementSpec.model_validate(placement))
    keep_own_parameters(plan, rank)
    program = PlacedProgram(PlacedNet(plan, rank, groups_of(2, apart=False)), ["layer"], "train")
    found, _ = program({"x": x})[0]["layer"]
    return plan.blocks["layer"].kind, float((found - expected).abs().max())


def test_a_sequence_may_come_before_the_batch(team: Team) -> None:
    for split, apart in team.run(2, of_turned):
        assert split == "feature"
        assert apart < 1e-6
