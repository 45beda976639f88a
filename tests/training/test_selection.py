"""Parameters chosen by glob."""

from __future__ import annotations

import pytest

from rillnet.errors import RequestError
from rillnet.training.selection import divide, is_globs, no_match, select

ADDRESSES = [
    "net/conv1/weight",
    "net/conv1/bias",
    "net/conv10/weight",
    "net/unit/conv/weight",
    "net/ip/weight",
    "net/ip/bias",
]


@pytest.mark.parametrize(
    ("glob", "found"),
    [
        ("*", ADDRESSES),
        ("conv*", ADDRESSES[:3]),
        ("conv1", ADDRESSES[:2]),
        ("net/conv1", ADDRESSES[:2]),
        ("conv1.weight", ADDRESSES[:1]),
        ("*.bias", [ADDRESSES[1], ADDRESSES[5]]),
        ("*/bias", [ADDRESSES[1], ADDRESSES[5]]),
        ("net/*/bias", [ADDRESSES[1], ADDRESSES[5]]),
        ("unit", [ADDRESSES[3]]),
        ("conv[0-9]", ADDRESSES[:2]),
        ("conv?", ADDRESSES[:2]),
        ("con", []),
        ("weight", []),
    ],
)
def test_what_a_glob_matches(glob: str, found: list[str]) -> None:
    assert select(glob, ADDRESSES) == found


@pytest.mark.parametrize(
    ("value", "answer"), [("conv*", True), (["a", "b"], True), ([], False), ([1], False), (3, False), ({}, False)]
)
def test_what_globs_are(value: object, answer: bool) -> None:
    assert is_globs(value) is answer


def test_every_address_goes_to_one_part() -> None:
    parts = {"o[0]": ("conv*",), "o[1]": None, "o[2]": ("ip.bias", "unit")}
    assert divide(parts, ADDRESSES, "o") == [ADDRESSES[:3], [ADDRESSES[4]], [ADDRESSES[3], ADDRESSES[5]]]


def test_a_glob_without_a_match_is_hinted_at() -> None:
    assert str(no_match("cnov1", ADDRESSES, "o.of")) == (
        "o.of: matches no parameter (got 'cnov1'); did you mean 'conv1'?"
    )
    assert str(no_match("*.bais", ADDRESSES, "o.of")) == (
        "o.of: matches no parameter (got '*.bais'); did you mean '*.bias'?"
    )
    assert str(no_match("zzz", ADDRESSES, "o.of")) == (
        "o.of: matches no parameter (got 'zzz'); the blocks with parameters are conv1, conv10, unit/conv, ip"
    )


def test_all_faults_of_a_division_come_together() -> None:
    with pytest.raises(RequestError) as error:
        divide({"o[0]": ("conv*", "zzz"), "o[1]": ("*.weight",)}, ADDRESSES, "o")
    assert str(error.value).splitlines() == [
        "o[0].of: matches no parameter (got 'zzz'); the blocks with parameters are conv1, conv10, unit/conv, ip",
        "o: no part matches ip/bias; add a part for them, or one without `of` for the rest",
        "o: several parts (of: conv*, zzz and of: *.weight) match conv1/weight, conv10/weight",
    ]


def test_the_rest_may_not_be_empty() -> None:
    with pytest.raises(RequestError) as error:
        divide({"o[0]": ("*",), "o[1]": None}, ADDRESSES, "o")
    assert str(error.value) == "o[1]: has no parameters left, as the other parts match all"
