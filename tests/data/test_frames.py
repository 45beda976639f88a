"""The feed of streams in time."""

from __future__ import annotations

import pytest
import torch

from rillnet.data import open_data
from rillnet.data.frames import Frames, FramesFeed, SourceEnded
from rillnet.data.sources.frame_arrays import FrameArrays

SOURCE = {"type": "RomanNumerals", "duration": [2, 5], "frames": 7, "evaluation_frames": 3, "size": 8}


def feed() -> FramesFeed:
    made = open_data(SOURCE, batch_size=4, seed=1, prepare=[{"type": "Noise", "std": 0.1}]).feed("train")
    assert isinstance(made, FramesFeed)
    return made


def test_a_seek_continues_as_an_unbroken_feed() -> None:
    unbroken, other = feed(), feed()
    batches = [unbroken.next() for _ in range(20)]
    other.seek({"epoch": 2, "batch": 1})
    for expected in batches[15:]:
        batch = other.next()
        assert (batch.epoch, batch.index) == (expected.epoch, expected.index)
        assert all(torch.equal(batch[name], expected[name]) for name in expected.fields)


def test_streams_go_on_over_the_end_of_an_epoch() -> None:
    made = feed()
    last = [made.next() for _ in range(7)][-1]
    first = made.next()
    held = first["onset"] > 0
    assert first.epoch == 1
    assert torch.equal(first["label"][held], last["label"][held])


def test_noise_is_fresh_in_every_frame() -> None:
    made = feed()
    one, two = made.next(), made.next()
    held = two["onset"] > 0
    assert held.any()
    assert not torch.equal(one["image"][held], two["image"][held])


def test_an_evaluation_is_one_epoch_of_frames_and_moves_nothing() -> None:
    made = open_data(SOURCE, batch_size=4, seed=1).feed("test")
    assert [batch.index for batch in made.once()] == [0, 1, 2]
    assert made.state() == {"epoch": 0, "batch": 0}
    assert made.continuous


def test_the_sources_of_frames_satisfy_the_protocol() -> None:
    assert isinstance(open_data(SOURCE).examples("train"), Frames)


def test_a_source_that_ends_ends_an_evaluation_and_stops_a_feed() -> None:
    source = FrameArrays({"x": torch.arange(3.0)}, test={"x": torch.arange(3.0)}, at_end="stop", frames=9)
    data = open_data(source, batch_size=1)
    made = data.feed("train")
    for _ in range(3):
        made.next()
    before = made.state()
    with pytest.raises(SourceEnded) as error:
        made.next()

    assert str(error.value) == "data.source.train: has ended after 3 frames; at_end: repeat or hold goes on"
    assert made.state() == before
    assert len(list(made.once())) == 3
