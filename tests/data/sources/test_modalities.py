"""Several sources at once."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from rillnet.data import open_data
from rillnet.data.sources.frame_arrays import FrameArrays
from rillnet.data.sources.modalities import Modalities
from rillnet.errors import RequestError

OF = {"eye": {"type": "MovingEdges", "size": 8, "frames": 30}, "ear": {"type": "Oscillators", "period": [5, 7]}}


def test_fields_carry_the_names_of_their_sources() -> None:
    data = open_data({"type": "Modalities", "of": OF}, batch_size=3)

    assert {name: kind[0] for name, kind in data.fields("train").items()} == {
        "eye_image": (1, 8, 8),
        "eye_label": (),
        "eye_velocity": (2,),
        "eye_onset": (),
        "ear_signal": (2,),
        "ear_phase": (2,),
        "ear_period": (2,),
    }
    assert data.feed("train").batches_per_epoch == 30


def test_sources_of_one_kind_draw_on_their_own() -> None:
    of = {name: {"type": "WhiteNoise", "channels": 4} for name in ("left", "right")}
    frame = open_data({"type": "Modalities", "of": of}, batch_size=50).feed("train").next()

    assert not torch.equal(frame["left_signal"], frame["right_signal"])


def test_the_first_to_end_ends_all() -> None:
    short, long = (FrameArrays({"x": torch.arange(n).float()}, at_end="stop") for n in (4, 9))
    source = Modalities({"short": short, "long": long}, frames=20)
    data = open_data(source, batch_size=1)

    assert len(list(data.feed("train").once())) == 4


def test_phases_are_those_that_all_have() -> None:
    one, both = FrameArrays({"x": torch.zeros(4)}), FrameArrays({"x": torch.zeros(4)}, test={"x": torch.zeros(4)})

    assert Modalities({"tape": both, "other": both}).phases() == ("train", "test")
    assert Modalities({"tape": both, "other": one}).phases() == ("train",)


@pytest.mark.parametrize(
    ("of", "message"),
    [
        ({}, "data.source.of: must have at least 1 items (got {})"),
        (
            {"eye": {"type": "MovingEdge"}, "an ear": "Oscillators"},
            "data.source.of.eye.type: unknown source (got 'MovingEdge'); did you mean 'MovingEdges'?\n"
            "data.source.of.an ear: must be named with letters, digits and _ (got 'an ear')",
        ),
    ],
)
def test_sources_that_are_wrong(of: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError) as error:
        open_data({"type": "Modalities", "of": of})
    assert str(error.value) == message


def test_examples_are_no_frames() -> None:
    data = open_data({"type": "Modalities", "of": {"image": "Digits"}})
    with pytest.raises(RequestError) as error:
        data.examples("train")
    assert str(error.value) == (
        "data.source.of.image: must be a source of frames in time; wrap examples in {type: ImageStream, of: ...}"
    )


def test_names_that_meet() -> None:
    of = {"a": FrameArrays({"b_c": torch.zeros(3)}), "a_b": FrameArrays({"c": torch.zeros(3)})}
    with pytest.raises(RequestError) as error:
        Modalities(of).examples("train")
    assert str(error.value) == "data.source.of: has two fields 'a_b_c'; give a source another name"
