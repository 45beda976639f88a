from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

import rillnet as rn
from rillnet.model.flat import FlatSource
from rillnet.random import derive
from rillnet.runtime.observers.look import Look
from rillnet.runtime.program import Program

CPU = torch.device("cpu")


def net_of() -> tuple[rn.Net, rn.Rollout]:
    net = rn.Net("chain", inputs={"x": (3,)}, seed=1)
    net.add("a", rn.Linear(out_features=4), source="x").add("norm", rn.BatchNorm1d()).add("act", nn.ReLU(inplace=True))
    net.add("drop", rn.Dropout(p=0.5)).add("b", rn.Linear(out_features=2)).add("cell", rn.LSTMCell(hidden_size=2))
    return net, rn.Rollout(net, {"drop->b": 1})


def seeds(path: str) -> int:
    return derive(1, path)


def looked_at(names: list[FlatSource], inputs: dict[str, Tensor], state: Any, net: rn.Net, rollout: Any) -> Any:
    program = Program(net, rollout, phase="train", group="off")
    return Look(lambda given: program.plan_of(given, seeded=True))(net, names, inputs, state, seeds, CPU)


def test_values_are_those_of_the_frame() -> None:
    net, rollout = net_of()
    program = Program(net, rollout, outputs=["a", "norm", "drop", "b", "cell"], phase="train", group="off")
    x = {"x": torch.randn(6, 3)}
    _, state = program(x, frame_seed=seeds)
    sent, _ = program(x, state, frame_seed=seeds)
    names = [FlatSource("norm"), FlatSource("drop"), FlatSource("b"), FlatSource("cell", (1,)), FlatSource("x")]
    found = looked_at(names, x, state, net, rollout)
    assert torch.equal(found[FlatSource("drop")], sent["drop"])
    assert torch.equal(found[FlatSource("b")], sent["b"])
    assert torch.equal(found[FlatSource("cell", (1,))], sent["cell"][1])
    assert found[FlatSource("x")] is x["x"]


def test_only_what_is_needed_is_computed() -> None:
    net, rollout = net_of()
    calls: list[str] = []
    for name in net.blocks:
        net[name].register_forward_hook(lambda *_, name=name: calls.append(name))
    state = Program(net, rollout, phase="train").initial_state(2)
    found = looked_at([FlatSource("b")], {"x": torch.randn(2, 3)}, state, net, rollout)
    assert list(found) == [FlatSource("b")]
    assert calls == ["b"]


def test_what_needs_a_state_that_is_not_there_is_left_out() -> None:
    net, rollout = net_of()
    found = looked_at([FlatSource("b"), FlatSource("drop")], {"x": torch.randn(2, 3)}, {}, net, rollout)
    assert list(found) == [FlatSource("drop")]


def test_what_an_input_would_be_needed_for_is_left_out() -> None:
    net, rollout = net_of()
    assert looked_at([FlatSource("a")], {}, {}, net, rollout) == {}
