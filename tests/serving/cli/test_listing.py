from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rillnet.serving.cli import main

Lines = Callable[..., list[str]]
Command = Callable[..., dict[str, Any]]


def test_without_a_kind_the_kinds_are_listed(lines: Lines) -> None:
    told = lines("list")
    assert told[0].split()[:2] == ["kind", "members"]
    assert {line.split()[0] for line in told[1:-1]} >= {"blocks", "nets", "optimizers", "rates", "sources", "run"}
    assert told[-1] == "next: rillnet list blocks, rillnet list Conv2d"


def test_a_kind_lists_calls_with_one_line_each(lines: Lines) -> None:
    told = lines("list", "rates")
    place = told.index("Cosine(end=0, cycles=1, over=null)")
    assert told[place + 1].startswith("    Half a cosine: ")


def test_a_section_lists_its_keys(lines: Lines) -> None:
    told = lines("list", "run")
    assert told[0].split() == ["key", "default"]
    assert any(line.startswith("epochs ") for line in told)
    assert any(line.split()[:2] == ["checkpoint.keep", "3"] for line in told)


def test_a_member_is_told_with_all_its_arguments(lines: Lines) -> None:
    for words in (["rates", "Step"], ["Step"]):
        told = lines("list", *words)
        assert "Step(every, factor=0.1)" in told
        assert any(line.split()[:2] == ["every", "required"] and "length" in line for line in told)


def test_lists_as_json(answer: Command) -> None:
    assert {one["kind"] for one in answer("list")["kinds"]} >= {"blocks", "run"}
    sources = answer("list", "sources")["entries"]
    digits = next(entry for entry in sources if entry["name"] == "Digits")
    assert digits["told"]
    member = answer("list", "optimizers", "SGD")["entries"][0]
    assert member["kind"] == "optimizers"
    assert member["arguments"][0] | {"told": ""} == {
        "name": "lr",
        "default": "0.001",
        "kind": "float",
        "told": "",
        "inferred": False,
    }


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["optimisers"], "is neither a kind nor a member of one (got 'optimisers'); did you mean 'optimizers'?"),
        (["rates", "Cosin"], "is none of the rates (got 'Cosin'); did you mean 'Cosine'?"),
        (["rats", "Cosine"], "unknown kind (got 'rats'); did you mean 'rates'?"),
    ],
)
def test_what_is_not_there_is_told(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", *words]) == 2
    assert capsys.readouterr().err.strip() == message
