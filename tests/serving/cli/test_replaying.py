from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import rillnet as rn
from rillnet.runtime.rundirectory import RunDirectory
from rillnet.runtime.session import Session
from rillnet.serving.cli import main

Command = Callable[..., dict[str, Any]]


def test_a_run_is_done_again_and_found_the_same(run: RunDirectory, answer: Command) -> None:
    assert answer("replay", "tiny") == {
        "run": "tiny/1",
        "step": 12,
        "commands": 0,
        "checkpoint": "runs/tiny/1/checkpoints/step-0000000012",
        "identical": True,
        "compared": 4,
        "differing": [],
    }


def test_the_answer_as_text(run: RunDirectory, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", "tiny", "--until", "7", "--quiet"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "tiny/1 done again to step 6 with 0 commands: 4 tensors identical to runs/tiny/1/checkpoints/step-0000000006"
    ]


def _changed(run: RunDirectory, *commands: str, secretly: bool = False) -> None:
    """Goes on with a run: commands, a step, a checkpoint."""
    with Session(rn.load(run.path), say=lambda text: None) as session:
        for command in commands:
            session.command(command)
        session.run(steps=1, progress=False)
        if secretly:
            with torch.no_grad():
                session.net["logits"].bias += 1
        session.checkpoint()


def test_a_run_that_differs_ends_with_4_and_names_the_addresses(
    run: RunDirectory, capsys: pytest.CaptureFixture[str]
) -> None:
    _changed(run, secretly=True)
    assert main(["replay", "tiny", "--quiet"]) == 4
    assert capsys.readouterr().out.splitlines() == [
        "tiny/1 done again to step 13 with 0 commands: "
        "1 of 4 tensors differ from runs/tiny/1/checkpoints/step-0000000013:",
        "  net/logits/bias",
    ]


def test_an_edited_net_is_what_is_done_again_evaluated_and_shown(
    run: RunDirectory, answer: Command, capsys: pytest.CaptureFixture[str], place: Path
) -> None:
    _changed(run, "widen conv 6", "remove relu")
    assert answer("replay", "tiny")["commands"] == 2
    assert answer("eval", "tiny")["examples"] == 359
    told = answer("show", "tiny", "--resolved")
    assert list(told["net"]["blocks"]) == ["conv", "flat", "logits", "loss", "accuracy"]
    assert told["net"]["blocks"]["conv"]["out_channels"] == 6
    assert answer("show", "tiny", "--svg", "net.svg")["parameters"] == 60 + 2170
