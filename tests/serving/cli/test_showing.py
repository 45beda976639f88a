from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import torch

import rillnet as rn
from rillnet.runtime.rundirectory import RunDirectory
from rillnet.serving.cli import main

Lines = Callable[..., list[str]]
Command = Callable[..., dict[str, Any]]


def test_a_document_s_net(place: Path, lines: Lines) -> None:
    assert lines("show", "tiny.yaml") == [
        "block     type                     reads          sends                   parameters  multiply-adds",
        "---------------------------------------------------------------------------------------------------",
        "image     input                                   [1, 8, 8]",
        "label     input                                   [] int64",
        "conv      Conv2d                   image          [4, 6, 6]                       40          1,296",
        "relu      ReLU                     conv           [4, 6, 6]",
        "flat      Flatten                  relu           [144]",
        "logits    Linear                   flat           [10]                         1,450          1,440",
        "loss      CrossEntropy             logits, label  [] for the whole batch",
        "accuracy  Accuracy (not in train)  logits, label  [] for the whole batch",
        "---------------------------------------------------------------------------------------------------",
        "total                                                                          1,490          2,736",
    ]


def test_a_ready_net_and_its_edges_as_json(place: Path, answer: Command) -> None:
    told = answer("show", "lenet")

    assert (told["name"], told["parameters"]) == ("lenet", 431_080)
    assert told["edges"][0] == {"source": "image", "target": "conv1", "output": None, "delay": 0, "port": 0}
    assert len(told["rows"]) == 12


def test_an_override_is_shown(place: Path, answer: Command) -> None:
    assert answer("show", "tiny.yaml", "--set", "net.blocks.conv.out_channels=8")["rows"][2]["output"] == "[8, 6, 6]"


def test_nothing_is_allocated(place: Path, lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    """VGG has 133 million parameters; whatever is drawn in memory is noticed here."""

    def on_meta_only(tensor: torch.Tensor, *arguments: object, **settings: object) -> torch.Tensor:
        assert tensor.is_meta
        return tensor

    for draw in ("kaiming_uniform_", "uniform_", "normal_", "constant_"):
        monkeypatch.setattr(torch.nn.init, draw, on_meta_only)

    assert lines("show", "vgg_a")[-1].split()[1] == "132,863,336"


def test_nested_nets_are_closed_on_demand(place: Path, answer: Command) -> None:
    deep, flat = answer("show", "resnet18"), answer("show", "resnet18", "--depth", "0")

    assert len(flat["rows"]) < len(deep["rows"])
    assert flat["parameters"] == deep["parameters"]


def test_the_graph_is_drawn(place: Path, lines: Lines) -> None:
    assert lines("show", "tiny.yaml", "--svg", "net.svg")[-1] == "wrote net.svg"
    drawn = ElementTree.parse("net.svg").getroot()
    assert drawn.tag.endswith("svg")


def test_delays_are_told(place: Path, lines: Lines) -> None:
    Path("loop.yaml").write_text(
        "net:\n  inputs: {x: [3]}\n  blocks:\n"
        "    h: {type: Linear, out_features: 3}\n    s: {type: Sum, from: [h, 's@-2'], shape: [3]}\n"
    )

    assert lines("show", "loop.yaml")[-1] == "edges with a delay: s -> s @-2"


def test_the_document_after_inheritance_and_overrides(place: Path, lines: Lines) -> None:
    Path("longer.yaml").write_text("extends: tiny.yaml\nrun: {epochs: 7}\n")

    text = "\n".join(lines("show", "longer.yaml", "--resolved", "--set", "run.seed=5"))
    Path("resolved.yaml").write_text(text)
    experiment = rn.load("resolved.yaml")
    assert isinstance(experiment, rn.Experiment)
    assert (experiment.spec.run.epochs, experiment.spec.run.seed) == (7, 5)
    assert list(experiment.spec.net.blocks) == ["conv", "relu", "flat", "logits", "loss", "accuracy"]


def test_a_run(run: RunDirectory, lines: Lines) -> None:
    told = lines("show", "tiny")

    assert told[0] == "run        runs/tiny/1"
    assert told[1] == "status     finished"
    assert told[2] == "step       12 (epoch 2)"
    assert "document   runs/tiny/1/experiment.yaml" in told


def test_the_net_and_the_document_of_a_run(run: RunDirectory, lines: Lines) -> None:
    assert "conv: {type: Conv2d" in "\n".join(lines("show", "tiny", "--resolved"))
    assert lines("show", "tiny", "--svg", "net.svg")[-1] == "wrote net.svg"


LOOP = """\
experiment: loop
net:
  inputs: {x: [3]}
  blocks:
    relu: ReLU
    logits: {type: Linear, out_features: 3}
    sum: {type: Sum, from: [logits, again@-1]}
    again: {type: Linear, out_features: 3, from: sum}
rollout: """


@pytest.mark.parametrize(
    ("rollout", "message"),
    [
        ("{delays: {'relu->logit': 1}}", "rollout.delays.relu->logit: unknown edge; did you mean 'relu->logits'?"),
        (
            "{delays: {zebra: 1}}",
            "rollout.delays.zebra: unknown edge; an edge is called source->target",
        ),
        (
            "{delays: {'again->sum': 0}}",
            "rollout.delays: the cycle sum -> again -> sum has no delay; "
            'give one of its edges a delay of at least 1, as in delays: {"sum->again": 1}',
        ),
        (
            "{default: streaming, align: true}",
            "rollout.align: a net with a cycle cannot be aligned, as its paths have no greatest length: "
            "sum -> again -> sum; leave out align, or take an edge of the cycle away",
        ),
    ],
)
def test_a_rollout_that_does_not_fit_the_net(
    rollout: str, message: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("loop.yaml").write_text(f"{LOOP}{rollout}\n")

    assert main(["show", "loop.yaml"]) == 2
    assert capsys.readouterr().err == f"{message}  [loop.yaml:9]\n"


def test_own_blocks_need_trust(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("own.yaml").write_text("net:\n  inputs: {x: [3]}\n  blocks: {a: {type: 'torch.nn:Tanh'}}\n")

    assert main(["show", "own.yaml"]) == 2
    rule = "runs code of yours; pass --trust, or trust=True in Python, if you mean it (got 'torch.nn:Tanh')"
    assert capsys.readouterr().err == f"net/a.type: {rule}  [own.yaml:3]\n"
    assert main(["show", "own.yaml", "--trust"]) == 0


def test_a_module_without_instances_is_noted(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("tiny.yaml").write_text("modules: {act: {blocks: {r: ReLU}}}\nnet: {inputs: {x: [3]}, blocks: {a: ReLU}}\n")
    rule = "has no instance: no block is of type act; write a block {type: act}, or take the module away"
    note = f"note: modules.act: {rule}  [tiny.yaml:1]"

    assert main(["show", "tiny.yaml"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == note
    assert main(["show", "tiny.yaml", "--resolved", "--json"]) == 0
    assert capsys.readouterr().err.splitlines() == [note]


def test_what_is_shown_resolved_has_everything_in_place(place: Path, lines: Lines) -> None:
    Path("own.yaml").write_text(
        "globals: {n: 2}\n"
        "modules: {act: {parameters: [size], blocks: {fit: {type: Linear, out_features: = size * n}}}}\n"
        "net: {inputs: {x: [3]}, blocks: {a: {type: act, size: 4}}}\n"
    )

    shown = lines("show", "own.yaml", "--resolved", "--set", "globals.n=3")

    assert shown == [
        "net:",
        "  inputs:",
        "    x: [3]",
        "  blocks:",
        "    a:",
        "      blocks:",
        "        fit: {type: Linear, out_features: 12}",
    ]
