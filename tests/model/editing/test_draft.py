"""Drafts share modules with their net and leave it alone."""

from __future__ import annotations

import pytest
from torch import Tensor, nn

import rillnet as rn
from rillnet.errors import RequestError
from rillnet.model.editing.draft import Parts, draft_of, find_block, put, spec_of
from rillnet.spec import SourceSpec
from tests.model.editing.edited_nets import image_net, structure


def test_a_draft_has_the_same_modules_and_blocks_of_its_own() -> None:
    net = image_net()
    draft = draft_of(net)
    assert all(draft[name] is net[name] for name in net.blocks)
    draft.blocks["relu"].sources = [SourceSpec(block="conv")]
    assert structure(net)["relu"] == ["norm"]


def test_parts_are_put_back() -> None:
    net = image_net()
    before, known = Parts.of(net), structure(net)
    del net.blocks["loss"], net._modules["loss"]
    net.blocks["relu"].sources = []
    net.edits.append({"edit": "wire"})
    revision = net.revision
    put(net, before)
    assert structure(net) == known
    assert list(net._modules) == list(known)
    assert net.edits == []
    assert net.revision > revision


def test_an_unknown_block_is_named_with_the_nearest() -> None:
    with pytest.raises(RequestError) as caught:
        find_block(image_net(), "hiden")
    assert str(caught.value) == "net/hiden: unknown block; did you mean 'hidden'?"
    with pytest.raises(RequestError) as caught:
        find_block(image_net(), "image")
    assert str(caught.value) == "net/image: is an input of the net, not a block"


def test_a_block_is_told_with_what_it_reads_now() -> None:
    net = image_net()
    net.blocks["relu"].sources = [SourceSpec(block="conv")]
    spec = spec_of(net, "relu")
    assert spec is not None
    assert spec.model_dump(mode="json", by_alias=True) == {"type": "ReLU", "from": ["conv"]}


class Times(nn.Module):
    def __init__(self, factor: int) -> None:
        super().__init__()
        self.own = factor

    def forward(self, x_N: Tensor) -> Tensor:
        return x_N * self.own


def test_a_module_that_does_not_show_its_arguments_has_no_record() -> None:
    net = rn.Net("net", inputs={"x": (2,)}).add("own", Times(3))
    assert spec_of(net, "own") is None
