"""What computes an intervention within a frame."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from rillnet.runtime.interventions.intervening import Intervening, Silence, replaced


def masked(values: list[float], mask: list[bool]) -> Intervening:
    return Intervening([()], [torch.tensor([mask])], [torch.tensor([values])], [False])


def test_units_that_are_replaced_pass_no_gradient_even_where_they_are_no_numbers() -> None:
    x = torch.tensor([[float("nan"), 2.0]], requires_grad=True)

    sent = masked([0.5, 0.0], [True, False])(x)
    sent.sum().backward()

    assert sent.tolist() == [[0.5, 2.0]]
    assert x.grad is not None
    assert x.grad.tolist() == [[0.0, 1.0]]


def test_new_values_are_put_into_the_same_memory() -> None:
    module = masked([0.5, 0.0], [True, False])
    before = [buffer.data_ptr() for buffer in module.buffers()]

    module.put(0, torch.tensor([[False, True]]), torch.tensor([[0.0, 7.0]]))

    assert module(torch.ones(1, 2)).tolist() == [[1.0, 7.0]]
    assert [buffer.data_ptr() for buffer in module.buffers()] == before
    assert module.version == 1


def test_only_the_named_tensor_of_several_is_changed() -> None:
    one, true = torch.ones(1, 2), torch.ones(1, 2, dtype=torch.bool)

    sent = replaced((one, (one, one)), (1, 0), true, torch.zeros(1, 2), torch.full((1, 2), 3.0))

    assert [float(tensor[0, 0]) for tensor in (sent[0], *sent[1])] == [1.0, 3.0, 1.0]


def test_what_is_sent_keeps_its_kind() -> None:
    module = Intervening([()], [torch.tensor([[True, False]])], [torch.tensor([[0.5, 0.0]])], [True])
    for kind in (torch.bfloat16, torch.float64):
        assert module(torch.ones(3, 2, dtype=kind), torch.ones(3, 2)).dtype == kind


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 3.0])
def test_silence_is_zero_whatever_is_read(value: float) -> None:
    x = torch.full((2,), value, requires_grad=True)

    sent = Silence()((x, x))
    sent[0].sum().backward()

    assert [tensor.tolist() for tensor in sent] == [[0.0, 0.0], [0.0, 0.0]]
    assert x.grad is not None
    assert x.grad.tolist() == [0.0, 0.0]


def test_they_can_be_computed_for_many_frames_at_once() -> None:
    from rillnet.model.layers.per_example import is_per_example

    modules: list[nn.Module] = [masked([0.5], [True]), Silence()]
    assert all(is_per_example(module) for module in modules)
