"""What counts as a source."""

from __future__ import annotations

import pytest
import torch

from rillnet.data import open_data
from rillnet.data.examples import ArrayExamples
from rillnet.data.source import Source
from rillnet.data.sources.digits import Digits
from rillnet.spec import Phase


class Squares:
    """A source of a user's own."""

    def phases(self) -> tuple[Phase, ...]:
        return ("train", "test")

    def examples(self, phase: Phase) -> ArrayExamples:
        return ArrayExamples({"x": torch.arange(4.0) ** 2 + (phase == "test")})


@pytest.mark.parametrize(("thing", "expected"), [(Digits(), True), (Squares(), True), ({}, False), ([1], False)])
def test_sources_are_told_by_their_methods(thing: object, expected: bool) -> None:
    assert isinstance(thing, Source) is expected


def test_a_source_of_ones_own_is_opened() -> None:
    data = open_data(Squares(), batch_size=4, shuffle=False)

    assert data.phases == ("train", "test")
    assert data.feed("test").next()["x"].tolist() == [1, 2, 5, 10]


def test_a_source_of_ones_own_is_found_by_its_import_path() -> None:
    data = open_data("rillnet.data.sources.digits:Digits")

    assert len(data.feed("test").next()["label"]) == 128
