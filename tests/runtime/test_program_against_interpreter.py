"""Programs compute what the slow reference interpreter says, for any net and any valid delays."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rillnet.model.net import Net
from rillnet.model.rollout import Rollout
from rillnet.runtime.program import Program
from tests.model.random_nets import SIZE, documents, valid_delays
from tests.runtime.reference_interpreter import ReferenceInterpreter

BATCH, FRAMES = 2, 5


def frames_for(net: Net, count: int = FRAMES) -> list[dict[str, torch.Tensor]]:
    generator = torch.Generator().manual_seed(1)
    return [{name: torch.randn(BATCH, SIZE, generator=generator) for name in net.inputs} for _ in range(count)]


@settings(max_examples=30)
@given(documents(nested=2))
def test_any_net_with_its_own_delays_is_computed_as_the_interpreter_says(document: Any) -> None:
    net = Net.from_spec(document, seed=1)
    inputs = frames_for(net)
    expected = ReferenceInterpreter(net, None, inputs)

    frames, _ = Program(net).unroll(inputs)

    for frame, outputs in enumerate(frames):
        for name in net.blocks:
            torch.testing.assert_close(outputs[name], expected.sent(name, frame), rtol=1e-6, atol=1e-6)


@settings(max_examples=50)
@given(documents(), st.data())
def test_any_net_with_any_valid_delays_is_computed_as_the_interpreter_says(document: Any, data: st.DataObject) -> None:
    net = Net.from_spec(document, seed=1)
    delays = data.draw(valid_delays(net))
    inputs = frames_for(net)
    expected = ReferenceInterpreter(net, delays, inputs)

    frames, _ = Program(net, Rollout(net, delays)).unroll(inputs)

    for frame, outputs in enumerate(frames):
        assert list(outputs) == [*net.inputs, *net.blocks]
        for name in net.blocks:
            torch.testing.assert_close(outputs[name], expected.sent(name, frame), rtol=1e-6, atol=1e-6)


@settings(max_examples=30)
@given(documents(cyclic=False, delays=0), st.sampled_from(["streaming", 1, 2]))
def test_aligned_streaming_is_sequential_some_frames_later(document: Any, default: Any) -> None:
    net = Net.from_spec(document, seed=1)
    aligned = Rollout(net, default=default, align=True)
    inputs = frames_for(net)
    sequential, _ = Program(net).unroll(inputs)

    later, _ = Program(net, aligned).unroll(inputs + [inputs[-1]] * aligned.depth)

    for name in net.blocks:
        delays = {delay for source in net.inputs for delay in aligned.path_delays(source, name)}
        assert len(delays) == 1
        delay = delays.pop()
        for frame, outputs in enumerate(sequential):
            torch.testing.assert_close(later[frame + delay][name], outputs[name], rtol=1e-6, atol=1e-6)


@settings(max_examples=30)
@given(documents(cyclic=False), st.sampled_from(["streaming", 1]))
def test_alignment_keeps_what_delays_of_the_net_itself_mean(document: Any, default: Any) -> None:
    net = Net.from_spec(document, seed=1)
    own, aligned = Rollout.sequential(net), Rollout(net, default=default, align=True)
    inputs = frames_for(net, own.depth + 3)
    sequential, _ = Program(net).unroll(inputs)

    later, _ = Program(net, aligned).unroll(inputs + [inputs[-1]] * aligned.depth)

    for name in net.blocks:
        reached = [source for source in net.inputs if own.path_delays(source, name)]
        delay = min(aligned.path_delays(reached[0], name)) - min(own.path_delays(reached[0], name))
        for frame in range(own.depth, len(inputs)):  # until then the net's own delays read zeros, or what came of zeros
            expected = sequential[frame][name]
            torch.testing.assert_close(later[frame + delay][name], expected, rtol=1e-6, atol=1e-6)


@settings(max_examples=30)
@given(documents(), st.data())
def test_the_order_of_blocks_in_the_document_is_irrelevant(document: Any, data: st.DataObject) -> None:
    net = Net.from_spec(document, seed=1)
    delays = data.draw(valid_delays(net))
    names = data.draw(st.permutations(list(document["blocks"])))
    shuffled = Net.from_spec({**document, "blocks": {name: document["blocks"][name] for name in names}}, seed=1)
    inputs = frames_for(net)

    frames, state = Program(net, Rollout(net, delays)).unroll(inputs)
    others, other_state = Program(shuffled, Rollout(shuffled, delays)).unroll(inputs)

    assert state.keys() == other_state.keys()
    assert all(torch.equal(state[key], other_state[key]) for key in state)
    assert all(torch.equal(one[name], other[name]) for one, other in zip(frames, others, strict=True) for name in one)


@settings(max_examples=30)
@given(documents(), st.data())
def test_a_part_of_the_outputs_is_the_same_part_of_all(document: Any, data: st.DataObject) -> None:
    net = Net.from_spec(document, seed=1)
    rollout = Rollout(net, data.draw(valid_delays(net)))
    wanted = data.draw(st.lists(st.sampled_from([*rollout.flat.blocks, *net.blocks]), min_size=1, unique=True))
    inputs = frames_for(net)
    every = [*rollout.flat.blocks, *net.blocks]

    all_frames, all_state = Program(net, rollout, outputs=every).unroll(inputs)
    frames, state = Program(net, rollout, outputs=wanted).unroll(inputs)

    assert all(list(outputs) == wanted for outputs in frames)
    assert all(torch.equal(outputs[n], all_frames[i][n]) for i, outputs in enumerate(frames) for n in wanted)
    assert all(torch.equal(state[key], all_state[key]) for key in state)
