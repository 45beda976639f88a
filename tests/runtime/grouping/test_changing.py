"""Interventions within groups."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import rillnet as rn
from rillnet.runtime.grouping.changing import GroupChange, change_of
from rillnet.runtime.grouping.frame import GroupTurn
from rillnet.runtime.interventions.intervening import Intervening
from rillnet.runtime.interventions.interventions import Interventions
from rillnet.runtime.interventions.records import Clamp, Lesion


def module(mask: list[bool], value: list[float]) -> Intervening:
    return Intervening([()], [torch.tensor([mask])], [torch.tensor([value])], [False])


def group(silent: Any = (), rows: Any = (), modules: Any = (), drawn: Any = ()) -> GroupChange:
    return GroupChange(silent, rows, modules, drawn, torch.device("cpu"))


def test_rows_are_replaced_and_draws_added() -> None:
    modules = (module([True, False], [0.5, 0.0]), module([False, False], [0.0, 0.0]))
    change = group(rows=(0, 2), modules=modules, drawn=((1, 1),))

    sent = change.after(torch.ones(3, 1, 2), [None, torch.full((1, 2), 3.0)], in_place=False)

    assert sent[:, 0].tolist() == [[0.5, 1.0], [1.0, 1.0], [4.0, 4.0]]


def test_new_values_are_seen_and_memory_that_others_look_at_is_written_to() -> None:
    one = module([True, False], [0.5, 0.0])
    change, stacked = group(rows=(1,), modules=(one,)), torch.ones(2, 1, 2)
    change.after(stacked, [], in_place=True)
    one.put(0, torch.tensor([[False, True]]), torch.tensor([[0.0, 7.0]]))

    assert change.after(stacked, [], in_place=True) is stacked

    assert stacked[:, 0].tolist() == [[1.0, 1.0], [0.5, 7.0]]


def test_edges_are_cut_for_arguments_and_for_indices() -> None:
    change = group(silent=((1, 0),))

    read, index = change.before([torch.ones(2, 1, 1), torch.ones(2, 1, 1)], None)
    assert (index, [tensor.flatten().tolist() for tensor in read]) == (None, [[1.0, 1.0], [0.0, 1.0]])

    rows, index = change.before([torch.ones(3, 1, 1)], torch.tensor([[0, 1], [2, 0]]))
    assert index is not None
    assert rows[0][index].flatten(1).tolist() == [[1.0, 0.0], [1.0, 1.0]]


def test_with_nothing_done_there_is_no_change() -> None:
    net = rn.Net("n", inputs={"x": (2,)}).add("y", rn.Linear(out_features=3))
    plan = rn.Program(net, group="off").plan_of(("x",), seeded=False)
    assert plan is not None

    assert change_of(plan.turns, (), torch.device("cpu")) is None


@pytest.mark.parametrize(("target", "fused"), [("pool1", True), ("pool1_x", False)])
def test_synapses_are_computed_with_their_pools_unless_something_is_done_between(target: str, fused: bool) -> None:
    pool = {"type": "Pool", "shape": [3], "act": "tanh", "from": [{"source": "x", "via": "Synapse", "rf": 0}]}
    blocks = {f"pool{n}": pool for n in range(4)}
    net = rn.Net.from_spec({"inputs": {"x": [2]}, "blocks": blocks}, seed=1)
    interventions = Interventions(rn.Rollout.sequential(net).flat)
    program = rn.Program(net, outputs=[f"pool{n}" for n in range(4)], group="on", interventions=interventions)
    program({"x": torch.ones(1, 2)})

    interventions.set(target, Lesion())
    found = program({"x": torch.ones(1, 2)})[0]
    prepared = program._prepare(("x",), False)

    assert prepared.frame is not None
    assert len([step for step in prepared.frame.steps if isinstance(step, GroupTurn)]) == (1 if fused else 2)
    assert float(found["pool1"].detach().abs().max()) == 0.0
    interventions.set("pool2", Clamp(0.25))
    assert program({"x": torch.ones(1, 2)})[0]["pool2"].tolist() == [[0.25] * 3]
