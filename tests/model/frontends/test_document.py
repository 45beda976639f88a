"""A document: its values, the places of its values, and its records."""

from __future__ import annotations

import pytest

from rillnet.errors import Fault, Location, RequestError
from rillnet.model.frontends.yaml import read_text

TEXT = """\
experiment: tiny
net:
  inputs: {x: [3]}
  blocks:
    a: {type: Linear, out_features: 2}
    u:
      blocks:
        b: ReLU
run:
  epochs: 3
"""


def test_values_and_records() -> None:
    document = read_text(TEXT)

    assert document.values["net"]["blocks"]["a"] == {"type": "Linear", "out_features": 2}
    assert document.files == []
    experiment = document.experiment()
    assert experiment.experiment == "tiny"
    assert experiment.run.epochs == 3
    assert experiment.net == document.net()
    assert repr(document) == "Document(experiment, net, run; read from text)"


def test_places() -> None:
    document = read_text(TEXT, "x.yaml")

    assert document.locate(("net", "blocks", "a", "out_features")) == Location("x.yaml", 5, 37)
    assert document.locate(("net", "blocks", "u")) == Location("x.yaml", 6, 5)
    assert document.locate(("net", "blocks", "zebra")) is None
    assert document.locate(()) == Location("x.yaml", 1, 1)


@pytest.mark.parametrize(
    ("address", "line"),
    [
        ("net/a.out_features", 5),
        ("net/a.bias", 5),
        ("net/a/weight", 5),
        ("net/u/b", 8),
        ("net/u/b.inplace", 8),
        ("net/gone", 2),
        ("net", 2),
        ("run.epochs", 10),
        ("run.seed", 9),
        ("data.source", 1),
    ],
)
def test_places_of_addresses(address: str, line: int) -> None:
    location = read_text(TEXT, "x.yaml").locate_address(address)

    assert location is not None
    assert location.line == line


def test_no_address_has_no_place() -> None:
    assert read_text(TEXT).locate_address("") is None


def test_faults_are_located_and_put_in_the_order_of_the_text() -> None:
    document = read_text(TEXT, "x.yaml", ["run.seed=7"])
    faults = [
        Fault("", "of the whole"),
        Fault("run.seed", "of an option"),
        Fault("run.epochs", "late"),
        Fault("net/a", "elsewhere", location=Location("other.yaml", 1)),
        Fault("net/a", "early"),
    ]

    located = document.located(faults)

    assert [str(fault) for fault in located] == [
        "net/a: elsewhere  [other.yaml:1]",
        "net/a: early  [x.yaml:5]",
        "run.epochs: late  [x.yaml:10]",
        "run.seed: of an option  [--set run.seed=7]",
        "of the whole",
    ]


def test_a_net_alone_ignores_faults_elsewhere() -> None:
    document = read_text(TEXT + "  seed: -1\n", "x.yaml")

    assert list(document.net().blocks) == ["a", "u"]
    with pytest.raises(RequestError) as raised:
        document.experiment()
    assert str(raised.value) == "run.seed: must be at least 0 (got -1)  [x.yaml:11]"


def test_a_document_without_a_net() -> None:
    document = read_text("run: {epochs: 1}", "x.yaml")

    for make in (document.net, document.experiment):
        with pytest.raises(RequestError) as raised:
            make()
        assert str(raised.value) == "net: is required  [x.yaml:1]"


def test_faults_of_a_net_have_their_addresses() -> None:
    document = read_text("net:\n  blocks:\n    a: {type: 5}\n", "x.yaml")

    with pytest.raises(RequestError) as raised:
        document.net()

    assert str(raised.value) == "net/a.type: must be text (got 5)  [x.yaml:3]"
