"""Values with places: merged, changed, found by path and by address."""

from __future__ import annotations

from typing import Any

import pytest

from rillnet.model.frontends.parsing import parse
from rillnet.model.frontends.tree import Node, merged, opened, path_of, place_of


def tree(text: str, file: str = "x.yaml") -> Node:
    root, faults = parse(text, file)
    assert faults == []
    return root


@pytest.mark.parametrize(
    ("base", "own", "result"),
    [
        ("{a: 1, b: 2}", "{b: 3, c: 4}", {"a": 1, "b": 3, "c": 4}),
        ("{a: {b: 1, c: 2}}", "{a: {c: 3}}", {"a": {"b": 1, "c": 3}}),
        ("{a: [1, 2]}", "{a: [3]}", {"a": [3]}),
        ("{a: {b: 1}}", "{a: 5}", {"a": 5}),
        ("{a: {b: 1, c: 2}}", "{a: {b: null}}", {"a": {"c": 2}}),
        ("{a: 1}", "{b: null}", {"a": 1, "b": None}),
        ("{rollout: streaming}", "{rollout: {align: true}}", {"rollout": {"default": "streaming", "align": True}}),
        ("{net: {blocks: {a: ReLU}}}", "{net: {blocks: {a: {inplace: true}}}}", None),
        ("{data: {source: MNIST}}", "{data: {source: {type: Digits}}}", {"data": {"source": {"type": "Digits"}}}),
        ("{run: {execution: eager}}", "{run: {execution: {threads: 1}}}", {"run": {"execution": {"threads": 1}}}),
    ],
)
def test_merged(base: str, own: str, result: dict[str, Any] | None) -> None:
    expected = result or {"net": {"blocks": {"a": {"type": "ReLU", "inplace": True}}}}

    assert merged(tree(base), tree(own)).plain() == expected


def test_keys_of_the_base_come_first() -> None:
    assert list(merged(tree("{a: 1, b: 2}"), tree("{c: 3, b: 4}")).plain()) == ["a", "b", "c"]


def test_merging_leaves_both_as_they_were() -> None:
    base, own = tree("{a: {b: 1}}"), tree("{a: {c: 2}}")

    merged(base, own)

    assert base.plain() == {"a": {"b": 1}}
    assert own.plain() == {"a": {"c": 2}}


def test_every_value_remembers_its_file() -> None:
    root = merged(tree("run:\n  epochs: 3\n  seed: 1\n", "base.yaml"), tree("run: {seed: 2}", "own.yaml"))

    assert str(place_of(root, ("run", "epochs"))) == "base.yaml:2"
    assert str(place_of(root, ("run", "seed"))) == "own.yaml:1"
    assert str(place_of(root, ("run",))) == "own.yaml:1"


def test_place_of_a_collection_is_that_of_its_key() -> None:
    root = tree("net:\n  blocks:\n    a: {type: ReLU,\n        inplace: true}\n")

    blocks = place_of(root, ("net", "blocks"))
    inplace = place_of(root, ("net", "blocks", "a", "inplace"))
    key = place_of(root, ("net", "blocks", "a", "inplace"), of_key=True)

    assert blocks is not None
    assert (blocks.line, blocks.column) == (2, 3)
    assert inplace is not None
    assert (inplace.line, inplace.column) == (4, 18)
    assert key is not None
    assert (key.line, key.column) == (4, 9)


def test_there_is_no_place_of_what_is_not_there() -> None:
    root = tree("{a: [1]}")

    assert place_of(root, ("b",)) is None
    assert place_of(root, ("a", 1)) is None
    assert place_of(root, ("a", 0, "c")) is None
    assert str(place_of(root, ("a", 0))) == "x.yaml:1"


def test_another_value_leaves_the_rest_alone() -> None:
    root = tree("{a: 1, b: [1, 2]}")
    new = Node(5, ("y", 7, 1))

    changed = root.with_child("a", new, new.mark)

    assert changed.plain() == {"a": 5, "b": [1, 2]}
    assert root.with_child("a", None, new.mark).plain() == {"b": [1, 2]}
    assert changed.value["b"].with_child(1, new, new.mark).plain() == [1, 5]
    assert root.plain() == {"a": 1, "b": [1, 2]}


def test_only_text_where_a_type_may_stand_is_opened() -> None:
    assert opened(tree("ReLU"), ("net", "blocks", "a")).plain() == {"type": "ReLU"}
    assert opened(tree("5"), ("net", "blocks", "a")).plain() == 5
    assert opened(tree("cpu"), ("run", "device")).plain() == "cpu"


NET = """
net:
  inputs: {image: [1, 28, 28]}
  blocks:
    conv1: {type: Conv2d, kernel_size: 5}
    res1:
      blocks:
        conv1: {type: Conv2d, bias: false}
    stage: {repeat: 3, blocks: {relu: ReLU}}
learning:
  main: {type: Backprop, optimizer: {type: SGD, lr: 0.1, groups: {"*.bias": {lr: 0}}}}
data: {prepare: [Rescale, {type: Crop, size: 3}]}
rollout: {delays: {"conv1->res1": 2}}
"""


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("net", ("net",)),
        ("net/conv1", ("net", "blocks", "conv1")),
        ("net/conv1.kernel_size", ("net", "blocks", "conv1", "kernel_size")),
        ("net/conv1.kernel_size[0]", ("net", "blocks", "conv1", "kernel_size")),
        ("net/conv1/weight", ("net", "blocks", "conv1")),
        ("net/conv1.padding", ("net", "blocks", "conv1")),
        ("net/res1/conv1.bias", ("net", "blocks", "res1", "blocks", "conv1", "bias")),
        ("net/stage/2/relu", ("net", "blocks", "stage", "blocks", "relu")),
        ("net/image", ("net", "inputs", "image")),
        ("net.inputs.image.0", ("net", "inputs", "image", 0)),
        ("net.blocks.conv1.type", ("net", "blocks", "conv1", "type")),
        ("net/gone", ("net",)),
        ("learning/main.optimizer.lr", ("learning", "main", "optimizer", "lr")),
        ("learning/main.optimizer.groups.*.bias.lr", ("learning", "main", "optimizer", "groups", "*.bias", "lr")),
        ("learning/main/rate", ("learning", "main")),
        ("data.prepare.1.size", ("data", "prepare", 1, "size")),
        ("data.prepare[1].size", ("data", "prepare", 1, "size")),
        ("data.prepare.7", ("data", "prepare")),
        ("rollout.delays.conv1->res1", ("rollout", "delays", "conv1->res1")),
        ("run.epochs", ()),
    ],
)
def test_path_of_an_address(address: str, path: tuple[str | int, ...]) -> None:
    assert path_of(tree(NET), address) == path
