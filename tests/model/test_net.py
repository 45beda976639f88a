"""Nets: named blocks and edges, in Python and as records, whole and in part."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import rillnet as rn
from rillnet.errors import AddressError, RequestError
from rillnet.model.net import Net
from rillnet.model.shapes import Output, Signature

Document = dict[str, Any]

# --- random nets ----------------------------------------------------------------------------------

FEW = settings(max_examples=25)


@st.composite
def vector_block(draw: st.DrawFn, source: str, size: int, others: list[str]) -> tuple[Document, int]:
    """A block that reads a vector, and the size of the vector that it sends."""
    out = draw(st.integers(1, 5))
    linear: Document = {"type": "Linear", "out_features": out}
    inner: Document = {"inputs": ["p"], "blocks": {"fc": {**linear, "from": "p"}, "act": "Tanh"}}
    same: Document = {"repeat": 2, "blocks": {"fc": {"type": "Linear", "out_features": size}, "act": "Sigmoid"}}
    choices: list[tuple[Document, int]] = [
        (linear, out),
        ({**linear, "bias": False, "initial": {"weight": "xavier_uniform"}}, out),
        ({"type": draw(st.sampled_from(["Tanh", "ReLU", "Sigmoid", "LayerNorm", "Dropout"]))}, size),
        (inner, out),
        (same, size),
        ({"type": "Sum", "from": [source, *others]}, size),
        ({"type": "Product", "from": [source, *others]}, size),
        ({"type": "Concat", "from": [source, *others]}, size * (1 + len(others))),
    ]
    block, size = draw(st.sampled_from(choices))
    return {"from": source, **block}, size


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """A net of vectors: layers, merges, nested nets, edges with a delay, blocks left out of phases."""
    sizes = {"x": draw(st.integers(1, 4))}
    blocks: Document = {}
    excluded: set[str] = set()
    for number in range(draw(st.integers(1, 7))):
        name = f"b{number}"
        source = draw(st.sampled_from(sorted(set(sizes) - excluded)))
        alike = sorted(other for other, size in sizes.items() if size == sizes[source] and other not in excluded)
        others = draw(st.lists(st.sampled_from(alike), max_size=2))
        block, size = draw(vector_block(source, sizes[source], others))
        if block.get("type") == "Sum" and draw(st.booleans()):
            block["from"] = [*block["from"], f"{name}@-{draw(st.integers(1, 3))}"]
        if draw(st.integers(0, 9)) == 0:
            block["exclude"] = draw(st.sampled_from([["train"], ["val", "test"]]))
            excluded.add(name)
        blocks[name], sizes[name] = block, size
    return {"name": "random", "inputs": {"x": [sizes["x"]]}, "blocks": blocks}


def x_for(document: Document, batch: int = 3) -> Tensor:
    return torch.randn(batch, *document["inputs"]["x"], generator=torch.Generator().manual_seed(0))


def equal(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    return torch.equal(one, other)


def without_delays(document: Document) -> Document:
    """The same net without edges that read an earlier frame, whose zeros hide what partial runs compute."""
    blocks = copy.deepcopy(document["blocks"])
    for block in blocks.values():
        if isinstance(block["from"], list):
            block["from"] = [source for source in block["from"] if "@" not in source]
    return {**document, "blocks": blocks}


@FEW
@given(documents(), st.integers(1, 4))
def test_shapes_inferred_on_meta_are_those_at_run_time(document: Document, batch: int) -> None:
    inferred = Net.from_spec(document, device="meta").infer_shapes()

    outputs = Net.from_spec(document, seed=0)(x_for(document, batch))

    for name, value in outputs.items():
        assert value.shape == inferred[name].of_batch(batch)  # type: ignore[union-attr]
        assert value.dtype == inferred[name].dtype  # type: ignore[union-attr]


@FEW
@given(documents())
def test_a_net_written_down_and_read_back_computes_the_same(document: Document) -> None:
    net = Net.from_spec(document, seed=4)

    written = net.to_spec().model_dump(mode="json")
    again = Net.from_spec(written, seed=4)

    assert again.to_spec() == net.to_spec()
    x = x_for(document)
    assert equal(again.set_phase("val")(x), net.set_phase("val")(x))


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


@FEW
@given(documents(), st.data())
def test_a_part_computes_what_the_whole_does(document: Document, data: st.DataObject) -> None:
    net = Net.from_spec(without_delays(document), seed=1).set_phase("val")
    x = x_for(document)
    whole = net(x)
    name = data.draw(st.sampled_from(sorted(set(whole) - {"x"})))

    assert torch.equal(net.run(until=name, given={"x": x}), whole[name])
    read = {source.block: whole[source.block] for source in net.blocks[name].sources}
    assert torch.equal(net.run(from_=name, until=name, given=read), whole[name])


@FEW
@given(documents(), st.integers(1, 4), st.booleans())
def test_a_shared_parameter_learns_from_both_its_blocks(document: Document, size: int, transpose: bool) -> None:
    size_in = document["inputs"]["x"][0]
    shared = {"of": "first.weight", "transpose": transpose}
    first = {"type": "Linear", "from": "x", "out_features": size}
    second = {"type": "Linear", "from": "first", "out_features": size_in, "share": {"weight": shared}}
    if not transpose:
        second |= {"from": "x", "out_features": size}
    blocks = {**document["blocks"], "first": first, "second": second}
    net = Net.from_spec({**document, "blocks": blocks}, seed=1)

    outputs = net(x_for(document))
    outputs["second"].sum().backward()

    weight = net["first"].weight
    assert [a for a in net.parameters_by_address() if a.startswith("net/second")] == ["net/second/bias"]
    expected = outputs["first"] @ weight if transpose else x_for(document) @ weight.T  # type: ignore[operator]
    torch.testing.assert_close(outputs["second"], expected + net["second"].bias)
    assert weight.grad is not None


# --- what a net is --------------------------------------------------------------------------------


def classifier() -> Net:
    net = rn.Net("classifier", inputs={"image": (1, 8, 8), "label": rn.Scalar("int64")}, seed=3)
    net.add("conv", rn.Conv2d(out_channels=4, kernel_size=3), source="image")
    net.add("norm", rn.BatchNorm2d()).add("relu", nn.ReLU()).add("flat", rn.Flatten())
    net.add("drop", rn.Dropout(p=0.5)).add("logits", rn.Linear(out_features=3))
    net.add("loss", rn.CrossEntropy(), source=["logits", "label"])
    return net.add("accuracy", rn.Accuracy(), source=["logits", "label"], exclude="train")


def batch(size: int = 6) -> dict[str, Tensor]:
    images = torch.randn(size, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    return {"image": images, "label": torch.arange(size) % 3}


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


def test_a_delayed_edge_reads_zeros_in_a_single_frame() -> None:
    net = Net("n", {"x": (3,)}).add("sum", rn.Sum(), source=["x", "sum@-1"])
    x = torch.randn(2, 3, dtype=torch.float64)

    assert torch.equal(net(x)["sum"], x)


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


def test_values_are_given_in_the_place_of_blocks() -> None:
    net = classifier().set_phase("val")
    examples = batch()
    whole = net(**examples)

    assert torch.equal(net.run(from_="relu", until="logits", given={"norm": whole["norm"]}), whole["logits"])
    several = net.run(until=["logits", "flat"], given={"image": examples["image"]})
    assert list(several) == ["logits", "flat"]
    behind = net.run(from_="drop", given={"flat": whole["flat"], "label": examples["label"]})
    assert set(behind) == {"flat", "label", "drop", "logits", "loss", "accuracy"}
    assert torch.equal(behind["loss"], whole["loss"])


def test_only_what_is_wanted_is_computed() -> None:
    net = classifier().set_phase("val")
    called = []
    for name, module in net.leaves():
        module.register_forward_hook(lambda *_, name=name: called.append(name))

    net.run(until="relu", given=batch())

    assert called == ["conv", "norm", "relu"]


def test_a_live_module_cannot_be_written_as_text() -> None:
    net = Net("n", {"x": (4,)}).add("own", nn.Sequential(nn.Tanh()))

    with pytest.raises(RequestError) as caught:
        net.to_spec()

    kind = "torch.nn.modules.container:Sequential"
    assert str(caught.value) == (f"net/own: a live module cannot be written as text; add it as rn.block('{kind}', ...)")


def test_torchs_layers_are_written_as_text_with_their_arguments() -> None:
    net = (
        Net("n", {"x": (7, 4)})
        .add("lstm", nn.LSTM(4, 3, batch_first=True))
        .add("fc", nn.Linear(3, 2, bias=False), "lstm[0]")
    )

    again = Net.from_spec(net.to_spec(), seed=0)
    again.load_state_dict(net.state_dict())

    x = torch.randn(2, 7, 4)
    assert torch.equal(again(x)["fc"], net(x)["fc"])


def test_wiring_a_cycle_afterwards() -> None:
    net = Net("n", {"x": (3,)}, seed=0).add("in", rn.Sum()).add("fc", rn.Linear(out_features=3)).add("act", nn.Tanh())

    net.connect("act", "in", delay=1)

    assert [(e.name, e.delay) for e in net.edges] == [("x->in", 0), ("act->in", 1), ("in->fc", 0), ("fc->act", 0)]
    assert net(torch.ones(2, 3))["act"].shape == (2, 3)


# --- faults ---------------------------------------------------------------------------------------


def base() -> Net:
    return Net("n", {"x": (4,)}, seed=0).add("abc", rn.Linear(out_features=3))


Act = Callable[[], Any]

FAULTS: list[tuple[str, Act, str]] = [
    ("taken", lambda: base().add("abc", nn.Tanh()), "net/abc: the name is taken; names are unique in a net"),
    ("input's", lambda: base().add("x", nn.Tanh()), "net/x: the name is taken; names are unique in a net"),
    ("bad name", lambda: base().add("a b", nn.Tanh()), "net/a b: a name of a block must be letters, digits and _ only"),
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
    (
        "unknown source",
        lambda: base().add("b", nn.Tanh(), source="abd"),
        "net/b.from: unknown source (got 'abd'); did you mean 'abc'?",
    ),
    (
        "bad source",
        lambda: base().add("b", nn.Tanh(), source="abc@1"),
        "net/b.from: must be a block's name, name[output] or name@-frames (got 'abc@1')",
    ),
    (
        "no source",
        lambda: Net("n").add("b", nn.Tanh()),
        "net/b: there is nothing before it to read: give the net an input, or a source",
    ),
    (
        "no such output",
        lambda: base().add("b", nn.Tanh(), "abc[1]"),
        "net/b.from: 'abc' has 1 outputs, counted from 0 (got 'abc[1]')",
    ),
    (
        "no module",
        lambda: base().add("b", "Tanh"),
        "net/b: must be a module, or a description such as rn.Linear(out_features=10) (got 'Tanh')",
    ),  # type: ignore[arg-type]
    (
        "bad phase",
        lambda: base().add("b", nn.Tanh(), exclude="trian"),
        "net/b.exclude: must be train, val or test (got 'trian')",
    ),
    (
        "bad share",
        lambda: base().add("b", rn.Linear(out_features=4), share={"weight": "abc"}),
        "net/b.share.weight: must be block.parameter (got 'abc')",
    ),
    (
        "share of another shape",
        lambda: base().add("b", rn.Linear(out_features=4), share={"weight": "abc.weight"}),
        "net/b.share.weight: shapes must be equal: abc.weight is [3, 4], weight is [4, 3]",
    ),
    (
        "unknown argument",
        lambda: base().add("b", rn.Linear(out_features=4, bais=True)),
        "net/b.bais: unknown key; did you mean 'bias'?",
    ),
    ("missing argument", lambda: base().add("b", rn.Linear()), "net/b.out_features: is required"),
    (
        "wrong argument",
        lambda: base().add("b", rn.Linear(out_features="many")),
        "net/b.out_features: must be a whole number (got 'many')",
    ),
    (
        "itself without delay",
        lambda: base().add("b", rn.Sum(), source=["x", "b"]),
        "net/b: the cycle b -> b has no delay; give one of its edges a delay of at least 1, as in from: name@-1",
    ),
    (
        "cycle without delay",
        lambda: Net("n", {"x": (4,)}).add("s", rn.Sum()).add("t", nn.Tanh()).connect("t", "s"),
        "net/s: the cycle s -> t -> s has no delay; give one of its edges a delay of at least 1, as in from: name@-1",
    ),
    ("connect to nothing", lambda: base().connect("x", "abd"), "net/abd: unknown block; did you mean 'abc'?"),
    (
        "connect from nothing",
        lambda: base().connect("abd", "abc"),
        "net/abc.from: unknown source (got 'abd'); did you mean 'abc'?",
    ),
    (
        "never defined",
        lambda: base().add("b", rn.Sum(), ["abc", "late@-1"]).infer_shapes(),
        "net/b.from: unknown source (got 'late')",
    ),
    (
        "shape hidden in a cycle",
        lambda: base().add("b", rn.Bilinear(out_features=3), ["abc", "c@-1"]).add("c", nn.Tanh(), "b").infer_shapes(),
        "net/b: its shape cannot be told, as it is in a cycle with 'c'; give one of them a shape: [...]\n"
        "net/c: its shape cannot be told, as it is in a cycle with 'b'; give one of them a shape: [...]",
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
        "part without what it reads",
        lambda: (
            base().add("b", nn.Tanh()).add("c", nn.Tanh()).run(from_="c", until="c", given={"x": torch.zeros(1, 4)})
        ),
        "net/c: reads 'b', which is not given and is not computed as it comes before from_='c'",
    ),
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


def test_a_shape_error_names_the_block_its_sources_and_their_shapes() -> None:
    with pytest.raises(RequestError, match=r"^net/c: Linear cannot work on abc \[3\]: "):
        base().add("c", nn.Linear(5, 2))


def test_a_block_that_cannot_be_added_leaves_the_net_as_it_was() -> None:
    net = base()
    before = net.to_spec()

    for block in (nn.Linear(9, 2), rn.Linear(out_features=0)):
        with pytest.raises(RequestError):
            net.add("b", block)

    assert net.to_spec() == before
    assert net.add("b", nn.Tanh())(torch.zeros(1, 4))["b"].shape == (1, 3)


def test_an_edge_that_cannot_be_added_leaves_the_net_as_it_was() -> None:
    net = Net("n", {"x": (4,)}, seed=0).add("s", rn.Sum()).add("fc", rn.Linear(out_features=3))

    with pytest.raises(RequestError, match=r"^net/s: Sum cannot work on x \[4\], fc@-1 \[3\]"):
        net.connect("fc", "s", delay=1)

    assert [edge.name for edge in net.edges] == ["x->s", "s->fc"]
    assert net(torch.zeros(2, 4))["fc"].shape == (2, 3)


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


def test_a_source_may_pass_through_a_block_of_its_own() -> None:
    net = Net("n", {"x": (1, 8, 8)}, seed=0)
    through_x = {"source": "x", "via": "Synapse", "rf": 3}
    through_h = {"source": "h@-1", "via": "Conv2d", "out_channels": 4, "kernel_size": 3, "padding": "same"}

    net.add("h", rn.Pool(shape=(4, 4, 4)), source=[through_x, through_h])

    assert list(net.blocks) == ["h_x", "h_h", "h"]
    assert net(torch.zeros(2, 1, 8, 8))["h"].shape == (2, 4, 4, 4)


def test_blocks_that_sources_pass_through_are_not_left_behind() -> None:
    net = Net("n", {"x": (1, 8, 8)}, seed=0)
    pool = rn.Pool(shape=(4, 4, 4))

    with pytest.raises(RequestError, match=r"^net/h.from.1: must name a source and a type, as in"):
        net.add("h", pool, source=[{"source": "x", "via": "Synapse", "rf": 3}, {"source": "x"}])

    assert not net.blocks
    assert not net.pending
    assert not [*net.children()]
