"""What is seen of a running model."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rillnet.model.observed import (
    Extent,
    is_plain,
    not_an_input,
    output_of,
    positional,
    tensors_in,
    versions_of,
)
from rillnet.model.shapes import Signature


@dataclass
class Result:
    logits: Tensor
    hidden: tuple[Tensor, ...]


ONE, TWO, THREE = (torch.full((1,), float(n)) for n in (1, 2, 3))


@pytest.mark.parametrize(
    ("value", "paths"),
    [
        (ONE, [()]),
        ((ONE, [TWO, None], 3), [(0,), (1, 0)]),
        ({"a": ONE, "b": (TWO,)}, [("a",), ("b", 0)]),
        (Result(ONE, (TWO, THREE)), [("logits",), ("hidden", 0), ("hidden", 1)]),
        ("text", []),
        (Result, []),
    ],
)
def test_tensors_are_found_with_the_way_to_them(value: Any, paths: list[tuple[Any, ...]]) -> None:
    assert [path for path, _ in tensors_in(value)] == paths


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ((ONE, [1, 2.0, "x", None, True], {"k": ONE}), True),
        ((slice(0, 2), ..., torch.float32, torch.device("cpu"), ONE.shape), True),
        (Result(ONE, ()), False),
        ([object()], False),
        (slice(object()), False),
    ],
)
def test_plain_arguments_hide_no_tensors(value: Any, expected: bool) -> None:
    assert is_plain(value) is expected


def test_sizes_remember_how_they_were_computed() -> None:
    size = Extent(6, ("x", 0))

    assert (size, size + 1, 10 - size, size * size, 13 // size, size % 4) == (6, 7, 4, 36, 2, 2)
    assert (size + 1).made_of == ("+", size, 1)
    assert (10 - size).made_of == ("-", 10, size)
    assert (size * size).made_of == ("*", size, size)


@pytest.mark.parametrize(
    "compute", [lambda n: n / 2, lambda n: n * 0.5, lambda n: -n, lambda n: n > 3, lambda n: int(n)]
)
def test_other_arithmetic_gives_plain_numbers(compute: Any) -> None:
    found = compute(Extent(6, ("x", 0)))

    assert found == compute(6)
    assert not isinstance(found, Extent)


def test_a_copy_of_a_size_is_a_plain_number() -> None:
    assert type(copy.deepcopy(Extent(6, ("x", 0)))) is int


def test_a_size_is_taken_by_torch_as_any_number() -> None:
    size = Extent(2, ("x", 0))

    assert torch.zeros(size, 3).view(3, size).shape == (3, 2)
    assert type(torch.Size([size])[0]) is Extent


def test_an_argument_that_comes_back_unchanged_is_another_tensor_then() -> None:
    x = torch.ones(2, requires_grad=True)
    with torch.no_grad():
        found = not_an_input((x, ONE), versions_of(x))

    assert found[0] is not x
    assert found[0].data_ptr() == x.data_ptr()
    assert found[0].requires_grad
    assert found[1] is ONE


def test_an_argument_that_was_changed_in_place_comes_back_itself() -> None:
    x = torch.ones(2)
    versions = versions_of([x])

    assert not_an_input(x.add_(1), versions) is x


def test_tensors_of_inference_have_no_versions() -> None:
    with torch.inference_mode():
        x = torch.ones(2)

    assert versions_of({"x": x}) == {id(x): 0}


@pytest.mark.parametrize(
    ("module", "args", "kwargs", "expected"),
    [
        (nn.Linear(1, 1), (ONE,), {}, [ONE]),
        (nn.Linear(1, 1), (), {"input": ONE}, [ONE]),
        (nn.LSTM(1, 1), (ONE, None), {}, [ONE]),
        (nn.LSTM(1, 1), (ONE, (TWO, THREE)), {}, None),
        (nn.MultiheadAttention(1, 1), (ONE, ONE, ONE), {"need_weights": True}, [ONE, ONE, ONE]),
        (nn.MultiheadAttention(1, 1), (ONE, ONE, ONE), {"need_weights": False}, None),
        (nn.MultiheadAttention(1, 1), (ONE, ONE, ONE), {"attn_mask": ONE}, None),
        (nn.Identity(), (3,), {}, None),
        (nn.Bilinear(1, 1, 1), (), {"input2": TWO, "input1": ONE}, [ONE, TWO]),
    ],
)
def test_arguments_that_are_tensors_in_a_row(
    module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], expected: list[Tensor] | None
) -> None:
    found = positional(module, args, kwargs)

    assert (found is None) == (expected is None)
    assert all(one is other for one, other in zip(found or [], expected or [], strict=True))


def test_what_a_block_sends_for_one_example() -> None:
    value = (torch.zeros(4, 3), {"n": torch.zeros(4, dtype=torch.int64), "loss": torch.zeros(())}, None)

    assert output_of(value, 4) == (
        Signature((3,)),
        (Signature((), torch.int64), Signature((), batched=False)),
        Signature((), batched=False),
    )
