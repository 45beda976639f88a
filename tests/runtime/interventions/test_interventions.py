"""What is in force on a net: set, replaced, taken back, kept."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import rillnet as rn
from rillnet.errors import RequestError
from rillnet.runtime.interventions.interventions import Interventions
from rillnet.runtime.interventions.records import Clamp, Lesion, Noise, What

BLOCKS = {
    "conv": {"type": "Conv2d", "from": "x", "out_channels": 4, "kernel_size": 3},
    "act": "Tanh",
    "flat": "Flatten",
    "head": {"type": "Linear", "out_features": 5},
    "loss": {"type": "CrossEntropy", "from": ["head", "label"]},
}


def made() -> tuple[rn.Net, Interventions]:
    net = rn.Net.from_spec({"inputs": {"x": [1, 6, 6], "label": {"dtype": "int64"}}, "blocks": BLOCKS}, seed=1)
    return net, Interventions(rn.Rollout.sequential(net).flat, seed=5)


def frame(net: rn.Net, interventions: Interventions, step: int = 0) -> dict[str, Any]:
    program = rn.Program(net, interventions=interventions)
    inputs = {"x": torch.linspace(-1, 1, 72).reshape(2, 1, 6, 6), "label": torch.tensor([1, 2])}
    return dict(program(interventions.entered(inputs, "train", step))[0])


def test_with_nothing_in_force_inputs_are_handed_on_as_they_are() -> None:
    _, interventions = made()
    inputs = {"x": torch.ones(1)}

    assert interventions.entered(inputs, "train", 0) is inputs
    assert (interventions.key, len(interventions), interventions.blocks) == (0, 0, {})


def test_the_newest_value_counts_and_no_new_plan_is_needed() -> None:
    net, interventions = made()
    interventions.set("act[1]", Clamp(0.5))
    key, module = interventions.key, interventions.blocks["act"].module

    interventions.set("act[1]", Clamp(-3))
    interventions.set("act[2]", Lesion())

    assert (interventions.key, interventions.blocks["act"].module) == (key, module)
    sent = frame(net, interventions)["act"].detach()
    assert (float(sent[:, 1].max()), float(sent[:, 1].min()), float(sent[:, 2].abs().max())) == (-3.0, -3.0, 0.0)


def test_a_plan_is_asked_for_where_other_things_are_changed() -> None:
    _, interventions = made()
    keys = [interventions.key]
    for target, what in (
        ("act[0]", Lesion()),
        ("act", Noise(0.1)),
        ("head", Clamp(1)),
        ("act->flat", Lesion()),
        ("conv[0]", Clamp("normal(0, 1)")),
    ):
        interventions.set(target, what)
        keys.append(interventions.key)
    interventions.set("x", Noise(1))
    assert len(set(keys)) == len(keys)
    assert interventions.key == keys[-1]

    interventions.remove("all")
    assert interventions.key == 0


def test_lesions_win_over_clamps_and_both_over_noise() -> None:
    net, interventions = made()
    interventions.set("head[1:4]", Lesion())
    interventions.set("head", Noise(1.0))
    interventions.set("head[0:3]", Clamp(2))
    interventions.set("head[0]", Clamp(3))
    plain = frame(net, Interventions(interventions.flat))["head"]

    sent = frame(net, interventions)["head"]

    assert sent[:, :4].tolist() == [[3, 0, 0, 0]] * 2
    assert bool((sent[:, 4] != plain[:, 4]).all())


def test_draws_are_told_by_target_and_frame() -> None:
    net, interventions = made()
    interventions.set("head", Noise(1.0))
    first = [frame(net, interventions, step)["head"] for step in (0, 0, 1)]
    interventions.set("conv", Noise(1.0))
    interventions.remove("conv")
    interventions.remove("head[0]")
    later = frame(net, interventions)["head"]

    assert torch.equal(first[0], first[1])
    assert not torch.equal(first[0], first[2])
    assert torch.equal(first[0][:, 1:], later[:, 1:])


def test_units_are_taken_out_of_what_is_in_force_on_more() -> None:
    net, interventions = made()
    interventions.set("head", Lesion())

    changed = interventions.remove("head[2:4]")

    assert changed.targets == ("head",)
    assert [one["target"] for one in interventions.describe()] == ["head (3 of 5 units)"]
    assert (frame(net, interventions)["head"] == 0).all(0).tolist() == [True, True, False, False, True]
    interventions.undo(changed)
    assert [one["target"] for one in interventions.describe()] == ["head"]


@pytest.mark.parametrize(
    ("target", "left"),
    [
        ("all", []),
        ("act", ["x", "act->flat", "head", "head[0]"]),
        ("act[1]", ["x", "act (12 of 64 units)", "act->flat", "head", "head[0]"]),
        ("act[0]", ["x", "act[1]", "act (12 of 64 units)", "act->flat", "head", "head[0]"]),
        ("head", ["x", "act[1]", "act[:, 0]", "act->flat"]),
        ("head[0]", ["x", "act[1]", "act[:, 0]", "act->flat", "head (4 of 5 units)"]),
        ("head[:3]", ["x", "act[1]", "act[:, 0]", "act->flat", "head (2 of 5 units)"]),
        ("head*", ["x", "act[1]", "act[:, 0]", "act->flat"]),
        ("act->flat", ["x", "act[1]", "act[:, 0]", "head", "head[0]"]),
        ("*->*", ["x", "act[1]", "act[:, 0]", "head", "head[0]"]),
        ("x", ["act[1]", "act[:, 0]", "act->flat", "head", "head[0]"]),
    ],
)
def test_what_is_restored(target: str, left: list[str]) -> None:
    _, interventions = made()
    done: list[tuple[str, What]] = [("x", Noise(1)), ("act[1]", Clamp(1)), ("act[:, 0]", Lesion())]
    done += [("act->flat", Lesion()), ("head", Lesion()), ("head[0]", Clamp(2))]
    for one in done:
        interventions.set(*one)

    interventions.remove(target)

    assert [one["target"] for one in interventions.describe()] == left


def test_what_is_not_in_force_cannot_be_restored() -> None:
    _, interventions = made()
    for target in ("all", "head", "x->conv", "head*"):
        with pytest.raises(RequestError) as caught:
            interventions.remove(target)
        assert str(caught.value) == f"restore: nothing is done to it (got {target!r}); nothing is in force"
    interventions.set("head[0]", Lesion())
    with pytest.raises(RequestError) as caught:
        interventions.remove("head[1]")
    assert str(caught.value) == "restore: nothing is done to it (got 'head[1]'); in force: head[0]"
    for unit in range(16):
        interventions.set(f"act[{unit // 4}, {unit % 4}, 0]", Lesion())
    with pytest.raises(RequestError) as caught:
        interventions.remove("conv")
    assert str(caught.value).endswith("act[1, 3, 0], act[2, 0, 0], and 7 more")


@pytest.mark.parametrize(
    ("target", "what", "message"),
    [
        ("haed", Lesion(), "net/haed: unknown block; did you mean 'head'?"),
        ("head", Noise(-1), "net/head: the standard deviation of noise must be a number, at least 0 (got -1)"),
        ("label", Noise(1), "net/label: sends whole numbers, to which no noise is added"),
        ("label", Clamp(5), "net/label: must be one of 0 to 4, as net/loss reads it (got 5)"),
        (
            "x->conv",
            Clamp(1),
            "net/x->conv: is an edge, which can be lesioned only; clamp acts on a block or an input; as in clamp x ...",
        ),
        ("act[4]", Clamp(1), "net/act: has the units 0 to 3 in dimension 0 of [4, 4, 4] (got 4)"),
    ],
)
def test_what_cannot_be_changes_nothing(target: str, what: What, message: str) -> None:
    _, interventions = made()
    interventions.set("act", Noise(1))
    before = interventions.state()

    with pytest.raises(RequestError) as caught:
        interventions.set(target, what)

    assert str(caught.value) == message
    assert interventions.state() == before


def test_what_is_in_force_is_described() -> None:
    _, interventions = made()
    interventions.set("head", Clamp([1, 2, 3, 4, 5]))
    interventions.set("act[0]", Noise(0.5))
    interventions.set("x->conv", Lesion())

    assert interventions.describe() == [
        {
            "kind": "clamp",
            "target": "head",
            "block": "head",
            "tensor": "head",
            "units": 5,
            "of": 5,
            "value": [1, 2, 3, 4, 5],
        },
        {
            "kind": "noise",
            "target": "act[0]",
            "block": "act",
            "tensor": "act",
            "units": 16,
            "of": 64,
            "mask": {"shape": [4, 4, 4], "bits": "//8AAAAAAAA="},
            "value": 0.5,
        },
        {"kind": "lesion", "target": "x->conv", "edge": {"from": "x", "to": "conv", "port": 0}},
    ]


TARGETS = st.sampled_from(["x", "conv", "conv[1]", "conv[:, 1:3]", "act", "act[2, 0]", "head", "head[1:]", "head[0]"])
WHATS = st.one_of(
    st.builds(Clamp, st.floats(-2, 2, width=32)),
    st.builds(Clamp, st.sampled_from(["normal(0, 1)", "uniform(0, 1)"])),
    st.builds(Noise, st.floats(0, 2, width=32)),
    st.just(Lesion()),
)
STEPS = st.lists(
    st.tuples(TARGETS, WHATS) | st.tuples(st.sampled_from(["act->flat", "x->conv"]), st.just(Lesion())), max_size=5
)


@settings(max_examples=40)
@given(STEPS, STEPS)
def test_undone_in_reverse_order_nothing_is_left(before: list[Any], steps: list[Any]) -> None:
    _, interventions = made()
    for one in before:
        interventions.set(*one)
    state = interventions.state()

    undone = [interventions.set(*one) for one in steps]
    if len(interventions) and steps:
        undone.append(interventions.remove("all"))
    for changed in reversed(undone):
        interventions.undo(changed)

    assert interventions.state() == state


@settings(max_examples=25)
@given(STEPS)
def test_a_state_brings_the_same_back(steps: list[Any]) -> None:
    net, interventions = made()
    for one in steps:
        interventions.set(*one)
    other = Interventions(interventions.flat, seed=5)
    other.set("act", Clamp(9))

    assert other.load(json.loads(json.dumps(interventions.state()))) == []

    assert other.state() == interventions.state()
    assert other.describe() == interventions.describe()
    for name, value in frame(net, interventions).items():
        if isinstance(value, Tensor):
            assert torch.equal(frame(net, other)[name], value), name


def test_what_is_no_longer_there_is_left_out() -> None:
    _, interventions = made()
    interventions.set("head[4]", Lesion())
    interventions.set("act->flat", Lesion())
    interventions.set("act", Noise(1))
    blocks = {**BLOCKS, "head": {"type": "Linear", "out_features": 3}, "flat": {"type": "Flatten", "from": "conv"}}
    net = rn.Net.from_spec({"inputs": {"x": [1, 6, 6], "label": {"dtype": "int64"}}, "blocks": blocks}, seed=1)

    moved = interventions.moved_to(rn.Rollout.sequential(net).flat)

    assert [one["target"] for one in moved.describe()] == ["act"]
    assert interventions.moved_to(interventions.flat) is interventions


def test_a_lesioned_unit_learns_nothing() -> None:
    net, interventions = made()
    interventions.set("conv[1]", Lesion())
    interventions.set("head[3]", Clamp(0.5))
    net.zero_grad()

    frame(net, interventions)["loss"].backward()

    conv, head = net["conv"].weight.grad, net["head"].weight.grad
    assert (conv.flatten(1).abs().sum(1) == 0).tolist() == [False, True, False, False]
    assert (head.abs().sum(1) == 0).tolist() == [False, False, False, True, False]
    assert float(head.reshape(5, 4, 16)[:, 1].abs().max()) == 0.0
