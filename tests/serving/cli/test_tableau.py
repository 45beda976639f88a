from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

Lines = Callable[..., list[str]]
Command = Callable[..., dict[str, Any]]


@pytest.fixture
def chain(place: Path) -> str:
    """A document of three layers and a shortcut."""
    Path("chain.yaml").write_text(
        "net:\n  inputs: {x: [3]}\n  blocks:\n"
        "    a: {type: Linear, out_features: 3}\n    b: {type: Linear, out_features: 3}\n"
        "    c: {type: Sum, from: [a, b]}\n"
    )
    return "chain.yaml"


def test_the_steps_of_two_rollouts(chain: str, lines: Lines) -> None:
    told = lines("show", chain, "--rollout", "sequential", "--rollout", "streaming", "--frames", "2")

    assert told[0].split() == ["sequential", "streaming"]
    assert [line.split() for line in told[1:6]] == [
        ["frame", "0", "1", "2", "0", "1", "2"],
        ["x", "0", "0", "0", "0", "0", "0"],
        ["a", "0", "1", "1", "0", "1", "1"],
        ["b", "0", "2", "2", "0", "1", "2"],
        ["c", "0", "3", "3", "0", "2", "3"],
    ]


def test_the_same_as_json(chain: str, answer: Command) -> None:
    told = answer("show", chain, "--rollout", "streaming", "--frames", "1")

    assert told["net"] == "net"
    assert told["rollouts"]["streaming"] == {
        "inference_factor": 2,
        "delays": {"x->a": 1, "a->b": 1, "a->c": 0, "b->c": 0},
        "tableau": {"x": [0, 0], "a": [0, 1], "b": [0, 1], "c": [0, 2]},
        "first_response": {"a": 1, "b": 2, "c": 1},
    }


def test_tableaus_are_drawn(chain: str, lines: Lines) -> None:
    assert lines("show", chain, "--rollout", "streaming", "--svg", "t.svg")[-1] == "wrote t.svg"
    assert ElementTree.parse("t.svg").getroot().tag.endswith("svg")
