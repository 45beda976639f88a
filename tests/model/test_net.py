"""Nets: what they draw, find, compute and say, in a loop of one's own, compiled, copied or as a function."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

import rillnet as rn
from rillnet.errors import AddressError, RequestError
from rillnet.model.net import Net
from rillnet.model.shapes import Output, Signature
from tests.model.classifiers import batch, classifier
from tests.model.vector_nets import FEW, Document, documents, equal, x_for


@FEW
@given(documents(), st.integers(1, 4))
def test_shapes_inferred_on_meta_are_those_at_run_time(document: Document, batch: int) -> None:
    inferred = Net.from_spec(document, device="meta").infer_shapes()

    outputs = Net.from_spec(document, seed=0)(x_for(document, batch))

    for name, value in outputs.items():
        assert value.shape == inferred[name].of_batch(batch)  # type: ignore[union-attr]
        assert value.dtype == inferred[name].dtype  # type: ignore[union-attr]


@FEW
@given(documents(), st.data())
def test_adding_a_block_changes_no_other_blocks_draw(document: Document, data: st.DataObject) -> None:
    names = [*document["inputs"], *document["blocks"]]
    at = data.draw(st.integers(0, len(document["blocks"])))
    entries = list(document["blocks"].items())
    entries.insert(at, ("new", {"type": "Linear", "out_features": 3, "from": names[0]}))

    before = Net.from_spec(document, seed=9).state_by_address()
    after = Net.from_spec({**document, "blocks": dict(entries)}, seed=9).state_by_address()

    assert set(after) - set(before) == {"net/new/weight", "net/new/bias"}
    assert all(torch.equal(after[address], tensor) for address, tensor in before.items())


@FEW
@given(documents())
def test_copies_and_saved_states_compute_the_same(document: Document) -> None:
    net = Net.from_spec(document, seed=1).set_phase("val")
    other = Net.from_spec(document, seed=2).set_phase("val")
    x = x_for(document)
    expected = net(x)

    assert equal(copy.deepcopy(net)(x), expected)
    other.load_state_dict(net.state_dict())
    assert equal(other(x), expected)


@FEW
@given(documents())
def test_a_net_is_a_function_of_its_parameters(document: Document) -> None:
    net = Net.from_spec(document, seed=1).set_phase("val")
    other = Net.from_spec(document, seed=2).set_phase("val")
    x = x_for(document)

    assert equal(torch.func.functional_call(net, other.state_dict(), (x,)), other(x))


@FEW
@given(documents())
def test_a_block_is_computed_in_the_phases_that_do_not_exclude_it(document: Document) -> None:
    net = Net.from_spec(document, seed=1)
    x = x_for(document)

    for phase in ("train", "val", "test"):
        wanted = {name for name, block in document["blocks"].items() if phase not in block.get("exclude", [])}
        assert set(net.set_phase(phase)(x)) == wanted | {"x"}


def test_a_net_shows_its_size() -> None:
    assert repr(classifier()) == "Net(classifier: image, label -> 8 blocks, 483 parameters)"


def test_a_net_learns_in_a_hand_written_loop() -> None:
    net, examples = classifier(), batch()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = net(**examples)["loss"]
        loss.backward()
        optimizer.step()
        losses.append(loss.item())

    assert losses[-1] < losses[0] / 2
    assert net.set_phase("val")(**examples)["accuracy"] == 1


def test_blocks_that_need_an_input_not_given_are_left_out() -> None:
    assert list(classifier()(batch()["image"])) == ["image", "conv", "norm", "relu", "flat", "drop", "logits"]


def test_phases_switch_modes_and_blocks_here_and_inside() -> None:
    net = classifier()
    net.add(
        "part",
        Net("part", {"p": (3,)}).add("late", nn.Tanh(), exclude=["train", "val"]).add("t", nn.Tanh(), "p"),
        "logits",
    )

    assert net.phase == "train"
    assert "accuracy" not in net(**batch())
    net.set_phase("test")
    assert not net["norm"].training
    assert net["part"].phase == "test"  # type: ignore[union-attr]
    net.train()
    assert net.phase == "train"
    net.eval()
    assert (net.phase, net["part"].phase) == ("val", "val")  # type: ignore[union-attr]


def test_parameters_are_found_by_address_and_glob() -> None:
    net = classifier()

    assert list(net.parameters_by_address()) == [
        "net/conv/weight",
        "net/conv/bias",
        "net/norm/weight",
        "net/norm/bias",
        "net/logits/weight",
        "net/logits/bias",
    ]
    assert list(net.parameters_by_address("*/bias")) == ["net/conv/bias", "net/norm/bias", "net/logits/bias"]
    assert list(net.parameters_by_address("net/conv.*")) == ["net/conv/weight", "net/conv/bias"]
    assert set(net.state_by_address()) - set(net.parameters_by_address()) == {
        "net/norm/running_mean",
        "net/norm/running_var",
        "net/norm/num_batches_tracked",
    }


def test_blocks_are_found_by_name_path_and_glob() -> None:
    net = Net("n", {"x": (4,)}).add("lstm", nn.Sequential(nn.Linear(4, 2), nn.Tanh()))
    net.add("part", Net("p", {"q": (2,)}).add("fc", rn.Linear(out_features=2)))

    assert isinstance(net["lstm/0"], nn.Linear)
    assert isinstance(net["part/fc"], nn.Linear)
    assert net.find("part/*") == ["part/fc"]
    assert [path for path, _ in net.leaves()] == ["lstm", "part/fc"]
    assert "lstm" in net
    assert "fc" not in net


def test_several_outputs_of_a_block_are_read_by_number() -> None:
    net = Net("n", {"x": (2, 6)}, seed=0).add("pool", rn.MaxPool1d(kernel_size=3, return_indices=True))
    net.add("values", nn.Flatten(), source="pool[0]").add("places", nn.Flatten(), source="pool[1]")

    outputs = net(torch.arange(12.0).reshape(1, 2, 6))

    assert outputs["values"].tolist() == [[2.0, 5.0, 8.0, 11.0]]
    assert outputs["places"].tolist() == [[2, 5, 2, 5]]


def test_a_recurrent_layer_may_read_the_state_of_another_frame() -> None:
    net = Net("n", {"x": (7, 4)}, seed=0).add("first", rn.GRU(hidden_size=3))
    net.add("second", rn.GRU(hidden_size=3), source=["first", "first[1]@-1"])

    assert net.infer_shapes()["second"] == (Signature((7, 3)), Signature((1, 3), batch_dim=1))
    assert net(torch.randn(5, 7, 4))["second"][1].shape == (1, 5, 3)


@pytest.mark.parametrize("phase", ["train", "val"])
def test_a_net_can_be_compiled(phase: str) -> None:
    net = classifier().set_phase(phase)
    examples = batch()

    torch.manual_seed(0)
    expected = net(**examples)
    torch.manual_seed(0)
    compiled = torch.compile(copy.deepcopy(net), backend="eager")(**examples)

    assert compiled["logits"].shape == expected["logits"].shape
    if phase == "val":
        assert equal(dict(compiled), dict(expected))


def test_per_example_gradients_with_torch_func() -> None:
    net = classifier().set_phase("val")
    examples = batch(4)
    parameters = {name: parameter.detach() for name, parameter in net.named_parameters()}

    def loss(parameters: dict[str, Tensor], image: Tensor, label: Tensor) -> Tensor:
        return torch.func.functional_call(net, parameters, (image[None], label[None]))["loss"]  # type: ignore[no-any-return]

    gradients = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0, 0))(parameters, *examples.values())

    net(**examples)["loss"].backward()
    torch.testing.assert_close(gradients["conv.weight"].mean(0), net["conv"].weight.grad)


def test_a_net_can_be_moved_to_another_type() -> None:
    net = classifier().set_phase("val").to(torch.float64)

    assert net(batch()["image"].double())["logits"].dtype == torch.float64


# --- faults ---------------------------------------------------------------------------------------


def base() -> Net:
    return Net("n", {"x": (4,)}, seed=0).add("abc", rn.Linear(out_features=3))


Act = Callable[[], Any]

FAULTS: list[tuple[str, Act, str]] = [
    (
        "bad input name",
        lambda: Net("n", {"a.b": (1,)}),
        "net/a.b: a name of an input must be letters, digits and _ only",
    ),
    (
        "bad input",
        lambda: Net("n", {"x": "wide"}),  # type: ignore[dict-item]
        "net.inputs.x: must be a shape such as [1, 28, 28], or a mapping with shape and dtype (got 'wide')",
    ),
    ("bad phase to set", lambda: base().set_phase("trian"), "phase: must be train, val or test (got 'trian')"),
    ("unknown input", lambda: base()(y=torch.zeros(1, 4)), "net/y: unknown input"),
    ("too many inputs", lambda: base()(torch.zeros(1, 4), torch.zeros(1)), "net: takes 1 inputs, 2 were given"),
    ("unknown block", lambda: base()["abd"], "net/abd: unknown block; did you mean 'abc'?"),
    (
        "not computed",
        lambda: base()(torch.zeros(1, 4))["abd"],
        "net/abd: was not computed: it is unknown, excluded from the phase, or reads an input not given; "
        "computed: x, abc; did you mean 'abc'?",
    ),
    ("part of nothing", lambda: base().run(until="abd"), "net/abd: unknown block; did you mean 'abc'?"),
    (
        "document",
        lambda: Net.from_spec({"inputs": {"x": [4]}, "block": {}}),
        "net.block: unknown key; did you mean 'blocks'?",
    ),
    (
        "not built",
        lambda: Net("n").add("b", rn.Sum(), "later@-1")["b"],
        "net/b: is not built: what it reads is not known yet",
    ),
]


@pytest.mark.parametrize(("act", "message"), [pytest.param(a, m, id=name) for name, a, m in FAULTS])
def test_a_fault_is_told_exactly(act: Act, message: str) -> None:
    with pytest.raises(RequestError) as caught:
        act()

    assert str(caught.value) == message


def test_what_is_not_there_is_a_key_error_as_of_any_mapping() -> None:
    with pytest.raises(KeyError):
        base()["abd"]
    assert issubclass(AddressError, KeyError)


def test_any_pytorch_model_becomes_a_net() -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.Tanh())
    net = Net.from_module(model, torch.zeros(1, 3))

    assert net["0"] is model[0]
    assert net.infer_shapes() == {"input": Signature((3,)), "0": Signature((2,)), "1": Signature((2,))}


def test_shapes_tell_inputs_and_blocks() -> None:
    shapes: dict[str, Output] = classifier().infer_shapes()

    assert shapes["conv"] == Signature((4, 6, 6))
    assert shapes["label"] == Signature((), torch.int64)
    assert shapes["loss"] == Signature((), batched=False)
