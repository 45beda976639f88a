"""`rillnet convert`: a trained net in another rollout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import rillnet as rn
from rillnet.runtime.rundirectory import RunDirectory
from rillnet.serving.cli import main

Command = Callable[..., dict[str, Any]]


def test_aligned_streaming_gives_the_same_answers_later(run: RunDirectory, answer: Command) -> None:
    told = answer("convert", "tiny", "--rollout", "streaming", "--align")

    assert told["outputs"] == {"logits": {"delay": 2, "difference": 0.0}}
    assert told["delays"]["label->loss"] == 2
    assert told["aligned"]


def test_the_result_as_text(run: RunDirectory, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", "tiny", "--align"]) == 0

    assert capsys.readouterr().out.splitlines() == [
        "tiny/1 at step 12, streaming, aligned",
        "logits: 2 frames later, largest difference 0",
    ]


def test_the_converted_document_starts_from_the_run(run: RunDirectory, answer: Command) -> None:
    told = answer("convert", "tiny", "--align", "--output", "streaming.yaml")
    text = Path("streaming.yaml").read_text()

    assert f"start_from: {told['checkpoint']}" in text
    shown = answer("show", "streaming.yaml", "--resolved")
    assert (shown["rollout"]["default"], shown["rollout"]["align"]) == ("streaming", True)


def test_an_unknown_rollout_is_told(run: RunDirectory, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", "tiny", "--rollout", "streming"]) == 2
    expected = "--rollout: must be sequential or streaming (got 'streming'); did you mean 'streaming'?"
    assert expected in capsys.readouterr().err


BY_HAND = """\
experiment: by-hand
net:
  inputs:
    {inputs}
  blocks:
    {blocks}
run: {{seed: 1, execution: eager}}
"""


def saved(inputs: str, blocks: str) -> None:
    """A run that has no data of its own: it was driven from Python."""
    Path("by_hand.yaml").write_text(BY_HAND.format(inputs=inputs, blocks=blocks))
    with rn.Session(rn.load("by_hand.yaml")) as session:
        session.checkpoint()


WORDS = (
    "word: {dtype: int64}\n    kind: {dtype: int64}\n    unread: {dtype: int64}",
    "vector: {type: Embedding, from: word, num_embeddings: 3, embedding_dim: 4}\n"
    "    one: {type: OneHot, from: kind, classes: 4}\n"
    "    hidden: {type: Linear, from: vector, out_features: 4}\n"
    "    sum: {type: Sum, from: [hidden, one]}\n"
    "    out: {type: Linear, from: sum, out_features: 2}",
)


def test_without_data_whole_numbers_are_those_that_the_net_takes(place: Path, answer: Command) -> None:
    saved(*WORDS)

    told = answer("convert", "by-hand", "--align", "--frames", "40")

    assert told["outputs"]["out"] == {"delay": 3, "difference": 0.0}


def test_whole_numbers_of_which_the_net_tells_nothing_need_data(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved("count: {shape: [2], dtype: int64}", "flat: {type: Flatten, from: count}")

    assert main(["convert", "by-hand"]) == 2
    assert capsys.readouterr().err == (
        "net/count: takes whole numbers, the net does not tell which, and the run has no data to compare with; "
        "convert a run of a document with `data`\n"
    )
