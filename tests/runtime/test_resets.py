"""Streams that begin anew while others go on: learning and looking equal those of each sequence by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import rillnet as rn
from rillnet.errors import RequestError
from rillnet.runtime.executor import Context, Executor
from rillnet.spec import ExecutionSpec
from rillnet.training.learning_rules import Backprop

PLAIN = ExecutionSpec(compile=False, memory_format="contiguous", optimizer="single")
RATE = 0.1


def recurrent_net(seed: int = 1) -> rn.Net:
    net = rn.Net("rnn", {"x": (3,), "y": (2,)}, seed=seed)
    net.add("x2h", rn.Linear(out_features=4), source="x")
    net.add("sum", rn.Sum(), source=["x2h", "h2h@-1"])
    net.add("h", rn.Tanh()).add("h2h", rn.Linear(out_features=4, bias=False))
    net.add("out", rn.Linear(out_features=2), source="h")
    return net.add("loss", rn.MeanSquaredError(), source=["out", "y"])


def executor(net: rn.Net, window: int, reset: str | None = "begins", **arguments: Any) -> Executor:
    rule = Backprop(net, optimizer={"type": "SGD", "lr": RATE}, window=window, **arguments)
    return Executor(net, rn.Rollout.sequential(net), {"main": rule}, execution=PLAIN, reset=reset)


def frames(lengths: list[list[int]]) -> list[dict[str, Tensor]]:
    """Streams whose sequences have these lengths, one list for each stream; all add up to the same."""
    total = sum(lengths[0])
    random = torch.Generator().manual_seed(total)
    x_TNI = torch.randn(total, len(lengths), 3, generator=random)
    y_TNO = torch.randn(total, len(lengths), 2, generator=random)
    begins_TN = torch.zeros(total, len(lengths), dtype=torch.bool)
    onset_TN = torch.zeros(total, len(lengths), dtype=torch.int64)
    for stream, own in enumerate(lengths):
        at = 0
        for length in own:
            begins_TN[at, stream] = True
            onset_TN[at : at + length, stream] = torch.arange(length)
            at += length
    return [
        {"x": x, "y": y, "begins": begins, "onset": onset}
        for x, y, begins, onset in zip(x_TNI, y_TNO, begins_TN, onset_TN, strict=True)
    ]


def change_by_sequence(lengths: list[list[int]], fields: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """What one step changes, if the gradients of all sequences, each computed by itself, are added up."""
    net = recurrent_net()
    program = rn.Program(net, outputs=["out"])
    total = torch.zeros(())
    for stream, own in enumerate(lengths):
        at = 0
        for length in own:
            state = program.initial_state(1)
            for frame in fields[at : at + length]:
                outputs, state = program({"x": frame["x"][stream : stream + 1]}, state)
                total = total + (outputs["out"] - frame["y"][stream : stream + 1]).square().mean()
            at += length
    (total / (len(lengths) * len(fields))).backward()
    gradients = {name: torch.zeros_like(p) if p.grad is None else p.grad for name, p in net.named_parameters()}
    return {name: -RATE * gradient for name, gradient in gradients.items()}


def changed(net: rn.Net) -> dict[str, Tensor]:
    before = dict(recurrent_net().named_parameters())
    return {name: (p - before[name]).detach() for name, p in net.named_parameters()}


@st.composite
def lengths_of_streams(draw: st.DrawFn) -> list[list[int]]:
    total = draw(st.integers(2, 9))
    found = []
    for _ in range(draw(st.integers(1, 3))):
        cuts = sorted(draw(st.sets(st.integers(1, total - 1), max_size=3)))
        found.append([end - begin for begin, end in zip([0, *cuts], [*cuts, total], strict=True)])
    return found


@settings(max_examples=25)
@given(lengths_of_streams(), st.sampled_from(["begins", "onset"]), st.sampled_from(["high", "low"]))
def test_learning_with_resets_is_learning_from_each_sequence(lengths: list[list[int]], field: str, memory: str) -> None:
    fields = frames(lengths)
    net = recurrent_net()
    ours = executor(net, len(fields), field, memory=memory)

    for step, frame in enumerate(fields):
        ours.learn(frame, Context(step))

    expected = change_by_sequence(lengths, fields)
    for name, change in changed(net).items():
        torch.testing.assert_close(change, expected[name], rtol=1e-4, atol=1e-6)


def test_resets_hold_in_windows_that_overlap_and_after_a_stop() -> None:
    """Frames that are gone through again are reset again, also by one that goes on from what was saved."""
    fields = frames([[4, 5, 3], [7, 5]])
    whole = executor(recurrent_net(), 5, every=1)
    for step, frame in enumerate(fields):
        whole.learn(frame, Context(step))

    first = executor(recurrent_net(), 5, every=1)
    for step, frame in enumerate(fields[:6]):
        first.learn(frame, Context(step))
    second = executor(first.net, 5, every=1)
    second.load_state({name: tensor.clone() for name, tensor in first.state_tensors().items()})
    for step, frame in enumerate(fields[6:], start=6):
        second.learn(frame, Context(step))

    for one, other in zip(whole.net.parameters(), second.net.parameters(), strict=True):
        assert torch.equal(one, other)


def test_frames_one_by_one_are_reset_as_well() -> None:
    net = rn.Net("sum", inputs={"x": (1,)}).add("total", rn.Sum(), source=["x", "total@-1"])
    ours = Executor(net, rn.Rollout.sequential(net), {}, execution=PLAIN, reset="begins")
    begins = [[True, True], [False, False], [False, True], [False, False], [True, True]]
    state, totals = None, []
    for index, mask in enumerate(begins):
        fields = {"x": torch.ones(2, 1), "begins": torch.tensor(mask)}
        outputs, state = ours.look(fields, ["total"], "test", index, state)
        totals.append(outputs["total"].flatten().tolist())
    assert totals == [[1, 1], [2, 2], [3, 1], [4, 2], [1, 1]]


def test_without_the_field_nothing_is_reset() -> None:
    net = rn.Net("sum", inputs={"x": (1,)}).add("total", rn.Sum(), source=["x", "total@-1"])
    ours = Executor(net, rn.Rollout.sequential(net), {}, execution=PLAIN, reset="begins")
    _, state = ours.look({"x": torch.ones(2, 1)}, ["total"], "test", 0, None)
    outputs, _ = ours.look({"x": torch.ones(2, 1)}, ["total"], "test", 1, state)
    assert outputs["total"].flatten().tolist() == [2, 2]


class Sequences:
    """Frames of two streams whose sequences have fixed lengths."""

    frames_per_epoch = 12

    def __init__(self, fields: tuple[str, ...]) -> None:
        self.names = fields

    def fields(self) -> dict[str, Any]:
        kinds = {"begins": ((), torch.bool), "onset": ((), torch.int64), "share": ((), torch.float32)}
        own = {"x": ((3,), torch.float32), "y": ((2,), torch.float32)}
        return own | {name: kinds[name] for name in self.names}

    def frame(self, number: int, streams: int, seed: int) -> dict[str, Tensor]:
        return {name: frames([[4, 5, 3], [7, 5]])[number % 12][name] for name in ("x", "y", *self.names)}


class Source:
    """A source of them, to learn from and to evaluate on."""

    def __init__(self, *fields: str) -> None:
        self.names = fields

    def phases(self) -> tuple[str, ...]:
        return ("train", "test")

    def examples(self, phase: str) -> Sequences:
        return Sequences(self.names)


def session(reset: str | None, *fields: str, every: int = 12, **keywords: Any) -> rn.Session:
    run = {"frames": 12, "execution": "eager", "reset": reset}
    learning = {"type": "Backprop", "optimizer": {"type": "SGD", "lr": RATE}, "window": 12, "every": every}
    data = {"source": Source(*fields), "batch_size": 2}
    experiment = rn.Experiment(net=recurrent_net(), data=data, learning=learning, run=run)
    return rn.Session(experiment, **{"record": False, **keywords})


def test_an_experiment_says_which_field() -> None:
    with session("begins", "begins") as running:
        running.run()
    expected = change_by_sequence([[4, 5, 3], [7, 5]], frames([[4, 5, 3], [7, 5]]))
    for name, change in changed(running.net).items():
        torch.testing.assert_close(change, expected[name], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("stop", [1, 6])
def test_a_run_that_was_stopped_goes_on_with_its_resets(tmp_path: Path, stop: int) -> None:
    with session("begins", "begins", every=3) as whole:
        whole.run()
    with session("begins", "begins", every=3, record=True, root=tmp_path) as first:
        first.run(frames=stop)
    with session("begins", "begins", every=3, record=True, root=tmp_path, resume=True) as second:
        second.run()
    for one, other in zip(whole.net.parameters(), second.net.parameters(), strict=True):
        assert torch.equal(one, other)


def test_an_evaluation_resets_as_learning_does() -> None:
    with session("begins", "begins") as running, session(None, "begins") as unbroken:
        assert running.evaluate("test") != unbroken.evaluate("test")
        program = rn.Program(running.net, outputs=["out"])
        losses, state = [], None
        for frame in frames([[4, 5, 3], [7, 5]]):
            state = program.reset(program.initial_state(2) if state is None else state, frame["begins"])
            outputs, state = program({"x": frame["x"]}, state)
            losses.append(float((outputs["out"] - frame["y"]).square().mean().detach()))
        assert running.evaluate("test")["loss"] == pytest.approx(sum(losses) / len(losses), rel=1e-5)


def test_a_metric_of_earlier_frames_is_exact_and_reset_as_well() -> None:
    net = rn.Net("late", {"x": (3,), "y": (2,)}, seed=1).add("out", rn.Linear(out_features=2), source="x")
    net.add("loss", rn.MeanSquaredError(), source=["out", "y@-2"])
    run = {"frames": 12, "execution": "eager", "reset": "begins"}
    data = {"source": Source("begins"), "batch_size": 2}
    with rn.Session(rn.Experiment(net=net, data=data, run=run), record=False) as running:
        told = running.evaluate("test")["loss"]

    program, state, losses = rn.Program(net, outputs=["loss"]), None, []
    for frame in frames([[4, 5, 3], [7, 5]]):
        state = program.reset(program.initial_state(2) if state is None else state, frame["begins"])
        outputs, state = program({"x": frame["x"], "y": frame["y"]}, state)
        losses.append(float(outputs["loss"].detach()))
    assert told == pytest.approx(sum(losses) / len(losses), rel=1e-5)


@pytest.mark.parametrize(
    ("reset", "fields", "message"),
    [
        (
            "begin",
            ("begins",),
            "run.reset: the data sends no such field in the test phase (got 'begin'); did you mean 'begins'?",
        ),
        (
            "share",
            ("share",),
            "run.reset: must hold one truth value for each stream, or count its frames from 0 "
            "(got 'share: [], float32')",
        ),
    ],
)
def test_a_field_that_cannot_say_it_is_told(reset: str, fields: tuple[str, ...], message: str) -> None:
    with session(reset, *fields) as running, pytest.raises(RequestError) as error:
        running.run()
    assert str(error.value) == message


def test_masked_losses_are_added_up_over_what_is_marked_and_averaged_over_streams() -> None:
    """The sum over the first two frames of every sequence, for windows that hold whole sequences."""
    lengths = [[4, 4], [4, 4], [4, 4]]
    fields = frames(lengths)

    def net_with_a_mask() -> rn.Net:
        net = rn.Net("rnn", {"x": (3,), "y": (2,), "onset": rn.Scalar("int64")}, seed=1)
        net.add("x2h", rn.Linear(out_features=4), source="x").add("sum", rn.Sum(), source=["x2h", "h2h@-1"])
        net.add("h", rn.Tanh()).add("h2h", rn.Linear(out_features=4, bias=False))
        net.add("out", rn.Linear(out_features=2), source="h").add("new", rn.FirstResponses(count=2), source="onset")
        return net.add("loss", rn.MeanSquaredError(), source=["out", "y", "new"])

    net = net_with_a_mask()
    ours = executor(net, 8, over_frames="sum")
    for step, frame in enumerate(fields):
        ours.learn(frame, Context(step))

    by_hand = net_with_a_mask()
    program, total = rn.Program(by_hand, outputs=["out"]), torch.zeros(())
    for begin in (0, 4):
        state = program.initial_state(3)
        for frame in fields[begin : begin + 2]:
            outputs, state = program({"x": frame["x"]}, state)
            total = total + (outputs["out"] - frame["y"]).square().mean()
    total.backward()
    before = dict(net_with_a_mask().named_parameters())
    for name, parameter in by_hand.named_parameters():
        change = net.get_parameter(name) - before[name]
        torch.testing.assert_close(change, -RATE * parameter.grad, rtol=1e-4, atol=1e-6)  # type: ignore[operator]
