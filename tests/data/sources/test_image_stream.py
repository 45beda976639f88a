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
