from __future__ import annotations

import torch

from rillnet.runtime.observers.reductions.whole import Whole


def test_types_are_those_of_the_wire() -> None:
    kinds = {
        torch.float64: torch.float32,
        torch.bfloat16: torch.float32,
        torch.int64: torch.int32,
        torch.bool: torch.uint8,
        torch.uint8: torch.uint8,
    }
    assert {kind: Whole()([torch.ones(2).to(kind)]).data.dtype for kind in kinds} == kinds


def test_large_tensors_are_refused() -> None:
    assert Whole().rule((1024, 1024)) == ""
    assert Whole().rule((1024, 1025)) == "whole takes at most 1,048,576 values, and there are 1,049,600"


def test_it_is_a_copy() -> None:
    value = torch.ones(3)
    found = Whole()([value]).data
    value.add_(1)
    assert found.tolist() == [[1.0, 1.0, 1.0]]
    view = torch.ones(4, 3)[1:]
    copied = Whole()([view]).data
    view.add_(1)
    assert float(copied.sum()) == 9
