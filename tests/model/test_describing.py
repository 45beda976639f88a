"""Descriptions of blocks in Python."""

from __future__ import annotations

import re

import pytest

import rillnet as rn
from rillnet.spec import BlockSpec, InputSpec


def test_every_torch_layer_can_be_described_by_name() -> None:
    assert rn.Conv2d(out_channels=3, kernel_size=1) == BlockSpec(
        type="Conv2d", arguments={"out_channels": 3, "kernel_size": 1}
    )


def test_a_block_by_import_path() -> None:
    assert rn.block("torch.nn:Linear", in_features=2, out_features=3).type == "torch.nn:Linear"


def test_a_scalar_input() -> None:
    assert rn.Scalar("int64") == InputSpec(shape=(), dtype="int64")


def test_arguments_come_by_name() -> None:
    rule = "rn.Linear takes its arguments by name, as sizes that can be inferred are left out"
    with pytest.raises(TypeError, match=re.escape(rule)):
        rn.Linear(3)


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(
        AttributeError, match=re.escape("module 'rillnet' has no attribute 'Conv2D'; did you mean 'Conv2d'?")
    ):
        _ = rn.Conv2D


def test_the_shop_window_lists_what_there_is() -> None:
    names = dir(rn)
    assert names == sorted(names)
    assert {"Net", "Session", "Conv2d", "Sum"} <= set(names)
