"""Roman numerals."""

from __future__ import annotations

import torch

from rillnet.data.sources.roman_numerals import NUMERALS, RomanNumerals, draw_numerals


def test_ten_different_images_of_white_strokes_on_black() -> None:
    images = draw_numerals(32)
    assert images.shape == (len(NUMERALS), 1, 32, 32)
    assert images.min() == 0
    assert images.max() == 1
    distances = torch.cdist(images.flatten(1), images.flatten(1)) + 100 * torch.eye(10)
    assert distances.min() > 1


def test_every_numeral_lies_within_its_image() -> None:
    for size in (24, 32, 64):
        images = draw_numerals(size)
        border = torch.cat([images[..., 0, :], images[..., -1, :], images[..., 0], images[..., -1]], dim=-1)
        assert border.max() < 1, size


def test_the_streams_of_both_phases() -> None:
    source = RomanNumerals(frames=9, evaluation_frames=4)
    assert source.phases() == ("train", "test")
    assert [source.examples(phase).frames_per_epoch for phase in source.phases()] == [9, 4]
    assert set(source.examples("train").frame(0, 256, 1)["label"].tolist()) == set(range(10))
