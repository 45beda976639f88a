"""`rillnet convert`: a trained net in another rollout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

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
