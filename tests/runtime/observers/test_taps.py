from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import rillnet as rn
from rillnet.errors import ShapeError
from rillnet.model.flat import FlatSource
from rillnet.runtime.observers.taps import Frame, Taps
from rillnet.runtime.program import Program


def net_of() -> rn.Net:
    net = rn.Net("chain", inputs={"x": (3,)}, seed=1)
    net.add("a", rn.Linear(out_features=4), source="x").add("act", nn.ReLU(inplace=True))
    return net.add("b", rn.Linear(out_features=2)).add("cell", rn.LSTMCell(hidden_size=2))


def nothing(wanted: Any, frame: Frame) -> dict[FlatSource, Tensor]:
    return {}


def test_values_are_kept_while_they_are_computed() -> None:
    net = net_of()
    program, taps = Program(net, outputs=["cell"], phase="train", group="off"), Taps()
    wanted = [FlatSource("a"), FlatSource("act"), FlatSource("cell", (1,))]
    taps.ask(wanted, (), program.flat)
    x, state = {"x": torch.randn(5, 3)}, program.initial_state(5)
    taps.begin(3)
    taps.enter(program, Frame(x, state, 3))
    sent, _ = program(x, state)
    assert list(taps.values) == wanted
    taps.leave(program, sent, nothing, has_graph=False)
    assert program.taps is None
    assert taps.is_done
    raw = net["a"](x["x"])
    assert torch.equal(taps.values[FlatSource("a")], raw)  # as it was before the activation changed it in place
    assert torch.equal(taps.values[FlatSource("act")], raw.relu())
    assert torch.equal(taps.values[FlatSource("cell", (1,))], sent["cell"][1])
    assert not any(value.requires_grad for value in taps.values.values())


def test_older_frames_are_let_pass() -> None:
    program, taps = Program(net_of(), outputs=["cell"], phase="train", group="off"), Taps()
    taps.ask([FlatSource("a")], (), program.flat)
    state = program.initial_state(2)
    taps.begin(5)
    taps.enter(program, Frame({}, state, 4))
    assert (program.taps, taps.frame) == (None, None)
    taps.enter(program, Frame({}, state, 5))
    assert program.taps is taps
    taps.leave(program, {}, nothing, has_graph=False)
    taps.enter(program, Frame({}, state, 5))  # computed again, on the way back
    assert program.taps is None


def test_what_was_not_kept_is_looked_at_again() -> None:
    program, taps = Program(net_of(), outputs=["cell"], phase="train", group="off"), Taps()
    taps.ask([FlatSource("a"), FlatSource("b")], (), program.flat)
    state = program.initial_state(2)
    taps.begin(1)
    taps.enter(program, Frame({}, state, 1))
    taps.keep("a", torch.zeros(1))
    asked: list[FlatSource] = []
    taps.leave(program, {}, lambda wanted, frame: asked.extend(wanted) or {}, has_graph=False)
    assert asked == [FlatSource("b")]


def test_what_is_not_wanted_costs_no_turn() -> None:
    program, taps = Program(net_of(), outputs=["cell"], phase="train", group="off"), Taps()
    taps.begin(1)
    taps.enter(program, Frame({}, {}, 1))
    assert program.taps is None


def test_blocks_in_groups_are_kept_too() -> None:
    net = rn.Net("many", inputs={"x": (3,)}, seed=1)
    for number in range(6):
        net.add(f"a{number}", rn.Linear(out_features=3), source="x").add(f"t{number}", rn.Tanh(), source=f"a{number}")
    net.add("sum", rn.Sum(), source=[f"t{number}" for number in range(6)])
    program, taps = Program(net, outputs=["sum"], phase="train", group="on"), Taps()
    x = {"x": torch.randn(4, 3)}
    program(x)
    assert "grouped" in program.report["a3"]
    taps.ask([FlatSource("a3"), FlatSource("t5")], (), program.flat)
    program.taps = taps
    program(x)
    torch.testing.assert_close(taps.values[FlatSource("a3")], net["a3"](x["x"]).detach())
    torch.testing.assert_close(taps.values[FlatSource("t5")], net["a5"](x["x"]).tanh().detach())


def test_gradients_are_copied_as_they_change() -> None:
    taps, weight = Taps(), torch.ones(2, requires_grad=True)
    taps.ask((), ["net/a/weight", "net/b/weight"], rn.Rollout(net_of()).flat)
    weight.grad = torch.tensor([1.0, 2.0])
    taps.see_gradients({"net/a/weight": weight, "net/b/weight": torch.ones(1)})
    weight.grad.zero_()
    assert taps.wants_gradients
    assert {name: value.tolist() for name, value in taps.gradients.items()} == {"net/a/weight": [1.0, 2.0]}
    taps.forget()
    assert (taps.gradients, taps.wants_gradients) == ({}, False)


def test_an_error_within_a_tapped_frame_is_told_as_ever() -> None:
    program, taps = Program(net_of(), outputs=["cell"], phase="train", group="off"), Taps()
    taps.ask([FlatSource("a")], (), program.flat)
    program.taps = taps
    with pytest.raises(ShapeError, match=r"^net/x: takes \[3\] for each example \(got \[2, 4\]\)$"):
        program({"x": torch.randn(2, 4)})
