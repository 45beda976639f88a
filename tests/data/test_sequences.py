"""Sequences of unequal length as streams: each once per pass, without padding, as if it were alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import rillnet as rn
from rillnet.data.sequences import SequenceFrames

LENGTHS = [5, 1, 7, 3, 2, 4, 6, 1, 3]


def listed(lengths: list[int]) -> dict[str, list[Tensor]]:
    """Sequences whose elements say which they are: 100 times the sequence, plus the position."""
    return {
        "x": [100 * n + torch.arange(float(length)) for n, length in enumerate(lengths)],
        "label": [torch.tensor(n) for n in range(len(lengths))],
    }


def shown(frames: SequenceFrames, streams: int, epoch: int = 0, seed: int = 0) -> list[list[tuple[int, list[float]]]]:
    """What each stream shows in a pass: labels with their elements, put together by begins, ends and mask."""
    found: list[list[tuple[int, list[float]]]] = [[] for _ in range(streams)]
    is_open = [False] * streams
    length = frames.frames_of_pass(streams)
    for number in range(epoch * length, (epoch + 1) * length):
        sent = frames.frame(number, streams, seed)
        for n in range(streams):
            assert bool(sent["mask"][n]) or not (bool(sent["begins"][n]) or bool(sent["ends"][n]))
            if not bool(sent["mask"][n]):
                assert not is_open[n]
                assert float(sent["x"][n]) == 0
                continue
            assert bool(sent["begins"][n]) != is_open[n]
            if bool(sent["begins"][n]):
                found[n].append((int(sent["label"][n]), []))
            found[n][-1][1].append(float(sent["x"][n]))
            assert found[n][-1][0] == int(sent["label"][n])
            is_open[n] = not bool(sent["ends"][n])
    assert not any(is_open)
    return found


@settings(max_examples=40)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=12), st.integers(1, 5), st.sampled_from(["train", "test"]))
def test_a_pass_shows_every_sequence_once_and_whole(lengths: list[int], streams: int, phase: Any) -> None:
    frames = SequenceFrames.of_lists(listed(lengths), phase)

    for epoch in range(2):
        pieces = [piece for stream in shown(frames, streams, epoch) for piece in stream]
        assert sorted(label for label, _ in pieces) == list(range(len(lengths)))
        for label, elements in pieces:
            assert elements == [100 * label + position for position in range(lengths[label])]


@settings(max_examples=40)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=40), st.integers(1, 8))
def test_little_is_left_over(lengths: list[int], streams: int) -> None:
    frames = SequenceFrames.of_lists(listed(lengths))
    least = max(-(-sum(lengths) // streams), max(lengths))

    assert frames.frames_of_pass(streams) <= least * 4 / 3  # what is proven of dealing out the longest first


def test_training_draws_an_order_for_every_pass() -> None:
    frames = SequenceFrames.of_lists(listed([3] * 20))
    passes = [shown(frames, 4, epoch, seed) for epoch, seed in ((0, 0), (1, 0), (0, 1), (0, 0))]

    assert passes[0] == passes[3]
    assert passes[0] != passes[1]
    assert passes[0] != passes[2]
    streams = [frozenset(label for label, _ in stream) for stream in passes[0]]
    assert streams != [frozenset(label for label, _ in stream) for stream in passes[1]]


def test_other_phases_keep_their_order() -> None:
    frames = SequenceFrames.of_lists(listed(LENGTHS), "test")

    assert shown(frames, 1, 0, 0) == shown(frames, 1, 1, 5)
    assert [label for label, _ in shown(frames, 1)[0]] == list(range(len(LENGTHS)))


def test_streams_without_a_sequence_show_nothing() -> None:
    frames = SequenceFrames.of_lists(listed([2]), "test")

    assert frames.frame(0, 3, 0)["mask"].tolist() == [True, False, False]


def test_fields_are_told() -> None:
    frames = SequenceFrames.of_lists({"x": [torch.zeros(2, 3), torch.zeros(4, 3)], "label": [1, 2]})

    assert frames.fields() == {
        "x": ((3,), torch.float32),
        "label": ((), torch.int64),
        **dict.fromkeys(("begins", "ends", "mask"), ((), torch.bool)),
    }
    sent = frames.frame(0, 2, 0)
    assert {name: (tuple(value.shape[1:]), value.dtype) for name, value in sent.items()} == frames.fields()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "data: has no sequences"),
        ({"x": []}, "data: has no sequences"),
        (
            {"x": [[1.0, 2.0], [3.0]], "y": [[1.0]]},
            "data: all fields must have as many sequences (got {'x': 2, 'y': 1})",
        ),
        (
            {"x": [[1.0, 2.0], [3.0]], "y": [[1.0, 2.0], [3.0, 4.0, 5.0]]},
            "data.y[1]: must have as many frames as x[1], 1 (got 3)",
        ),
        ({"x": [[1.0], []]}, "data: sequence 1 must have at least one frame"),
        (
            {"x": [[[1.0]], [[1.0, 2.0]]]},
            "data.x[1]: must have frames like data.x[0]: [1] of torch.float32 (got [2] of torch.float32)",
        ),
        ({"label": [1, 2]}, "data: has no field whose arrays have frames as their first dimension"),
        ({"mask": [[1.0], [1.0, 2.0]]}, "data.mask: must have another name, as this field is added to every frame"),
        ({"x": [[1.0, float("nan")]]}, "data.x: must be finite, but example 1 holds NaN"),
    ],
)
def test_what_does_not_fit_is_told(fields: Any, message: str) -> None:
    with pytest.raises(rn.RillnetError) as error:
        SequenceFrames.of_lists(fields)
    assert str(error.value) == message


# --- as if alone ---------------------------------------------------------------------------------

STREAMS, SIZE = 3, 2


def net_of(core: str) -> rn.Net:
    """A recurrent core with a loss over what the mask marks."""
    inputs = {"x": (SIZE,), "label": rn.Scalar("int64"), "mask": rn.Scalar("bool")}
    net = rn.Net(core, inputs=inputs, seed=4).add("below", rn.Linear(out_features=4), source="x")
    if core == "cycle":
        net.add("sum", rn.Sum(), source=["below", "back@-1"]).add("core", rn.Tanh())
        net.add("back", rn.Linear(out_features=4))
    elif core == "LSTM":
        net.add("row", rn.Unflatten(dim=1, unflattened_size=(1, 4)))
        net.add("lstm", rn.LSTM(hidden_size=4, num_layers=2), source=["row", "lstm[1]@-1"])
        net.add("core", rn.Flatten(), source="lstm")
    else:
        net.add("core", getattr(rn, core)(hidden_size=4))
    net.add("scores", rn.Linear(out_features=3), source="core")
    return net.add("loss", rn.CrossEntropy(), source=["scores", "label", "mask"])


def drawn_sequences(lengths: list[int]) -> dict[str, list[Tensor]]:
    random = torch.Generator().manual_seed(5)
    return {
        "x": [torch.randn(length, SIZE, generator=random) for length in lengths],
        "label": [torch.randint(3, (length,), generator=random) for length in lengths],
    }


def one_by_one(net: rn.Net, sequences: dict[str, list[Tensor]]) -> Tensor:
    """The mean loss over all elements, each sequence run by itself."""
    program, losses = rn.Program(net, outputs=["loss"]), []
    for x, label in zip(sequences["x"], sequences["label"], strict=True):
        there = torch.ones(1, dtype=torch.bool)
        frames = [{"x": a[None], "label": b[None], "mask": there} for a, b in zip(x, label, strict=True)]
        losses += [outputs["loss"] for outputs in program.unroll(frames)[0]]
    return torch.stack(losses).mean()


@pytest.mark.parametrize("core", ["SimpleRNN", "GRUCell", "LSTMCell", "LSTM", "cycle"])
@pytest.mark.parametrize("memory", ["high", "low"])
def test_learning_from_a_pass_is_learning_from_each_sequence_alone(core: str, memory: str) -> None:
    """Also with streams that run out before others: every element counts alike, wherever it stands."""
    sequences = drawn_sequences(LENGTHS)
    net, alone = net_of(core), net_of(core)
    window = SequenceFrames.of_lists(sequences).frames_of_pass(STREAMS)
    learning = {"type": "Backprop", "optimizer": {"type": "SGD", "lr": 1.0}, "window": window, "memory": memory}
    run = {"frames": window, "reset": "begins", "execution": "eager", "evaluate": {"every": "never"}}
    data = {"source": rn.Sequences(sequences), "batch_size": STREAMS}

    with rn.Session(rn.Experiment(net=net, data=data, learning=learning, run=run), record=False) as session:
        session.run()
    expected = one_by_one(alone, sequences)
    expected.backward()

    torch.testing.assert_close(session.scalars["loss"], expected.detach(), rtol=1e-5, atol=1e-6)
    for (name, ours), theirs in zip(net.named_parameters(), alone.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs - theirs.grad, rtol=1e-5, atol=1e-5, msg=name)


@settings(max_examples=25)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=8), st.integers(1, 4))
def test_evaluation_counts_every_element_once(lengths: list[int], streams: int) -> None:
    sequences = drawn_sequences(lengths)
    net = net_of("SimpleRNN")
    data = {"source": rn.Sequences(test=sequences), "batch_size": streams}
    run = {"reset": "begins", "execution": "eager"}
    with rn.Session(rn.Experiment(net=net, data=data, run=run), record=False) as session:
        found = session.evaluate("test")["loss"]

    assert found == pytest.approx(one_by_one(net, sequences).item(), abs=1e-5)


def test_a_net_without_a_mask_is_told() -> None:
    net = rn.Net("n", inputs={"x": (SIZE,), "label": rn.Scalar("int64")})
    net.add("core", rn.SimpleRNN(hidden_size=3), source="x").add("loss", rn.CrossEntropy(), source=["core", "label"])
    data = {"source": rn.Sequences(drawn_sequences(LENGTHS)), "batch_size": STREAMS}
    session = rn.Session(rn.Experiment(net=net, data=data, learning={"type": "Backprop", "window": 4}), record=False)

    with pytest.raises(rn.RillnetError) as error:
        session.run(frames=4)

    assert str(error.value) == (
        "net.inputs: the data are sequences of unequal length, and nothing tells a loss where a stream has none left; "
        "add the input `mask: {dtype: bool}`, and read it third: `from: [scores, label, mask]`\n"
        "run.reset: must be begins, as sequences begin from a state of zeros; FrameArrays gives streams that go on"
    )
