"""Paths of a document and the addresses that name them."""

from __future__ import annotations

import pytest

from rillnet.model.frontends.addresses import Path, address_of, path_from, short_for

PAIRS: list[tuple[Path, str]] = [
    (("net",), "net"),
    (("net", "blocks"), "net.blocks"),
    (("net", "blocks", "conv1"), "net/conv1"),
    (("net", "blocks", "conv1", "kernel_size"), "net/conv1.kernel_size"),
    (("net", "blocks", "res1", "blocks"), "net/res1.blocks"),
    (("net", "blocks", "res1", "blocks", "conv1", "bias"), "net/res1/conv1.bias"),
    (("net", "inputs", "image", "dtype"), "net.inputs.image.dtype"),
    (("learning",), "learning"),
    (("learning", "main"), "learning/main"),
    (("learning", "main", "optimizer", "lr"), "learning/main.optimizer.lr"),
    (("data", "prepare", 1, "type"), "data.prepare.1.type"),
    (("network", "blocks", "a", "b"), "network.blocks.a.b"),
    ((), ""),
]


@pytest.mark.parametrize(("path", "address"), PAIRS)
def test_address_of(path: Path, address: str) -> None:
    assert address_of(path) == address


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("run.epochs", ("run", "epochs")),
        ("net.blocks.conv1.bias", ("net", "blocks", "conv1", "bias")),
        ("net/conv1.bias", ("net", "blocks", "conv1", "bias")),
        ("net/res1/conv1", ("net", "blocks", "res1", "blocks", "conv1")),
        ("learning/main.optimizer.lr", ("learning", "main", "optimizer", "lr")),
        ("data.prepare[1].type", ("data", "prepare", "1", "type")),
        ("rollout.delays.a->b", ("rollout", "delays", "a->b")),
    ],
)
def test_path_from(key: str, path: Path) -> None:
    assert path_from(key) == path


@pytest.mark.parametrize(
    ("path", "key"),
    [
        (("net", "blocks", "relu1"), "type"),
        (("net", "blocks", "res1", "blocks", "relu1"), "type"),
        (("net", "blocks", "fc", "share", "weight"), "of"),
        (("net", "blocks", "fc", "from"), None),
        (("net", "name"), None),
        (("learning", "main"), "type"),
        (("learning", "main", "optimizer"), "type"),
        (("data", "source"), "type"),
        (("data", "augment", 0), "type"),
        (("data", "batch_size"), None),
        (("observe", 0), "type"),
        (("rollout",), "default"),
        (("run", "device"), None),
        ((), None),
    ],
)
def test_short_for(path: Path, key: str | None) -> None:
    assert short_for(path) == key
