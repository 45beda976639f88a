"""Frames from a function of the user's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from rillnet.data import open_data
from rillnet.data.sources.generator import Generator
from rillnet.errors import RequestError
from rillnet.registry import UNTRUSTED, trusting


def ramp(streams: int, phase: str, first: float = 0.0) -> Iterator[dict[str, Any]]:
    for number in range(4):
        yield {"x": torch.full((streams,), first + number), "is_test": [phase == "test"] * streams}


PATH = f"{__name__}:ramp"


def test_a_function_by_its_path() -> None:
    source = {"type": "Generator", "of": PATH, "keywords": {"first": 5.0}, "at_end": "hold", "frames": 7}
    feed = open_data(source, batch_size=2).feed("train")

    assert [feed.next()["x"].tolist() for _ in range(5)] == [[5, 5], [6, 6], [7, 7], [8, 8], [8, 8]]


def test_a_function_for_each_phase() -> None:
    data = open_data({"type": "Generator", "of": {"train": PATH, "test": PATH}, "evaluation_frames": 3}, batch_size=2)

    assert data.phases == ("train", "test")
    assert [batch["is_test"].tolist() for batch in data.feed("test").once()] == [[True, True]] * 3


def test_an_evaluation_ends_with_the_source() -> None:
    data = open_data(Generator({"train": ramp, "test": ramp}), batch_size=2)

    assert len(list(data.feed("test").once())) == 4


@pytest.mark.parametrize(
    ("of", "message"),
    [
        ("ramp", "of: must be an import path, `package.module:function` (got 'ramp')"),
        ("nowhere:ramp", "of: cannot import 'nowhere': No module named 'nowhere'"),
        ({"test": f"{__name__}:rampe"}, f"of.test: module {__name__!r} has no 'rampe'; did you mean 'ramp'?"),
        (3, "of: must be a function that makes frames, or an iterable (got 'int')"),
        (
            iter([1]),
            "of: must begin anew each time, and can be gone through only once; give the function that makes it "
            "(got 'list_iterator')",
        ),
    ],
)
def test_what_is_no_generator(of: Any, message: str) -> None:
    with pytest.raises(RequestError) as error:
        Generator(of)
    assert str(error.value) == message


def test_a_document_needs_trust() -> None:
    with trusting(False), pytest.raises(RequestError) as error:
        open_data({"type": "Generator", "of": PATH})
    assert str(error.value) == f"data.source.of: {UNTRUSTED} (got {PATH!r})"
