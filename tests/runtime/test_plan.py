"""Plans: what is computed and left out, what is kept for later frames, what is freed when."""

from __future__ import annotations

from typing import Any

import pytest
from torch import nn

from rillnet.model.flat import flatten
from rillnet.model.net import Net
from rillnet.model.rollout import Rollout
from rillnet.runtime.plan import (
    ALWAYS,
    IN_TRAINING,
    NEVER,
    Copy,
    Plan,
    available_in,
    draws_of,
    make_plan,
    needed_by,
    slots_of,
    top_level,
)


def linear(**more: Any) -> dict[str, Any]:
    return {"type": "Linear", "out_features": 3, **more}


def built(blocks: dict[str, Any], *inputs: str) -> Net:
    return Net.from_spec({"inputs": {name: [3] for name in inputs or ("x",)}, "blocks": blocks}, device="meta")


def plan_of(net: Net, outputs: list[str] | None = None, given: tuple[str, ...] = ("x",), **delays: int) -> Plan:
    rollout = Rollout(net, {name.replace("_to_", "->"): delay for name, delay in delays.items()})
    flat = rollout.flat
    wanted = None if outputs is None else {name: flat.sent_by(name) for name in outputs}
    read = [source for sources in (wanted or top_level(flat, ())).values() for source in sources]
    return make_plan(rollout, wanted, slots_of(rollout, set(flat.blocks), read), "train", given)


BRANCHES = {
    "a": linear(),
    "b": linear(exclude="val"),
    "behind": linear(exclude="val"),
    "merge": {"type": "Sum", "from": ["a", "behind"]},
    "other": {"type": "Sum", "from": ["y", "behind"]},
    "cell": {"type": "Bilinear", "out_features": 3, "from": ["a", "cell@-1"], "shape": [3]},
    "scale": {"type": "Bilinear", "out_features": 3, "from": ["a", "y"]},
}


def test_what_can_be_computed_depends_on_the_phase_and_on_what_is_given() -> None:
    flat = flatten(built(BRANCHES, "x", "y"))

    assert available_in(flat, "train", ["x", "y"]) == {"x", "y", *BRANCHES}
    assert available_in(flat, "val", ["x", "y"]) == {"x", "y", *BRANCHES} - {"b", "behind"}
    assert available_in(flat, "train", ["x"]) == {"x", *BRANCHES} - {"scale"}
    assert available_in(flat, "val", ["x"]) == {"x", "a", "merge", "cell"}
    assert available_in(flat, "val", ["a"]) == {"a", "merge", "cell"}
    assert available_in(flat, "val", []) == set()


def test_what_is_needed_goes_back_through_delays_but_not_behind_what_is_given() -> None:
    net = built({"a": linear(), "b": linear(**{"from": "a@-2"}), "c": linear(), "aside": linear(**{"from": "a"})})
    rollout = Rollout(net)
    every = {"x", *net.blocks}

    assert needed_by(["c"], rollout, every) == {"x", "a", "b", "c"}
    assert needed_by(["c"], rollout, every, given=["b"]) == {"b", "c"}
    assert needed_by(["c"], rollout, every - {"a"}) == {"b", "c"}


def test_slots_are_as_long_as_the_longest_delay() -> None:
    net = built({"a": linear(), "b": linear(**{"from": "a@-2"}), "sum": {"type": "Sum", "from": ["a@-1", "b", "x@-1"]}})
    rollout = Rollout(net)

    slots = slots_of(rollout, set(net.blocks), [])

    assert [(slot.name, slot.length, slot.key(1)) for slot in slots] == [("a", 2, "a@1"), ("x", 1, "x@1")]
    assert [slot.name for slot in slots_of(rollout, {"sum"}, rollout.flat.sent_by("a"))] == ["a", "x"]


def test_a_plan_says_where_every_value_comes_from_and_goes_to() -> None:
    net = built({"a": linear(), "b": linear(**{"from": "a@-2"})})

    plan = plan_of(net, ["b"])

    assert plan.given == (("x", 0),)
    assert [(turn.path, turn.reads, turn.result) for turn in plan.turns] == [("a", (0,), 2), ("b", (1,), 3)]
    assert plan.fetches == ((1, "a@2"),)
    assert plan.pushes == (("a@1", 2),)
    assert plan.moves == (("a@2", "a@1"),)
    assert plan.outputs == (("b", 3),)
    assert plan.kept() == {2, 3}


def test_registers_are_freed_after_their_last_reader() -> None:
    net = built({"a": linear(), "b": linear(), "c": {"type": "Sum", "from": ["a", "b"]}, "unread": linear()})

    frees = {turn.path: turn.frees for turn in plan_of(net, ["c", "unread"]).turns}
    results = {turn.path: turn.result for turn in plan_of(net, ["c", "unread"]).turns}

    assert frees == {"a": (0,), "b": (), "c": (results["a"], results["b"]), "unread": ()}
    assert [turn.path for turn in plan_of(net, ["c"]).turns] == ["a", "b", "c"]


def test_blocks_that_work_in_place_get_copies_of_the_state_only() -> None:
    blocks = {"a": linear(), "now": {"type": "ReLU", "inplace": True}, "then": {"type": "ReLU", "inplace": True}}
    plain, delayed = plan_of(built(blocks)), plan_of(built(blocks), now_to_then=1)

    assert not any(isinstance(turn.module, Copy) for turn in plain.turns)
    copies = [(turn.path, turn.reads) for turn in delayed.turns if isinstance(turn.module, Copy)]
    assert copies == [("then", (delayed.fetches[0][0],))]


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (nn.Linear(2, 2), NEVER),
        (nn.Dropout2d(), IN_TRAINING),
        (nn.Sequential(nn.Linear(2, 2), nn.RReLU()), IN_TRAINING),
        (nn.MultiheadAttention(4, 2, dropout=0.1), IN_TRAINING),
        (nn.MultiheadAttention(4, 2), NEVER),
        (nn.GRU(2, 2, 2, dropout=0.1), IN_TRAINING),
        (nn.GRU(2, 2, 2), NEVER),
        (type("Foreign", (nn.Module,), {}), ALWAYS),
        (type("Told", (nn.Module,), {"stochastic": False}), NEVER),
        (type("Sampling", (nn.Module,), {"stochastic": True}), ALWAYS),
    ],
)
def test_when_blocks_draw(module: Any, expected: int) -> None:
    assert draws_of(module() if isinstance(module, type) else module) == expected
