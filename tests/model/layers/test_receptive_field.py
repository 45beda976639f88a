"""Receptive fields: which pixels of a source meet which of the target."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from rillnet.model.layers.receptive_field import ReceptiveField, WeightShape, three_sizes, weight_sizes

Pixels = tuple[int, int]


@pytest.mark.parametrize("rf", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize(
    ("source", "target"), [((8, 8), (8, 8)), ((8, 12), (4, 3)), ((4, 4), (8, 12)), ((8, 3), (4, 6)), ((6, 1), (3, 1))]
)
def test_the_target_has_its_pixels(rf: int, dilation: int, source: Pixels, target: Pixels) -> None:
    field = ReceptiveField.between(source, target, rf, dilation)

    sent = field.read(torch.randn(2, 3, *source), torch.randn(4, 3, *field.kernel))

    assert sent.shape == (2, 4, *target)


def test_odd_fields_are_centred_as_torch_pads_them() -> None:
    x, weight = torch.randn(2, 3, 8, 8), torch.randn(4, 3, 5, 5)
    field = ReceptiveField.between((8, 8), (4, 4), 5, 1)

    assert torch.allclose(field.read(x, weight), functional.conv2d(x, weight, stride=2, padding=2), atol=1e-5)


def test_even_fields_are_padded_as_torch_does() -> None:
    x, weight = torch.randn(2, 3, 8, 8), torch.randn(4, 3, 4, 4)
    field = ReceptiveField.between((8, 8), (8, 8), 4, 1)

    expected = functional.conv2d(functional.pad(x, (1, 2, 1, 2)), weight)
    assert torch.allclose(field.read(x, weight), expected, atol=1e-5)


def test_larger_targets_repeat_the_nearest_pixel_first() -> None:
    x, weight = torch.randn(2, 3, 4, 4), torch.randn(4, 3, 3, 3)
    field = ReceptiveField.between((4, 4), (8, 8), 3, 1)

    expected = functional.conv2d(functional.interpolate(x, scale_factor=2, mode="nearest"), weight, padding=1)
    assert torch.allclose(field.read(x, weight), expected, atol=1e-5)


def test_a_field_of_0_reads_everything_at_once() -> None:
    x, weight = torch.randn(2, 3, 4, 6), torch.randn(5, 3, 4, 6)
    field = ReceptiveField.between((4, 6), (8, 8), 0, 1)

    sent = field.read(x, weight)

    assert sent.shape == (2, 5, 1, 1)
    assert torch.allclose(sent[:, :, 0, 0], x.flatten(1) @ weight.flatten(1).T, atol=1e-4)


def test_a_field_as_large_as_the_source_reads_everything_for_one_pixel() -> None:
    assert ReceptiveField.between((4, 4), (1, 1), 4, 1) == ReceptiveField.between((4, 4), (1, 1), 0, 1)


def test_a_line_of_pixels_has_a_field_along_it() -> None:
    assert ReceptiveField.between((9, 1), (9, 1), 3, 1).kernel == (3, 1)


def test_streams_have_weights_of_their_own() -> None:
    x, weight = torch.randn(2, 3, 8, 8), torch.randn(2, 4, 3, 5, 5)
    field = ReceptiveField.between((8, 8), (4, 4), 5, 1)

    sent = field.read(x, weight, per_stream=True)

    for n in range(2):
        assert torch.allclose(sent[n], field.read(x[n : n + 1], weight[n])[0], atol=1e-5)


@pytest.mark.parametrize(
    ("source", "target", "near"),
    [
        ((28, 28), (13, 14), "14 x 14"),
        ((8, 9), (4, 6), "4 x 3"),
        ((7, 7), (15, 20), "14 x 21"),
        ((6, 6), (5, 1), "6 x 1"),
    ],
)
def test_pixels_that_do_not_divide_are_refused(source: Pixels, target: Pixels, near: str) -> None:
    with pytest.raises(ValueError, match="do not divide") as refused:
        ReceptiveField.between(source, target, 3, 1)

    assert str(refused.value) == (
        f"{source[0]} x {source[1]} pixels do not divide into {target[0]} x {target[1]}; "
        f"one must be a whole multiple of the other, as {near} is; or say rf: 0 to read all"
    )
    width, height = map(int, near.split(" x "))
    ReceptiveField.between(source, (width, height), 3, 1)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("full", (16, 8, 5, 3)),
        ("feature", (16, 8, 1, 1)),
        ("spatial", (1, 1, 5, 3)),
        ("scalar", (1, 1, 1, 1)),
        ("src_feature", (1, 8, 1, 1)),
        ("tgt_feature", (16, 1, 1, 1)),
        ("src_spatial", (1, 8, 5, 3)),
        ("tgt_spatial", (16, 1, 5, 3)),
    ],
)
def test_shapes_of_weights(kind: WeightShape, expected: tuple[int, ...]) -> None:
    assert weight_sizes(kind, 16, 8, (5, 3)) == expected


def test_shapes_have_up_to_three_sizes() -> None:
    assert [three_sizes(shape) for shape in ((4,), (4, 3), (4, 3, 2))] == [(4, 1, 1), (4, 3, 1), (4, 3, 2)]
    with pytest.raises(ValueError, match=r"not \[1, 2, 3, 4\]$"):
        three_sizes((1, 2, 3, 4))
