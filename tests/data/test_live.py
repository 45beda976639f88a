"""Numbers of sources that can be changed while they show their streams."""

from __future__ import annotations

import copy
from typing import Annotated, Any

import pytest
import torch
from pydantic import Field

from rillnet.data import open_data
from rillnet.data.live import Live, LiveSource, check_named
from rillnet.data.opening import Data
from rillnet.errors import RequestError


class Tone(Live):
    """A source of a user's."""

    live = ("volume",)

    def __init__(self, volume: Annotated[float, Field(ge=0)] = 1.0, pitch: int = 3) -> None:
        self.volume, self.pitch = volume, pitch


def test_what_is_declared_can_be_changed() -> None:
    tone = Tone()
    assert isinstance(tone, LiveSource)
    tone.check_setting("volume", 0.5, "data/volume")
    tone.change("volume", 0.5)
    assert tone.settings() == {"volume": 0.5}
    for value, rule in ((-1, "must be at least 0 (got -1)"), (float("inf"), "must be a finite number (got inf)")):
        with pytest.raises(RequestError) as error:
            tone.check_setting("volume", value, "data/volume")
        assert str(error.value) == f"data/volume: {rule}"
    with pytest.raises(RequestError, match="data/pitch: unknown setting; known: volume"):
        check_named(tone.settings(), "pitch")


@pytest.mark.parametrize(
    ("source", "changes"),
    [
        ({"type": "RomanNumerals", "size": 8}, {"noise": 0.3, "fading": 3, "duration": 2}),
        ({"type": "RomanNumerals", "size": 8, "duration": [2, 4]}, {"duration": [3, 5]}),
        ({"type": "ImageStream", "of": "Digits", "noise": 0.1}, {"noise": 0.4, "fading": 2, "duration": 3}),
        ({"type": "ImageStream", "of": "Digits", "in_step": True, "duration": 2}, {"noise": 0.2}),
        ({"type": "Oscillators", "period": [4], "noise": 0.1}, {"noise": 0.5, "amplitude": 2.0}),
        ({"type": "MovingEdges", "form": "bar"}, {"width": 5.0}),
        (
            {
                "type": "Modalities",
                "of": {"camera": {"type": "MovingEdges"}, "sound": {"type": "Oscillators", "period": [4]}},
            },
            {"sound/noise": 0.5},
        ),
    ],
)
def test_a_source_that_was_changed_shows_what_one_made_so_shows(source: Any, changes: dict[str, Any]) -> None:
    changed, made = open_data(source, batch_size=2), open_data(_made_with(source, changes), batch_size=2)
    feed, expected = changed.feed("train"), made.feed("train")
    for _ in range(3):
        feed.next()
        expected.next()
    before = feed.peek()
    for name, value in changes.items():
        changed.change(name, value)
        assert changed.settings()[name] == value
    differs = False
    for _ in range(6):
        one, other = feed.next(), expected.next()
        assert all(torch.equal(one[name], other[name]) for name in one.fields)
        differs = differs or not torch.equal(before[next(iter(before.fields))], one[next(iter(one.fields))])
    assert differs


def _made_with(source: Any, changes: dict[str, Any]) -> Any:
    """The record of a source with other arguments, those of modalities as `sound/noise`."""
    found = copy.deepcopy(source)
    for name, value in changes.items():
        inner, _, key = name.rpartition("/")
        (found["of"][inner] if inner else found)[key] = value
    return found


def test_in_step_the_duration_stays() -> None:
    data = open_data({"type": "ImageStream", "of": "Digits", "in_step": True})
    assert data.settings() == {"noise": 0.0, "fading": 0}
    with pytest.raises(RequestError, match="data/duration: unknown setting"):
        data.change("duration", 3)


def test_other_sources_have_no_such_numbers() -> None:
    assert Data({"x": torch.zeros(3)}).settings() == {}
