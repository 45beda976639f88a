from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import torch

from rillnet.runtime.placement import calibration
from rillnet.serving.cli import main
from rillnet.serving.cli.placing import optimizer_copies
from rillnet.training.loading import load

Lines = Callable[..., list[str]]
Command = Callable[..., dict[str, Any]]

MACHINE = ("--machine", "{flops: 1e9, bandwidth: 1e6, latency: 0}")


def test_who_computes_what_and_what_it_costs(place: Path, lines: Lines) -> None:
    given = "placement={processes: 2, blocks: {logits: feature}}"
    assert lines("show", "tiny.yaml", "--placement", "--set", given, "--batch", "8", *MACHINE) == [
        "block     type          kind     processes  part of the first  note",
        "conv      Conv2d        batch    all        [4 of 8, 4, 6, 6]",
        "relu      ReLU          batch    all        [4 of 8, 4, 6, 6]",
        "flat      Flatten       batch    all        [4 of 8, 144]",
        "logits    Linear        feature  all        [8, 5 of 10]",
        "loss      CrossEntropy  batch    all        [4 of 8, 10]",
        "accuracy  Accuracy      batch    all        [4 of 8]",
        "",
        "edge            exchange    forward  backward",
        "flat -> logits  gather      4.61 kB   4.61 kB",
        "logits -> loss  all-to-all    160 B     160 B",
        "",
        "process  parameters  gradients  optimiser  activations   memory  multiply-adds  computes",
        "0           3.06 kB    3.06 kB    6.12 kB      9.46 kB  21.7 kB         10.9 k   55.3 us",
        "1           3.06 kB    3.06 kB    6.12 kB      9.46 kB  21.7 kB         10.9 k   55.3 us",
        "",
        "a step of 8 examples on 2 processes (given):",
        "  time 5 ms: computing 55.3 us, waiting and sending 4.94 ms",
        "  sent 9.86 kB: on edges 9.54 kB, sums of gradients 320 B",
        "  memory 21.7 kB at most in one process",
    ]


def test_the_batch_is_that_of_the_document(place: Path, answer: Command) -> None:
    told = answer("show", "tiny.yaml", "--placement", *MACHINE)

    assert (told["batch"], told["processes"]) == (256, 1)


def test_a_ready_net_in_another_rollout(place: Path, answer: Command) -> None:
    given = "placement={blocks: {'conv*': {location: 0}, '*': {location: 1}}}"
    told = answer("show", "lenet", "--placement", "--set", given, "--rollout", "streaming", *MACHINE)

    assert told["processes"] == 2
    assert {(edge["source"], edge["delay"]) for edge in told["edges"]} >= {("conv1", 0)}


def test_it_is_drawn(place: Path, lines: Lines) -> None:
    assert lines("show", "tiny.yaml", "--placement", "--svg", "placed.svg", *MACHINE)[-1] == "wrote placed.svg"
    assert ElementTree.parse("placed.svg").getroot().tag.endswith("svg")


def test_this_machine_is_measured_where_none_is_named(
    place: Path, answer: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(place))

    assert answer("show", "tiny.yaml", "--placement")["machine"]["name"] == "here"
    assert (place / "rillnet" / "machine.json").is_file()
    assert calibration.this_machine().name == "here"


def test_the_threads_are_left_as_they_were(place: Path, answer: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(place))
    before = torch.get_num_threads()
    answer("show", "tiny.yaml", "--placement", "--batch", "4")

    assert torch.get_num_threads() == before


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--machine", "K4"], "--machine: unknown device (got 'K4'); did you mean 'K40'?"),
        (["--rollout", "streaming", "--rollout", "sequential"], "--rollout: may be given once with --placement"),
    ],
)
def test_what_cannot_be_shown(place: Path, words: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "tiny.yaml", "--placement", *words]) == 2
    assert capsys.readouterr().err == told + "\n"


def test_a_placement_that_is_not_possible_has_its_place(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = Path("tiny.yaml").read_text()
    Path("tiny.yaml").write_text(text + "placement: {processes: 2, blocks: {convv: feature}}\n")

    assert main(["show", "tiny.yaml", "--placement", *MACHINE]) == 2
    fault = "placement.blocks.convv: matches no block; did you mean 'conv'?  [tiny.yaml:19]\n"
    assert capsys.readouterr().err == fault


@pytest.mark.parametrize(("optimizer", "copies"), [("{type: SGD, lr: 0.1}", 1), ("Adam", 2)])
def test_the_optimiser_keeps_so_much(place: Path, optimizer: str, copies: float) -> None:
    experiment: Any = load("tiny.yaml", [f"learning.main.optimizer={optimizer}"])

    assert optimizer_copies(experiment.spec) == copies
