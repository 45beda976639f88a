"""Blocks that go on from what they sent before: what they read of themselves, and what they send in a cycle."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from rillnet.model.layers.cells import ConvLSTMCell, LSTMCell, SimpleRNN
from rillnet.model.layers.merge import Sum
from rillnet.model.layers.recurrence import Reads, hidden_state, own_outputs, sent_in_cycle
from rillnet.model.net import Net
from rillnet.model.shapes import Signature


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (SimpleRNN, (None,)),
        (nn.RNNCell, (None,)),
        (nn.GRUCell, (None,)),
        (LSTMCell, (None, 1)),
        (ConvLSTMCell, (None, 1)),
        (nn.LSTM, ()),
        (Sum, ()),
        (None, ()),
    ],
)
def test_cells_read_their_own_outputs(kind: Any, expected: Reads) -> None:
    assert own_outputs(kind, {"hidden_size": 3}) == expected


def test_what_a_cell_sends_is_told_by_its_arguments() -> None:
    assert sent_in_cycle(nn.GRUCell, {"hidden_size": 3}, []) == Signature((3,))
    assert sent_in_cycle(LSTMCell, {"hidden_size": 3}, []) == (Signature((3,)), Signature((3,)))
    assert sent_in_cycle(ConvLSTMCell, {"hidden_channels": 4}, [Signature((2, 8, 8))]) == (Signature((4, 8, 8)),) * 2


def test_what_is_not_known_yet_is_not_told() -> None:
    assert sent_in_cycle(ConvLSTMCell, {"hidden_channels": 4}, []) is None
    assert sent_in_cycle(LSTMCell, {}, [Signature((2,))]) is None
    assert sent_in_cycle(nn.Linear, {"out_features": 3}, [Signature((2,))]) is None
    assert sent_in_cycle(Sum, {}, []) is None


@pytest.mark.parametrize("layer", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize("more", [{}, {"num_layers": 2, "bidirectional": True}])
def test_layers_of_torch_say_what_they_send_and_carry_it(layer: Any, more: dict[str, Any]) -> None:
    net = Net("n", {"x": (4, 2)}, seed=0)

    net.add("layer", layer(2, 3, batch_first=True, **more), source=["x", "layer[1]@-1"])

    assert sent_in_cycle(layer, {"hidden_size": 3, **more}, [Signature((4, 2))]) == net.infer_shapes()["layer"]
    assert sent_in_cycle(layer, {"hidden_size": 3, "batch_first": False}, [Signature((4, 2))]) is None


def test_a_projected_state_has_its_own_size() -> None:
    sequence, (hidden, cell) = sent_in_cycle(nn.LSTM, {"hidden_size": 5, "proj_size": 2}, [Signature((4, 2))])

    assert (sequence.shape, hidden.shape, cell.shape) == ((4, 2), (1, 2), (1, 5))


def test_a_hidden_state_has_the_type_of_what_is_read() -> None:
    assert hidden_state({"hidden_size": 3}, [Signature((2,), torch.float64)]) == Signature((3,), torch.float64)


@pytest.mark.parametrize("kind", ["SimpleRNN", "RNNCell", "GRUCell"])
def test_a_cell_without_a_state_of_its_own_is_given_it(kind: str) -> None:
    net = Net.from_spec({"inputs": {"x": [2]}, "blocks": {"rnn": {"type": kind, "hidden_size": 3}}}, seed=0)

    assert [str(source) for source in net.blocks["rnn"].sources] == ["x", "rnn@-1"]
    assert net.infer_shapes()["rnn"] == Signature((3,))


def test_a_cell_reads_the_state_that_it_names() -> None:
    block = {"type": "SimpleRNN", "from": ["x", "rnn@-2"], "hidden_size": 3}
    net = Net.from_spec({"inputs": {"x": [2]}, "blocks": {"rnn": block}}, seed=0)

    assert [str(source) for source in net.blocks["rnn"].sources] == ["x", "rnn@-2"]


def test_a_module_that_is_handed_in_is_given_its_state() -> None:
    net = Net("n", {"x": (2,)}, seed=0).add("lstm", LSTMCell(2, 3)).add("y", nn.Linear(3, 1))

    assert [str(source) for source in net.blocks["lstm"].sources] == ["x", "lstm@-1", "lstm[1]@-1"]
    assert net(torch.zeros(5, 2))["y"].shape == (5, 1)


def test_a_net_with_a_cell_is_written_and_read_again() -> None:
    spec = {"inputs": {"x": [2]}, "blocks": {"lstm": {"type": "LSTMCell", "hidden_size": 3}, "act": "ReLU"}}
    net = Net.from_spec(spec, seed=0)

    again = Net.from_spec(net.to_spec(), seed=0)

    assert again.to_spec() == net.to_spec()
    assert again.infer_shapes() == net.infer_shapes()
