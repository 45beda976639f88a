"""What is looked for in a frame: blocks of one kind that no path without delay joins."""

from __future__ import annotations

from typing import Any

from torch import nn

import rillnet as rn
from rillnet.model.net import Net
from rillnet.model.rollout import Rollout
from rillnet.runtime.grouping.finding import Search, find_groups
from rillnet.runtime.plan import make_plan, slots_of


def searched(net: Net, mode: str = "on", delays: dict[str, int] | None = None, apart: tuple[str, ...] = ()) -> Search:
    rollout = Rollout(net, delays or {})
    slots = slots_of(rollout, set(rollout.flat.blocks), [])
    plan = make_plan(rollout, None, slots, "train", tuple(net.inputs))
    return find_groups(plan, rollout.flat, net, mode, apart)


def groups(net: Net, **more: Any) -> list[list[str]]:
    return [[turn.path for turn in group.turns] for group in searched(net, **more).groups]


def chain(length: int = 4) -> Net:
    net = Net("chain", inputs={"x": (3,)}, seed=1)
    for number in range(length):
        net.add(f"b{number}", rn.Linear(out_features=3))
    return net


def test_blocks_that_wait_for_each_other_are_in_no_group() -> None:
    assert groups(chain()) == []


def test_delays_make_groups_of_a_chain() -> None:
    delays = {"b0->b1": 1, "b1->b2": 1, "b2->b3": 1}
    assert groups(chain(), delays=delays) == [["b0", "b1", "b2", "b3"]]
    assert groups(chain(), delays={"b1->b2": 1}) == [["b0", "b2"], ["b1", "b3"]]


def test_few_blocks_are_no_group_unless_they_are_asked_for() -> None:
    delays = {"b0->b1": 1, "b1->b2": 1, "b2->b3": 1}
    assert groups(chain(), mode="auto", delays=delays) == []


def test_blocks_that_are_wanted_apart_are_told() -> None:
    net = chain()
    search = searched(net, delays={"b0->b1": 1, "b1->b2": 1, "b2->b3": 1}, apart=("b1",))
    assert [turn.path for turn in search.groups[0].turns] == ["b0", "b2", "b3"]
    assert search.reasons == {"b1": "it is watched or changed on its own"}


def test_what_is_read_must_be_of_one_shape() -> None:
    net = Net("two", inputs={"x": (3,), "y": (3, 3)}, seed=1)
    for name in ("a", "b"):
        net.add(name, nn.Tanh(), source="x").add(f"{name}2", nn.Tanh(), source="y")
    assert groups(net) == [["a", "b"], ["a2", "b2"]]


def test_draws_keep_their_order_and_what_draws_is_in_no_group() -> None:
    net = Net("drops", inputs={"x": (3,)}, seed=1)
    for number in range(3):
        net.add(f"d{number}", nn.Dropout(), source="x")
    search = searched(net)
    assert search.groups == []
    assert search.chain == [0, 1, 2]
    assert set(search.reasons.values()) == {"it draws random numbers of its own"}
    net.set_phase("test")
    assert groups(net) == [["d0", "d1", "d2"]]


def test_a_module_that_stands_twice_is_in_no_group() -> None:
    net, shared = Net("shared", inputs={"x": (3,)}, seed=1), nn.Linear(3, 3)
    net.add("a", shared, source="x").add("b", shared, source="x")
    for name in ("c", "d"):
        net.add(name, nn.Linear(3, 3), source="x")
    assert groups(net) == [["c", "d"]]


def test_losses_are_in_no_group() -> None:
    net = Net("losses", inputs={"x": (3,), "y": (3,)}, seed=1)
    for name in ("a", "b"):
        net.add(name, rn.MeanSquaredError(), source=["x", "y"])
    assert groups(net) == []
