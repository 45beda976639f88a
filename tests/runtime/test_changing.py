"""Interventions put into frames that are planned already."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import rillnet as rn
from rillnet.runtime import program as programs
from rillnet.runtime.interventions.interventions import Interventions
from rillnet.runtime.interventions.records import Clamp, Lesion, Noise


def made(**settings: Any) -> tuple[rn.Net, rn.Program, Interventions]:
    blocks: dict[str, Any] = {
        "fc": {"type": "Linear", "from": "x", "out_features": 3},
        "act": {"type": "ReLU", "inplace": True},
        "total": {"type": "Sum", "from": ["act", "gone", "act@-1"]},
        "gone": {"type": "Linear", "from": "other", "out_features": 3},
        "y": {"type": "Linear", "from": "total", "out_features": 2},
    }
    net = rn.Net.from_spec({"inputs": {"x": [4], "other": [4]}, "blocks": blocks}, seed=1)
    rollout = rn.Rollout.sequential(net)
    interventions = Interventions(rollout.flat)
    return net, rn.Program(net, rollout, interventions=interventions, **settings), interventions


def sent(program: rn.Program, interventions: Interventions) -> dict[str, Any]:
    return dict(program(interventions.entered({"x": torch.linspace(-1, 1, 8).reshape(2, 4)}, "train", 0))[0])


@pytest.mark.parametrize("settings", [{"group": "off"}, {"group": "on"}, {"compile": "on", "backend": "eager"}])
def test_a_frame_is_planned_once_whatever_is_done_to_it(
    settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, program, interventions = made(**settings)
    before = sent(program, interventions)
    planned = []
    monkeypatch.setattr(programs, "make_plan", lambda *arguments: planned.append(arguments))

    interventions.set("act", Noise(1))
    interventions.set("total->y", Lesion())
    interventions.set("fc[0]", Clamp(2))
    assert not torch.equal(sent(program, interventions)["y"], before["y"])
    interventions.remove("all")
    after = sent(program, interventions)

    assert planned == []
    assert all(torch.equal(after[name], value) for name, value in before.items() if name != "fc")


def test_a_new_value_compiles_nothing_and_neither_does_restoring() -> None:
    compiled: list[Any] = []

    def backend(module: Any, inputs: Any) -> Any:
        compiled.append(module)
        return module.forward

    torch._dynamo.reset()
    _, program, interventions = made(group="off", compile="on", backend=backend)
    found, counts = [], []
    for command in (None, Clamp(0.5), Clamp(0.7), Lesion(), "restore"):
        if isinstance(command, str):
            interventions.remove("all")
        elif command is not None:
            interventions.set("act[1]", command)
        found.append(float(sent(program, interventions)["act"][0, 1].detach()))
        counts.append(len(compiled))

    assert counts == [1, 2, 2, 2, 2]
    assert found == [found[0], 0.5, pytest.approx(0.7), 0.0, found[0]]


def test_edges_are_counted_with_those_that_are_left_out() -> None:
    """The second of the three things that the sum reads cannot be computed here."""
    _, program, interventions = made(group="off")

    interventions.set("act->total#2", Lesion())
    interventions.set("act->total#0", Lesion())

    assert float(sent(program, interventions)["total"].detach().abs().max()) == 0.0


def test_what_reads_in_place_changes_nothing_else_where_its_edge_is_cut() -> None:
    _, program, interventions = made(group="off")
    interventions.set("fc->act", Lesion())

    found = sent(program, interventions)

    assert bool((found["fc"] < 0).any())
    assert float(found["act"].detach().abs().max()) == 0.0


def test_a_drawn_value_that_no_block_asks_for_is_let_pass() -> None:
    net, _, interventions = made()
    interventions.set("y", Noise(1))
    program = rn.Program(net, outputs=["act"], interventions=interventions)

    assert list(sent(program, interventions)) == ["act"]


def test_a_replaced_module_is_seen_while_something_is_done_to_it() -> None:
    net, program, interventions = made(group="off")
    interventions.set("act[0]", Lesion())
    sent(program, interventions)

    net.fc = torch.nn.Linear(4, 3)

    net.get_submodule("fc").requires_grad_(False).bias.fill_(7.0)
    assert float(sent(program, interventions)["act"][0, 1]) > 5.0
    assert float(sent(program, interventions)["act"][0, 0]) == 0.0
