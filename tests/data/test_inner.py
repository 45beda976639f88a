"""Sources that are made of other sources."""

from __future__ import annotations

import pytest

from rillnet.data.inner import InnerSource
from rillnet.data.sources import SOURCES
from rillnet.data.sources.digits import Digits
from rillnet.errors import RequestError


def test_a_name_a_record_and_a_source_are_taken() -> None:
    given = Digits()

    assert isinstance(InnerSource("Digits", "of", SOURCES).open(), Digits)
    assert isinstance(InnerSource({"type": "Digits"}, "of", SOURCES).open(), Digits)
    assert InnerSource(given, "of", SOURCES).open() is given


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"type": "Digit"}, "of.type: unknown source (got 'Digit'); did you mean 'Digits'?"),
        ({"kind": "Digits"}, "of.type: is required"),
        ({"type": "RomanNumerals", "sise": 8}, "of.sise: unknown key; did you mean 'size'?"),
        ({"type": "Oscillators", "period": [0]}, "of.period.0: must be more than 0 (got 0)"),
        (
            {"type": "ImageStream", "of": {"type": "Digit"}},
            "of.of.type: unknown source (got 'Digit'); did you mean 'Digits'?",
        ),
    ],
)
def test_faults_stand_below_the_address(given: object, message: str) -> None:
    with pytest.raises(RequestError) as error:
        InnerSource(given, "of", SOURCES)
    assert str(error.value) == message


def test_without_the_family_it_cannot_be_opened() -> None:
    with pytest.raises(RequestError) as error:
        InnerSource("Digits", "of", None).open()
    assert str(error.value) == "data.source.of: needs the family of sources: open it through open_data"
