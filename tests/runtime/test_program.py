"""Programs: frames, delays, state, gradients through time, phases, draws; what goes wrong is told."""

from __future__ import annotations

import weakref
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import rillnet as rn
from rillnet.errors import AddressError, RequestError, ShapeError
from rillnet.model.net import Net
from rillnet.model.rollout import Rollout
from rillnet.random import derive
from rillnet.runtime.program import Program
from rillnet.runtime.state import detach_state

X = torch.tensor([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]])


def linear(**more: Any) -> dict[str, Any]:
    return {"type": "Linear", "out_features": 3, **more}


def built(blocks: dict[str, Any], **inputs: Any) -> Net:
    return Net.from_spec({"inputs": inputs or {"x": [3]}, "blocks": blocks}, seed=1)


@pytest.fixture
def classifier() -> Net:
    blocks = {
        "hidden": linear(),
        "act": "Tanh",
        "logits": linear(),
        "loss": {"type": "CrossEntropy", "from": ["logits", "label"]},
        "accuracy": {"type": "Accuracy", "from": ["logits", "label"], "exclude": "train"},
    }
    return built(blocks, x=[3], label={"dtype": "int64"})


# Frames and delays


def test_without_delays_a_program_is_the_net(classifier: Net) -> None:
    label = torch.tensor([0, 2])
    expected = classifier(x=X, label=label)

    outputs, state = Program(classifier)({"x": X, "label": label})

    assert list(outputs) == list(expected) == ["x", "label", "hidden", "act", "logits", "loss"]
    assert all(torch.equal(outputs[name], expected[name]) for name in expected)
    assert state == {}
    outputs["loss"].backward()
    gradient = classifier["hidden"].weight.grad.clone()
    classifier.zero_grad()
    expected["loss"].backward()
    assert torch.equal(classifier["hidden"].weight.grad, gradient)


def test_an_impulse_passes_a_chain_one_block_per_frame() -> None:
    net = Net("chain", inputs={"x": (1,)})
    for name in "abc":
        net.add(name, nn.Identity())
    impulse = [{"x": torch.full((1, 1), float(frame == 0))} for frame in range(4)]

    frames, _ = Program(net, Rollout(net, {"a->b": 1, "b->c": 1})).unroll(impulse)

    seen = {name: [float(outputs[name]) for outputs in frames] for name in "abc"}
    assert seen == {"a": [1, 0, 0, 0], "b": [0, 1, 0, 0], "c": [0, 0, 1, 0]}


def test_a_constant_input_reaches_depth_d_after_d_frames() -> None:
    net = Net("chain", inputs={"x": (1,)})
    for depth in range(1, 5):
        net.add(f"b{depth}", nn.Identity())

    frames, _ = Program(net, Rollout(net, default=1)).unroll([{"x": torch.ones(1, 1)}] * 6)

    for depth in range(1, 5):
        assert [float(outputs[f"b{depth}"]) for outputs in frames] == [float(frame >= depth) for frame in range(6)]


def test_each_example_of_a_batch_is_a_stream_of_its_own() -> None:
    net = built({"a": linear(), "sum": {"type": "Sum", "from": ["a", "sum@-2"], "shape": [3]}})
    inputs = [{"x": torch.randn(4, 3)} for _ in range(5)]
    program = Program(net)
    together, _ = program.unroll(inputs)

    alone, _ = program.unroll([{"x": frame["x"][2:3]} for frame in inputs])

    for one, all_streams in zip(alone, together, strict=True):
        torch.testing.assert_close(one["sum"], all_streams["sum"][2:3])


def test_outputs_of_nested_nets_go_by_the_nets_name() -> None:
    inner = {"type": "Net", "inputs": ["in"], "blocks": {"a": linear(), "b": "Tanh"}, "outputs": ["b", "a"]}
    net = built({"res": inner, "sum": {"type": "Sum", "from": ["res", "res[1]", "x"]}})

    outputs, _ = Program(net)({"x": X})
    parts, _ = Program(net, outputs=["res/a", "res"])({"x": X})

    assert list(outputs) == ["x", "res", "sum"]
    assert torch.equal(outputs["sum"], net(x=X)["sum"])
    assert torch.equal(parts["res/a"], parts["res"][1])
    assert torch.equal(outputs["res"][0], parts["res"][0])


class Pair(nn.Module):
    stochastic = False

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        return x, (x + 1, x + 2)


class Last(nn.Module):
    stochastic = False

    def forward(self, pair: tuple[Tensor, Tensor]) -> Tensor:
        return pair[1]


def test_tuples_may_be_delayed_as_a_whole_and_in_parts() -> None:
    net = Net("pairs", inputs={"x": (1,)})
    net.add("pair", Pair(), source="x").add("first", nn.Identity(), source="pair@-1")
    net.add("last", Last(), source="pair[1]@-1").add("now", Last(), source="pair[1]")
    program = Program(net)

    frames, state = program.unroll([{"x": torch.full((1, 1), value)} for value in (10.0, 20.0)])

    assert sorted(state) == ["pair[0]@1", "pair[1][0]@1", "pair[1][1]@1"]
    seen = {name: [float(outputs[name]) for outputs in frames] for name in ("first", "last", "now")}
    assert seen == {"first": [0, 10], "last": [0, 12], "now": [12, 22]}
    clamped, _ = program({"x": X[:1, :1], "pair": (X[:1, :1], (X[:1, :1], X[:1, 1:2]))})
    assert torch.equal(clamped["now"], X[:1, 1:2])


def test_transposed_parameters_are_those_of_their_owner() -> None:
    tied = linear(bias=False, share={"weight": {"of": "a.weight", "transpose": True}}, **{"from": "in"})
    inner = {"type": "Net", "inputs": ["in"], "blocks": {"a": linear(bias=False, **{"from": "in@-1"}), "b": tied}}
    net = built({"res": inner})

    frames, _ = Program(net, outputs=["res/a", "res/b"]).unroll([{"x": X}, {"x": X}])

    weight = net["res/a"].weight
    torch.testing.assert_close(frames[1]["res/a"], X @ weight.T)
    torch.testing.assert_close(frames[0]["res/b"], X @ weight)


# State


def test_long_delays_are_kept_without_copying() -> None:
    net = built({"a": linear(**{"from": "x@-3"})})
    program = Program(net)
    inputs = [{"x": torch.randn(2, 3)} for _ in range(4)]

    _, state = program.unroll(inputs[:3])
    outputs, following = program(inputs[3], state)

    assert list(state) == ["x@1", "x@2", "x@3"]
    assert [state[f"x@{delay}"] is inputs[3 - delay]["x"] for delay in (1, 2, 3)] == [True] * 3
    assert following["x@3"] is state["x@2"]
    assert torch.equal(outputs["a"], net["a"](inputs[0]["x"]))


def test_a_state_is_never_changed_even_by_blocks_that_work_in_place() -> None:
    net = Net("inplace", inputs={"x": (3,)}, seed=1)
    net.add("a", rn.Linear(out_features=3)).add("now", nn.ReLU(inplace=True), source="a")
    net.add("then", nn.ReLU(inplace=True), source="a@-1")
    program = Program(net, outputs=["now", "then"])
    _, state = program({"x": X})
    before = {key: tensor.clone() for key, tensor in state.items()}

    outputs, _ = program({"x": X}, state)
    again, _ = program({"x": X}, state)

    assert torch.equal(state["a@1"], net["a"](X))
    assert all(torch.equal(state[key], before[key]) for key in before)
    assert torch.equal(outputs["then"], net["a"](X).relu())
    assert torch.equal(outputs["then"], again["then"])


def test_the_state_is_on_the_nets_device_and_of_its_type() -> None:
    net = built({"a": linear(), "b": linear(**{"from": "a@-1"})}).double()

    state = Program(net).initial_state(5)

    assert {key: (tuple(tensor.shape), tensor.dtype) for key, tensor in state.items()} == {
        "a@1": ((5, 3), torch.float64)
    }


def test_streams_may_begin_anew_one_by_one() -> None:
    net = Net("sum", inputs={"x": (1,), "label": rn.Scalar("int64")})
    net.add("total", rn.Sum(), source=["x", "total@-1"]).add("before", nn.Identity(), source="label@-2")
    program = Program(net)
    inputs = {"x": torch.ones(3, 1), "label": torch.tensor([7, 8, 9])}
    _, state = program.unroll([inputs, inputs])

    fresh = program.reset(state, torch.tensor([False, True, False]))
    outputs, _ = program(inputs, fresh)

    assert outputs["total"].flatten().tolist() == [3, 1, 3]
    assert outputs["before"].tolist() == [7, 0, 9]
    assert state["total@1"].flatten().tolist() == [2, 2, 2]
    with pytest.raises(RequestError) as error:
        program.reset(state, torch.tensor([True]))
    assert str(error.value) == "mask: must hold one truth value for each of 3 streams (got [1])"


def test_a_part_of_the_net_keeps_only_the_state_that_it_needs() -> None:
    net = built({"a": linear(**{"from": "x@-1"}), "b": linear(**{"from": "a@-2"}), "c": linear(**{"from": "x@-5"})})

    assert list(Program(net, outputs=["b"]).initial_state(1)) == ["x@1", "a@1", "a@2"]
    assert list(Program(net, outputs=["a"]).initial_state(1)) == ["x@1"]


# Gradients through time


def rnn() -> Net:
    net = Net("rnn", inputs={"x": (3,)}, seed=1)
    net.add("in", rn.Linear(out_features=4), source="x")
    net.add("rec", rn.block("Linear", in_features=4, out_features=4), source="h@-1")
    return net.add("sum", rn.Sum(), source=["in", "rec"]).add("h", rn.Tanh())


def test_a_cycle_of_plain_blocks_is_the_recurrent_net_of_torch() -> None:
    net = rnn()
    torch_rnn = nn.RNN(3, 4, batch_first=True)
    with torch.no_grad():
        torch_rnn.weight_ih_l0.copy_(net["in"].weight)
        torch_rnn.bias_ih_l0.copy_(net["in"].bias)
        torch_rnn.weight_hh_l0.copy_(net["rec"].weight)
        torch_rnn.bias_hh_l0.copy_(net["rec"].bias)
    sequence = torch.randn(2, 6, 3)
    expected, _ = torch_rnn(sequence)

    frames, _ = Program(net, outputs=["h"]).unroll({"x": sequence[:, frame]} for frame in range(6))

    torch.testing.assert_close(torch.stack([outputs["h"] for outputs in frames], dim=1), expected)
    frames[-1]["h"].square().sum().backward()
    expected[:, -1].square().sum().backward()
    torch.testing.assert_close(net["rec"].weight.grad, torch_rnn.weight_hh_l0.grad)
    torch.testing.assert_close(net["in"].weight.grad, torch_rnn.weight_ih_l0.grad)


def test_detaching_the_state_ends_back_propagation() -> None:
    net = rnn()
    program = Program(net, outputs=["h"])
    first = torch.randn(2, 3, requires_grad=True)
    second = torch.randn(2, 3, requires_grad=True)

    _, state = program({"x": first})
    outputs, _ = program({"x": second}, detach_state(state))
    outputs["h"].sum().backward()

    assert first.grad is None
    assert second.grad is not None
    assert state["h@1"].requires_grad


# What is computed


def test_what_is_excluded_from_a_phase_is_left_out(classifier: Net) -> None:
    inputs = {"x": X, "label": torch.tensor([0, 2])}
    program = Program(classifier)

    assert "accuracy" not in program(inputs)[0]
    classifier.set_phase("val")
    assert "accuracy" in program(inputs)[0]
    assert "accuracy" not in Program(classifier, phase="train")(inputs)[0]


def test_the_past_of_what_is_left_out_stands_still() -> None:
    net = built({"a": linear(exclude="val"), "b": linear(exclude="val", **{"from": "a@-2"})})
    program = Program(net)
    _, state = program.unroll([{"x": X}, {"x": 2 * X}])
    net.set_phase("val")

    outputs, held = program({"x": X}, state)

    assert list(outputs) == ["x"]
    assert held == state


def test_blocks_that_lack_an_input_are_left_out_and_merges_read_what_is_there(classifier: Net) -> None:
    assert list(Program(classifier, Rollout.streaming(classifier))({"x": X})[0]) == ["x", "hidden", "act", "logits"]

    net = Net("merge", inputs={"x": (3,), "y": (3,)})
    net.add("sum", rn.Sum(), source=["x", "y@-1"]).add("both", rn.Bilinear(out_features=1), source=["x", "y@-1"])
    outputs, _ = Program(net)({"x": X})
    assert list(outputs) == ["x", "sum"]
    assert torch.equal(outputs["sum"], X)


def test_a_nested_net_needs_all_it_reads() -> None:
    merge = {
        "type": "Net",
        "from": ["x", "y"],
        "inputs": ["a", "b"],
        "blocks": {"s": {"type": "Sum", "from": ["a", "b"]}},
    }
    net = built({"nested": merge, "sum": {"type": "Sum", "from": ["x", "y"]}}, x=[3], y=[3])

    assert list(Program(net)({"x": X})[0]) == list(net(x=X)) == ["x", "sum"]


def test_a_block_may_be_given_instead_of_computed() -> None:
    net = built({"a": linear(), "b": linear(**{"from": "a@-1"}), "c": linear(**{"from": "a"})})
    program = Program(net)

    outputs, state = program({"x": X, "a": 2 * X})

    assert torch.equal(outputs["a"], 2 * X)
    assert torch.equal(outputs["c"], net["c"](2 * X))
    assert torch.equal(state["a@1"], 2 * X)
    assert list(Program(net, outputs=["c"])({"a": X})[0]) == ["c"]


class Noting(nn.Module):
    """Notes that it was called, and which of the tensors it has sent are still alive then."""

    stochastic = False

    def __init__(self, notes: list[tuple[str, int]], alive: list[weakref.ref[Tensor]], name: str) -> None:
        super().__init__()
        self.notes, self.alive, self.name = notes, alive, name

    def forward(self, x: Tensor) -> Tensor:
        self.notes.append((self.name, sum(tensor() is not None for tensor in self.alive)))
        sent = x + 1
        self.alive.append(weakref.ref(sent))
        return sent


def test_only_what_is_needed_is_computed_and_the_rest_is_freed_at_once() -> None:
    notes: list[tuple[str, int]] = []
    alive: list[weakref.ref[Tensor]] = []
    net = Net("notes", inputs={"x": (1,)})
    for name, source in {"a": "x", "b": "a", "c": "b", "d": "c", "aside": "a"}.items():
        net.add(name, Noting([], [], name), source=source)
    for name in net.blocks:
        setattr(net, name, Noting(notes, alive, name))

    Program(net, outputs=["d"])({"x": torch.zeros(1, 1)})
    assert notes == [("a", 0), ("b", 1), ("c", 1), ("d", 1)]
    notes.clear()
    alive.clear()
    Program(net)({"x": torch.zeros(1, 1)})
    assert notes == [("a", 0), ("b", 1), ("c", 2), ("d", 3), ("aside", 4)]


def test_replaced_modules_run_from_the_next_frame_on() -> None:
    inner = {"type": "Net", "inputs": ["in"], "blocks": {"a": linear()}}
    net = built({"res": inner, "b": linear()})
    program = Program(net, outputs=["b"])
    program({"x": X})

    net["res"].a = nn.Identity()
    net.b = nn.Tanh()
    assert torch.equal(program({"x": X})[0]["b"], X.tanh())
    net.res = built({"res": inner}).res
    assert torch.equal(program({"x": X})[0]["b"], net["res/a"](X).tanh())


def test_running_statistics_stay_in_their_blocks() -> None:
    net = built({"norm": "BatchNorm1d"})
    program = Program(net)

    program({"x": X})
    assert int(net["norm"].num_batches_tracked) == 1
    net.set_phase("test")
    program({"x": X})
    assert int(net["norm"].num_batches_tracked) == 1


# Draws


def noisy(*before: str) -> Net:
    net = Net("noisy", inputs={"x": (100,)}, seed=1)
    for name in before:
        net.add(name, nn.Dropout(0.5), source="x")
    return net.add("drop", nn.Dropout(0.5), source="x")


def seeds(frame: int) -> Any:
    return lambda path: derive(1, path, frame)


def test_what_a_block_draws_depends_on_its_address_and_the_frame_alone() -> None:
    x = {"x": torch.ones(2, 100)}
    alone, among = Program(noisy()), Program(noisy("other", "another"))

    first = alone(x, frame_seed=seeds(0))[0]["drop"]

    assert torch.equal(alone(x, frame_seed=seeds(0))[0]["drop"], first)
    outputs = among(x, frame_seed=seeds(0))[0]
    assert torch.equal(outputs["drop"], first)
    assert not torch.equal(outputs["other"], first)
    assert not torch.equal(alone(x, frame_seed=seeds(1))[0]["drop"], first)


class Sampling(nn.Module):
    def __init__(self, stochastic: bool | None) -> None:
        super().__init__()
        if stochastic is not None:
            self.stochastic = stochastic

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.rand(x.shape)


@pytest.mark.parametrize(
    ("block", "training", "is_seeded"),
    [
        (nn.Dropout(0.5), True, True),
        (nn.Dropout(0.5), False, False),
        (nn.RReLU(), True, True),
        (nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5)), True, True),
        (nn.LSTM(3, 3, 2, dropout=0.5, batch_first=True), True, True),
        (nn.LSTM(3, 3, 2, batch_first=True), True, False),
        (nn.Linear(3, 3), True, False),
        (Sampling(True), False, True),
        (Sampling(None), False, True),
        (Sampling(False), True, False),
    ],
)
def test_blocks_that_draw_are_seeded(block: nn.Module, training: bool, is_seeded: bool) -> None:
    net = Net("one", inputs={"x": (4, 3)}).add("block", block)
    net.train(training)
    asked: list[str] = []

    Program(net)({"x": torch.ones(2, 4, 3)}, frame_seed=lambda path: len(asked) or asked.append(path) or 1)

    assert asked == ["block"] * is_seeded


# What goes wrong


def test_wrong_requests_are_told(classifier: Net) -> None:
    cases: list[tuple[Any, type[RequestError], str]] = [
        (
            lambda: Program(classifier, outputs=["logit"]),
            AddressError,
            "net/logit: unknown block; did you mean 'logits'?",
        ),
        (lambda: Program(classifier, compile="maybe"), RequestError, "compile: must be off or on (got 'maybe')"),
        (lambda: Program(classifier, phase="dev"), RequestError, "phase: must be train, val or test (got 'dev')"),
        (
            lambda: Program(classifier)({"x": X, "labels": X}),
            AddressError,
            "net/labels: unknown input; did you mean 'label'?",
        ),
    ]
    for request, kind, message in cases:
        with pytest.raises(kind) as error:
            request()
        assert str(error.value) == message


def test_an_invalid_rollout_is_refused() -> None:
    net = rnn()

    with pytest.raises(RequestError, match=r"^rollout.delays: the cycle .* has no delay; give one of its edges"):
        Program(net, Rollout(net, {"h->rec": 0}))


def test_a_state_that_does_not_fit_is_told() -> None:
    program = Program(rnn())

    with pytest.raises(RequestError) as error:
        program({"x": X}, {})
    assert str(error.value) == (
        "state: is not one of this program: 'h@1' is missing; take it from initial_state, or from the frame before"
    )
    with pytest.raises(RequestError) as error:
        program({"x": X}, program.initial_state(7))
    assert (
        str(error.value) == "state: has 7 streams, the inputs have 2; a batch of another size needs a state of its own"
    )


def test_an_input_of_the_wrong_shape_is_named(classifier: Net) -> None:
    with pytest.raises(ShapeError) as error:
        Program(classifier)({"x": torch.zeros(2, 5), "label": torch.tensor([0, 1])})

    assert str(error.value) == "net/x: takes [3] for each example (got [2, 5])"


class Failing(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        if not x.is_meta and x.shape[0] == 2:
            raise LookupError("no such word")
        return x


def test_an_error_of_a_block_goes_on_as_it_is_with_the_blocks_address() -> None:
    net = Net("failing", inputs={"x": (3,)}).add("a", nn.Identity()).add("b", Failing())

    with pytest.raises(LookupError, match="no such word") as error:
        Program(net)({"x": X})

    assert error.value.__notes__ == ["in net/b, which read [2, 3]"]
