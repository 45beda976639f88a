"""The algebra of rollouts: policies, validity, tableaus, responses, path delays and alignment."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rillnet as rn
from rillnet.errors import RequestError
from rillnet.model.net import Net
from rillnet.model.rollout import Rollout, count_valid_patterns
from rillnet.spec import RolloutSpec
from tests.model.random_nets import Pairs, digraphs, documents, net_of, valid_delays


def linear(**more: Any) -> dict[str, Any]:
    return {"type": "Linear", "out_features": 3, **more}


def built(blocks: dict[str, Any], **inputs: Any) -> Net:
    return Net.from_spec({"inputs": inputs or {"x": [3]}, "blocks": blocks}, device="meta")


def chain(length: int) -> Net:
    return net_of([("x", "0"), *((str(number), str(number + 1)) for number in range(length - 1))])


RECURRENT = {
    "in": linear(),
    "h": {"type": "Sum", "from": ["in", "rec@-1"], "shape": [3]},
    "act": "Tanh",
    "rec": linear(),
    "out": linear(**{"from": "act"}),
}
SKIP = {
    "a": linear(),
    "b": linear(),
    "c": linear(),
    "sum": {"type": "Sum", "from": ["c", "x"]},
    "loss": {"type": "MSELoss", "from": ["sum", "target"]},
}


# Policies


def test_sequential_keeps_the_delays_of_the_net_and_adds_none() -> None:
    rollout = Rollout.sequential(built(RECURRENT))

    assert rollout.delays == {"x->in": 0, "in->h": 0, "rec->h": 1, "h->act": 0, "act->rec": 0, "act->out": 0}


def test_streaming_delays_what_enters_a_block_with_weights() -> None:
    norm = {"conv": {"type": "Conv1d", "out_channels": 2, "kernel_size": 1}, "pool": {"type": "MaxPool1d"}}
    norm["pool"]["kernel_size"] = 1
    net = built({**norm, "norm": "BatchNorm1d", "relu": "ReLU"}, x=[2, 4])

    assert Rollout.streaming(net).delays == {"x->conv": 1, "conv->pool": 0, "pool->norm": 1, "norm->relu": 0}


def test_streaming_keeps_longer_delays_of_the_net() -> None:
    assert Rollout.streaming(built({"a": linear(**{"from": "x@-3"}), "b": linear()})).delays == {"x->a": 3, "a->b": 1}


def test_a_number_as_default_is_the_delay_of_all_edges_but_those_with_more() -> None:
    assert set(Rollout(built(RECURRENT), default=1).delays.values()) == {1}
    assert Rollout(built({"a": linear(**{"from": "x@-3"}), "b": linear()}), default=2).delays == {"x->a": 3, "a->b": 2}


def test_delays_of_single_edges_win_even_over_those_of_the_net() -> None:
    net = built({"a": linear(**{"from": "x@-3"}), "b": linear()})

    assert Rollout(net, {"x->a": 1}, default="streaming").delays == {"x->a": 1, "a->b": 1}


def test_edges_are_chosen_by_pattern_and_exact_names_win() -> None:
    net = built({f"conv{number}": linear() for number in range(3)})
    rollout = Rollout(net, {"conv0->conv1": 5, "conv*->*": 2, "*->conv2": 3})

    assert rollout.delays == {"x->conv0": 0, "conv0->conv1": 5, "conv1->conv2": 3}


def test_a_nested_net_stands_for_the_edges_across_its_border() -> None:
    inner = {"type": "Net", "inputs": ["in"], "blocks": {"a": linear(), "b": linear()}}
    net = built({"res": inner, "out": linear()})

    assert Rollout(net, {"x->res": 1, "res->out": 2}).delays == {"x->res/a": 1, "res/a->res/b": 0, "res/b->out": 2}
    assert Rollout(net, {"res/a->res/b": 3}).delay("res/a->res/b") == 3


def test_parallel_edges_are_told_apart_by_the_input_they_enter() -> None:
    net = built({"sum": {"type": "Sum", "from": ["x", "x@-1", "x@-1"]}})
    rollout = Rollout(net)

    assert rollout.delays == {"x->sum#0": 0, "x->sum#1": 1, "x->sum#2": 1}
    assert Rollout(net, {"x->sum": 4}).delays == {"x->sum#0": 4, "x->sum#1": 4, "x->sum#2": 4}
    assert Rollout(net, {"x->sum#2": 4}).delays == {"x->sum#0": 0, "x->sum#1": 1, "x->sum#2": 4}
    assert rollout.delay(rollout.edges[1]) == rollout.delay("x->sum#1") == 1
    with pytest.raises(RequestError) as error:
        rollout.delay("x->sum")
    assert str(error.value) == (
        "rollout: 'x->sum' is several edges of different delays: x->sum#0: 0, x->sum#1: 1, x->sum#2: 1"
    )


def test_a_rollout_is_built_from_its_record() -> None:
    net = built(SKIP, x=[3], target=[3])

    assert Rollout.from_spec(net, RolloutSpec()).delays == Rollout.sequential(net).delays
    assert Rollout.from_spec(net, RolloutSpec(default="streaming")).delays == Rollout.streaming(net).delays
    record = RolloutSpec.model_validate({"default": "streaming", "delays": {"a->b": 2}, "align": True})
    assert Rollout.from_spec(net, record).delays == Rollout(net, {"a->b": 2}, "streaming", align=True).delays
    assert repr(Rollout.streaming(net)) == "Rollout(net: 3 of 7 edges with a delay)"


def test_every_fault_of_the_delays_is_told_at_once() -> None:
    net = built({"conv1": linear(), "conv2": linear()})
    delays: Any = {"conv1->conv3": 1, "hidden": 1, "x->conv1": -1, "conv1->conv2": 0.5, "conv1->conv2#1": 0}

    with pytest.raises(RequestError) as error:
        Rollout(net, delays)

    assert str(error.value).splitlines() == [
        "rollout.delays.conv1->conv3: unknown edge; did you mean 'conv1->conv2'?",
        "rollout.delays.hidden: unknown edge; an edge is called source->target",
        "rollout.delays.x->conv1: must be a whole number of frames, 0 or more, or auto (got -1)",
        "rollout.delays.conv1->conv2: must be a whole number of frames, 0 or more, or auto (got 0.5)",
        "rollout.delays.conv1->conv2#1: unknown edge; did you mean 'conv1->conv2'?",
    ]
    with pytest.raises(RequestError) as error:
        Rollout(net, default="streeming")
    assert str(error.value) == (
        "rollout.default: must be sequential, streaming, sampling or a whole number of frames, 0 or more "
        "(got 'streeming'); "
        "did you mean 'streaming'?"
    )
    with pytest.raises(RequestError) as error:
        Rollout(net).delay("conv1->conv3")
    assert str(error.value) == "rollout: unknown edge 'conv1->conv3'; did you mean 'conv1->conv2'?"


# Validity


def test_a_cycle_without_delay_is_named() -> None:
    net = built(RECURRENT)
    rollout = Rollout(net, {"rec->h": 0})

    assert not rollout.is_valid
    assert rollout.cycle is not None
    assert len(rollout.cycle) == 3
    assert all(f"{a}->{b}" in rollout.delays for a, b in itertools.pairwise([*rollout.cycle, rollout.cycle[0]]))
    first, second, third = rollout.cycle
    (fault,) = rollout.check()
    assert str(fault) == (
        f"rollout.delays: the cycle {first} -> {second} -> {third} -> {first} has no delay; "
        f'give one of its edges a delay of at least 1, as in delays: {{"{first}->{second}": 1}}'
    )
    with pytest.raises(RequestError, match="has no delay"):
        rollout.tableau(1)


def test_a_valid_rollout_has_no_faults_and_an_order() -> None:
    rollout = Rollout(built(RECURRENT))

    assert rollout.is_valid
    assert rollout.cycle is None
    assert rollout.check() == []
    assert rollout.order() == ["in", "h", "act", "rec", "out"]


@settings(max_examples=60)
@given(digraphs(most=4), st.data())
def test_valid_is_what_leaves_the_window_graph_without_cycle(pairs: Pairs, data: st.DataObject) -> None:
    net = net_of(pairs)
    delays = {name: data.draw(st.integers(0, 1)) for name in Rollout(net).delays}

    rollout = Rollout(net, delays)

    assert rollout.is_valid == (_longest_paths(rollout, 3) is not None)
    assert (rollout.cycle is None) == rollout.is_valid
    for first, second in itertools.pairwise([*(rollout.cycle or ()), *(rollout.cycle or ())[:1]]):
        assert delays[f"{first}->{second}"] == 0


def _longest_paths(rollout: Rollout, frames: int) -> dict[tuple[int, str], int] | None:
    """Steps at which each node of the window graph is ready, by waiting for them; None if some never are."""
    ready = {(0, name): 0 for name in rollout.flat.blocks}
    ready |= {(frame, name): 0 for frame in range(frames + 1) for name in rollout.flat.inputs}
    waiting = [(frame, name) for frame in range(1, frames + 1) for name in rollout.flat.blocks]
    while waiting:
        found = {}
        for frame, name in waiting:
            edges = [edge for edge in rollout.edges if edge.target == name and frame >= edge.delay]
            before = [ready.get((frame - edge.delay, edge.source)) for edge in edges]
            if None not in before:
                found[frame, name] = 1 + max((step for step in before if step is not None), default=0)
        if not found:
            return None
        ready |= found
        waiting = [node for node in waiting if node not in found]
    return ready


def test_the_number_of_valid_patterns() -> None:
    assert count_valid_patterns(chain(4)) == 2**4
    assert count_valid_patterns(built(RECURRENT)) == 2**3 * (2**3 - 1)
    assert rn.count_valid_patterns(net_of([("x", "0"), ("0", "0"), ("0", "1"), ("1", "0")])) == 2 * 1 * 3


@settings(max_examples=40)
@given(digraphs(most=3))
def test_the_number_of_valid_patterns_is_that_of_valid_rollouts(pairs: Pairs) -> None:
    few = pairs[:7]
    net = net_of([pair for pair in few if pair[0] in {*"xy", *(target for _, target in few)}] or [("x", "0")])
    edges = list(Rollout(net).delays)

    patterns = itertools.product([0, 1], repeat=len(edges))

    valid = [Rollout(net, dict(zip(edges, pattern, strict=True))).is_valid for pattern in patterns]
    assert sum(valid) == count_valid_patterns(net)


# Tableaus


@settings(max_examples=80)
@given(digraphs(), st.data())
def test_tableaus_are_the_longest_paths_of_the_window_graph(pairs: Pairs, data: st.DataObject) -> None:
    net = net_of(pairs)
    rollout = Rollout(net, data.draw(valid_delays(net)))

    tableau = rollout.tableau(4)

    assert {(frame, name): step for name, steps in tableau.items() for frame, step in enumerate(steps)} == (
        _longest_paths(rollout, 4)
    )
    assert rollout.inference_factor == max(steps[1] for steps in tableau.values())


@settings(max_examples=80)
@given(digraphs(), st.data())
def test_theorem_1_streaming_is_what_is_fully_parallel(pairs: Pairs, data: st.DataObject) -> None:
    net = net_of(pairs)
    rollout, streaming = Rollout(net, data.draw(valid_delays(net, most=1))), Rollout(net, default=1)
    frames = 6

    steps, least = rollout.tableau(frames), streaming.tableau(frames)

    assert streaming.inference_factor == 1
    assert all(step >= least[name][frame] for name in steps for frame, step in enumerate(steps[name]))
    is_parallel = all(step <= frame or name in net.inputs for name in steps for frame, step in enumerate(steps[name]))
    assert (rollout.inference_factor == 1) == is_parallel == (steps == least)


@pytest.mark.parametrize("length", [1, 2, 7])
def test_a_sequential_chain_takes_a_step_per_block(length: int) -> None:
    net = chain(length)

    assert Rollout(net).inference_factor == length
    assert Rollout(net).tableau(3) == {
        "x": [0] * 4,
        "y": [0] * 4,
        **{str(number): [0] + [number + 1] * 3 for number in range(length)},
    }


def test_a_streaming_chain_fills_step_by_step() -> None:
    tableau = Rollout(chain(5), default=1).tableau(6)

    assert all(tableau[str(n)] == [min(frame, n + 1) for frame in range(7)] for n in range(5))


def test_a_recurrent_net_takes_longer_with_every_frame_when_sequential() -> None:
    net = net_of([("x", "0"), ("0", "1"), ("1", "0")])

    assert Rollout(net).tableau(3)["1"] == [0, 2, 4, 6]
    assert Rollout(net, default=1).tableau(3)["1"] == [0, 1, 2, 3]


def test_streaming_ready_times_never_exceed_the_frame() -> None:
    tableau = Rollout(built(RECURRENT), default=1).tableau(8)

    assert all(step <= frame for steps in tableau.values() for frame, step in enumerate(steps))


# First responses


@settings(max_examples=80)
@given(digraphs(), st.data())
def test_first_responses_are_the_least_solution_of_their_equation(pairs: Pairs, data: st.DataObject) -> None:
    net = net_of(pairs)
    rollout = Rollout(net, data.draw(valid_delays(net)))
    expected = {name: 0 if name in net.inputs else 10**6 for name in [*net.inputs, *net.blocks]}
    for _ in range(20):
        for edge in rollout.edges:
            expected[edge.target] = min(expected[edge.target], max(1, expected[edge.source] + edge.delay))

    for name, response in expected.items():
        assert rollout.first_response(name) == (None if response == 10**6 else response)


def test_first_responses_of_chains() -> None:
    net = chain(4)

    assert [Rollout(net).first_response(name) for name in "x0123"] == [0, 1, 1, 1, 1]
    assert [Rollout(net, default=1).first_response(name) for name in "x0123"] == [0, 1, 2, 3, 4]


def test_what_no_input_reaches_has_no_first_response() -> None:
    net = net_of([("x", "0"), ("1", "1")])

    assert Rollout(net).first_response("1") is None
    assert Rollout(net).path_delays("x", "1") == []
    assert Rollout(net).path_delays("0", "0") == [0]


# Path delays and alignment


def test_path_delays_of_a_skip_differ_until_they_are_aligned() -> None:
    net = built(SKIP, x=[3], target=[3])
    streaming, aligned = Rollout.streaming(net), Rollout.streaming(net, align=True)

    assert streaming.path_delays("x", "sum") == [0, 3]
    assert streaming.first_response("sum") == 1
    assert aligned.path_delays("x", "sum") == [3]
    assert aligned.path_delays("target", "loss") == [3]
    assert aligned.depth == streaming.depth == 3
    assert {name for name in aligned.delays if aligned.delays[name] != streaming.delays[name]} == {
        "x->sum",
        "target->loss",
    }


def test_names_of_nested_nets_stand_for_their_outputs() -> None:
    inner = {"type": "Net", "inputs": ["in"], "blocks": {"a": linear(), "b": linear()}, "outputs": ["b@-2", "a"]}
    rollout = Rollout.streaming(built({"res": inner}))

    assert rollout.path_delays("x", "res") == [4]
    assert rollout.first_response("res") == 4


@settings(max_examples=80)
@given(documents(cyclic=False, delays=0, most=6), st.data())
def test_aligned_paths_are_equally_long_and_none_is_longer_than_needed(document: Any, data: st.DataObject) -> None:
    net = Net.from_spec(document, device="meta")
    delays = data.draw(valid_delays(net))
    rollout, aligned = Rollout(net, delays), Rollout(net, delays, align=True)
    names = [*net.inputs, *rollout.flat.blocks]

    assert all(aligned.delays[name] >= delay for name, delay in rollout.delays.items())
    assert all(len(aligned.path_delays(a, b)) <= 1 for a, b in itertools.product(names, names))
    for name in rollout.flat.blocks:
        longest = max(delay for source in net.inputs for delay in rollout.path_delays(source, name))
        assert all(aligned.path_delays(source, name) in ([], [longest]) for source in net.inputs)
    assert aligned.depth == rollout.depth


def test_alignment_leaves_what_the_net_itself_delays() -> None:
    net = built({"a": linear(), "change": {"type": "Sum", "from": ["a", "a@-1", "x@-5"]}})

    assert Rollout.streaming(net, align=True).delays == {
        "x->a": 1,
        "a->change#0": 0,
        "a->change#1": 1,
        "x->change": 6,
    }


def test_a_net_with_a_cycle_cannot_be_aligned() -> None:
    with pytest.raises(RequestError) as error:
        Rollout.streaming(net_of([("x", "0"), ("0", "1"), ("1", "0")]), align=True)

    assert str(error.value) in {
        f"rollout.align: a net with a cycle cannot be aligned, as its paths have no greatest length: {cycle}; "
        "leave out align, or take an edge of the cycle away"
        for cycle in ("0 -> 1 -> 0", "1 -> 0 -> 1")
    }


def test_whether_a_name_stands_for_an_edge() -> None:
    rollout = Rollout(net_of([("x", "0"), ("0", "1")]))
    assert [rollout.has_edge(name) for name in ("0->1", "*->1", "1->0", "0->1#3", "0")] == [
        True,
        True,
        False,
        False,
        False,
    ]
