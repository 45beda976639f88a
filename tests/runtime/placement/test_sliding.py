"""Windows: which rows a part of the output reads, and how much padding it sees, checked by computing with it."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from rillnet.runtime.placement.rules import partition_of
from rillnet.runtime.placement.sliding import Sliding, each


@given(
    st.integers(1, 5),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(0, 3),
    st.integers(4, 14),
    st.data(),
)
def test_rows_with_their_halo_and_padding_give_the_rows_of_the_whole(
    kernel: int, stride: int, dilation: int, padding: int, size: int, data: st.DataObject
) -> None:
    rows = (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
    if rows < 1:
        return
    start = data.draw(st.integers(0, rows - 1))
    stop = data.draw(st.integers(start + 1, rows))
    window = Sliding(kernel, stride, dilation, padding)
    x, weight = torch.arange(1.0, size + 1).view(1, 1, -1), torch.arange(1.0, kernel + 1).view(1, 1, -1)

    low, high = window.reach((start, stop), size)
    part = functional.pad(x[..., low:high], window.padding((start, stop), size))

    whole = functional.conv1d(x, weight, None, stride, padding, dilation)
    assert torch.equal(functional.conv1d(part, weight, None, stride, 0, dilation), whole[..., start:stop])


def test_an_empty_range_reads_nothing() -> None:
    assert Sliding(3, 1, 1, 1).reach((2, 2), 8) == (0, 0)


def test_padding_same_has_less_before_than_after_an_even_kernel() -> None:
    rule = partition_of(nn.Conv1d(1, 1, 4, padding="same"), [(1, 9)], (1, 9))

    assert rule.needs(((0, 1), (0, 1), (3, 6))) == [((0, 1), (0, 1), (2, 8))]


def test_a_group_of_channels_reads_its_own() -> None:
    rule = partition_of(nn.Conv2d(8, 16, 1, groups=4), [(8, 5, 5)], (16, 5, 5))
    box = ((0, 1), (4, 12), (0, 5), (0, 5))

    assert rule.splits()["feature"].unit == 4
    assert rule.needs(box)[0][1] == (2, 6)
    assert rule.parameters(box)["weight"] == (((4, 12), (0, 2), (0, 1), (0, 1)),)


def test_a_transposed_convolution_has_its_channels_second() -> None:
    rule = partition_of(nn.ConvTranspose2d(8, 6, 3, stride=2), [(8, 5, 5)], (6, 11, 11))
    box = ((0, 1), (0, 3), (4, 8), (0, 11))

    assert rule.parameters(box)["weight"] == (((0, 8), (0, 3), (0, 3), (0, 3)),)
    assert rule.needs(box) == [((0, 1), (0, 8), (1, 4), (0, 5))]


@pytest.mark.parametrize(
    ("module", "sends", "needs"),
    [
        (nn.AdaptiveAvgPool2d((4, 3)), (2, 4, 3), (3, 9)),
        (nn.Upsample(scale_factor=2), (2, 24, 12), (0, 2)),
    ],
)
def test_rows_are_read_by_their_ratio(module: nn.Module, sends: tuple[int, ...], needs: tuple[int, int]) -> None:
    rule = partition_of(module, [(2, 12, 6)], sends)

    assert rule.needs(((0, 1), (0, 2), (1, 3), (0, sends[2])))[0][2] == needs


def test_uneven_windows_are_not_split_by_rows() -> None:
    assert "space" not in partition_of(nn.AdaptiveAvgPool2d((5, 3)), [(2, 12, 6)], (2, 5, 3)).splits()
    assert (
        "space"
        not in partition_of(nn.Conv2d(2, 2, 3, padding=1, padding_mode="circular"), [(2, 9, 9)], (2, 9, 9)).splits()
    )


def test_one_number_stands_for_all_dimensions() -> None:
    assert (each(3, 2), each((3,), 2), each((3, 4), 2)) == ([3, 3], [3, 3], [3, 4])
