"""What is in a net, in numbers."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
import torch
import yaml
from rich.console import Console
from torch import Tensor, nn

import rillnet as rn
from rillnet.model.net import Net
from rillnet.model.nets import path_of
from rillnet.model.shapes import Output, Signature
from rillnet.model.summary import Row, Summary, multiply_adds, summarise, table, text


class Silent(nn.Module):
    """A forward that does not run on shapes alone."""

    def forward(self, x: Tensor) -> Tensor:
        return x * float(x.sum())


def ready(name: str) -> Net:
    return Net.from_spec(yaml.safe_load(path_of(name).read_text(encoding="utf-8"))["net"], device="meta")


def nested() -> Net:
    blocks = {
        "in": {"type": "Linear", "out_features": 4, "bias": False},
        "body": {"repeat": 2, "blocks": {"fc": {"type": "Linear", "out_features": 4}, "act": "Tanh"}},
        "tied": {"type": "Linear", "out_features": 4, "share": {"weight": "body/1/fc.weight"}},
        "noise": {"type": "Dropout", "exclude": ["val", "test"]},
    }
    return Net.from_spec({"name": "nested", "inputs": {"x": [4]}, "blocks": blocks}, seed=0)


@pytest.mark.parametrize(
    ("name", "count"),
    [("alexnet", 714_188_480), ("vgg_a", 7_609_090_048), ("resnet18", 1_814_073_344), ("resnet50", 4_089_184_256)],
)
def test_multiply_adds_are_those_counted_for_torchvisions_models(name: str, count: int) -> None:
    assert summarise(ready(name)).multiply_adds == count


@pytest.mark.parametrize(
    ("name", "billions"), [("googlenet", 1.58), ("overfeat_fast", 2.81), ("resnet20_cifar", 0.0408)]
)
def test_multiply_adds_are_about_those_of_the_papers(name: str, billions: float) -> None:
    summary = summarise(ready(name))

    assert summary.multiply_adds / 1e9 == pytest.approx(billions, rel=0.01)


def test_rows_of_a_nested_net() -> None:
    summary = summarise(nested())

    assert [(row.path, row.depth, row.type, row.parameters, row.multiply_adds) for row in summary.rows] == [
        ("x", 0, "input", 0, 0),
        ("in", 0, "Linear", 16, 16),
        ("body", 0, "Net", 40, 32),
        ("body/1", 1, "Net", 20, 16),
        ("body/1/fc", 2, "Linear", 20, 16),
        ("body/1/act", 2, "Tanh", 0, 0),
        ("body/2", 1, "Net", 20, 16),
        ("body/2/fc", 2, "Linear", 20, 16),
        ("body/2/act", 2, "Tanh", 0, 0),
        ("tied", 0, "Linear", 4, 16),
        ("noise", 0, "Dropout", 0, 0),
    ]
    assert (summary.name, summary.parameters, summary.trainable, summary.multiply_adds) == ("nested", 60, 60, 64)


def test_depth_limits_rows_not_totals() -> None:
    whole, shallow = summarise(nested()), summarise(nested(), depth=0)

    assert [row.path for row in shallow.rows] == ["x", "in", "body", "tied", "noise"]
    assert (shallow.parameters, shallow.multiply_adds) == (whole.parameters, whole.multiply_adds)


def test_rows_say_what_is_read_sent_and_left_out() -> None:
    net = Net("n", {"x": (3, 8), "label": rn.Scalar("int64")}, seed=0)
    net.add("gru", rn.GRU(hidden_size=2), source="x")
    net.add("last", nn.Flatten(), source="gru[0]", exclude=["val", "test"])

    rows = {row.path: row for row in summarise(net).rows}

    assert rows["label"].output == "[] int64"
    assert rows["gru"].output == "([3, 2], [1, 2] with the batch as dimension 1)"
    assert rows["last"] == Row("last", 0, "Flatten", "gru[0]", "[6]", 0, 0, ("test", "val"))


def test_parameters_that_do_not_learn_are_told_apart() -> None:
    net = nested()
    net["in"].weight.requires_grad_(False)  # type: ignore[union-attr]

    assert (summarise(net).parameters, summarise(net).trainable) == (60, 44)


def test_the_net_is_not_changed() -> None:
    net = ready("lenet").materialise("cpu")
    net.add("norm", nn.BatchNorm1d(10), source="logits")
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}

    summarise(net)

    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    assert all(not tensor.is_meta for tensor in net.state_dict().values())


def test_a_summary_is_written_as_json() -> None:
    written = json.loads(json.dumps(summarise(nested()).as_dict()))

    assert written["multiply_adds"] == 64
    assert written["rows"][-1] == {
        "path": "noise",
        "depth": 0,
        "type": "Dropout",
        "sources": "tied",
        "output": "[4]",
        "parameters": 0,
        "multiply_adds": 0,
        "exclude": ["test", "val"],
    }


SEQUENCE = Signature((5, 8))


@pytest.mark.parametrize(
    ("module", "sources", "expected"),
    [
        (nn.Linear(8, 3), [Signature((8,))], 24),
        (nn.Linear(8, 3), [SEQUENCE], 5 * 24),
        (nn.Conv2d(2, 4, 3, groups=2), [Signature((2, 5, 5))], 9 * 9 * 4),
        (nn.ConvTranspose2d(2, 4, 2, stride=2), [Signature((2, 5, 5))], 25 * 4 * 4 * 2),
        (nn.BatchNorm1d(8), [Signature((8,))], 0),
        (nn.LSTM(8, 16, batch_first=True), [SEQUENCE], 5 * 4 * 16 * (8 + 16)),
        (nn.MultiheadAttention(8, 2, batch_first=True), [SEQUENCE] * 3, 4 * 5 * 8 * 8 + 2 * 5 * 5 * 8),
        (Silent(), [Signature((8,))], None),
    ],
)
def test_multiply_adds_of_layers(module: nn.Module, sources: list[Output], expected: int | None) -> None:
    assert multiply_adds(module, sources) == expected


def test_what_cannot_be_counted_is_a_question_mark() -> None:
    net = Net("n", {"x": (4,)}).add("own", Silent()).add("fc", rn.Linear(out_features=2))

    summary = summarise(net)

    assert summary.rows[1].multiply_adds is None
    assert summary.multiply_adds == 8
    assert text(summary).splitlines()[3].endswith("?")


def test_a_net_in_text() -> None:
    net = Net("n", {"x": (1000,)}, seed=0).add("fc", rn.Linear(out_features=9), exclude="test")

    assert text(summarise(net)).splitlines() == [
        "block  type                  reads  sends   parameters  multiply-adds",
        "---------------------------------------------------------------------",
        "x      input                        [1000]",
        "fc     Linear (not in test)  x      [9]          9,009          9,000",
        "---------------------------------------------------------------------",
        "total                                            9,009          9,000",
    ]


def test_a_large_net_is_shown_by_its_first_and_last_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rillnet.model.summary.MOST_ROWS", 40)
    net = Net("n", {"x": (4,)}, seed=0)
    for number in range(25):
        net.add(f"fc{number}", rn.Linear(out_features=4)).add(f"act{number}", rn.Tanh())

    lines = text(summarise(net)).splitlines()

    assert len(lines) == 2 + 20 + 1 + 10 + 2
    assert lines[22].split() == ["...", "21", "more", "11", "Tanh,", "10", "Linear", "200", "160"]
    assert lines[-1].split() == ["total", "500", "400"]


def test_blocks_of_nested_nets_are_indented() -> None:
    lines = text(summarise(nested())).splitlines()

    assert [line[:8].rstrip() for line in lines[4:8]] == ["body", "  1", "    fc", "    act"]


@pytest.mark.parametrize("width", [60, 200])
def test_a_net_as_a_table_in_a_terminal(width: int) -> None:
    console = Console(file=io.StringIO(), width=width)

    console.print(table(summarise(nested())))

    printed = console.file.getvalue()  # type: ignore[attr-defined]
    assert "nested" in printed
    assert "body" in printed
    assert "60" in printed
    assert max(map(len, printed.splitlines())) <= width


def test_a_traced_call_is_shown_by_what_it_calls() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Any:
            return torch.relu(self.fc(x)) @ x.T

    summary: Summary = summarise(Net.from_module(Model(), torch.zeros(2, 4)))

    assert [row.type for row in summary.rows] == ["input", "Linear", "relu", "T", "matmul"]
