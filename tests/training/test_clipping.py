"""Limits on gradients."""

from __future__ import annotations

import pytest
import torch
from torch.nn import Parameter

from rillnet.errors import RequestError
from rillnet.training.clipping import Clip, build_clip, check_clip


def with_gradients(*gradients: list[float] | None) -> list[Parameter]:
    parameters = []
    for gradient in gradients:
        parameter = Parameter(torch.zeros(2))
        parameter.grad = None if gradient is None else torch.tensor(gradient)
        parameters.append(parameter)
    return parameters


def test_by_norm_of_all() -> None:
    parameters = with_gradients([3.0, 0.0], None, [0.0, 4.0])
    norm = Clip(norm=1.0)(parameters)
    assert norm == 5.0
    torch.testing.assert_close(parameters[0].grad, torch.tensor([0.6, 0.0]))
    torch.testing.assert_close(parameters[2].grad, torch.tensor([0.0, 0.8]))


def test_a_small_norm_is_left_alone() -> None:
    parameters = with_gradients([0.3, 0.4])
    Clip(norm=1.0)(parameters)
    assert torch.equal(parameters[0].grad, torch.tensor([0.3, 0.4]))


def test_by_value() -> None:
    parameters = with_gradients([3.0, -0.2], [-4.0, 0.5])
    assert Clip(value=0.5)(parameters) is None
    assert torch.equal(parameters[0].grad, torch.tensor([0.5, -0.2]))
    assert torch.equal(parameters[1].grad, torch.tensor([-0.5, 0.5]))


def test_by_largest_value() -> None:
    parameters = with_gradients([3.0, -4.0])
    assert Clip(norm=2.0, norm_type=float("inf"))(parameters) == 4.0
    torch.testing.assert_close(parameters[0].grad, torch.tensor([1.5, -2.0]))


def test_no_gradients_are_no_trouble() -> None:
    assert Clip(norm=1.0)(with_gradients(None)) == 0.0
    assert Clip(value=1.0)(with_gradients(None)) is None


def test_a_document_says_a_number_a_mapping_or_nothing() -> None:
    by_number, by_mapping = build_clip(2), build_clip({"value": 0.5})
    assert by_number is not None
    assert by_number.norm == 2
    assert by_mapping is not None
    assert by_mapping.value == 0.5
    assert build_clip(None) is None
    assert build_clip(by_number) is by_number


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (-1, "learning/main.clip: must be more than 0 (got -1); say the largest norm, or {value: ...}"),
        ("tight", "learning/main.clip: must be a number (got 'tight'); say the largest norm, or {value: ...}"),
        ({"nrom": 1}, "learning/main.clip.nrom: unknown key; did you mean 'norm'?"),
        ({"norm": 0}, "learning/main.clip.norm: must be more than 0 (got 0)"),
        ({}, "learning/main.clip: must have one of norm and value (got {})"),
        (
            {"norm": 1, "value": 2},
            "learning/main.clip: must have one of norm and value (got {'norm': 1, 'value': 2})",
        ),
    ],
)
def test_wrong_limits_are_faults(spec: object, message: str) -> None:
    assert [str(fault) for fault in check_clip(spec, "learning/main.clip")] == [message]
    with pytest.raises(RequestError) as error:
        build_clip(spec, "learning/main.clip")
    assert str(error.value) == message
