"""Changes to a document from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rillnet.errors import RequestError
from rillnet.model.frontends.yaml import read, read_text

TEXT = """
net:
  inputs: {x: [3, 4]}
  blocks: {a: ReLU, b: {type: Linear, out_features: 2, share: {weight: a.weight}}, u: {blocks: {c: {type: Linear}}}}
data: {source: MNIST, prepare: [Rescale]}
learning: {main: {type: Backprop, optimizer: {type: SGD, lr: 0.1}}}
run: {epochs: 3}
"""


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("run.epochs=1", ("run", "epochs"), 1),
        (" run.epochs = 1", ("run", "epochs"), 1),
        ("run.seed=7", ("run", "seed"), 7),
        ("run.log=1 epoch", ("run", "log"), "1 epoch"),
        ("run.log=a=b", ("run", "log"), "a=b"),
        ("run.device='5'", ("run", "device"), "5"),
        ("learning.main.optimizer.lr=1e-3", ("learning", "main", "optimizer", "lr"), 0.001),
        ("learning/main.optimizer.lr=1e-3", ("learning", "main", "optimizer", "lr"), 0.001),
        ("net.blocks.b.out_features=8", ("net", "blocks", "b", "out_features"), 8),
        ("net/u/c.bias=false", ("net", "blocks", "u", "blocks", "c", "bias"), False),
        ("net.blocks.a.inplace=true", ("net", "blocks", "a"), {"type": "ReLU", "inplace": True}),
        (
            "net/b.share.weight.transpose=true",
            ("net", "blocks", "b", "share", "weight"),
            {"of": "a.weight", "transpose": True},
        ),
        ("net.inputs.x.1=5", ("net", "inputs", "x"), [3, 5]),
        ("net.inputs.x=[7, 7]", ("net", "inputs", "x"), [7, 7]),
        ("data.prepare[0].factor=2", ("data", "prepare"), [{"type": "Rescale", "factor": 2}]),
        ("data.source={type: Digits, split: 3}", ("data", "source"), {"type": "Digits", "split": 3}),
        ("rollout=streaming", ("rollout",), "streaming"),
        ("rollout.delays.a->b=2", ("rollout", "delays", "a->b"), 2),
        ("placement.default.partition=batch", ("placement", "default", "partition"), "batch"),
    ],
)
def test_a_value_is_set(override: str, path: tuple[str | int, ...], value: Any) -> None:
    document = read_text(TEXT, overrides=[override])

    found = document.values
    for step in path:
        found = found[step]
    assert found == value
    assert type(found) is type(value)


def test_a_value_stands_where_it_was_set() -> None:
    document = read_text(TEXT, overrides=["net.blocks.b.out_features=8"])

    location = document.locate(("net", "blocks", "b", "out_features"))

    assert location is not None
    assert location.file == "--set net.blocks.b.out_features=8"
    assert str(location) == "--set net.blocks.b.out_features=8"
    assert str(document.locate(("net", "blocks", "b", "type"))) == "<text>:4"


def test_a_mapping_replaces_what_was_there() -> None:
    document = read_text(TEXT, overrides=["run={seed: 1}"])

    assert document.values["run"] == {"seed": 1}


def test_null_takes_a_key_away() -> None:
    document = read_text(TEXT, overrides=["net.blocks.a=null", "run.epochs=", "run.steps=5", "net/b.bias=null"])

    assert list(document.values["net"]["blocks"]) == ["b", "u"]
    assert document.values["run"] == {"steps": 5}
    assert document.values["net"]["blocks"]["b"]["bias"] is None


def test_the_last_one_wins() -> None:
    assert read_text(TEXT, overrides=["run.epochs=1", "run.epochs=2"]).values["run"] == {"epochs": 2}


def test_a_shared_value_changes_in_one_place_only() -> None:
    text = "net: {blocks: {a: &x {type: Linear, out_features: 2}, b: *x}}"

    blocks = read_text(text, overrides=["net/a.out_features=3"]).values["net"]["blocks"]

    assert blocks == {"a": {"type": "Linear", "out_features": 3}, "b": {"type": "Linear", "out_features": 2}}


def test_a_net_by_name_and_then_a_part_of_it() -> None:
    net = read_text(TEXT, overrides=["net=lenet", "net/fc1.out_features=30"]).net()

    assert net.name == "lenet"
    assert net.blocks["fc1"].arguments["out_features"] == 30


def test_a_net_can_be_laid_under_the_one_there_is() -> None:
    net = read_text("net: {blocks: {fc1: {out_features: 30}}}", overrides=["net.extends=lenet"]).net()

    assert net.blocks["fc1"].type == "Linear"
    assert net.blocks["fc1"].arguments["out_features"] == 30


def test_a_file_of_a_net_is_looked_for_where_the_command_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.yaml").write_text("net: {name: own, blocks: {a: ReLU}}")
    Path("folder").mkdir()
    Path("folder/x.yaml").write_text(TEXT)

    assert read("folder/x.yaml", ["net=./own.yaml"]).net().name == "own"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("run.epochs", "must be key=value, as in run.epochs=3  [--set run.epochs]"),
        ("=3", "must be key=value, as in run.epochs=3  [--set =3]"),
        ("run..epochs=3", "must be key=value, as in run.epochs=3  [--set run..epochs=3]"),
        ("run.epoch=3", "run.epoch: unknown key; did you mean 'epochs'?  [--set run.epoch=3]"),
        ("rnu.epochs=3", "rnu: unknown key; did you mean 'run'?  [--set rnu.epochs=3]"),
        ("run.epochs=three", "run.epochs: must be a whole number (got 'three')  [--set run.epochs=three]"),
        ("run.epochs.x=1", "run.epochs: has no 'x', as it is 3  [--set run.epochs.x=1]"),
        (
            "run.log={a: 1",
            "run.log: the mapping that opens on line 1 is not closed: `,` or `}` is expected here  "
            "[--set run.log={a: 1]",
        ),
        ("run={seed: 1, seed: 2}", "run.seed: is given twice  [--set run={seed: 1, seed: 2}]"),
        ("run.log=@x", "run.log: text that begins with @ stands in quotes  [--set run.log=@x]"),
        ("net.inputs.x.2=1", "net.inputs.x: is a list: 2 must be a position from 0 to 1  [--set net.inputs.x.2=1]"),
        ("net.inputs.x.y=1", "net.inputs.x: is a list: y must be a position from 0 to 1  [--set net.inputs.x.y=1]"),
        ("extends=x.yaml", "extends: can be given in a document only  [--set extends=x.yaml]"),
        (
            "net=lenett",
            "net: there is no ready net of this name (got 'lenett'); did you mean 'lenet'?  [--set net=lenett]",
        ),
    ],
)
def test_faults(override: str, message: str) -> None:
    with pytest.raises(RequestError) as raised:
        read_text(TEXT, "x.yaml", [override]).experiment()

    assert str(raised.value) == message


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(RequestError) as raised:
        read_text(TEXT + "observe: 5", "x.yaml", ["run", "run.epoch=3", "net=lenett"])

    assert [str(fault.location) for fault in raised.value.faults] == ["--set run", "--set net=lenett"]
