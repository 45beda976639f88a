"""One frame of a net, whole and in part."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import rillnet as rn
from rillnet.errors import RequestError
from rillnet.model.net import Net
from tests.model.classifiers import batch, classifier
from tests.model.vector_nets import FEW, Document, documents, without_delays, x_for


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


def test_a_delayed_edge_reads_zeros_in_a_single_frame() -> None:
    net = Net("n", {"x": (3,)}).add("sum", rn.Sum(), source=["x", "sum@-1"])
    x = torch.randn(2, 3, dtype=torch.float64)

    assert torch.equal(net(x)["sum"], x)


def test_only_what_is_wanted_is_computed() -> None:
    net = classifier().set_phase("val")
    called = []
    for name, module in net.leaves():
        module.register_forward_hook(lambda *_, name=name: called.append(name))

    net.run(until="relu", given=batch())

    assert called == ["conv", "norm", "relu"]


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


def test_a_part_without_what_it_reads_is_refused() -> None:
    net = Net("n", {"x": (4,)}).add("a", nn.Tanh()).add("b", nn.Tanh()).add("c", nn.Tanh())

    with pytest.raises(RequestError) as caught:
        net.run(from_="c", until="c", given={"x": torch.zeros(1, 4)})

    rule = "reads 'b', which is not given and is not computed as it comes before from_='c'"
    assert str(caught.value) == f"net/c: {rule}"
    with pytest.raises(RequestError, match=r"^net/c: was not computed: .*, or reads an input not given; computed: "):
        net.run(until="c")
