"""Any source as a stream."""

from __future__ import annotations

import itertools

import pytest
import torch

from rillnet.data import open_data
from rillnet.errors import RequestError


def test_the_images_of_another_source_are_held() -> None:
    data = open_data({"type": "ImageStream", "of": "Digits", "duration": 2}, batch_size=3, seed=1)
    feed = data.feed("train")
    batches = [feed.next() for _ in range(6)]
    assert data.fields("train")["image"] == ((1, 8, 8), torch.float32)
    for earlier, later in itertools.pairwise(batches):
        held = later["onset"] == 1
        assert torch.equal(earlier["image"][held], later["image"][held])


def test_faults_of_the_inner_source_have_its_address() -> None:
    with pytest.raises(RequestError) as error:
        _ = open_data({"type": "ImageStream", "of": {"type": "Digit"}}).phases
    assert str(error.value) == "data.source.of.type: unknown source (got 'Digit'); did you mean 'Digits'?"


def test_a_stream_of_streams_is_refused() -> None:
    data = open_data({"type": "ImageStream", "of": "RomanNumerals"})
    with pytest.raises(RequestError) as error:
        data.examples("train")
    assert str(error.value) == "data.source.of: must be a source whose examples can be read in any order"


def test_sequences_of_one_image_under_noise() -> None:
    source = {"type": "ImageStream", "of": "Digits", "duration": 4, "in_step": True, "noise": 2.0}
    data = open_data(source, batch_size=100, evaluation_batch_size=90)
    feed = data.feed("train")
    batches = [feed.next() for _ in range(8)]

    assert feed.batches_per_epoch == 15 * 4  # 1,438 images, 100 at a time
    assert data.feed("test").batches_per_epoch == 4 * 4
    assert [batch["begins"].all().item() for batch in batches] == [True, False, False, False] * 2
    assert torch.equal(batches[0]["label"], batches[3]["label"])
    assert not torch.equal(batches[0]["image"], batches[1]["image"])
    assert batches[0]["image"].min() == 0
    assert batches[0]["image"].max() == 1


def test_an_evaluation_sees_every_image_once() -> None:
    source = {"type": "ImageStream", "of": "Digits", "duration": 2, "in_step": True}
    whole = open_data("Digits", batch_size=359).feed("test").next()
    seen = list(open_data(source, batch_size=359).feed("test").once())

    assert [torch.equal(batch["label"], whole["label"]) for batch in seen] == [True, True]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"duration": [3, 5], "in_step": True},
            "data.source.duration: must be one number of frames where streams are in step (got [3, 5])",
        ),
        (
            {"duration": [5, 3]},
            "data.source.duration: must be the fewest and the most frames of a stimulus, 1 or more (got [5, 3])",
        ),
        ({"noise": -1}, "data.source.noise: must be at least 0 (got -1)"),
        ({"noise": 1, "noise_type": "pink"}, "data.source.noise_type: must be 'normal' or 'uniform' (got 'pink')"),
        ({"noise": 1, "clip": [1, 0]}, "data.source.clip: must be a lowest and a highest value (got [1, 0])"),
    ],
)
def test_arguments_that_are_wrong(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(RequestError) as error:
        open_data({"type": "ImageStream", "of": "Digits", **arguments})
    assert str(error.value) == message
