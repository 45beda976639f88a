from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from rillnet.serving.cli.dispatch import main

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
        "path_delays": {"x -> c": [1, 2]},
    }
    assert told["valid_patterns"] == 2**4


def test_what_else_follows_from_the_delays_is_told(chain: str, lines: Lines) -> None:
    told = lines("show", chain, "--rollout", "streaming", "--rollout", "aligned", "--rollout", "2", "--frames", "2")

    assert told[0].split() == ["streaming", "aligned", "2"]
    assert told[-2:] == [
        "frames from x -> c: streaming 1, 2; aligned 2; 2 4, 6",
        "valid patterns of delays 0 and 1: 16",
    ]


def test_the_rollout_of_a_document_is_shown_with_the_lags_that_learning_asks_for(place: Path, answer: Command) -> None:
    Path("own.yaml").write_text(
        "experiment: own\nnet:\n  inputs: {x: [3], y: [3]}\n  blocks:\n"
        "    a: {type: Linear, from: x, out_features: 3}\n    b: {type: Linear, out_features: 3}\n"
        "    loss: {type: MSELoss, from: [b, y]}\n"
        'rollout: {delays: {"a->b": 2}}\nlearning: {main: {type: Backprop, lag: auto, optimizer: SGD}}\n'
        "run: {steps: 1}\n"
    )

    told = answer("show", "own.yaml", "--rollout", "document")["rollouts"]["document"]

    assert told["delays"] == {"x->a": 0, "a->b": 2, "b->loss": 0, "y->loss": 2}
    assert told["path_delays"] == {"x -> b": [2]}


def test_of_a_net_alone_the_documents_rollout_is_sequential(chain: str, answer: Command) -> None:
    assert set(answer("show", chain, "--rollout", "document")["rollouts"]["document"]["delays"].values()) == {0}


def test_an_unknown_rollout_is_told(chain: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", chain, "--rollout", "aligne"]) == 2
    assert capsys.readouterr().err == (
        "--rollout: must be sequential, streaming, aligned, document or a whole number of frames "
        "(got 'aligne'); did you mean 'aligned'?\n"
    )


def test_large_nets_are_shown_by_their_first_and_last_blocks(place: Path, lines: Lines) -> None:
    blocks = "".join(f"    b{n}: {{type: Tanh, from: x}}\n" for n in range(500))
    Path("large.yaml").write_text(f"net:\n  inputs: {{x: [3]}}\n  blocks:\n{blocks}")

    told = lines("show", "large.yaml", "--rollout", "streaming", "--frames", "1", "--svg", "t.svg")

    assert [told[n].split()[:3] for n in (20, 21, 22, 23)] == [
        ["b17", "0", "1"],
        ["b18", "0", "1"],
        ["...", "471", "more"],
        ["b490", "0", "1"],
    ]
    assert len(told) == 2 + 31 + 1 + 31 + 1
    texts = [element.text for element in ElementTree.parse("t.svg").getroot().iter() if element.text]
    assert "... 471 more" in texts
    assert "b200" not in texts


def test_tableaus_are_drawn(chain: str, lines: Lines) -> None:
    assert lines("show", chain, "--rollout", "streaming", "--svg", "t.svg")[-1] == "wrote t.svg"
    assert ElementTree.parse("t.svg").getroot().tag.endswith("svg")
