"""Windows computed at once give what frames in a row give: outputs, state and gradients, for any net and any delays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import rillnet as rn
from rillnet.random import derive
from rillnet.runtime.hoisting import AT_ONCE, CELL, WITH_LOSS, WindowProgram
from tests.model.random_nets import SIZE, documents, valid_delays

STREAMS, FRAMES = 3, 5

Frames = list[dict[str, Tensor]]
Begins = Sequence[Tensor | None]


def by_frame(
    program: rn.Program, frames: Frames, state: Mapping[str, Tensor], begins: Begins, seeds: Any = None
) -> tuple[list[Any], dict[str, Tensor]]:
    """The frames in a row."""
    sent = []
    for number, (frame, mask) in enumerate(zip(frames, begins, strict=True)):
        if mask is not None:
            state = program.reset(state, mask.expand(STREAMS))
        outputs, state = program(frame, state, frame_seed=None if seeds is None else seeds[number])
        sent.append(outputs)
    return sent, dict(state)


def learned(net: rn.Net, sent: Sequence[Mapping[str, Any]]) -> list[Tensor | None]:
    """The gradients of a sum of all that was sent."""
    total = torch.zeros(())
    for number, outputs in enumerate(sent):
        for name, value in outputs.items():
            for tensor in tensors_of(value):
                if tensor.requires_grad and name not in net.inputs:
                    total = total + (number + 1) * tensor.sin().sum()
    parameters = list(net.parameters())
    if not total.requires_grad or not parameters:
        return []
    return list(torch.autograd.grad(total, parameters, allow_unused=True))


def tensors_of(value: Any) -> list[Tensor]:
    return [value] if isinstance(value, Tensor) else [tensor for item in value for tensor in tensors_of(item)]


def assert_same(program: rn.Program, frames: Frames, begins: Begins | None = None, seeds: Any = None) -> WindowProgram:
    """Compares both ways of computing the frames, from a state that is not zero."""
    begins = [None] * len(frames) if begins is None else begins
    zero = program.initial_state(STREAMS)
    state = {key: torch.randn(tensor.shape, generator=torch.Generator().manual_seed(7)) for key, tensor in zero.items()}
    window = WindowProgram(program)
    expected, state_expected = by_frame(program, frames, state, begins, seeds)
    found, state_found = window(frames, state, seeds, begins)
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        assert list(ours) == list(theirs)
        for name in theirs:
            for a, b in zip(tensors_of(ours[name]), tensors_of(theirs[name]), strict=True):
                torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5, equal_nan=True)
    assert state_found.keys() == state_expected.keys()
    for key, tensor in state_expected.items():
        torch.testing.assert_close(state_found[key], tensor, rtol=1e-5, atol=1e-5)
    for a, b in zip(learned(program.net, found), learned(program.net, expected), strict=True):
        assert (a is None) == (b is None) or float((a if b is None else b).abs().max()) == 0
        if a is not None and b is not None:
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)
    return window


def frames_for(net: rn.Net, count: int = FRAMES) -> Frames:
    random = torch.Generator().manual_seed(1)
    return [{name: torch.randn(STREAMS, SIZE, generator=random) for name in net.inputs} for _ in range(count)]


masks = st.lists(st.sampled_from([None, [True, False, False], [False, True, True], True]), min_size=5, max_size=5)


@settings(max_examples=80)
@given(documents(nested=1), st.data(), masks, st.integers(1, FRAMES))
def test_any_net_with_any_valid_delays(document: Any, data: st.DataObject, drawn: list[Any], count: int) -> None:
    net = rn.Net.from_spec(document, seed=1)
    program = rn.Program(net, rn.Rollout(net, data.draw(valid_delays(net))))
    begins = [None if mask is None else torch.tensor(mask) for mask in drawn[:count]]

    assert_same(program, frames_for(net, count), begins)


CORES = ["SimpleRNN", "RNNCell", "GRUCell", "LSTMCell", "plain"]


def with_core(kind: str, delay: int = 1, **arguments: Any) -> rn.Net:
    """A recurrent core between layers."""
    net = rn.Net("core", inputs={"x": (SIZE,), "label": rn.Scalar("int64")}, seed=2)
    net.add("below", rn.Linear(out_features=4), source="x").add("act", rn.Tanh())
    if kind == "plain":
        net.add("sum", rn.Sum(), source=["act", f"back@-{delay}"])
        net.add("core", rn.Tanh()).add("back", rn.Linear(out_features=4))
    else:
        net.add("core", getattr(rn, kind)(hidden_size=4, **arguments))
    net.add("above", rn.Linear(out_features=5), source="core")
    return net.add("loss", rn.CrossEntropy(), source=["above", "label"])


def labelled(count: int = FRAMES) -> Frames:
    random = torch.Generator().manual_seed(3)
    return [
        {
            "x": torch.randn(STREAMS, SIZE, generator=random),
            "label": torch.randint(5, (STREAMS,), generator=random),
        }
        for _ in range(count)
    ]


@pytest.mark.parametrize("kind", CORES)
@pytest.mark.parametrize("begins", [False, True])
@pytest.mark.parametrize("outputs", [["loss"], ["loss", "above"], None])
def test_a_recurrent_core(kind: str, begins: bool, outputs: list[str] | None) -> None:
    net = with_core(kind)
    masks = [None, torch.tensor([True, False, True]), None, torch.tensor([False, True, True]), None]

    window = assert_same(rn.Program(net, outputs=outputs), labelled(), masks if begins else None)

    report = window.report
    assert report["below"] == report["act"] == report["loss"] == AT_ONCE
    assert report["above"] == (WITH_LOSS if outputs == ["loss"] else AT_ONCE)
    if kind == "plain":
        assert report["sum"] == report["core"] == report["back"] == "eager"
    else:  # of an LSTM's cell state the kernel tells the last only
        loops = (kind in ("GRUCell", "LSTMCell") and begins) or (kind == "LSTMCell" and outputs is None)
        assert report["core"] == ("eager" if loops else CELL)


@pytest.mark.parametrize("kind", CORES)
def test_a_streaming_core(kind: str) -> None:
    net = with_core(kind)

    assert_same(rn.Program(net, rn.Rollout.streaming(net)), labelled(), [None, None, torch.tensor(True), None, None])


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
@pytest.mark.parametrize("bias", [True, False])
def test_simple_cells_of_every_kind(nonlinearity: str, bias: bool) -> None:
    assert_same(rn.Program(with_core("SimpleRNN", nonlinearity=nonlinearity, bias=bias)), labelled())
    assert_same(rn.Program(with_core("RNNCell", nonlinearity=nonlinearity, bias=bias)), labelled())


@pytest.mark.parametrize("core", [nn.LSTM, nn.GRU])
def test_layers_of_torch_that_carry_their_state(core: Any) -> None:
    net = rn.Net("chunks", inputs={"x": (4, SIZE)}, seed=1)
    net.add("core", core(SIZE, 4, num_layers=2, batch_first=True), source=["x", "core[1]@-1"])
    net.add("y", rn.Linear(out_features=2))
    frames = [{"x": torch.randn(STREAMS, 4, SIZE)} for _ in range(FRAMES)]

    assert_same(rn.Program(net), frames, [None, None, torch.tensor([True, False, False]), None, None])


def seeds_of(count: int) -> list[Any]:
    return [lambda path, step=step: derive(1, path, step) for step in range(count)]


def test_what_draws_keeps_its_seeds_and_stays_in_the_loop() -> None:
    net = rn.Net("noisy", inputs={"x": (SIZE,)}, seed=1)
    net.add("a", rn.Linear(out_features=6), source="x").add("drop", rn.Dropout(p=0.5))
    net.add("rnn", rn.SimpleRNN(hidden_size=4)).add("noise", rn.Noise(std=0.3)).add("y", rn.Linear(out_features=2))

    window = assert_same(rn.Program(net), frames_for(net), seeds=seeds_of(FRAMES))

    eager = {name for name, how in window.report.items() if how == "eager"}
    assert eager == {"drop", "noise"}
    net.set_phase("test")
    assert_same(rn.Program(net), frames_for(net), seeds=seeds_of(FRAMES))


def test_statistics_of_a_batch_are_those_of_each_frame() -> None:
    net = rn.Net("norm", inputs={"x": (SIZE,)}, seed=1)
    net.add("a", rn.Linear(out_features=4), source="x").add("norm", rn.BatchNorm1d())
    net.add("y", rn.Linear(out_features=2))
    before = {name: buffer.clone() for name, buffer in net.named_buffers()}
    by_frame(rn.Program(net), frames_for(net), {}, [None] * FRAMES)
    expected = {name: buffer.clone() for name, buffer in net.named_buffers()}
    net.load_state_dict(before, strict=False)

    window = WindowProgram(rn.Program(net))
    window(frames_for(net), {})

    assert window.report == {"a": AT_ONCE, "norm": "eager", "y": AT_ONCE}
    for name, buffer in net.named_buffers():
        torch.testing.assert_close(buffer, expected[name])


class Foreign(nn.Module):
    """Of one's own; it may look across the batch."""

    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean(0)


class Alone(Foreign):
    """Says that it does not."""

    per_example = True

    def forward(self, x: Tensor) -> Tensor:
        return x * 2


def test_blocks_of_ones_own_stay_in_the_loop_unless_they_say_otherwise() -> None:
    net = rn.Net("own", inputs={"x": (SIZE,)}, seed=1).add("a", Foreign()).add("b", Alone())
    for module in (Foreign, Alone):
        module.stochastic = False

    window = assert_same(rn.Program(net), frames_for(net))

    assert window.report == {"a": "eager", "b": AT_ONCE}


def test_a_hook_is_shown_every_frame() -> None:
    net = with_core("SimpleRNN")
    shown = []
    program = rn.Program(net, outputs=["loss"])
    window = assert_same(program, labelled())
    assert window.report["above"] == WITH_LOSS

    net["above"].register_forward_hook(lambda module, read, sent: shown.append(sent.shape))
    window(labelled(), program.initial_state(STREAMS))

    assert shown == [(STREAMS, 5)] * FRAMES


@pytest.mark.parametrize("inplace", ["act", "head"])
def test_blocks_that_work_in_place(inplace: str) -> None:
    net = rn.Net("inplace", inputs={"x": (SIZE,)}, seed=1)
    net.add("a", rn.Linear(out_features=4), source="x").add("act", rn.ReLU(inplace=inplace == "act"))
    net.add("sum", rn.Sum(), source=["act", "back@-1"]).add("head", rn.ReLU(inplace=inplace == "head"))
    net.add("back", rn.Linear(out_features=4), source="head")

    assert_same(rn.Program(net, outputs=["back"]), frames_for(net))


def test_losses_that_ignore_labels_and_read_masks() -> None:
    net = rn.Net("masked", inputs={"x": (SIZE,), "label": rn.Scalar("int64"), "mask": rn.Scalar("bool")}, seed=1)
    net.add("rnn", rn.SimpleRNN(hidden_size=4), source="x").add("y", rn.Linear(out_features=5))
    net.add("plain", rn.CrossEntropy(), source=["y", "label"])
    net.add("masked", rn.CrossEntropy(), source=["y", "label", "mask"])
    net.add("z", rn.Linear(out_features=SIZE), source="rnn")
    net.add("square", rn.MeanSquaredError(), source=["z", "x"])
    net.add("total", rn.Sum(), source=["masked", "square"])
    frames = labelled()
    for number, frame in enumerate(frames):
        frame["mask"] = torch.tensor([number % 2 == 0, number < 3, False])
        frame["label"] = torch.where(torch.tensor([True, number != 1, True]), frame["label"], -100)

    assert_same(rn.Program(net), frames)
    assert_same(rn.Program(net, outputs=["masked"]), frames)
    assert_same(rn.Program(net, outputs=["plain", "total"]), frames)


def test_wrong_labels_are_told_as_frame_by_frame() -> None:
    program = rn.Program(with_core("SimpleRNN"), outputs=["loss"])
    frames = labelled()
    frames[2]["label"] = torch.tensor([1, 5, 0])

    with pytest.raises(rn.RillnetError, match="labels must be class numbers from 0 to 4"):
        WindowProgram(program)(frames, program.initial_state(STREAMS))


@pytest.mark.slow
def test_compiled_windows_are_the_same() -> None:
    net = with_core("plain")

    window = assert_same(rn.Program(net, outputs=["loss"], compile="on", backend="aot_eager"), labelled())

    assert set(window.report.values()) == {"compiled", AT_ONCE, WITH_LOSS}
