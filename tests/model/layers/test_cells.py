"""Recurrent cells against torch.nn's recurrent layers, frame by frame and over windows."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rillnet.model.layers.cells import ConvLSTMCell, LSTMCell, SimpleRNN
from rillnet.model.net import Net
from rillnet.model.rollout import Rollout
from rillnet.runtime.hoisting import WindowProgram
from rillnet.runtime.program import Program
from rillnet.runtime.session import Session
from rillnet.runtime.state import detach_state
from rillnet.training.experiment import Experiment

FRAMES, STREAMS, SIZE, HIDDEN, WINDOW = 12, 4, 5, 6, 4


def net_of(kind: str, **arguments: Any) -> Net:
    """A cell with a read-out, as a document says it."""
    blocks = {"rnn": {"type": kind, "hidden_size": HIDDEN, **arguments}, "y": {"type": "Linear", "out_features": 1}}
    return Net.from_spec({"inputs": {"x": [SIZE]}, "blocks": blocks}, seed=1)


def whole_of(cell: nn.Module) -> nn.RNNBase:
    """torch's layer for whole sequences with the parameters of a cell."""
    if isinstance(cell, SimpleRNN):
        layer: nn.RNNBase = nn.RNN(SIZE, HIDDEN)
        bias = torch.zeros(HIDDEN) if cell.bias is None else cell.bias.detach()
        weights = [cell.weight, cell.recurrent_weight, bias, torch.zeros(HIDDEN)]
    else:
        layer = {nn.RNNCell: nn.RNN, nn.GRUCell: nn.GRU, LSTMCell: nn.LSTM}[type(cell)](SIZE, HIDDEN)
        weights = [cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh]
    with torch.no_grad():
        for own, given in zip(layer.parameters(), weights, strict=True):
            own.copy_(given)
    return layer


@pytest.mark.parametrize("kind", ["SimpleRNN", "RNNCell", "GRUCell", "LSTMCell"])
def test_stepwise_equals_the_whole_sequence(kind: str) -> None:
    net = net_of(kind)
    x_TND = torch.randn(FRAMES, STREAMS, SIZE)

    frames, _ = Program(net, outputs=["rnn"]).unroll({"x": x} for x in x_TND)
    expected, _ = whole_of(net["rnn"])(x_TND)

    found = torch.stack([frame["rnn"][0] if isinstance(frame["rnn"], tuple) else frame["rnn"] for frame in frames])
    assert torch.allclose(found, expected, atol=1e-6)


SETTINGS: dict[str, dict[str, Any]] = {
    **{kind: {"hidden_size": HIDDEN} for kind in ("SimpleRNN", "RNNCell", "GRUCell", "LSTMCell")},
    "ConvLSTMCell": {"hidden_channels": 2},
    "LSTM": {"hidden_size": HIDDEN, "num_layers": 2, "from": ["x", "core[1]@-1"]},
    "GRU": {"hidden_size": HIDDEN, "from": ["x", "core[1]@-1"]},
}


@pytest.mark.parametrize("kind", list(SETTINGS))
@pytest.mark.parametrize("nested", [False, True])
def test_a_session_step_by_step_equals_the_whole_sequence(kind: str, nested: bool) -> None:
    shape = {"ConvLSTMCell": [1, 4, 4], "LSTM": [3, SIZE], "GRU": [3, SIZE]}.get(kind, [SIZE])
    blocks: dict[str, Any] = {"core": {"type": kind, **SETTINGS[kind]}, "y": {"type": "Tanh", "from": "core"}}
    if nested:
        blocks = {"inner": {"type": "Net", "inputs": ["x"], "from": "x", "blocks": blocks}}
    net = Net.from_spec({"inputs": {"x": shape}, "blocks": blocks}, seed=1)
    frames = [torch.randn(STREAMS, *shape) for _ in range(FRAMES)]
    last = next(reversed(net.blocks))

    with Session(Experiment(net=net), record=False) as session:
        steps = [session.step({"x": x})[last] for x in frames]
    whole, _ = WindowProgram(Program(net, outputs=[last]))(
        [{"x": x} for x in frames], Program(net).initial_state(STREAMS)
    )

    for step, frame in zip(steps, whole, strict=True):
        torch.testing.assert_close(step, frame[last], rtol=1e-5, atol=1e-6)


def train_program(net: Net, x_TND: Tensor, target_TN1: Tensor) -> list[float]:
    """Truncated back-propagation through time over the frames of a program."""
    program = Program(net, outputs=["y"])
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    state = program.initial_state(STREAMS)
    losses = []
    for start in range(0, FRAMES, WINDOW):
        frames, state = program.unroll([{"x": x} for x in x_TND[start : start + WINDOW]], detach_state(state))
        loss = nn.functional.mse_loss(torch.stack([frame["y"] for frame in frames]), target_TN1[start : start + WINDOW])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def train_whole(layer: nn.RNNBase, read_out: nn.Linear, x_TND: Tensor, target_TN1: Tensor) -> list[float]:
    """The same with torch's layer, a window at once."""
    # The second bias of torch's layer would take the same step as the first once more.
    learned = [parameter for name, parameter in layer.named_parameters() if name != "bias_hh_l0"]
    optimizer = torch.optim.SGD([*learned, *read_out.parameters()], lr=0.1)
    state = None
    losses = []
    for start in range(0, FRAMES, WINDOW):
        h_TNH, state = layer(x_TND[start : start + WINDOW], state)
        state = tuple(part.detach() for part in state) if isinstance(state, tuple) else state.detach()
        loss = nn.functional.mse_loss(read_out(h_TNH), target_TN1[start : start + WINDOW])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("kind", ["SimpleRNN", "LSTMCell"])
def test_truncated_back_propagation_equals_torchs(kind: str) -> None:
    net = net_of(kind)
    cell, read_out = net["rnn"], nn.Linear(HIDDEN, 1)
    if isinstance(cell, LSTMCell):
        cell.bias_hh.requires_grad_(False)
    layer = whole_of(cell)
    read_out.load_state_dict(net["y"].state_dict())
    x_TND, target_TN1 = torch.randn(FRAMES, STREAMS, SIZE), torch.randn(FRAMES, STREAMS, 1)

    found = train_program(net, x_TND, target_TN1)
    expected = train_whole(layer, read_out, x_TND, target_TN1)

    assert found == pytest.approx(expected, abs=1e-6)
    assert torch.allclose(whole_of(cell).weight_hh_l0, layer.weight_hh_l0, atol=1e-6)
    assert torch.allclose(whole_of(cell).weight_ih_l0, layer.weight_ih_l0, atol=1e-6)


def test_a_simple_rnn_computes_its_equation() -> None:
    cell = SimpleRNN(1, 1)
    with torch.no_grad():
        cell.weight.fill_(2.0)
        cell.recurrent_weight.fill_(3.0)
        cell.bias.fill_(-1.0)

    sent = cell(torch.tensor([[0.5]]), torch.tensor([[0.2]]))

    assert sent.item() == pytest.approx(torch.tanh(torch.tensor(2 * 0.5 + 3 * 0.2 - 1)).item())


def test_a_simple_rnn_may_rectify_and_go_without_bias() -> None:
    cell = SimpleRNN(2, 3, nonlinearity="relu", bias=False)

    assert [name for name, _ in cell.named_parameters()] == ["weight", "recurrent_weight"]
    assert cell(torch.randn(50, 2), torch.randn(50, 3)).min() == 0


def test_a_convolutional_cell_of_one_pixel_is_an_lstm() -> None:
    cell, dense = ConvLSTMCell(SIZE, HIDDEN, kernel_size=1), LSTMCell(SIZE, HIDDEN)
    with torch.no_grad():
        dense.weight_ih.copy_(cell.gates.weight[:, :SIZE, 0, 0])
        dense.weight_hh.copy_(cell.gates.weight[:, SIZE:, 0, 0])
        dense.bias_ih.copy_(cell.gates.bias)
        dense.bias_hh.zero_()
    x, h, c = torch.randn(STREAMS, SIZE), torch.randn(STREAMS, HIDDEN), torch.randn(STREAMS, HIDDEN)

    found = cell(*(part[:, :, None, None].expand(-1, -1, 3, 3) for part in (x, h, c)))
    expected = dense(x, h, c)

    for own, other in zip(found, expected, strict=True):
        assert torch.allclose(own, other[:, :, None, None].expand(-1, -1, 3, 3), atol=1e-6)


def test_a_convolutional_cell_sees_its_neighbours() -> None:
    net = Net("n", {"x": (1, 7, 7)}, seed=0).add("cell", ConvLSTMCell(1, 2, kernel_size=3))
    image = torch.zeros(1, 1, 7, 7)
    image[..., 3, 3] = 1
    program = Program(net, outputs=["cell"])
    still, _ = program.unroll([{"x": torch.zeros_like(image)}] * 3)

    frames, _ = program.unroll([{"x": image}, *[{"x": torch.zeros_like(image)}] * 2])

    reached = [
        int((found["cell"][0] - quiet["cell"][0]).abs().sum(dim=1).gt(1e-7).sum())
        for found, quiet in zip(frames, still, strict=True)
    ]
    assert reached == [9, 25, 49]


def test_streaming_cells_answer_one_frame_later() -> None:
    net = net_of("GRUCell")
    x_TND = torch.randn(FRAMES, STREAMS, SIZE)
    sequential, _ = Program(net, outputs=["rnn"]).unroll({"x": x} for x in [torch.zeros(STREAMS, SIZE), *x_TND])

    streaming, _ = Program(net, Rollout.streaming(net), outputs=["rnn"]).unroll({"x": x} for x in x_TND)

    assert torch.equal(streaming[-1]["rnn"], sequential[FRAMES - 1]["rnn"])
