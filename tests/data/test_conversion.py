"""Values of any origin as tensors, and as a net reads them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from rillnet.data.conversion import as_tensor, for_net, kind_for_net, scaled_fields
from rillnet.errors import DataError

VALUES: list[tuple[Any, torch.dtype, list[Any] | float]] = [
    (3, torch.int64, 3),
    (0.5, torch.float32, 0.5),
    (np.float64(0.5), torch.float32, 0.5),
    (np.int32(4), torch.int32, 4),
    ([1, 2], torch.int64, [1, 2]),
    ([0.5, 2], torch.float32, [0.5, 2.0]),
    (True, torch.bool, True),
    (np.array([1.5]), torch.float64, [1.5]),
    (np.array([1, 2], dtype=">i2"), torch.int16, [1, 2]),
    (np.array([1.5], dtype=">f4"), torch.float32, [1.5]),
    (np.array([65535], dtype=np.uint16), torch.int32, [65535]),
    (np.array([2**32 - 1], dtype=np.uint32), torch.int64, [2**32 - 1]),
    (np.array([7], dtype=np.uint64), torch.int64, [7]),
    (np.array([0.25], dtype=np.longdouble), torch.float64, [0.25]),
    (np.arange(3)[::-1], torch.int64, [2, 1, 0]),
]


@pytest.mark.parametrize(("value", "dtype", "expected"), VALUES)
def test_values_become_tensors(value: Any, dtype: torch.dtype, expected: Any) -> None:
    tensor = as_tensor(value, "x")

    assert tensor.dtype is dtype
    assert tensor.tolist() == expected


def test_memory_of_arrays_is_shared() -> None:
    array = np.zeros(3)
    as_tensor(array, "x")[1] = 5

    assert array[1] == 5


def test_arrays_that_must_not_be_written_are_copied() -> None:
    array = np.zeros(3)
    array.flags.writeable = False

    assert as_tensor(array, "x").tolist() == [0, 0, 0]


def test_tensors_lose_their_gradient() -> None:
    assert not as_tensor(torch.zeros(2, requires_grad=True), "x").requires_grad


@pytest.mark.parametrize(("mode", "shape"), [("RGB", (3, 4, 5)), ("L", (1, 4, 5))])
def test_images_of_pillow_have_their_channels_first(mode: str, shape: tuple[int, ...]) -> None:
    tensor = as_tensor(Image.new(mode, (5, 4)), "x")

    assert tensor.shape == shape
    assert tensor.dtype is torch.uint8


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("seven", "train.x: must be numbers (got elements of type <U5)"),
        ([[1, 2], [3]], "train.x: must be numbers in a regular grid (got list)"),
        (None, "train.x: must be numbers (got elements of type object)"),
    ],
)
def test_other_things_are_refused(value: Any, message: str) -> None:
    with pytest.raises(DataError) as raised:
        as_tensor(value, "train.x")

    assert str(raised.value) == message


def test_images_of_bytes_become_numbers_up_to_one() -> None:
    stack = torch.tensor([[[0, 51, 255]]], dtype=torch.uint8)

    assert torch.allclose(for_net(stack, scaled=True), torch.tensor([[[0.0, 0.2, 1.0]]]))
    assert kind_for_net(stack, scaled=True) == ((1, 3), torch.float32)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64])
def test_integers_become_int64(dtype: torch.dtype) -> None:
    stack = torch.tensor([1, 2], dtype=dtype)

    assert for_net(stack, scaled=False).dtype is torch.int64
    assert kind_for_net(stack, scaled=False) == ((), torch.int64)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.bool])
def test_all_else_stays(dtype: torch.dtype) -> None:
    stack = torch.ones(2, 3, dtype=dtype)

    assert for_net(stack, scaled=False) is stack
    assert kind_for_net(stack, scaled=False) == ((3,), dtype)


def test_scaled_are_fields_of_bytes_with_two_dimensions_unless_named() -> None:
    fields = {
        "image": torch.zeros(2, 1, 4, 4, dtype=torch.uint8),
        "label": torch.zeros(2, dtype=torch.uint8),
        "code": torch.zeros(2, 5, dtype=torch.uint8),
        "depth": torch.zeros(2, 4, 4),
    }

    assert scaled_fields(fields) == {"image"}
    assert scaled_fields(fields, ["code"]) == {"code"}
    assert scaled_fields(fields, []) == set()
