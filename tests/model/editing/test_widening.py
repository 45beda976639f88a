"""Layers that get more units: all numbers that there are stay, and what reads the layer follows."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import rillnet as rn
from rillnet.errors import RequestError
from rillnet.model.editing import edits
from rillnet.model.net import Net
from tests.model.editing.edited_nets import change, image_net, images, numbers, structure, vector_net


def refusal(net: Net, block: str, size: int) -> str:
    with pytest.raises(RequestError) as caught:
        edits.edited(net, edits.widen(net, block, size))
    return str(caught.value)


def test_a_layer_its_normalisation_and_its_readers_widen() -> None:
    net = image_net()
    before = numbers(net)
    change(net, edits.widen(net, "conv", 6))
    after = numbers(net)
    assert torch.equal(after["net/conv/weight"][:4], before["net/conv/weight"])
    assert torch.equal(after["net/norm/running_var"], torch.ones(6))
    assert torch.equal(after["net/hidden/weight"][:, :16], before["net/hidden/weight"])
    # behind the six units of `hidden`, which have not changed, stand the pixels of `flat`, some of them new
    assert torch.equal(after["net/logits/weight"][:, :22], before["net/logits/weight"])
    assert after["net/logits/weight"].shape == (3, 30)
    assert torch.isfinite(net(**images())["loss"])


def test_what_stands_behind_a_wider_layer_moves_along() -> None:
    net = image_net()
    before = numbers(net)["net/logits/weight"]
    change(net, edits.widen(net, "hidden", 9))
    after = numbers(net)["net/logits/weight"]
    assert torch.equal(after[:, :6], before[:, :6])
    assert torch.equal(after[:, 9:], before[:, 6:])


def test_new_units_are_drawn_by_address() -> None:
    wide = rn.Net.from_spec({**_spec(9), "name": "image"}, seed=1)
    net = rn.Net.from_spec(_spec(6), seed=1)
    old = numbers(net)["net/hidden/weight"]
    change(net, edits.widen(net, "hidden", 9))
    assert torch.equal(numbers(net)["net/hidden/weight"][6:], numbers(wide)["net/hidden/weight"][6:])
    assert torch.equal(numbers(net)["net/hidden/weight"][:6], old)


def _spec(size: int) -> dict[str, Any]:
    hidden = {"type": "Linear", "from": "x", "out_features": size}
    return {
        "name": "net",
        "inputs": {"x": [4]},
        "blocks": {"hidden": hidden, "out": {"type": "Linear", "out_features": 2}},
    }


def test_taking_it_back_leaves_what_was_there() -> None:
    net = image_net()
    known, before = structure(net), numbers(net)
    back = change(net, edits.widen(net, "conv", 7))
    change(net, back)
    assert structure(net) == known
    assert all(torch.equal(tensor, before[address]) for address, tensor in numbers(net).items())
    assert [edit["size"] for edit in net.edits] == [7, 4]


@pytest.mark.parametrize("kind", ["LSTMCell", "GRUCell", "RNNCell", "SimpleRNN"])
def test_a_cell_widens_gate_by_gate(kind: str) -> None:
    net = rn.Net("cell", inputs={"x": (3,)}, seed=1)
    net.add("cell", rn.block(kind, hidden_size=2), source="x").add("out", rn.Linear(out_features=1), source="cell")
    before = numbers(net)
    change(net, edits.widen(net, "cell", 5))
    after = numbers(net)
    name = next(name for name in before if name.endswith(("weight_hh", "recurrent_weight")))
    gates = before[name].shape[0] // 2
    for gate in range(gates):
        kept = after[name][gate * 5 : gate * 5 + 2, :2]
        assert torch.equal(kept, before[name][gate * 2 : gate * 2 + 2])
    assert net(x=torch.zeros(2, 3))["out"].shape == (2, 1)


def test_a_cycle_widens_around() -> None:
    net = rn.Net.from_spec(
        {
            "name": "cycle",
            "inputs": {"x": [3]},
            "blocks": {
                "join": {"type": "Concat", "from": ["x", "h@-1"]},
                "h": {"type": "Linear", "from": "join", "out_features": 4, "shape": [4]},
            },
        },
        seed=1,
    )
    before = numbers(net)["net/h/weight"]
    change(net, edits.widen(net, "h", 6))
    assert net["h"].weight.shape == (6, 9)
    assert torch.equal(numbers(net)["net/h/weight"][:4, :7], before)
    assert rn.Net.from_spec(net.to_spec())["h"].weight.shape == (6, 9)


def test_a_pool_widens_with_its_synapses() -> None:
    blocks = {
        "hidden": {
            "type": "Pool",
            "shape": [4],
            "from": [{"source": "x", "via": "Synapse"}, {"source": "hidden@-1", "via": "Synapse"}],
        },
        "out": {"type": "Linear", "from": "hidden", "out_features": 2},
    }
    net = rn.Net.from_spec({"name": "pools", "inputs": {"x": [3]}, "blocks": blocks}, seed=1)
    before = numbers(net)
    change(net, edits.widen(net, "hidden", 5))
    after = numbers(net)
    assert after["net/hidden/bias"].shape == (5,)
    assert torch.equal(after["net/hidden_x/W_0_0"][:4], before["net/hidden_x/W_0_0"])
    assert torch.equal(after["net/hidden_hidden/W_0_0"][:4, :4], before["net/hidden_hidden/W_0_0"])
    assert net(x=torch.zeros(2, 3))["out"].shape == (2, 2)


def test_a_frozen_parameter_stays_frozen() -> None:
    net = image_net()
    net["hidden"].weight.requires_grad_(False)
    net.eval()
    change(net, edits.widen(net, "hidden", 9))
    assert not net["hidden"].weight.requires_grad
    assert net["hidden"].bias.requires_grad
    assert not net["hidden"].training


def test_double_precision_stays() -> None:
    net = image_net().double()
    change(net, edits.widen(net, "hidden", 9))
    assert {tensor.dtype for tensor in net.parameters()} == {torch.float64}


@pytest.mark.parametrize(
    ("block", "size", "message"),
    [
        ("hidden", 6, "net/hidden: must have more than the 6 units it has (got 6)"),
        (
            "relu",
            9,
            "net/relu: has no width of its own: what it sends is as wide as what it reads (got 'ReLU'); widen conv",
        ),
        ("hiden", 9, "net/hiden: unknown block; did you mean 'hidden'?"),
    ],
)
def test_what_has_no_more_units_is_refused(block: str, size: int, message: str) -> None:
    assert refusal(image_net(), block, size) == message


def test_what_does_not_fit_any_more_is_refused() -> None:
    net = vector_net()
    before = structure(net)
    assert refusal(net, "a", 6).startswith("net/sum: Sum cannot work on a [6], b@-1 [4]: ")
    assert structure(net) == before
    assert net["a"].weight.shape == (4, 3)


def test_a_shared_weight_keeps_its_shape() -> None:
    net = rn.Net("shared", inputs={"x": (4,)}, seed=1)
    net.add("a", rn.Linear(out_features=4), source="x")
    net.add("b", rn.Linear(out_features=4), source="a", share={"weight": "a.weight"})
    assert refusal(net, "a", 6) == "net/a: shares a parameter with b, and what is shared keeps its shape"


def test_channels_in_groups_are_refused() -> None:
    net = rn.Net("groups", inputs={"x": (4, 5, 5)}, seed=1)
    net.add("conv", rn.Conv2d(out_channels=4, kernel_size=3, groups=2), source="x")
    assert refusal(net, "conv", 6) == "net/conv: cannot be widened, as its channels are in groups (got 'Conv2d')"
