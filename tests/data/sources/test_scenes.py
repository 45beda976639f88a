"""Several images on one canvas, with the class of every pixel."""

from __future__ import annotations

import pytest
import torch

from rillnet.data import open_data
from rillnet.errors import RequestError

BACKGROUND = 10


def test_every_pixel_has_the_class_of_its_image() -> None:
    """One image on a canvas of its own size is itself."""
    whole = open_data("Digits", batch_size=359).feed("test").next()
    scene = (
        open_data({"type": "Scenes", "of": "Digits", "size": [8, 8], "count": 1}, batch_size=359).feed("test").next()
    )

    by_label = {int(label): [] for label in whole["label"].unique()}
    for image, label in zip(whole["image"], whole["label"], strict=True):
        by_label[int(label)].append(image)
    for image, classes, is_object in zip(scene["image"], scene["classes"], scene["is_object"], strict=True):
        (label,) = classes[is_object].unique().tolist()
        kept = [torch.where(one > 0.25, one, torch.zeros_like(one)) for one in by_label[label]]
        assert any((image - one).abs().max() < 1 / 255 for one in kept)
    assert torch.equal(scene["classes"] == BACKGROUND, ~scene["is_object"])
    assert (scene["image"][:, 0][~scene["is_object"]] == 0).all()


def test_images_lie_anywhere_and_the_same_ever_again() -> None:
    source = {"type": "Scenes", "of": "Digits", "size": [16, 20], "count": 3}
    first, again = (open_data(source, batch_size=359).feed("test").next() for _ in range(2))

    assert first["image"].shape == (359, 1, 16, 20)
    assert all(torch.equal(first[name], again[name]) for name in first.fields)
    assert first["is_object"].any(0).float().mean() > 0.9  # of the canvas
    shown = torch.tensor([len(one.unique()) - 1 for one in first["classes"]])
    assert shown.max() == 3


def test_images_must_fit_on_the_canvas() -> None:
    data = open_data({"type": "Scenes", "of": "Digits", "size": [8, 7]})
    with pytest.raises(RequestError) as error:
        data.examples("train")
    assert str(error.value) == "data.source.size: must hold images of [8, 8] (got [8, 7])"


def test_a_source_without_images_is_refused() -> None:
    data = open_data({"type": "Scenes", "of": "RomanNumerals", "size": [40, 40]})
    with pytest.raises(RequestError) as error:
        data.examples("train")
    assert str(error.value) == "data.source.of: must be a source of labelled images, read in any order"
