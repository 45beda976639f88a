"""Blocks fitted to what they read now."""

from __future__ import annotations

import pytest
import torch

import rillnet as rn
from rillnet.errors import RequestError
from rillnet.model.editing.draft import draft_of, spec_of
from rillnet.model.editing.settling import order_faults, settle, sharing
from rillnet.spec import SourceSpec
from tests.model.editing.edited_nets import image_net, vector_net


def test_blocks_that_still_fit_keep_their_modules() -> None:
    net = image_net()
    draft = draft_of(net)
    draft.blocks["pool"].sources = [SourceSpec(block="norm")]
    settled = settle(net, draft, ["pool"], {})
    assert (settled.outputs, settled.resized) == ({}, {})
    assert all(draft[name] is net[name] for name in net.blocks)


def test_what_grew_is_told_by_address_and_by_block() -> None:
    net = vector_net()
    draft = draft_of(net)
    spec = spec_of(draft, "out")
    assert spec is not None
    asked = {"out": spec.model_copy(update={"arguments": {"out_features": 3}})}
    settled = settle(net, draft, [], asked)
    assert list(settled.resized) == ["net/out/weight", "net/out/bias"]
    assert list(settled.outputs) == ["out"]
    assert torch.equal(draft["out"].weight[:2], net["out"].weight)


def test_a_block_that_would_read_nothing_is_refused() -> None:
    net = vector_net()
    draft = draft_of(net)
    draft.blocks["act"].sources = []
    with pytest.raises(RequestError) as caught:
        settle(net, draft, ["act"], {})
    assert str(caught.value) == "net/act.from: would read nothing any more; remove act instead"


def test_a_cycle_that_grows_without_end_is_refused() -> None:
    net = rn.Net("grows", inputs={"x": (2,)}, seed=1)
    net.add("join", rn.Concat(), source=["x"]).add("act", rn.Tanh())
    draft = draft_of(net)
    draft.blocks["join"].sources += [SourceSpec(block="act", delay=1)]
    with pytest.raises(RequestError) as caught:
        settle(net, draft, ["join"], {})
    assert str(caught.value) == "net/join: its shape grows without end, as it is in a cycle"


def test_a_cycle_without_delay_is_named() -> None:
    draft = draft_of(vector_net())
    draft.blocks["a"].sources = [SourceSpec(block="act")]
    assert [str(fault) for fault in order_faults(draft)] == [
        "net/a: the cycle a -> sum -> act -> a has no delay; give one of its edges a delay of at least 1"
    ]


def test_blocks_that_share_are_known() -> None:
    net = rn.Net("shared", inputs={"x": (4,)}, seed=1)
    net.add("a", rn.Linear(out_features=3), source="x")
    net.add("b", rn.Linear(out_features=4), source="a", share={"weight": {"of": "a.weight", "transpose": True}})
    net.add("c", rn.Linear(out_features=3), source="b", share={"weight": "a.weight"})
    assert sharing(net) == {"a": ["c", "b"], "b": ["a"], "c": ["a"]}
