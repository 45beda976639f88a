"""Grouped frames are the frames of the ungrouped program: outputs, states, gradients, over any net and any delays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from rillnet.model.net import Net
from rillnet.model.rollout import Rollout
from rillnet.runtime.program import Program
from rillnet.runtime.state import detach_state, expanded
from tests.model.random_nets import SIZE, documents, valid_delays

BATCH, FRAMES = 3, 5


def frames_for(net: Net, count: int = FRAMES) -> list[dict[str, Tensor]]:
    generator = torch.Generator().manual_seed(1)
    return [{name: torch.randn(BATCH, SIZE, generator=generator) for name in net.inputs} for _ in range(count)]


def assert_same(one: Any, other: Any) -> None:
    torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


def both(net: Net, rollout: Rollout, **more: Any) -> list[Program]:
    return [Program(net, rollout, group=mode, **more) for mode in ("off", "on")]


def gradients(net: Net, frames: Sequence[Mapping[str, Any]]) -> list[Tensor | None]:
    net.zero_grad()
    values = [value for outputs in frames for value in outputs.values() if value.requires_grad]
    if values:
        sum((value.tanh().sum() for value in values), torch.zeros(())).backward()
    return [parameter.grad for parameter in net.parameters()]


@settings(max_examples=30)
@given(documents(nested=1, most=8), st.data())
def test_any_net_with_any_delays_is_computed_alike(document: Any, data: st.DataObject) -> None:
    net = Net.from_spec(document, seed=1)
    ungrouped, grouped = both(net, Rollout(net, data.draw(valid_delays(net))))
    inputs = frames_for(net)

    frames, state = ungrouped.unroll(inputs)
    others, other_state = grouped.unroll(inputs)

    assert state.keys() == other_state.keys()
    assert_same(expanded(other_state), state)
    for one, other in zip(frames, others, strict=True):
        assert list(one) == list(other)
        assert_same(dict(other), dict(one))
    for one, other in zip(gradients(net, frames), gradients(net, others), strict=True):
        assert_same(other, one)


@settings(max_examples=20)
@given(documents(nested=1, most=8), st.data())
def test_states_go_from_grouped_programs_to_ungrouped_ones_and_back(document: Any, data: st.DataObject) -> None:
    net = Net.from_spec(document, seed=1)
    ungrouped, grouped = both(net, Rollout(net, data.draw(valid_delays(net))))
    inputs = frames_for(net, 6)
    mask = torch.tensor([True, False, True])
    with torch.no_grad():
        state, other = ungrouped.initial_state(BATCH), grouped.initial_state(BATCH)
        for number, frame in enumerate(inputs):
            outputs, state = ungrouped(frame, state)
            others, other = grouped(frame, other)
            if number == 2:  # each goes on from what the other left
                state, other = detach_state(other), detach_state(state)
            if number == 3:
                state, other = ungrouped.reset(state, mask), grouped.reset(other, mask)
            assert_same(dict(others), dict(outputs))
        assert_same(expanded(other), expanded(state))


@settings(max_examples=20)
@given(documents(nested=1, most=8), st.data())
def test_a_part_of_the_outputs_is_the_same_part_of_all(document: Any, data: st.DataObject) -> None:
    net = Net.from_spec(document, seed=1)
    rollout = Rollout(net, data.draw(valid_delays(net)))
    wanted = data.draw(st.lists(st.sampled_from([*rollout.flat.blocks, *net.blocks]), min_size=1, unique=True))
    ungrouped, grouped = both(net, rollout, outputs=wanted)
    inputs = frames_for(net)

    with torch.no_grad():
        frames, state = ungrouped.unroll(inputs)
        others, other_state = grouped.unroll(inputs)

    assert_same(expanded(other_state), expanded(state))
    for one, other in zip(frames, others, strict=True):
        assert_same(dict(other), dict(one))
