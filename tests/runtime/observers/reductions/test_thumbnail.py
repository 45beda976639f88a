from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rillnet.errors import RequestError
from rillnet.runtime.observers.query import make_reduction
from rillnet.runtime.observers.reductions.thumbnail import Thumbnail, near_square


def picture(value: torch.Tensor, **settings: Any) -> torch.Tensor:
    found: torch.Tensor = make_reduction("thumbnail", settings)([value]).data[0]
    return found


@pytest.mark.parametrize(
    ("shape", "settings", "expected"),
    [
        ((), {}, (1, 1)),
        ((64,), {}, (8, 8)),
        ((10,), {}, (3, 4)),
        ((5, 7), {}, (5, 7)),
        ((4, 6, 6), {}, (12, 12)),
        ((4, 6, 6), {"channel": "mean"}, (6, 6)),
        ((4, 6, 6), {"channel": 3}, (6, 6)),
        ((3, 6, 6), {"channel": "rgb"}, (6, 6, 3)),
        ((16, 1, 5, 5), {}, (20, 20)),
        ((8, 4, 3, 3), {}, (24, 12)),
        ((8, 3, 5, 5), {"channel": "rgb", "size": [99, 99]}, (10, 20, 3)),
        ((8, 3, 5, 5), {"channel": "mean"}, (10, 20)),
        ((4, 784), {"shape": [28, 28], "size": [99, 99]}, (56, 56)),
        ((100, 100), {}, (32, 32)),
        ((100, 50), {}, (32, 16)),
        ((64, 28, 28), {"size": [16, 16]}, (16, 16)),
        ((256, 256, 3, 3), {}, (32, 32)),
        ((100_000,), {}, (20, 32)),
    ],
    ids=str,
)
def test_shapes_of_pictures(shape: tuple[int, ...], settings: Any, expected: tuple[int, ...]) -> None:
    assert tuple(picture(torch.randn(shape), **settings).shape) == expected


def test_maps_are_tiles_side_by_side() -> None:
    maps = torch.tensor([[[0.0, 1.0]], [[2.0, 3.0]], [[4.0, 5.0]]])
    levels = (picture(maps) / 51).round().int().tolist()
    assert levels == [[0, 1, 2, 3], [4, 5, 0, 0]]


def test_kernels_are_a_table() -> None:
    filters = torch.arange(8.0).view(2, 2, 1, 2)
    levels = (picture(filters) / 255 * 7).round().int().tolist()
    assert levels == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_levels_reach_from_the_least_to_the_largest() -> None:
    found = Thumbnail()([torch.tensor([[-1.0, 0.0], [1.0, 3.0]])])
    assert found.data.tolist() == [[[0, 64], [128, 255]]]
    assert (float(found.low), float(found.high)) == (-1.0, 3.0)


def test_equal_values_are_dark() -> None:
    found = Thumbnail()([torch.full((2, 2), 7.0)])
    assert found.data.tolist() == [[[0, 0], [0, 0]]]
    assert (float(found.low), float(found.high)) == (7.0, 7.0)


def test_larger_pictures_are_averaged() -> None:
    value = torch.zeros(64, 64)
    value[:32] = 1
    assert picture(value, size=[2, 2]).tolist() == [[255, 255], [0, 0]]


@pytest.mark.parametrize(
    ("shape", "settings", "rule"),
    [
        ((3,), {"channel": 0}, "thumbnail finds no channels, which only maps and filters have"),
        ((4, 2, 2), {"channel": "rgb"}, "thumbnail needs 3 channels for rgb, and there are 4"),
        ((4, 2, 2), {"channel": 4}, "thumbnail finds no channel 4, as there are 4"),
        ((10,), {"shape": [3, 3]}, "thumbnail cannot lay out 10 values as [3, 3]"),
        ((0, 3), {}, "thumbnail needs values to draw"),
    ],
)
def test_what_cannot_be_drawn_is_told(shape: tuple[int, ...], settings: Any, rule: str) -> None:
    assert make_reduction("thumbnail", settings).rule(shape) == rule


def test_settings_are_checked() -> None:
    with pytest.raises(RequestError) as raised:
        make_reduction("thumbnail", {"size": [0, 4], "colour": "red"})
    assert str(raised.value) == (
        "thumbnail.size: must be at least 1 (got [0, 4])\nthumbnail.colour: unknown key; known: size, channel, shape"
    )


@given(st.integers(1, 5000))
def test_a_near_square_has_room_for_all_and_little_more(count: int) -> None:
    rows, columns = near_square(count)
    assert rows * columns >= count
    assert rows * columns - count < columns
    assert rows <= columns + 1
    assert columns <= 2 * rows + 1


@pytest.mark.parametrize("bad", [None, float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize(
    "settings",
    [{}, {"size": [8, 8]}, {"channel": "mean"}, {"channel": 1}, {"channel": "rgb"}, {"channel": "rgb", "size": [5, 9]}],
    ids=str,
)
def test_on_the_host_all_shapes_at_once_give_the_same(settings: Any, bad: float | None) -> None:
    reduction = make_reduction("thumbnail", settings)
    shapes: list[tuple[int, ...]] = [
        (),
        (1,),
        (7,),
        (64,),
        (5, 3),
        (70, 90),
        (3, 8, 8),
        (6, 3, 5, 5),
        (2, 2, 3, 40, 40),
    ]
    values = [torch.randn(shape) * (n + 1) for n, shape in enumerate(shapes) if not reduction.rule(shape)]
    values.append(torch.full((3, 4, 4), 2.0))
    values.append(torch.randint(0, 9, (3, 4, 4)))
    if bad is not None:
        for value in values[:-1]:
            value.reshape(-1)[-1] = bad
    rows = reduction.rows(values)
    assert len(rows) == len(values)
    for value, (data, low, high) in zip(values, rows, strict=True):
        expected = reduction([value])
        assert data.dtype == np.uint8
        assert data.shape == tuple(expected.data.shape[1:])
        np.testing.assert_allclose(data.astype(int), expected.data[0].numpy().astype(int), atol=1)
        assert (low, high) == pytest.approx((float(expected.low[0]), float(expected.high[0])))


def test_pictures_of_one_shape_are_what_each_is_alone() -> None:
    random = torch.Generator().manual_seed(3)
    shapes = [(5, 7, 7), (64,), (5, 7, 7), (3, 40, 40), (5, 7, 7), (10,)]
    values = [torch.randn(shape, generator=random) for shape in shapes]
    values[2][0, 0, 0] = float("nan")
    for settings in ({}, {"size": (9, 9)}):
        together, alone = Thumbnail(**settings).rows(values), [Thumbnail(**settings).rows([one])[0] for one in values]
        for one, other in zip(together, alone, strict=True):
            assert np.array_equal(one[0], other[0])
            assert one[1:] == other[1:]
    whole = torch.stack([values[0], values[4]])
    assert [row[1:] for row in Thumbnail().rows(whole)] == [row[1:] for row in Thumbnail().rows([*whole])]
