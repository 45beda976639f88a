from __future__ import annotations

import pytest

from rillnet.errors import RequestError
from rillnet.runtime.control.grammar import split
from rillnet.serving.shell.protocol import Wanted
from rillnet.serving.shell.streaming import Asked, parse_stream, reductions
from tests.serving.shell.standing_in import StandIn


def asked(text: str) -> Asked:
    return parse_stream(split(text))


def test_addresses_and_settings_in_any_order() -> None:
    assert asked("clock/frame") == Asked(Wanted(["clock/frame"], 4.0, None, 0), None)
    assert asked("rate=0.5 net/a/output count=3 net/b/output stream=2 reduction=argmax") == Asked(
        Wanted(["net/a/output", "net/b/output"], 0.5, "argmax", 2), 3
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "stream.address: is required; as in stream clock/frame"),
        ("a rate=0", "stream.rate: must be a number above 0 (got '0')"),
        ("a rate=fast", "stream.rate: must be a number above 0 (got 'fast')"),
        ("a count=0", "stream.count: must be a whole number, at least 1 (got '0')"),
        ("a count=1.5", "stream.count: must be a whole number, at least 1 (got '1.5')"),
        ("a stream=-1", "stream.stream: must be a whole number, at least 0 (got '-1')"),
        ("a cuont=1", "stream.cuont: unknown argument; did you mean 'count'?"),
    ],
)
def test_what_cannot_be_asked(text: str, told: str) -> None:
    with pytest.raises(RequestError) as raised:
        asked(text)

    assert str(raised.value) == told


def test_an_unknown_reduction_names_the_nearest() -> None:
    with pytest.raises(RequestError, match=r"\(got 'percentile'\); did you mean 'percentiles'\?$"):
        asked("a reduction=percentile")


def test_values_are_reduced_to_a_line() -> None:
    session = StandIn({"clock/frame": 3, "net/a/output": [10], "net/b/weight": [64, 64]})
    addresses = ["net/b/weight", "clock/frame", "net/a/output"]

    assert reductions(session, Wanted(addresses)) == [
        ("net/b/weight", "percentiles"),
        ("clock/frame", "scalar"),
        ("net/a/output", "whole"),
    ]
    assert reductions(session, Wanted(["net/b/weight"], reduction="argmax")) == [("net/b/weight", "argmax")]


def test_an_address_where_nothing_stands_is_told() -> None:
    with pytest.raises(RequestError, match=r"^net/zebra: unknown address; addresses lists those that there are$"):
        reductions(StandIn(), Wanted(["net/zebra"]))
