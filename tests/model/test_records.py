"""Nets and records: what Python code gives is read as a record, and a net that was built is written as one."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from torch import nn

import rillnet as rn
from rillnet.errors import RequestError
from rillnet.model.net import Net
from rillnet.model.records import read, record_of
from rillnet.spec import InputSpec
from tests.model.vector_nets import FEW, Document, documents, equal, x_for


@FEW
@given(documents())
def test_a_net_written_down_and_read_back_computes_the_same(document: Document) -> None:
    net = Net.from_spec(document, seed=4)

    written = net.to_spec().model_dump(mode="json")
    again = Net.from_spec(written, seed=4)

    assert again.to_spec() == net.to_spec()
    x = x_for(document)
    assert equal(again.set_phase("val")(x), net.set_phase("val")(x))


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


def test_a_fault_of_what_python_gives_has_the_address_it_would_have_in_a_document() -> None:
    with pytest.raises(RequestError) as caught:
        read(InputSpec, {"shape": [3, 0]}, ("net", "inputs", "x"))

    assert str(caught.value) == "net.inputs.x.shape.1: must be at least 1 (got 0)"


def test_a_nested_net_is_told_by_the_records_of_its_blocks() -> None:
    inner = Net("inner", {"q": (2,)}).add("fc", rn.Linear(out_features=2))

    record = record_of(inner)

    assert record is not None
    assert record.model_dump(mode="json") == {
        "type": "Net",
        "inputs": ["q"],
        "blocks": {"fc": {"type": "Linear", "from": "q", "out_features": 2}},
    }
    assert record_of(nn.Sequential()) is None
